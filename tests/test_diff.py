from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tdv import documents
from tdv.content.snapshot import Snapshot
from tdv.diff import compare
from tdv.model.diff import DatasetChange, TableChange
from tdv.model.manifest import ScenarioManifest
from tdv.model.schema import Reference, TableSchema
from tdv.snapshot import SnapshotOptions, TableRows, write
from tests.snapshots import column, snapshot

Rows = Mapping[str, Sequence[Any]]
Make = Callable[..., Snapshot]

ID = column("id", "int64")
USERS = TableSchema("users", (ID, column("name", "string", nullable=True), column("age", "int16")), key=("id",))
NOTES = TableSchema("notes", (column("text", "string"), column("stars", "int16")))


@pytest.fixture
def make(tmp_path: Path) -> Make:
    made = iter(range(1000))

    def make(tables: Mapping[TableSchema, Rows], **options: Any) -> Snapshot:
        return snapshot(tmp_path / str(next(made)), tables, **options)

    return make


def rules(change: DatasetChange) -> list[tuple[str, str, str]]:
    return [(finding.rule, finding.table, finding.column) for finding in change.findings]


def users(*rows: tuple[int, str | None, int]) -> dict[TableSchema, Rows]:
    return {USERS: {"id": [row[0] for row in rows], "name": [row[1] for row in rows], "age": [row[2] for row in rows]}}


def test_equal_snapshots_have_no_difference(make: Make) -> None:
    change = compare(make(users((1, "a", 5))), make(users((1, "a", 5))))
    assert (change.findings, change.bump, change.tables) == ((), "none", {})


def test_rows_added_removed_and_changed_by_key(make: Make) -> None:
    old = make(users((1, "a", 5), (2, None, 6), (3, "c", 7), (4, "d", 8)))
    new = make(users((1, "a", 5), (3, None, 9), (4, "e", 8), (5, "f", 1), (6, "g", 1)))
    change = compare(old, new)
    assert change.tables == {"users": TableChange(2, 1, 2, {"name": 2, "age": 1})}
    assert rules(change) == [
        ("row-removed", "users", ""),
        ("row-added", "users", ""),
        ("cell-changed", "users", "name"),
        ("cell-changed", "users", "age"),
    ]
    assert change.bump == "major"
    assert change.findings[0].message == "1 row removed"
    plain = change.to_plain("shop@v1.0.0", "shop@workspace")
    documents.validate(documents.plain(plain, "diff"), "diff")
    assert plain["tables"]["users"]["cells"] == {"name": 2, "age": 1}


@pytest.mark.parametrize(
    ("rows", "bump"),
    [
        ([(1, "a", 5), (2, "b", 5)], "minor"),
        ([(1, "a", 6)], "patch"),
        ([(1, None, 5)], "patch"),
        ([(2, "a", 5)], "major"),
    ],
)
def test_bump_of_rows(make: Make, rows: list[tuple[int, str | None, int]], bump: str) -> None:
    assert compare(make(users((1, "a", 5))), make(users(*rows))).bump == bump


def test_tables_without_a_key_are_bags(make: Make) -> None:
    old = make({NOTES: {"text": ["a", "a", "b"], "stars": [1, 1, 2]}})
    more = make({NOTES: {"text": ["a", "a", "a", "b"], "stars": [1, 1, 1, 2]}})
    other = make({NOTES: {"text": ["a", "b", "c"], "stars": [1, 2, 3]}})
    assert compare(old, more).tables["notes"] == TableChange(added=1)
    assert (rules(compare(old, more)), compare(old, more).bump) == ([("row-added", "notes", "")], "minor")
    assert (rules(compare(old, other)), compare(old, other).bump) == ([("rows-replaced", "notes", "")], "patch")
    assert rules(compare(more, old)) == [("row-removed", "notes", "")]
    assert rules(compare(more, other)) == [("row-removed", "notes", ""), ("rows-replaced", "notes", "")]


def changed(**changes: Any) -> TableSchema:
    return replace(USERS, **changes)


AGE = USERS.columns[2]
CITIES = TableSchema("cities", (column("code", "string"),), key=("code",))
TO_CITY = Reference(("name",), "cities", ("code",))


