"""Rows that both states have, in the columns that only one of them has, and columns that were renamed."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tdv import documents
from tdv.content.arrow import arrow_type, canonical
from tdv.content.snapshot import Snapshot
from tdv.diff.across import forms, unequal_across
from tdv.diff.markdown import LIMIT, markdown
from tdv.diff.page import page
from tdv.diff.report import report
from tdv.diff.value import common_type
from tdv.model.diff_report import KINDS, DiffReport, KeptRows, ReportOptions
from tdv.model.schema import Column, TableSchema
from tests.content.values import SIMPLE_TYPES, values
from tests.diff.states import States, opened, two_states
from tests.snapshots import column, snapshot

ID, NAME, TIER = column("id", "int64"), column("name", "string"), column("tier", "string", nullable=True)
Rows = Mapping[str, Sequence[Any]]


def told(
    root: Path, old: tuple[Sequence[Column], Rows], new: tuple[Sequence[Column], Rows], **options: Any
) -> DiffReport:
    key = () if options.pop("keyless", False) else ("id",)
    states = []
    for name, (columns, rows) in (("old", old), ("new", new)):
        states.append(snapshot(root / name, {TableSchema("users", tuple(columns), key): rows}))
    return report(*states, ("shop@v1", "shop@v2"), ReportOptions(**options))


def kept(found: DiffReport) -> KeptRows:
    (table,) = found.tables
    assert table.kept is not None
    return table.kept


def plain(rows: KeptRows) -> list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]]:
    return [(dict(row.key), dict(row.before or {}), dict(row.after or {})) for row in rows.rows]


OLD = ([ID, NAME], {"id": [1, 2, 3], "name": ["a", "b", "c"]})
NEW = ([ID, NAME, TIER], {"id": [2, 3, 4], "name": ["b", "c", "d"], "tier": ["gold", None, "tin"]})


def test_values_of_a_new_column_stand_beside_the_key(tmp_path: Path) -> None:
    found = told(tmp_path, OLD, NEW)
    assert plain(kept(found)) == [({"id": 2}, {}, {"tier": "gold"}), ({"id": 3}, {}, {"tier": None})]
    assert (kept(found).count, kept(found).added, kept(found).left_out) == (2, ("tier",), 0)
    assert found.tables[0].change.to_plain() == {"added": 1, "removed": 1, "changed": 0, "cells": {}}


def test_values_of_a_dropped_column_and_of_another_type_stand_beside_the_key(tmp_path: Path) -> None:
    numbered = ([ID, column("name", "int64")], {"id": [2, 3], "name": [20, 30]})
    found = kept(told(tmp_path, NEW, numbered))
    assert (found.removed, found.retyped) == (("tier",), ("name",))
    assert plain(found)[0] == ({"id": 2}, {"tier": "gold", "name": "b"}, {"name": 20})


@pytest.mark.parametrize("limit", [0, 1, 2, None])
def test_as_many_are_kept_as_rows_are(tmp_path: Path, limit: int | None) -> None:
    found = kept(told(tmp_path, OLD, NEW, limit=limit))
    assert (len(found.rows), found.left_out) == ((2, 0) if limit is None else (limit, 2 - limit))


def test_not_everything_is_kept_where_no_limit_is_set(tmp_path: Path) -> None:
    ids = list(range(2_000))
    old, new = ([ID], {"id": ids}), ([ID, TIER], {"id": ids, "tier": ["x"] * 2_000})
    found = kept(told(tmp_path, old, new))
    assert (found.count, len(found.rows), found.left_out) == (2_000, 500, 1_500)


def test_only_compared_columns_and_rows_that_are_asked_for(tmp_path: Path) -> None:
    assert told(tmp_path, OLD, NEW, ignore=("tier",)).tables[0].kept is None
    found = kept(told(tmp_path / "2", OLD, NEW, where="name = 'c'"))
    assert (found.count, plain(found)) == (1, [({"id": 3}, {}, {"tier": None})])
    assert kept(told(tmp_path / "3", OLD, NEW, where="tier = 'gold'", limit=0)).count == 1
    assert kept(told(tmp_path / "4", OLD, NEW, where="1 = 1")).count == 2
    assert kept(told(tmp_path / "5", OLD, NEW, where="TIER = NAME OR ID = 2")).count == 1


def test_private_values_of_either_name_are_hidden(tmp_path: Path) -> None:
    names = [f"secret {number}" for number in range(20)]
    old = ([ID, replace(NAME, privacy="name")], {"id": range(20), "name": names})
    new = ([ID, replace(NAME, name="nick")], {"id": range(20), "nick": [*names[:-1], "secret other"]})
    found = told(tmp_path, old, new)
    faces = (json.dumps(found.to_plain()), markdown([found]), page([found]))
    assert kept(found).renamed[0].differ == 1
    assert not [face for face in faces if "secret" in face]


def test_without_a_key_rows_are_told_by_their_other_columns(tmp_path: Path) -> None:
    old = ([NAME, TIER], {"name": ["a", "b", "b"], "tier": ["x", "y", "z"]})
    new = ([NAME, column("size", "int64")], {"name": ["b", "b", "c"], "size": [1, 2, 3]})
    found = kept(told(tmp_path, old, new, keyless=True))
    assert found.count == 2
    assert [found.told_by(row) for row in found.rows] == [{"name": "b"}, {"name": "b"}]
    assert sorted(row.values("", "size") for row in found.rows) == [(1,), (2,)]
    assert sorted(row.values("tier", "") for row in found.rows) == [("y",), ("z",)]


@settings(max_examples=60, deadline=None)
@given(two_states())
def test_rows_that_stay_are_those_that_neither_came_nor_went(found: tuple[States, States]) -> None:
    with opened(*found) as (old, new):
        for table in report(old, new, ("a", "b"), ReportOptions()).tables:
            if table.kept is not None:
                told_whole = table.kept.added or table.kept.removed or table.kept.renamed
                stay = (table.after or 0) - table.change.added
                assert table.kept.count == stay if told_whole else 0 < table.kept.count <= stay
                assert table.kept.count == len(table.kept.rows)


def renamed(root: Path, values: Sequence[Any], later: Sequence[Any], kind: str = "string") -> KeptRows:
    ids = list(range(len(values)))
    old = ([ID, column("name", kind, nullable=True)], {"id": ids, "name": values})
    new = ([ID, column("nick", kind, nullable=True)], {"id": ids, "nick": later})
    return kept(told(root, old, new))


def test_a_renamed_column_may_have_some_other_values(tmp_path: Path) -> None:
    values = [f"name {number}" for number in range(30)]
    found = renamed(tmp_path, values, [*values[:3], "x", "y", "z", *values[6:]])
    (rename,) = found.renamed
    assert (rename.title, rename.among, rename.differ) == ("name → nick", 30, 3)
    assert rename.rows[0].to_plain() == {
        "key": {"id": 3}, "kind": "changed", "before": {"name": "name 3"}, "after": {"nick": "x"},
    }  # fmt: skip
    assert (found.added, found.removed) == ((), ())


def test_a_column_of_which_more_differ_was_not_renamed(tmp_path: Path) -> None:
    values = [f"name {number}" for number in range(30)]
    assert not renamed(tmp_path, values, [*values[:3], "w", "x", "y", "z", *values[7:]]).renamed


def test_what_differs_behind_the_first_rows_is_counted(tmp_path: Path) -> None:
    values = [f"name {number}" for number in range(100_000)]
    later = [*values[:50_000], *(f"other {number}" for number in range(9_000)), *values[59_000:]]
    (rename,) = renamed(tmp_path, values, later).renamed
    assert (rename.differ, len(rename.rows), rename.left_out) == (9_000, 500, 8_500)
    assert not renamed(tmp_path / "2", values, [*values[:50_000], *reversed(values[50_000:])]).renamed


def test_columns_that_chance_makes_alike_were_not_renamed(tmp_path: Path) -> None:
    assert not renamed(tmp_path, [None] * 96 + ["x"] * 4, ["y"] * 4 + [None] * 96).renamed


def test_the_likeliest_of_several_columns_is_the_one(tmp_path: Path) -> None:
    ids = list(range(40))
    values = [f"name {number}" for number in ids]
    old = ([ID, NAME], {"id": ids, "name": values})
    columns = [ID, column("alias", "string"), column("nick", "string")]
    found = kept(told(tmp_path, old, (columns, {"id": ids, "alias": ["x", *values[1:]], "nick": values})))
    assert [rename.title for rename in found.renamed] == ["name → nick"]
    assert found.added == ("alias",)


def wide(root: Path, rows: int = 60) -> DiffReport:
    ids = list(range(rows))
    values = [f"<b>{number}</b>" for number in ids]
    old = ([ID, NAME, column("level", "string")], {"id": ids, "name": values, "level": ["info"] * rows})
    columns = [ID, column("nick", "string"), TIER]
    return told(root, old, (columns, {"id": ids, "nick": ["x", *values[1:]], "tier": ["g|ld"] * rows}), limit=50)


def test_each_face_shows_the_values(tmp_path: Path) -> None:
    found = wide(tmp_path)
    documents.validate(documents.plain(found.to_plain(), "diff"), "diff")
    for face in (markdown([found]), page([found])):
        for text in ("+ tier", "- level", "name → nick", "info", "1 of 60 differs", "60 rows of both states"):
            assert text in face
        assert "<b>7" not in face


@pytest.mark.parametrize("limit", [2_500, 3_000, 4_000, 6_000, LIMIT])
def test_markdown_with_such_rows_keeps_its_limit(tmp_path: Path, limit: int) -> None:
    text = markdown([wide(tmp_path)], limit)
    assert len(text.encode()) <= limit
    assert text.count("<details>") == text.count("</details>")
    assert ("60 rows of both states shown" in text) == ("In the 60 rows" in text)


def test_columns_that_are_the_same_are_not_read(tmp_path: Path) -> None:
    read: list[str] = []

    class Watched(Snapshot):
        def part(self, table: str, part: Any, columns: Any = None) -> Any:
            read.extend(columns or ())
            return super().part(table, part, columns)

    old, new = (
        snapshot(tmp_path / name, {TableSchema("users", tuple(columns), ("id",)): rows})
        for name, (columns, rows) in (("old", OLD), ("new", ([*OLD[0], TIER], {**OLD[1], "tier": ["x", "y", "z"]})))
    )
    found = report(*(Watched(item.manifest, item.locate) for item in (old, new)), ("a", "b"), ReportOptions())
    assert kept(found).count == 3
    assert set(read) == {"id", "tier"}


Typed = tuple[str, Sequence[Any]]


def retyped(root: Path, old: Typed, new: Typed, **options: Any) -> KeptRows | None:
    states = [
        ([ID, column("size", kind, nullable=True)], {"id": range(len(values)), "size": _typed(kind, values)})
        for kind, values in (old, new)
    ]
    found = told(root, *states, **options)
    assert [change.kind for change in found.schema] == ["type-changed"]
    assert found.tables[0].change.changed == 0
    return found.tables[0].kept


def _typed(kind: str, values: Sequence[Any]) -> list[Any]:
    return [Decimal(value) if kind.startswith("decimal") and value else value for value in values]


NOON = datetime(2026, 1, 31, 12)
CONVERSIONS = [
    ("decimal(8,2)", ["5.00", "9.99", "0.10", None], "float64", [5.0, 9.99, 0.1, None], 0),
    ("decimal(38,20)", ["0.10000000000000000555"], "float64", [0.1], 1),
    ("decimal(38,18)", ["0.100000000000000001", "0.100000000000000000"], "float64", [0.1, 0.1], 1),
    ("decimal(38,0)", [str(2**60), str(2**60 + 1)], "float64", [2.0**60, 2.0**60], 1),
    ("decimal(38,30)", ["0.25", "0.1"], "float64", [0.25, 0.1], 0),
    ("int64", [2**53, 2**53 + 1, 2**63 - 1, -(2**63)], "float64", [2.0**53, 2.0**53, 2.0**63, -(2.0**63)], 2),
    ("int32", [1, 2, 3, 4], "float64", [1.5, float("nan"), float("inf"), None], 4),
    ("int64", [5, 6, 2**63 - 1], "decimal(20,2)", ["5.00", "6.01", None], 2),
    ("decimal(38,0)", ["7", str(10**37)], "decimal(38,38)", ["0.7", "0.1"], 2),
    ("timestamp", [NOON, NOON], "timestamptz", [NOON.replace(tzinfo=UTC), NOON.replace(tzinfo=UTC, hour=13)], 1),
    ("date", [NOON.date()], "timestamptz", [datetime(2026, 1, 31, tzinfo=UTC)], 0),
    ("int64", [5, 7], "string", ["5", "07"], 1),
    ("bool", [True], "int16", [1], 1),
    ("list<int64>", [[1, 2], [3], None], "json", ["[1,2]", "[4]", "[]"], 2),
]
"""A type and values of it, another type and values of it, and how many of them differ."""


@pytest.mark.parametrize(("kind", "values", "other", "others", "differ"), CONVERSIONS)
def test_equal_values_of_other_types_are_no_rows(
    tmp_path: Path, kind: str, values: list[Any], other: str, others: list[Any], differ: int
) -> None:
    ways = (kind, values), (other, others)
    for number, way in enumerate((ways, ways[::-1])):
        found = retyped(tmp_path / str(number), *way)
        assert (found.count if found else 0) == differ
        assert not found or (len(found.rows), found.retyped) == (differ, ("size",))


def test_only_values_of_another_type_that_are_not_equal_are_shown(tmp_path: Path) -> None:
    found = retyped(tmp_path, ("decimal(8,2)", ["1.00", "2.00", "3.00"]), ("float64", [1.0, 2.5, 3.5]), limit=1)
    assert found is not None
    assert (plain(found), found.left_out) == ([({"id": 1}, {"size": "2.00"}, {"size": 2.5})], 1)
    assert found.title == "in the 2 rows of both states with other values"


def test_values_that_are_one_to_python_are_both_shown(tmp_path: Path) -> None:
    found = retyped(tmp_path, ("bool", [True]), ("int16", [1]))
    assert found is not None
    assert found.rows[0].values("size", "size") == (True, 1)


def test_numbers_of_other_types_may_differ_by_the_tolerance(tmp_path: Path) -> None:
    sides = ("decimal(8,2)", ["1.00", "3.00"]), ("float64", [1.001, 3.5])
    found = retyped(tmp_path, *sides, tolerance=0.01)
    assert found is not None
    assert plain(found) == [({"id": 1}, {"size": "3.00"}, {"size": 3.5})]


def test_equal_values_of_another_type_are_left_out_beside_other_columns(tmp_path: Path) -> None:
    old = ([ID, column("size", "int64"), column("rank", "int64")], {"id": [1, 2], "size": [5, 6], "rank": [1, 2]})
    columns = [ID, column("size", "float64"), column("rank", "float64"), TIER]
    found = told(tmp_path, old, (columns, {"id": [1, 2], "size": [5.0, 6.5], "rank": [1.0, 2.0], "tier": ["x", "y"]}))
    assert (kept(found).retyped, kept(found).added) == (("size",), ("tier",))
    assert plain(kept(found)) == [({"id": 1}, {}, {"tier": "x"}), ({"id": 2}, {"size": 6}, {"tier": "y", "size": 6.5})]
    for face in (markdown([found]), page([found])):
        assert "In the 2 rows of both states" in face


def keyless(root: Path, old: Mapping[str, Typed], new: Mapping[str, Typed]) -> DiffReport:
    """The difference of a table without a key; columns by name."""
    sides = [
        ([column(name, kind, nullable=True) for name, (kind, _) in side.items()], {n: v for n, (_, v) in side.items()})
        for side in (old, new)
    ]
    return told(root, sides[0], sides[1], keyless=True)


@pytest.mark.parametrize(
    ("old", "new", "gone", "come"),
    [
        (("int64", [1, 2, 3, 3]), ("string", ["1", "2", "4", "3"]), [3], ["4"]),
        (("int16", [1, None]), ("float64", [1.0, None]), [], []),
        (("decimal(5,2)", [Decimal("0.10"), Decimal("2.00")]), ("float64", [0.1, 2.5]), ["2.00"], [2.5]),
        (("bool", [True]), ("int16", [1]), [True], [1]),
    ],
)
def test_a_column_without_a_key_that_takes_another_type_has_the_rows_of_equal_values(
    tmp_path: Path, old: Typed, new: Typed, gone: list[Any], come: list[Any]
) -> None:
    (table,) = keyless(tmp_path, {"x": old}, {"x": new}).tables
    shown = {kind: [(row.after or row.before or {})["x"] for row in table.rows if row.kind == kind] for kind in KINDS}
    assert (shown["removed"], shown["added"]) == (gone, come)
    assert (table.change.removed, table.change.added) == (len(gone), len(come))


def test_rows_without_a_key_keep_to_those_with_equal_values_of_another_type(tmp_path: Path) -> None:
    same = ("string", ["a", "a", "a", "b"])
    found = keyless(
        tmp_path, {"n": same, "x": ("int64", [1, 2, 3, 4])}, {"n": same, "x": ("string", ["1", "2", "9", "4"])}
    )
    assert plain(kept(found)) == [({}, {"n": "a", "x": 3}, {"n": "a", "x": "9"})]


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_forms_are_equal_where_values_of_two_types_are(data: st.DataObject) -> None:
    kinds = [data.draw(SIMPLE_TYPES) for _ in range(2)]
    assume(common_type(*kinds) is None)
    few = st.sampled_from([0, 1, 2, 10, 100])
    numbers = {"float64": few.map(float), "decimal": few.map(Decimal), "string": few.map(str), "json": few.map(str)}
    arrays = []
    for kind in kinds:
        own = numbers.get(kind.name, few if kind.name in ("int16", "int32", "int64") else values(kind))
        fits = kind.name != "decimal" or kind.precision - kind.scale > 3
        found = data.draw(st.lists(own | values(kind) if fits else values(kind), min_size=4, max_size=4))
        schema = TableSchema("t", (Column("c", kind),))
        arrays.append(canonical(pa.table({"c": pa.array(found, arrow_type(kind))}), schema)["c"].combine_chunks())
    one, other = forms(arrays[0], (kinds[0], kinds[1])), forms(arrays[1], (kinds[1], kinds[0]))
    differ = unequal_across(*arrays, (kinds[0], kinds[1]))
    if one is None or other is None:
        assert one is other
        assert differ.all()
    else:
        # Not in arrays of NumPy, whose texts lose NUL at their ends.
        assert [a != b for a, b in zip(one.to_pylist(), other.to_pylist(), strict=True)] == differ.tolist()
