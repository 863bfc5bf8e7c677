"""Everything that is stored comes back as the same value, through JSON."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given

from tdv.model.compat import Compat
from tdv.model.manifest import Manifest
from tdv.model.release import Amendment, Record, Release
from tdv.model.schema import Column, DatasetSchema, Reference, Rules, TableSchema
from tests.model import values


def through_json(plain: Any) -> Any:
    return json.loads(json.dumps(plain))


@given(values.tables)
def test_table_schema(table: TableSchema) -> None:
    assert TableSchema.from_plain(table.name, through_json(table.to_plain())) == table


@given(values.columns)
def test_column(column: Column) -> None:
    assert Column.from_plain(through_json(column.to_plain())) == column


@given(values.compats)
def test_compat(compat: Compat) -> None:
    assert Compat.from_plain(through_json(compat.to_plain())) == compat


@given(values.records)
def test_record(record: Record) -> None:
    assert Record.from_plain(through_json(record.to_plain())) == record


@given(values.amendments)
def test_amendment(amendment: Amendment) -> None:
    assert Amendment.from_plain(through_json(amendment.to_plain())) == amendment


@given(values.manifests)
def test_manifest(manifest: Manifest) -> None:
    assert Manifest.from_plain(through_json(manifest.to_plain())) == manifest


@given(values.records, values.manifests)
def test_other_formats_are_refused(record: Record, manifest: Manifest) -> None:
    with pytest.raises(ValueError, match=r"expected 'tdv.release/v1'"):
        Record.from_plain({**record.to_plain(), "format": "tdv.release/v9"})
    with pytest.raises(ValueError, match=r"expected 'tdv.manifest/v1'"):
        Manifest.from_plain({**manifest.to_plain(), "format": None})


@given(values.tables)
def test_identity_leaves_out_presentation(table: TableSchema) -> None:
    plain = replace(
        table,
        description="other",
        columns=tuple(replace(column, description="other", privacy="other") for column in reversed(table.columns)),
        references=tuple(reversed(table.references)),
        checks=tuple(reversed(table.checks)),
        uniques=tuple(reversed(table.uniques)),
    )
    one, other = DatasetSchema((table,), ("a", "b")), DatasetSchema((plain,), ("b", "a"))
    assert one.identity(("x", "y")) == other.identity(("y", "x"))


def test_identity_holds_everything_else() -> None:
    column = Column.from_plain({"name": "a", "type": "int64"})
    table = TableSchema("t", (column,), key=("a",))
    changed = [
        replace(table, name="u"),
        replace(table, key=()),
        replace(table, checks=("a > 0",)),
        replace(table, uniques=(("a",),)),
        replace(table, references=(Reference(("a",), "t", ("a",)),)),
        replace(table, columns=(replace(column, nullable=True),)),
        replace(table, columns=(replace(column, rules=Rules(minimum=0)),)),
        replace(table, columns=(replace(column, rules=Rules(enum=(1, 2))),)),
    ]
    identities = [repr(DatasetSchema((item,)).identity()) for item in (table, *changed)]
    identities += [repr(DatasetSchema((table,), ("x",)).identity()), repr(DatasetSchema((table,)).identity(("s",)))]
    assert len(set(identities)) == len(identities)


def test_names_are_looked_up_or_missed() -> None:
    table = TableSchema("t", (Column.from_plain({"name": "a", "type": "int64"}),))
    schema = DatasetSchema((table,))
    assert schema.table("t").column("a").name == "a"
    assert table.column_names == ("a",)
    with pytest.raises(KeyError):
        schema.table("u")
    with pytest.raises(KeyError):
        table.column("b")


def test_reference_reads_as_an_arrow() -> None:
    assert str(Reference(("a", "b"), "t", ("x", "y"))) == "(a, b) → t(x, y)"
    assert str(Reference(("a",), "t", ("x",), "other")) == "(a) → other:t(x)"


@given(values.records)
def test_release_has_the_version_of_its_record(record: Record) -> None:
    assert Release(record, record.compat).version == record.version
    assert record.reference == f"{record.dataset}@v{record.version}"
