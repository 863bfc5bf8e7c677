"""Narrows a difference to the rows that an SQL expression is true of.

In: a `TableDiff` with all its rows, and an expression over the table's columns. Out: a smaller `TableDiff`. Always
holds: a changed row stays if the expression is true of it before or after; the expression runs in the sandbox.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa

from tdv.content.sandbox import Sandbox, quoted
from tdv.content.snapshot import Snapshot
from tdv.diff.matching import Positions
from tdv.diff.value import CellChanges, TableDiff
from tdv.errors import DataError
from tdv.model.diff import TableChange

_NUMBER = "tdv row number"


def where(tables: Mapping[str, TableDiff], old: Snapshot, new: Snapshot, expression: str) -> dict[str, TableDiff]:
    """The tables that have the columns of `expression`, narrowed; raises `DataError` if it fits none of them."""
    found: dict[str, TableDiff] = {}
    problem: DataError | None = None
    for name, table in tables.items():
        try:
            found[name] = _narrowed(table, old, new, expression)
        except DataError as exc:
            problem = exc
    if problem is not None and not found:
        problem.hint = "--where takes an SQL expression over the columns of a table, as in --where 'age > 90'."
        raise problem
    return found


def _narrowed(table: TableDiff, old: Snapshot, new: Snapshot, expression: str) -> TableDiff:
    with Sandbox() as sandbox:
        gone = _true_of(sandbox, table.removed, expression)
        come = _true_of(sandbox, table.added, expression)
        changed = np.empty(0, np.int64)
        if table.keys.num_rows:
            rows = [snapshot.lookup(table.name, table.keys) for snapshot in (old, new)]
            changed = np.union1d(*(_true_of(sandbox, side, expression) for side in rows))
    cells = {name: kept for name, cell in table.cells.items() if len((kept := _cells(cell, changed)).rows)}
    change = TableChange(len(come), len(gone), len(changed), {name: len(cell.rows) for name, cell in cells.items()})
    return replace(
        table,
        change=change,
        removed=table.removed.take(pa.array(gone)),
        added=table.added.take(pa.array(come)),
        keys=table.keys.take(pa.array(changed)),
        cells=cells,
        lost=None,
        gained=None,
    )


def _true_of(sandbox: Sandbox, rows: pa.Table, expression: str) -> Positions:
    if not rows.num_columns:
        return np.empty(0, np.int64)
    numbered = rows.append_column(_NUMBER, pa.array(np.arange(rows.num_rows)))
    sandbox.add("rows", numbered)
    found = sandbox.query(f"SELECT {quoted(_NUMBER)} FROM rows WHERE ({expression}\n)")
    return np.sort(found.column(0).to_numpy())


def _cells(cell: CellChanges, changed: Positions) -> CellChanges:
    rows = cell.rows.to_numpy(zero_copy_only=False)
    inside = pa.array(np.flatnonzero(np.isin(rows, changed)))
    places = np.searchsorted(changed, rows[inside.to_numpy()])
    return CellChanges(pa.array(places, pa.int64()), cell.before.take(inside), cell.after.take(inside))
