"""Turns what lies between two snapshots into what a reader is told.

In: two snapshots, and what the reader wants to see. Out: a `DiffReport`. Always holds: findings and bump are those of
the whole change, whatever is shown; private values are replaced here, before any face sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from tdv.content.redact import mark
from tdv.content.snapshot import Snapshot
from tdv.content.text import to_plain
from tdv.diff import COUNTS, TableDiff, diff, judge, names_of, stream
from tdv.diff.bundles import scenario_changes
from tdv.diff.filtering import check_expression
from tdv.diff.pair import Pair
from tdv.diff.renames import renames
from tdv.diff.rows import Plan
from tdv.diff.shape import schema_changes
from tdv.diff.statistics import column_shifts
from tdv.documents.words import did_you_mean
from tdv.errors import NotFound
from tdv.model.diff_report import KINDS, ColumnShift, DiffReport, ReportOptions, RowChange, TableReport
from tdv.model.schema import Column, DatasetSchema

Row = Mapping[str, Any]


def _plan(options: ReportOptions) -> Plan:
    """How rows are compared."""
    return Plan(
        options.limit, frozenset(options.columns) or None, frozenset(options.ignore), options.tolerance, options.where
    )


def report(old: Snapshot, new: Snapshot, names: tuple[str, str], options: ReportOptions) -> DiffReport:
    """The report of `new` against `old`; `names` are the references of both.

    Raises `UsageError` for a `where` that fails on a row, `IntegrityError` for a damaged part.
    """
    found = replace(diff(old, new, _plan(options), options.tables), complete=False)
    whole = diff(old, new, COUNTS) if options.narrows else found
    change = judge(old.manifest, new.manifest, whole, options.levels)
    schema = [*schema_changes(old.manifest.schema, new.manifest.schema), *renames(old, new)]
    is_whole = not (options.tables or options.columns or options.where)
    return DiffReport(
        new.manifest.dataset,
        *names,
        change.findings,
        tuple(item for item in schema if not options.tables or item.table in options.tables),
        tuple(_table(old, new, table, options) for table in found.tables.values()),
        tuple(scenario_changes(old, new, reveal=options.reveal)) if is_whole else (),
    )


def stream_rows(old: Snapshot, new: Snapshot, options: ReportOptions) -> Iterator[tuple[str, RowChange]]:
    """The rows of `report` with their tables, in the order of keys, without ever holding more than a stretch."""
    plan = _plan(options)
    for name in names_of(old, new, options.tables):
        left = dict.fromkeys(KINDS, options.limit)
        for table in stream(old, new, plan, name):
            for row in _Shown(table, options).rows():
                count = left[row.kind]
                if count is None:
                    yield name, row
                elif count > 0:
                    left[row.kind] = count - 1
                    yield name, row


def check_names(schemas: Sequence[DatasetSchema], options: ReportOptions) -> None:
    """Raises `NotFound` for a table or column that none of the states has, `UsageError` for a `where` that fits none
    of their tables; `schemas` are those of all states that are compared."""
    known = [table for schema in schemas for table in schema.tables]
    tables = tuple(dict.fromkeys(table.name for table in known))
    for name in options.tables:
        if name not in tables:
            raise NotFound(
                f"There is no table {name!r} in either state{did_you_mean(name, tables)}",
                hint=f"Their tables are {', '.join(tables)}.",
            )
    shown = [table for table in known if not options.tables or table.name in options.tables]
    columns = tuple(dict.fromkeys(name for table in shown for name in table.column_names))
    for name in (*options.columns, *options.ignore):
        if name not in columns:
            raise NotFound(
                f"There is no column {name!r} in either state{did_you_mean(name, columns)}",
                hint=f"Their columns are {', '.join(columns)}.",
            )
    if options.where:
        check_expression(options.where, dict.fromkeys(shown))


def _table(old: Snapshot, new: Snapshot, table: TableDiff, options: ReportOptions) -> TableReport:
    shown = _Shown(table, options)
    statistics: tuple[ColumnShift, ...] = ()
    if options.statistics and table.old and table.new:
        statistics = tuple(column_shifts(Pair.of(old, new, table.name), reveal=options.reveal))
    return TableReport(
        table.name,
        table.change,
        old.manifest.table(table.name).rows if table.old else None,
        new.manifest.table(table.name).rows if table.new else None,
        table.schema.key,
        table.schema.column_names,
        tuple(shown.rows()),
        tuple(shift for shift in statistics if _plan(options).compares(shift.column)),
    )


class _Shown:
    """The rows of a table as JSON values."""

    def __init__(self, table: TableDiff, options: ReportOptions) -> None:
        self._table = table
        self._limit = options.limit
        self._plan = _plan(options)
        schemas = [schema for schema in (table.old, table.new) if schema is not None]
        private = [] if options.reveal else [c for schema in schemas for c in schema.columns if c.privacy]
        # A column counts as private if either state says so: what one of them hides, the other may not tell.
        self._marks = {column.name: mark(column) for column in private}

    def rows(self) -> Iterator[RowChange]:
        """Added, removed, then changed rows."""
        table, limit = self._table, self._limit
        if table.new is not None:
            for row in self._plain(table.added.slice(0, limit), table.new.columns):
                yield RowChange("added", self._key(row), None, self._wanted(row))
        if table.old is not None:
            for row in self._plain(table.removed.slice(0, limit), table.old.columns):
                yield RowChange("removed", self._key(row), self._wanted(row), None)
        yield from self._changed()

    def _changed(self) -> Iterator[RowChange]:
        keys = self._plain(self._table.keys.slice(0, self._limit), self._table.common.columns)
        before: list[dict[str, Any]] = [{} for _ in keys]
        after: list[dict[str, Any]] = [{} for _ in keys]
        for name, cell in self._table.cells.items():
            kind = self._table.common.column(name).type
            for place, old, new in zip(
                cell.rows.to_pylist(), to_plain(cell.before, kind), to_plain(cell.after, kind), strict=True
            ):
                if place < len(keys):
                    before[place][name], after[place][name] = self._hidden(name, old), self._hidden(name, new)
        for key, old_cells, new_cells in zip(keys, before, after, strict=True):
            yield RowChange("changed", key, old_cells, new_cells)

    def _plain(self, rows: pa.Table, columns: tuple[Column, ...]) -> list[dict[str, Any]]:
        kinds = {column.name: column.type for column in columns}
        values = {name: to_plain(rows.column(name), kinds[name]) for name in rows.column_names}
        found = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
        return [{name: self._hidden(name, value) for name, value in row.items()} for row in found]

    def _hidden(self, name: str, value: Any) -> Any:
        return value if value is None else self._marks.get(name, value)

    def _key(self, row: Row) -> dict[str, Any]:
        return {name: row[name] for name in self._table.schema.key if name in row}

    def _wanted(self, row: Row) -> dict[str, Any]:
        wanted = self._plan.compares
        return {name: value for name, value in row.items() if name in self._table.schema.key or wanted(name)}
