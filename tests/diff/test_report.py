from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tdv.cli.differences import print_report
from tdv.diff.report import check_names, report, stream_rows
from tdv.errors import IntegrityError, NotFound, UsageError
from tdv.model.diff_report import DiffReport, ReportOptions, SchemaChange
from tdv.model.manifest import ScenarioManifest
from tdv.model.schema import DatasetSchema, Reference, TableSchema
from tests.diff.states import States, opened
from tests.snapshots import column, snapshot

Tables = Mapping[TableSchema, Mapping[str, Sequence[Any]]]
USERS = TableSchema(
    "users",
    (column("id", "int64"), column("name", "string", nullable=True), column("age", "int16", nullable=True),
     column("score", "float64")),
    key=("id",),
)  # fmt: skip
OLD: Tables = {USERS: {"id": [1, 2, 3], "name": ["a", None, "c"], "age": [1, 2, None], "score": [1.0, 2.0, 3.0]}}
NEW: Tables = {
    USERS: {"id": [2, 3, 4], "name": ["b", "c", "d"], "age": [2, 95, 96], "score": [2.0 + 1e-12, float("nan"), 4.0]}
}


def told(root: Path, old: Tables = OLD, new: Tables = NEW, **options: Any) -> DiffReport:
    before, after = snapshot(root / "old", old), snapshot(root / "new", new)
    return report(before, after, ("shop@v1", "shop@v2"), ReportOptions(**options))


def kinds(found: DiffReport) -> list[tuple[str, dict[str, Any]]]:
    return [(row.kind, dict(row.key)) for table in found.tables for row in table.rows]


def test_rows_are_added_removed_and_changed_with_their_cells(tmp_path: Path) -> None:
    (table,) = told(tmp_path).tables
    assert (table.before, table.after, table.left_out) == (3, 3, 0)
    assert [row.to_plain() for row in table.rows] == [
        {"key": {"id": 4}, "kind": "added", "before": None, "after": {"id": 4, "name": "d", "age": 96, "score": 4.0}},
        {"key": {"id": 1}, "kind": "removed", "before": {"id": 1, "name": "a", "age": 1, "score": 1.0}, "after": None},
        {
            "key": {"id": 2},
            "kind": "changed",
            "before": {"name": None, "score": 2.0},
            "after": {"name": "b", "score": 2.000000000001},
        },
        {
            "key": {"id": 3},
            "kind": "changed",
            "before": {"age": None, "score": 3.0},
            "after": {"age": 95, "score": "NaN"},
        },
    ]


def test_bump_is_that_of_the_whole_change_whatever_is_shown(tmp_path: Path) -> None:
    found = told(tmp_path, where="id = 4", columns=("name",))
    assert found.bump == "major"
    assert kinds(found) == [("added", {"id": 4})]
    assert found.tables[0].rows[0].after == {"id": 4, "name": "d"}


def test_where_looks_at_rows_before_and_after(tmp_path: Path) -> None:
    found = told(tmp_path, where="age > 90")
    assert kinds(found) == [("added", {"id": 4}), ("changed", {"id": 3})]
    assert found.tables[0].change.to_plain() == {
        "added": 1, "removed": 0, "changed": 1, "cells": {"age": 1, "score": 1},
    }  # fmt: skip
    assert kinds(told(tmp_path / "2", where="name IS NULL")) == [("changed", {"id": 2})]


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("age >", "syntax error"),
        ("1); DROP TABLE rows; --", "syntax error"),
        ("1=1) or (select 1", "syntax error"),
        ("", "empty"),
        ("  ", "empty"),
        ("1; SELECT 2", "more than one SQL expression"),
        ("1; DROP TABLE rows", "more than one SQL expression"),
        ("age, name", "more than one SQL expression"),
        ("age AS x", "more than one SQL expression"),
        ("age > 3 ORDER BY age", "more than one SQL expression"),
        ("DISTINCT age", "more than one SQL expression"),
        ("age FROM rows", "more than one SQL expression"),
        ("age > 1 UNION SELECT true", "more than one SQL expression"),
        ("id IN (FROM read_csv('/etc/passwd'))", "it holds a SELECT"),
        ("age = (SELECT max(age) FROM rows)", "it holds a SELECT"),
        ("*", r"it holds a \*"),
        ("age > ?", "it holds a parameter"),
        ("row_number() OVER () < 3", "more than one row"),
        ("max(age) > 3", "aggregates"),
        ("nosuch(age)", "nosuch"),
        ("age > 3 AND size > 3", "no table has all of age, size"),
    ],
)
def test_where_that_is_no_expression_of_a_table_is_a_mistake_of_the_call(expression: str, reason: str) -> None:
    bag = TableSchema("bag", (column("size", "int64"),))
    with pytest.raises(UsageError, match=reason) as caught:
        check_names([DatasetSchema((USERS, bag))], ReportOptions(where=expression))
    assert "--where" in str(caught.value.hint)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("expression", ["agee > 90", "USERS.agee > 90", "list_filter([1], lambda x: x > agee) = []"])
