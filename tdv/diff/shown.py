"""The rows of a difference as cells (`tdv.model.cell`).

In: a `TableDiff`, and what the reader wants to see. Out: `RowChange`s and `KeptRows`. Always holds: values of columns
that are private in either state are replaced by their mark, NULL stays NULL.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import pyarrow as pa

from tdv.content.redact import mark
from tdv.content.text import to_cells
from tdv.diff import TableDiff
from tdv.diff.kept import Kept
from tdv.diff.renames import ColumnRename
from tdv.diff.rows import Plan
from tdv.model.diff_report import KeptRows, Rename, ReportOptions, RowChange
from tdv.model.schema import Column, TableSchema

Row = Mapping[str, Any]


def plan_of(options: ReportOptions) -> Plan:
    """How rows are compared."""
    return Plan(
        options.limit, frozenset(options.columns) or None, frozenset(options.ignore), options.tolerance, options.where
    )


class Shown:
    """The rows of one table."""

    def __init__(self, table: TableDiff, options: ReportOptions) -> None:
        self._table = table
        self._limit = options.limit
        self._plan = plan_of(options)
        schemas = [schema for schema in (table.old, table.new) if schema is not None]
        private = [] if options.reveal else [c for schema in schemas for c in schema.columns if c.privacy]
        # A column counts as private if either state says so: what one of them hides, the other may not tell.
        self._marks = {column.name: mark(column) for column in private}

    def rows(self) -> Iterator[RowChange]:
        """Added, removed, then changed rows."""
        table, limit = self._table, self._limit
        if table.new is not None:
            for row in self._cells(table.added.slice(0, limit), table.new.columns):
                yield RowChange("added", _key(row, table.new), None, self._wanted(row, table.new))
        if table.old is not None:
            for row in self._cells(table.removed.slice(0, limit), table.old.columns):
                yield RowChange("removed", _key(row, table.old), self._wanted(row, table.old), None)
        yield from self._changed()

    def kept(self, found: Kept | None, renames: tuple[ColumnRename, ...]) -> KeptRows | None:
        """The rows that stay, in the columns that only one state has."""
        compares = self._plan.compares
        renames = tuple(item for item in renames if compares(item.before) or compares(item.after))
        if found is None:
            return None
        before, after = (tuple(getattr(item, side) for item in renames) for side in ("before", "after"))
        return KeptRows(
            found.count,
            tuple(name for name in found.gained if name not in (*found.lost, *after)),
            tuple(name for name in found.lost if name not in (*found.gained, *before)),
            tuple(name for name in found.gained if name in found.lost),
            tuple(self._rename(item) for item in renames),
            tuple(self._unequal(found, self._pairs(found.old, found.new, self._with(renames)))),
        )

    @staticmethod
    def _unequal(found: Kept, rows: Iterator[RowChange]) -> Iterator[RowChange]:
        """The rows without values of another type that are equal."""
        for number, row in enumerate(rows):
            equal = tuple(name for name, mask in found.same.items() if mask[number])
            yield replace(row, before=_without(row.before or {}, equal), after=_without(row.after or {}, equal))

    def _rename(self, found: ColumnRename) -> Rename:
        rows: tuple[RowChange, ...] = ()
        if found.old is not None and found.new is not None:
            rows = tuple(self._pairs(found.old, found.new, self._with((found,))))
        return Rename(found.before, found.after, found.rows, found.differ, rows)

    def _with(self, renames: tuple[ColumnRename, ...]) -> Mapping[str, str]:
        """The marks, and those of columns that seem to be private ones under another name."""
        marks = dict(self._marks)
        for item in renames:
            hidden = marks.get(item.before) or marks.get(item.after)
            if hidden:
                marks |= {item.before: hidden, item.after: hidden}
        return marks

    def _pairs(self, old: pa.Table, new: pa.Table, marks: Mapping[str, str]) -> Iterator[RowChange]:
        """The same rows in both states."""
        assert self._table.old is not None
        assert self._table.new is not None
        before, after = (
            self._cells(old, self._table.old.columns, marks),
            self._cells(new, self._table.new.columns, marks),
        )
        key = self._table.common.key
        for one, other in zip(before, after, strict=True):
            yield RowChange("changed", {name: other[name] for name in key}, _without(one, key), _without(other, key))

    def _changed(self) -> Iterator[RowChange]:
        common = self._table.common
        keys = self._cells(self._table.keys.slice(0, self._limit), common.columns)
        before: list[dict[str, Any]] = [{} for _ in keys]
        after: list[dict[str, Any]] = [{} for _ in keys]
        for name, cell in self._table.cells.items():
            kind = common.column(name).type
            for place, old, new in zip(
                cell.rows.to_pylist(), to_cells(cell.before, kind), to_cells(cell.after, kind), strict=True
            ):
                if place < len(keys):
                    before[place][name], after[place][name] = (
                        _hidden(self._marks, name, old),
                        _hidden(self._marks, name, new),
                    )
        for key, old_cells, new_cells in zip(keys, before, after, strict=True):
            yield RowChange("changed", key, old_cells, new_cells)

    def _cells(
        self, rows: pa.Table, columns: tuple[Column, ...], marks: Mapping[str, str] | None = None
    ) -> list[dict[str, Any]]:
        kinds = {column.name: column.type for column in columns}
        values = {name: to_cells(rows.column(name), kinds[name]) for name in rows.column_names}
        found = [dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=True)]
        marks = self._marks if marks is None else marks
        return [{name: _hidden(marks, name, value) for name, value in row.items()} for row in found]

    def _wanted(self, row: Row, schema: TableSchema) -> dict[str, Any]:
        wanted = self._plan.compares
        return {name: value for name, value in row.items() if name in schema.key or wanted(name)}


def _key(row: Row, schema: TableSchema) -> dict[str, Any]:
    """The key of a row in the state that has it."""
    return {name: row[name] for name in schema.key}


def _hidden(marks: Mapping[str, str], name: str, value: Any) -> Any:
    return value if value is None else marks.get(name, value)


def _without(row: Row, key: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in key}
