"""Turns what lies between two snapshots into what a reader is told.

In: two snapshots, and what the reader wants to see. Out: a `DiffReport`. Always holds: findings and bump are those of
the whole change, whatever is shown; private values are replaced here, before any face sees them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tdv.content.snapshot import Snapshot
from tdv.diff import COUNTS, TableDiff, diff, judge, names_of, stream
from tdv.diff.bundles import scenario_changes
from tdv.diff.expression import no_column
from tdv.diff.filtering import check_expression
from tdv.diff.kept import kept_rows
from tdv.diff.pair import Pair, Side
from tdv.diff.renames import column_renames, table_renames
from tdv.diff.shape import schema_changes
from tdv.diff.shown import Shown, plan_of
from tdv.diff.statistics import column_shifts, one_sided_shifts
from tdv.documents.words import did_you_mean
from tdv.errors import NotFound
from tdv.model.diff_report import (
    KINDS,
    ColumnShift,
    DiffReport,
    KeptRows,
    ReportOptions,
    RowChange,
    SchemaChange,
    TableReport,
)
from tdv.model.schema import DatasetSchema


def report(old: Snapshot, new: Snapshot, names: tuple[str, str], options: ReportOptions) -> DiffReport:
    """The report of `new` against `old`; `names` are the references of both.

    Raises `UsageError` for a `where` that fails on a row, `IntegrityError` for a damaged part.
    """
    found = replace(diff(old, new, plan_of(options), options.tables), complete=False)
    whole = diff(old, new, COUNTS) if options.narrows else found
    change = judge(old.manifest, new.manifest, whole, options.levels)
    tables = tuple(_table(old, new, table, options) for table in found.tables.values())
    schema = [*schema_changes(old.manifest.schema, new.manifest.schema), *_renames(old, new, tables)]
    is_whole = not (options.tables or options.columns or options.where)
    return DiffReport(
        new.manifest.dataset,
        *names,
        change.findings,
        tuple(item for item in schema if not options.tables or item.table in options.tables),
        tables,
        tuple(scenario_changes(old, new, reveal=options.reveal)) if is_whole else (),
    )


def stream_rows(old: Snapshot, new: Snapshot, options: ReportOptions) -> Iterator[tuple[str, RowChange]]:
    """The rows of `report` with their tables, in the order of keys, without ever holding more than a stretch."""
    plan = plan_of(options)
    for name in names_of(old, new, options.tables):
        left = dict.fromkeys(KINDS, options.limit)
        for table in stream(old, new, plan, name):
            for row in Shown(table, options).rows():
                count = left[row.kind]
                if count is None:
                    yield name, row
                elif count > 0:
                    left[row.kind] = count - 1
                    yield name, row


def check_names(schemas: Sequence[DatasetSchema], options: ReportOptions) -> None:
    """Raises `NotFound` for a table or column that none of the states has, `UsageError` for a `where` that is none or
    fits none of their tables; `schemas` are those of all states that are compared."""
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
            raise no_column(name, columns)
    if options.where is not None:
        check_expression(options.where, dict.fromkeys(shown))


def _renames(old: Snapshot, new: Snapshot, tables: Sequence[TableReport]) -> Iterator[SchemaChange]:
    """Tables, then columns, that look as if they had been renamed."""
    for before, after in table_renames(old, new):
        yield SchemaChange("table-renamed", after, before=before, after=after, guess=True)
    for table in tables:
        for item in table.kept.renamed if table.kept else ():
            yield SchemaChange(
                "column-renamed", table.name, item.after, item.before, item.after, True, item.among, item.differ
            )


def _table(old: Snapshot, new: Snapshot, table: TableDiff, options: ReportOptions) -> TableReport:
    shown = Shown(table, options)
    plan = plan_of(options)
    kept: KeptRows | None = None
    if table.old and table.new:
        pair = Pair.of(old, new, table.name)
        # Which rows an expression is true of is no question to a guess: it tells how many values differ, and no rows.
        renames = tuple(column_renames(pair, 0 if options.where else plan.limit))
        kept = shown.kept(kept_rows(pair, plan, table.change), renames)
    return TableReport(
        table.name,
        table.change,
        old.manifest.table(table.name).rows if table.old else None,
        new.manifest.table(table.name).rows if table.new else None,
        table.schema.key,
        table.schema.column_names,
        tuple(shown.rows()),
        tuple(item for item in _shifts(old, new, table, options) if plan.compares(item.column)),
        kept,
    )


def _shifts(old: Snapshot, new: Snapshot, table: TableDiff, options: ReportOptions) -> Iterator[ColumnShift]:
    if not options.statistics:
        return iter(())
    if table.old and table.new:
        return column_shifts(Pair.of(old, new, table.name), reveal=options.reveal)
    side = Side.alone(new if table.new else old, table.name)
    return one_sided_shifts(side, is_new=table.old is None, reveal=options.reveal)