def with_age(**changes: Any) -> TableSchema:
    return changed(columns=(*USERS.columns[:2], replace(AGE, **changes)))


@pytest.mark.parametrize(
    ("old", "new", "rule", "bump"),
    [
        (USERS, changed(key=("name",)), "key-changed", "major"),
        (changed(uniques=(("name",),)), USERS, "unique-dropped", "major"),
        (USERS, changed(uniques=(("name",),)), "constraint-changed", "minor"),
        (changed(references=(TO_CITY,)), USERS, "reference-removed", "major"),
        (USERS, changed(references=(TO_CITY,)), "constraint-changed", "minor"),
        (USERS, with_age(nullable=True), "nullability-loosened", "major"),
        (with_age(nullable=True), USERS, "constraint-changed", "minor"),
        (USERS, with_age(type=column("x", "int64").type), "type-widened", "minor"),
        (USERS, with_age(type=column("x", "decimal(9,2)").type), "type-widened", "minor"),
        (with_age(type=column("x", "int64").type), USERS, "type-incompatible", "major"),
        (with_age(rules=column("x", "int16", enum=(1, 5)).rules), with_age(rules=column("x", "int16", enum=(5,)).rules),
         "enum-value-removed", "major"),
        (with_age(rules=column("x", "int16", enum=(5,)).rules), with_age(rules=column("x", "int16", enum=(1, 5)).rules),
         "constraint-changed", "minor"),
        (USERS, with_age(rules=column("x", "int16", minimum=0).rules), "constraint-changed", "minor"),
        (USERS, changed(checks=("age > 0",)), "constraint-changed", "minor"),
    ],
)  # fmt: skip
def test_schema_rules(make: Make, old: TableSchema, new: TableSchema, rule: str, bump: str) -> None:
    def rows(schema: TableSchema) -> Rows:
        ages = [Decimal(5)] if schema.column("age").type.name == "decimal" else [5]
        return {"id": [1], "name": ["a"], "age": ages}

    change = compare(make({old: rows(old)}), make({new: rows(new)}))
    assert [finding.rule for finding in change.findings] == [rule]
    assert change.bump == bump
    assert change.tables["users"] == TableChange()


def test_descriptions_and_privacy_are_no_difference(make: Make) -> None:
    private = replace(USERS.columns[1], privacy="name", description="who")
    described = changed(description="people", columns=(ID, private, AGE))
    rows = {"id": [1], "name": ["a"], "age": [5]}
    assert compare(make({USERS: rows}), make({described: rows})).findings == ()


def test_tables_and_columns_come_and_go(make: Make) -> None:
    wide = changed(columns=(*USERS.columns, column("city", "string")))
    old = make({USERS: {"id": [1], "name": ["a"], "age": [5]}, CITIES: {"code": ["at"]}})
    new = make({wide: {"id": [1], "name": ["b"], "age": [5], "city": ["w"]}, NOTES: {"text": ["x"], "stars": [1]}})
    forth, back = compare(old, new), compare(new, old)
    assert rules(forth) == [
        ("column-added", "users", "city"),
        ("table-removed", "cities", ""),
        ("table-added", "notes", ""),
        ("cell-changed", "users", "name"),
    ]
    assert forth.tables == {
        "users": TableChange(changed=1, cells={"name": 1}),
        "notes": TableChange(added=1),
        "cities": TableChange(removed=1),
    }
    assert ("column-removed", "users", "city") in rules(back)


def test_invariants_and_scenarios(make: Make) -> None:
    old, new = make(users((1, "a", 5))), make(users((1, "a", 5)), invariants=("SELECT 1 WHERE false",))
    assert rules(compare(old, new)) == [("constraint-changed", "", "")]

    def with_scenarios(digest: str, **scenarios: str) -> Snapshot:
        made = tuple(ScenarioManifest(name, name, value, {}, {}) for name, value in scenarios.items())
        return Snapshot(replace(old.manifest, digest=digest, scenarios=made), old.locate)

    change = compare(
        with_scenarios("a", gone="1", same="1", other="1"), with_scenarios("b", new="1", same="1", other="2")
    )
    assert [finding.rule for finding in change.findings] == ["scenario-removed", "scenario-added", "scenario-changed"]


