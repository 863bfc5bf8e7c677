"""Scenarios that came, went or changed, each as one unit with its labelled rows.

In: two snapshots. Out: `ScenarioChange`s. Always holds: rows are looked up for scenarios that differ only; values of
private columns are hidden unless asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from tdv.content.examples import cell_rows
from tdv.content.keys import keys_of, keys_table
from tdv.content.redact import redacted
from tdv.content.snapshot import Snapshot
from tdv.model.diff_report import Kind, RowChange, ScenarioChange, ScenarioRow
from tdv.model.manifest import ScenarioManifest

Row = Mapping[str, Any]


def scenario_changes(old: Snapshot, new: Snapshot, *, reveal: bool) -> Iterator[ScenarioChange]:
    """Changed, new and removed scenarios, by name."""
    before = {scenario.name: scenario for scenario in old.manifest.scenarios}
    after = {scenario.name: scenario for scenario in new.manifest.scenarios}
    for name in sorted(before.keys() | after.keys()):
        one, other = before.get(name), after.get(name)
        if one is not None and other is not None and (one.digest, one.standalone) == (other.digest, other.standalone):
            continue
        scenario = other or one
        assert scenario is not None
        kind: Kind = "added" if one is None else "removed" if other is None else "changed"
        rows = _rows(_labelled(old, one, reveal), _labelled(new, other, reveal))
        yield ScenarioChange(name, kind, scenario.title, _sizes(one, other), tuple(rows))


def _sizes(old: ScenarioManifest | None, new: ScenarioManifest | None) -> dict[str, tuple[int, int]]:
    tables = dict.fromkeys(table for scenario in (new, old) if scenario for table in (*scenario.rows, *scenario.own))
    return {table: (_size(old, table), _size(new, table)) for table in tables}


def _size(scenario: ScenarioManifest | None, table: str) -> int:
    return 0 if scenario is None else len(scenario.rows.get(table, ())) + len(scenario.own.get(table, ()))


def _labelled(snapshot: Snapshot, scenario: ScenarioManifest | None, reveal: bool) -> dict[tuple[str, str], Row]:
    """The rows of a scenario by table and label; those that the tables do not hold are left out."""
    found: dict[tuple[str, str], Row] = {}
    for table, labels in (scenario.labels if scenario else {}).items():
        schema = snapshot.manifest.table(table).schema
        if not schema.key or not labels:
            continue
        rows = snapshot.lookup(table, keys_table(labels.values(), schema))
        by_key = dict(zip(map(tuple, keys_of(rows, schema)), cell_rows(rows, schema, reveal=True), strict=True))
        for label, key in labels.items():
            if (row := by_key.get(tuple(key))) is not None:
                found[table, label] = row if reveal else _Hidden(redacted(schema, row), row)
    return found


class _Hidden(dict[str, Any]):
    """A row as it is shown, which knows the values that it hides, for comparison."""

    def __init__(self, shown: Row, actual: Row) -> None:
        super().__init__(shown)
        self.actual = actual


def _rows(old: Mapping[tuple[str, str], Row], new: Mapping[tuple[str, str], Row]) -> Iterator[ScenarioRow]:
    for table, label in dict.fromkeys((*new, *old)):
        before, after = old.get((table, label)), new.get((table, label))
        if before is None and after is not None:
            change = RowChange("added", {}, None, dict(after))
        elif after is None and before is not None:
            change = RowChange("removed", {}, dict(before), None)
        elif before is not None and after is not None and (names := _changed(before, after)):
            change = RowChange("changed", {}, {n: before[n] for n in names}, {n: after[n] for n in names})
        else:
            continue
        yield ScenarioRow(table, label, change)


def _changed(before: Row, after: Row) -> list[str]:
    """The columns of both states in which the row differs; columns that came or went are the schema's change."""
    one, other = getattr(before, "actual", before), getattr(after, "actual", after)
    return [name for name in other if name in one and one[name] != other[name]]