def test_where_that_names_no_column_offers_the_nearest(expression: str) -> None:
    with pytest.raises(NotFound, match=r"agee' in either state; did you mean 'age'") as caught:
        check_names([DatasetSchema((USERS,))], ReportOptions(where=expression))
    assert "score" in str(caught.value.hint)


@pytest.mark.parametrize(
    "expression", ["AGE > 3 -- years", "list_filter([age], lambda x: x > 3) = [1]", "age > 3 OR id = 1"]
)
def test_where_of_a_table_is_taken(expression: str) -> None:
    check_names([DatasetSchema((USERS,))], ReportOptions(where=expression))


@pytest.mark.parametrize(
    ("expression", "reason"),
    [
        ("CAST(name AS INT) > 3", "a value cannot be converted to another type"),
        ("(id << 62) > 0", "a value is out of the range of its type"),
        ("error(name) = 1", "a function does not take a value"),
    ],
)
def test_where_that_fails_on_a_row_says_so_without_the_row(tmp_path: Path, expression: str, reason: str) -> None:
    with pytest.raises(UsageError) as caught:
        told(tmp_path, where=expression)
    assert str(caught.value) == f"--where {expression!r} fails on rows of 'users': {reason}"
    assert "TRY(" in str(caught.value.hint)


def test_where_of_which_a_constant_fails_says_so() -> None:
    with pytest.raises(UsageError, match="fits no table: a function does not take a value"):
        check_names([DatasetSchema((USERS,))], ReportOptions(where="regexp_matches(name, '(')"))


def test_where_with_try_leaves_out_rows_on_which_it_fails(tmp_path: Path) -> None:
    rows = {"id": [1, 2, 3], "name": ["7", "x", "2"], "age": [1, 2, 3], "score": [1.0, 2.0, 3.0]}
    found = told(tmp_path, {USERS: {name: [] for name in rows}}, {USERS: rows}, where="TRY(CAST(name AS INT) > 3)")
    assert kinds(found) == [("added", {"id": 1})]


def test_where_that_fits_one_state_finds_rows_of_that_state(tmp_path: Path) -> None:
    aged = replace(USERS, columns=(*USERS.columns[:2], replace(USERS.columns[2], name="years"), USERS.columns[3]))
    new = {"id": [2, 3], "name": ["b", "c"], "years": [2, 95], "score": [2.0, 4.0]}
    found = told(tmp_path, new={aged: new}, where="age IS NULL")
    assert kinds(found) == [("changed", {"id": 3})]


@pytest.mark.parametrize("limit", [None, 1, 0])
@pytest.mark.parametrize("where", [None, "id <> 2"])
def test_streamed_rows_are_those_of_the_report(tmp_path: Path, where: str | None, limit: int | None) -> None:
    bag = TableSchema("bag", (column("name", "string"),))
    before = snapshot(tmp_path / "old", {**OLD, bag: {"name": ["a", "a", "b"]}})
    gone = replace(USERS, name="gone")
    after = snapshot(tmp_path / "new", {**NEW, bag: {"name": ["a", "c"]}, gone: OLD[USERS]})
    options = ReportOptions(where=where, limit=limit)
    told = report(before, after, ("a", "b"), options)
    assert sorted(stream_rows(before, after, options), key=repr) == sorted(
        ((table.name, row) for table in told.tables for row in table.rows), key=repr
    )
    assert [table.left_out for table in told.tables] == [table.change.beyond(limit) for table in told.tables]


def test_ignored_columns_and_tolerance_make_rows_equal(tmp_path: Path) -> None:
    changed = [key for kind, key in kinds(told(tmp_path, ignore=("score", "name"))) if kind == "changed"]
    assert changed == [{"id": 3}]
    found = told(tmp_path / "2", tolerance=1e-9, columns=("score",))
    assert [key for kind, key in kinds(found) if kind == "changed"] == [{"id": 3}]


def test_limit_keeps_counts(tmp_path: Path) -> None:
    (table,) = told(tmp_path, limit=1).tables
    assert (len(table.rows), table.total, table.left_out) == (3, 4, 1)
    (table,) = told(tmp_path / "2", limit=0).tables
    assert (len(table.rows), table.total) == (0, 4)


def test_unknown_names_offer_the_nearest() -> None:
    schemas = [DatasetSchema((USERS,))]
    with pytest.raises(NotFound, match="users"):
        check_names(schemas, ReportOptions(tables=("user",)))
    with pytest.raises(NotFound, match="score"):
        check_names(schemas, ReportOptions(ignore=("scores",)))


