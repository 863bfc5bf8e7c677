"""Two snapshots of a dataset and what lies between them: as rows, and as the rules of a release see it.

In: two `Snapshot`s, what to compare, and the levels that the project sets for rules. Out: a `DatasetDiff` of rows, or
a `DatasetChange` of findings and counts. Always holds: equal digests give no finding, different digests at least
one; parts with equal digests are not read, and of aligned parts only the columns that differ; what could not be
compared is a finding.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from tdv.content.snapshot import Snapshot
from tdv.diff.findings import Levels, Rules
from tdv.diff.rows import Plan, compare_rows, stream_rows
from tdv.diff.schema import compare_schema
from tdv.diff.sides import one_sided, stream_one_sided
from tdv.diff.value import DatasetDiff, End, TableDiff
from tdv.model.diff import DatasetChange, Finding, Level
from tdv.model.manifest import Manifest

__all__ = ["COUNTS", "WHOLE", "DatasetDiff", "Plan", "TableDiff", "compare", "diff", "judge", "names_of", "stream"]

WHOLE = Plan(whole=True)
"""Keeps all that applying the difference needs."""
COUNTS = Plan(limit=0)
"""Keeps no rows."""


def diff(old: Snapshot, new: Snapshot, plan: Plan = WHOLE, tables: Collection[str] = ()) -> DatasetDiff:
    """What turns `old` into `new`, table by table, only in `tables` where they are named; complete by default.

    Raises `IntegrityError` when a part that must be read is missing or damaged.
    """
    before, after = End.of(old.manifest), End.of(new.manifest)
    if before.digest == after.digest:
        return DatasetDiff(new.manifest.dataset, before, after, {})
    found = {name: _table(old, new, name, plan) for name in names_of(old, new, tables)}
    return DatasetDiff(new.manifest.dataset, before, after, found, complete=plan == WHOLE and not tables)


def stream(old: Snapshot, new: Snapshot, plan: Plan, table: str) -> Iterator[TableDiff]:
    """The difference of one table stretch by stretch, for what is too large to be held; `limit` is that of each."""
    if table not in old.tables:
        return stream_one_sided(new, table, plan, added=True)
    if table not in new.tables:
        return stream_one_sided(old, table, plan, added=False)
    return stream_rows(old, new, table, plan)


def names_of(old: Snapshot, new: Snapshot, wanted: Collection[str] = ()) -> list[str]:
    """The tables of both states in order, or those of them that are wanted."""
    return [name for name in dict.fromkeys((*new.tables, *old.tables)) if not wanted or name in wanted]


def _table(old: Snapshot, new: Snapshot, name: str, plan: Plan) -> TableDiff:
    if name not in old.tables:
        return one_sided(new, name, plan, added=True)
    if name not in new.tables:
        return one_sided(old, name, plan, added=False)
    return compare_rows(old, new, name, plan)


def compare(old: Snapshot, new: Snapshot, levels: Mapping[str, Level] | None = None) -> DatasetChange:
    """Everything that `new` changes in `old`; `levels` overrides `DEFAULT_LEVELS` rule by rule.

    Raises `IntegrityError` when a part that must be read is missing or damaged.
    """
    return judge(old.manifest, new.manifest, diff(old, new, COUNTS), levels)


def judge(
    before: Manifest, after: Manifest, found: DatasetDiff, levels: Mapping[str, Level] | None = None
) -> DatasetChange:
    """The rules that fire on a diff of all columns."""
    if before.digest == after.digest:
        return DatasetChange((), {})
    rules = Rules(Levels(levels or {}))
    findings = [*compare_schema(before.schema, after.schema, rules), *_scenarios(before, after, rules)]
    for table in found.tables.values():
        if table.old is not None and table.new is not None:
            findings.extend(_row_findings(table, rules))
    findings.extend(_remainder(before, after, findings, rules))
    return DatasetChange(tuple(findings), {name: table.change for name, table in found.tables.items()})


def _scenarios(before: Manifest, after: Manifest, rules: Rules) -> Iterator[Finding]:
    old = {scenario.name: scenario for scenario in before.scenarios}
    new = {scenario.name: scenario for scenario in after.scenarios}
    for name in old.keys() - new.keys():
        yield rules.found("scenario-removed", f"the scenario {name} is gone")
    for name in new.keys() - old.keys():
        yield rules.found("scenario-added", f"the scenario {name} is new")
    for name in old.keys() & new.keys():
        if old[name].digest != new[name].digest or old[name].standalone != new[name].standalone:
            yield rules.found("scenario-changed", f"the scenario {name} has other rows")


def _row_findings(table: TableDiff, rules: Rules) -> Iterator[Finding]:
    change = table.change
    if table.schema.key:
        removed, added, replaced = change.removed, change.added, 0
    else:
        replaced = min(change.removed, change.added)
        removed, added = change.removed - replaced, change.added - replaced
    if removed:
        yield rules.found("row-removed", f"{_rows(removed)} removed", table.name)
    if added:
        yield rules.found("row-added", f"{_rows(added)} added", table.name)
    if replaced:
        yield rules.found("rows-replaced", f"{_rows(replaced)} replaced in a table without a key", table.name)
    for column, count in change.cells.items():
        cells = "1 value" if count == 1 else f"{count} values"
        yield rules.found("cell-changed", f"{cells} changed", table.name, column)


def _remainder(before: Manifest, after: Manifest, findings: list[Finding], rules: Rules) -> Iterator[Finding]:
    """What the rules above have no word for is never taken for no change."""
    if before.schema_digest != after.schema_digest and not any(rules.is_of_schema(found.rule) for found in findings):
        yield rules.found("constraint-changed", "the schema differs")
    elif before.content != after.content and not findings:
        yield rules.found("cell-changed", "the content differs")


def _rows(count: int) -> str:
    return "1 row" if count == 1 else f"{count} rows"