def test_what_no_rule_knows_is_still_a_change(make: Make) -> None:
    old = make(users((1, "a", 5)))
    odd = Snapshot(replace(old.manifest, digest="x", schema_digest="y"), old.locate)
    assert [finding.message for finding in compare(old, odd).findings] == ["the schema differs"]
    odd = Snapshot(replace(old.manifest, digest="x", content="y"), old.locate)
    assert [finding.message for finding in compare(old, odd).findings] == ["the content differs"]


def test_levels_can_be_set(make: Make) -> None:
    change = compare(make(users((1, "a", 5))), make(users()), {"row-removed": "minor"})
    assert change.bump == "minor"


def test_nan_equals_nan_and_null_is_not_nan(make: Make) -> None:
    schema = TableSchema("t", (ID, column("v", "float64", nullable=True)), key=("id",))
    old = make({schema: {"id": [1, 2, 3], "v": [float("nan"), None, 0.0]}})
    new = make({schema: {"id": [1, 2, 3], "v": [float("nan"), float("nan"), -0.0]}})
    assert compare(old, new).tables["t"] == TableChange(changed=1, cells={"v": 1})


def test_widened_values_are_compared(make: Make) -> None:
    def schema(kind: str) -> TableSchema:
        return TableSchema("t", (column("id", kind), column("v", kind)), key=("id",))

    old = make({schema("int16"): {"id": [1, 2, 3], "v": [1, 2, 3]}})
    new = make({schema("int64"): {"id": [1, 2, 4], "v": [1, 9, 3]}})
    change = compare(old, new)
    assert change.tables["t"] == TableChange(1, 1, 1, {"v": 1})


def large(path: Path, ids: Any, values: Any) -> Snapshot:
    schema = TableSchema("t", (ID, column("a", "int64"), column("b", "int64")), key=("id",))
    data = pa.table({"id": ids, "a": values, "b": ids})
    write([TableRows(schema, [data])], SnapshotOptions("d", 1, "2026-01-01T00:00:00Z"), path)
    return Snapshot.open(path)


def test_many_parts_of_which_few_are_read(tmp_path: Path) -> None:
    ids = np.arange(300_000)
    old = large(tmp_path / "old", ids, ids)
    values = ids.copy()
    values[[5, 299_999]] += 1
    new = large(tmp_path / "new", np.delete(ids, 200_000), np.delete(values, 200_000))
    assert len(old.manifest.table("t").parts) > 2
    shared = {part.digest for part in old.manifest.table("t").parts} & {
        part.digest for part in new.manifest.table("t").parts
    }
    assert shared
    for part in old.manifest.table("t").parts:
        if part.digest in shared:
            old.locate(part.file).unlink()
    assert compare(old, new).tables["t"] == TableChange(0, 1, 2, {"a": 2})


states = st.dictionaries(
    st.integers(0, 12), st.tuples(st.sampled_from(["a", "b", None]), st.integers(0, 1)), max_size=8
)


@given(states, states)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_counts_are_those_of_a_plain_comparison(make: Make, old: Any, new: Any) -> None:
    change = compare(*(make(users(*((key, *row) for key, row in state.items()))) for state in (old, new)))
    both = old.keys() & new.keys()
    cells = [sum(old[key][place] != new[key][place] for key in both) for place in (0, 1)]
    expected = TableChange(
        len(new.keys() - old.keys()),
        len(old.keys() - new.keys()),
        sum(old[key] != new[key] for key in both),
        {name: count for name, count in zip(("name", "age"), cells, strict=True) if count},
    )
    assert change.tables.get("users", TableChange()) == expected


def test_table_that_shares_no_comparable_column(make: Make) -> None:
    one = TableSchema("t", (column("a", "string"),))
    other = TableSchema("t", (column("a", "int64"),))
    change = compare(make({one: {"a": ["x", "y"]}}), make({other: {"a": [1]}}))
    assert change.tables["t"] == TableChange(added=1, removed=2)
    assert change.bump == "major"