def test_renamed_columns_are_guessed_from_values(tmp_path: Path) -> None:
    renamed = replace(USERS, columns=(USERS.columns[0], replace(USERS.columns[1], name="label"), *USERS.columns[2:]))
    rows = dict(OLD[USERS])
    new = {"id": rows["id"], "label": rows["name"], "age": rows["age"], "score": rows["score"]}
    found = told(tmp_path, new={renamed: new})
    assert SchemaChange("column-renamed", "users", "label", "name", "label", True, rows=3, differ=0) in found.schema
    assert {finding.rule for finding in found.findings} == {"column-removed", "column-added"}


def test_renamed_tables_are_guessed_from_values(tmp_path: Path) -> None:
    found = told(tmp_path, new={replace(USERS, name="people"): OLD[USERS]})
    assert SchemaChange("table-renamed", "people", "", "users", "people", guess=True) in found.schema


MANY_ROWS = {number: {"id": number, "name": f"n{number}", "age": 1, "score": 0.5} for number in range(90)}


@pytest.mark.parametrize(
    ("key", "changed", "is_guessed"),
    [
        (("id",), range(9), True),
        (("id",), range(80, 90), True),
        (("id",), range(20, 90), False),
        (("id",), range(70), False),
        ((), range(1), True),
        ((), range(60), False),
    ],
)
def test_renamed_tables_are_guessed_from_all_parts(key: tuple[str, ...], changed: range, is_guessed: bool) -> None:
    before, after = replace(USERS, key=key), replace(USERS, name="people", key=key)
    rows = [{**row, "age": 5} if number in changed else row for number, row in MANY_ROWS.items()]
    with opened(States(((before, list(MANY_ROWS.values())),)), States(((after, rows),))) as (old, new):
        assert len(old.manifest.tables[0].parts) > 10
        found = report(old, new, ("a", "b"), ReportOptions(limit=0))
    assert [change.after for change in found.schema if change.guess] == (["people"] if is_guessed else [])


def test_columns_without_common_values_are_no_rename(tmp_path: Path) -> None:
    renamed = replace(USERS, columns=(USERS.columns[0], replace(USERS.columns[1], name="label"), *USERS.columns[2:]))
    new = {"id": [1, 2, 3], "label": ["x", "y", "z"], "age": [1, 2, None], "score": [1.0, 2.0, 3.0]}
    assert not [change for change in told(tmp_path, new={renamed: new}).schema if change.guess]


def test_statistics_tell_how_columns_shifted(tmp_path: Path) -> None:
    found = told(tmp_path, statistics=True)
    shifts = {shift.column: shift for shift in found.tables[0].statistics}
    assert shifts["age"].before == {"count": 3, "nulls": 1, "distinct": 2, "min": 1, "max": 2, "mean": 1.5}
    assert shifts["age"].after["max"] == 96
    assert sum(bar.before for bar in shifts["age"].bars) == 2
    assert shifts["age"].shift == pytest.approx(0.6667, abs=1e-3)
    assert shifts["name"].bars[0].label == "a"


def test_statistics_measure_neither_keys_nor_references(tmp_path: Path) -> None:
    teams = TableSchema("teams", (column("id", "int64"),), key=("id",))
    users = replace(USERS, references=(Reference(("age",), "teams", ("id",)),))
    old, new = {**OLD[USERS], "age": [1, 2, 2]}, {**NEW[USERS], "age": [2, 1, 1]}
    ids = {"id": [1, 2]}
    found = told(tmp_path, old={users: old, teams: ids}, new={users: new, teams: ids}, statistics=True)
    shifts = {shift.column: shift for shift in found.tables[0].statistics}
    for name in ("id", "age"):
        assert list(shifts[name].after) == ["count", "nulls", "distinct", "min", "max"]
        assert (shifts[name].bars, shifts[name].shift) == ((), None)
    assert shifts["score"].bars


def test_private_columns_have_counts_only(tmp_path: Path) -> None:
    private = replace(USERS, columns=(*USERS.columns[:2], replace(USERS.columns[2], privacy="age"), USERS.columns[3]))
    found = told(tmp_path, old={private: OLD[USERS]}, statistics=True)
    (shift,) = (shift for shift in found.tables[0].statistics if shift.column == "age")
    assert (set(shift.after), shift.bars) == ({"count", "nulls", "distinct"}, ())
    assert "<private: age>" in str(found.tables[0].rows)
    assert "95" not in str(found.tables[0].rows)


def scenario(name: str, digest: str, **labels: int) -> ScenarioManifest:
    keys = {label: (key,) for label, key in labels.items()}
    return ScenarioManifest(name, f"About {name}", digest, {"users": keys}, {"users": tuple(keys.values())})


