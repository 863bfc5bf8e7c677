from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.content.arrow import arrow_type, canonical, empty_table
from tdv.content.digest import TableDigester, leaf, leaves, tag
from tdv.content.order import ordered
from tdv.content.tree import content_digest, dataset_digest, part_digest, schema_digest, sources_digest, table_digest
from tdv.model.manifest import Source
from tdv.model.schema import Column, DatasetSchema, Reference, Rules, TableSchema
from tdv.model.types import LogicalType
from tests.content import reference
from tests.content.values import EXAMPLES, Sample, disguised, every_type, samples

KNOWN = json.loads((Path(__file__).parent / "known_answers.json").read_text())


def digest_of(table: pa.Table, schema: TableSchema) -> str:
    digester = TableDigester(schema)
    digester.update(ordered(canonical(table, schema), schema))
    return digester.finish()


@pytest.mark.parametrize("name", [*EXAMPLES, "decimal(38,38)"])
def test_leaf_of_each_type_has_its_known_answer(name: str) -> None:
    kind = LogicalType.parse(name)
    value = EXAMPLES.get(name)
    assert leaf(pa.array([value, None, value], arrow_type(kind)), kind) == KNOWN["leaves"][name]


def test_tables_have_their_known_answers() -> None:
    for key in (("id",), ()):
        sample = every_type(key)
        assert digest_of(sample.table(), sample.schema) == KNOWN["tables"][",".join(key)]
        assert digest_of(sample.table().slice(0, 0), sample.schema) == KNOWN["empty"]


def test_dataset_has_its_known_answer() -> None:
    users = TableSchema(
        "users",
        (
            Column("id", LogicalType("int64"), description="not content", privacy="id"),
            Column("age", LogicalType("int16"), True, Rules(minimum=0, maximum=0.5, enum=(1, "x"))),
        ),
        key=("id",),
        uniques=(("age",),),
        references=(Reference(("age",), "users", ("id",)),),
        checks=("age > 0",),
    )
    schema = schema_digest(DatasetSchema((users,), ("SELECT 1",)), ["b", "a"])
    content = content_digest({"b": table_digest(0, []), "a": table_digest(2, ["00", "11"])})
    sources = sources_digest([Source("b", "22", True), Source("a", "33", False)])
    found = {"schema": schema, "content": content, "dataset": dataset_digest(content, schema), "sources": sources}
    assert found == KNOWN["dataset"]


@given(samples())
def test_leaves_are_what_the_format_page_says(sample: Sample) -> None:
    table = canonical(sample.table(), sample.schema)
    plain = table.to_pylist()
    for column in sample.schema.columns:
        slots = [row[column.name] for row in plain]
        assert leaf(table.column(column.name), column.type) == reference.leaf(slots, column.type, tag(column.type))
    found = leaves(table, sample.schema)
    assert part_digest(found) == reference.named("tdv1 part", found)


@given(samples(), st.integers(0, 2**32))
def test_digest_depends_on_content_alone(sample: Sample, seed: int) -> None:
    table = sample.table()
    assert digest_of(disguised(table, seed), sample.schema) == digest_of(table, sample.schema)


@given(samples(), st.lists(st.integers(0, 12), max_size=4))
def test_digester_takes_any_chunks(sample: Sample, cuts: list[int]) -> None:
    table = ordered(canonical(sample.table(), sample.schema), sample.schema)
    digester = TableDigester(sample.schema)
    places = [0, *sorted(cuts), table.num_rows]
    for start, end in pairwise(places):
        digester.update(table.slice(start, max(end - start, 0)))
    assert digester.finish() == digest_of(table, sample.schema)


def test_null_differs_from_every_value() -> None:
    for name, nothing in (("string", ""), ("binary", b""), ("int64", 0), ("bool", False), ("list<int16>", [])):
        kind = LogicalType.parse(name)
        assert leaf(pa.array([None], arrow_type(kind)), kind) != leaf(pa.array([nothing], arrow_type(kind)), kind)


def test_what_lies_under_a_null_contributes_nothing() -> None:
    kind = LogicalType("int64")
    hidden = pa.Array.from_buffers(pa.int64(), 2, [pa.py_buffer(b"\x01"), pa.array([1, 99]).buffers()[1]])
    assert leaf(hidden, kind) == leaf(pa.array([1, None]), kind)


def test_equal_values_of_different_types_differ() -> None:
    found = {
        leaf(pa.array([1], arrow_type(kind)), kind)
        for kind in map(LogicalType.parse, ("int16", "int32", "int64", "decimal(3,0)", "decimal(4,0)", "date"))
    }
    assert len(found) == 6


def test_text_cannot_move_between_neighbours() -> None:
    kind = LogicalType("string")
    assert leaf(pa.array(["ab", "c"]), kind) != leaf(pa.array(["a", "bc"]), kind)


def test_field_order_of_a_struct_is_not_content() -> None:
    one, other = LogicalType.parse("struct<a: int16, b: string>"), LogicalType.parse("struct<b: string, a: int16>")
    rows = [{"a": 1, "b": "x"}, None]
    assert leaf(pa.array(rows, arrow_type(one)), one) == leaf(pa.array(rows, arrow_type(other)), other)


def test_descriptions_and_privacy_are_not_schema() -> None:
    plain = TableSchema("t", (Column("a", LogicalType("bool")),))
    told = TableSchema("t", (Column("a", LogicalType("bool"), privacy="email", description="x"),), description="y")
    assert schema_digest(DatasetSchema((plain,))) == schema_digest(DatasetSchema((told,)))
    assert schema_digest(DatasetSchema((plain,))) != schema_digest(DatasetSchema((plain,)), ["scenario"])


def test_empty_table_has_a_digest_that_knows_its_columns() -> None:
    narrow = TableSchema("t", (Column("a", LogicalType("int16")),))
    wide = TableSchema("t", (Column("a", LogicalType("int64")),))
    assert digest_of(empty_table(narrow), narrow) != digest_of(empty_table(wide), wide)