def test_scenarios_are_told_as_units(tmp_path: Path) -> None:
    before = snapshot(
        tmp_path / "old", OLD, scenarios=lambda _: (scenario("gone", "1", one=1), scenario("kept", "2", two=2, one=1))
    )
    after = snapshot(
        tmp_path / "new", NEW, scenarios=lambda _: (scenario("come", "3", four=4), scenario("kept", "4", two=2))
    )
    found = report(before, after, ("a", "b"), ReportOptions())
    told = [(item.name, item.kind, [(row.label, row.change.kind) for row in item.rows]) for item in found.scenarios]
    assert told == [
        ("come", "added", [("four", "added")]),
        ("gone", "removed", [("one", "removed")]),
        ("kept", "changed", [("two", "changed"), ("one", "removed")]),
    ]
    assert found.scenarios[2].rows[0].change.before == {"name": None, "score": 2.0}
    assert found.scenarios[2].tables == {"users": (2, 1)}


def test_columns_that_come_and_go_are_no_change_of_a_scenario(tmp_path: Path) -> None:
    aged = replace(USERS, columns=(*USERS.columns[:2], replace(USERS.columns[2], name="years"), USERS.columns[3]))
    new = {aged: {"id": [1, 2], "name": ["a", "x"], "years": [1, 2], "score": [1.0, 2.0]}}
    before = snapshot(tmp_path / "old", OLD, scenarios=lambda _: (scenario("kept", "1", one=1, two=2),))
    after = snapshot(tmp_path / "new", new, scenarios=lambda _: (scenario("kept", "2", one=1, two=2),))
    (found,) = report(before, after, ("a", "b"), ReportOptions()).scenarios
    assert [(row.label, row.change.before, row.change.after) for row in found.rows] == [
        ("two", {"name": None}, {"name": "x"})
    ]


def test_damaged_and_missing_parts_are_named(tmp_path: Path) -> None:
    before, after = snapshot(tmp_path / "old", OLD), snapshot(tmp_path / "new", NEW)
    place = after.locate(after.manifest.tables[0].parts[0].file)
    place.write_bytes(place.read_bytes()[:-40])
    with pytest.raises(IntegrityError, match=place.name):
        report(before, after, ("a", "b"), ReportOptions())
    place.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        report(before, after, ("a", "b"), ReportOptions())


def test_rows_are_named_by_the_key_of_the_state_that_has_them(tmp_path: Path) -> None:
    named = replace(USERS, key=("name",))
    old: Tables = {USERS: {"id": [1, 2], "name": ["a", "b"], "age": [1, 2], "score": [1.0, 2.0]}}
    new: Tables = {named: {"id": [2, 3], "name": ["b", "c"], "age": [2, 3], "score": [2.0, 3.0]}}
    found = told(tmp_path, old, new)
    assert kinds(found) == [("added", {"name": "c"}), ("removed", {"id": 1})]
    causes = {finding.rule: found.causes(finding) for finding in found.findings}
    assert (causes["row-added"], causes["row-removed"]) == (({"name": "c"},), ({"id": 1},))
    gone = told(tmp_path / "2", old, {replace(USERS, key=()): {name: [] for name in USERS.column_names}})
    assert kinds(gone) == [("removed", {"id": 1}), ("removed", {"id": 2})]


def test_statistics_of_a_table_that_one_state_has_are_those_of_that_side(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    teams = TableSchema("teams", (column("id", "int64"), column("size", "int64")), key=("id",))
    one, both = {USERS: OLD[USERS]}, {USERS: OLD[USERS], teams: {"id": [1, 2], "size": [10, 30]}}
    reports = [
        told(tmp_path / str(number), *states, statistics=True, limit=0)
        for number, states in enumerate(((one, both), (both, one)))
    ]
    (ident, size), (gone, gone_size) = (found.tables[-1].statistics for found in reports)
    assert (size.before, size.after["mean"], size.shift, size.bars) == ({}, 20, None, ())
    assert (ident.column, "mean" in ident.after) == ("id", False)
    assert (gone.after, gone_size.before) == ({}, size.after)
    for found in reports:
        print_report(found)
        assert "  size    2      0      2         10   30   20\n" in capsys.readouterr().out


def test_facts_of_columns_of_another_type_that_read_the_same_stand_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    key, old, new = column("id", "int64"), column("size", "decimal(8,2)"), column("size", "float64")
    sides = [
        {TableSchema("teams", (key, kind), ("id",)): {"id": [1, 2], "size": values}}
        for kind, values in ((old, [Decimal("1.25"), Decimal("3.25")]), (new, [1.25, 3.5]))
    ]
    print_report(told(tmp_path, *sides, statistics=True, limit=0))
    told_facts = capsys.readouterr().out
    assert " 1.25  3.25 → 3.5" in told_facts
    assert "→ 1.25" not in told_facts
