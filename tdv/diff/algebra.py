"""Applies a difference to rows, and turns it round.

In: the tables of one end and a complete `DatasetDiff`. Out: the tables of the other end. Always holds:
``apply(a, diff(a, b)) == b`` and ``invert(diff(a, b)) == diff(b, a)``; a difference is never applied to rows that it
was not made from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from tdv.content.arrow import arrow_schema, arrow_type, one_chunk
from tdv.content.hashing import row_hash
from tdv.content.order import ordered
from tdv.diff.cells import unequal
from tdv.diff.matching import Positions, matched, rest
from tdv.diff.value import DatasetDiff, TableDiff
from tdv.errors import DataError, UsageError
from tdv.model.schema import TableSchema


def invert(diff: DatasetDiff) -> DatasetDiff:
    """The way back."""
    tables = {name: table.inverted() for name, table in diff.tables.items()}
    return DatasetDiff(diff.dataset, diff.new, diff.old, tables, diff.complete)


def apply(tables: Mapping[str, pa.Table], diff: DatasetDiff) -> dict[str, pa.Table]:
    """The tables of the newer end, in canonical form and order.

    `tables` are those of the older end in canonical form and order. Raises `UsageError` for a diff that is not
    complete, `DataError` for tables that are not those that it was made from.
    """
    if not diff.complete:
        raise UsageError("A difference of which rows were left out cannot be applied", hint="Make it without a limit.")
    return {schema.name: _table(tables, diff, schema) for schema in diff.new.schema.tables}


def _table(tables: Mapping[str, pa.Table], diff: DatasetDiff, schema: TableSchema) -> pa.Table:
    change = diff.tables.get(schema.name)
    if change is None:
        return _given(tables, schema.name)
    if change.old is None:
        return change.added
    given = _given(tables, schema.name)
    rows = _keyed(given, change) if change.common.key else _bag(given, change)
    wanted = arrow_schema(schema)
    return ordered(pa.concat_tables([rows.select(wanted.names).cast(wanted), change.added]), schema)


def _given(tables: Mapping[str, pa.Table], name: str) -> pa.Table:
    if name not in tables:
        raise _misfit(name, "the table is missing")
    return tables[name]


def _bag(given: pa.Table, change: TableDiff) -> pa.Table:
    """The rows that stay; those with other columns come whole out of the difference."""
    if change.gained is not None:
        return change.gained
    assert change.old is not None
    here, gone = row_hash(given, change.old), np.sort(row_hash(change.removed, change.old))
    order = np.argsort(here, kind="stable")
    words = here[order]
    count = np.searchsorted(gone, words, "right") - np.searchsorted(gone, words, "left")
    after = np.searchsorted(words, words, "right") - np.arange(len(words))
    leaves = np.sort(order[after <= count])
    if len(leaves) != len(gone):
        raise _misfit(change.name, "a row to remove is missing")
    return given.take(pa.array(rest(len(here), leaves)))


def _keyed(given: pa.Table, change: TableDiff) -> pa.Table:
    """The rows that stay, with their changed cells and the columns that are new."""
    kept = given.take(pa.array(_staying(given, change)))
    keys = _keys(kept, change.common)
    at, among = matched(keys, change.keys, change.common)
    if len(among) != change.keys.num_rows:
        raise _misfit(change.name, "a row to change is missing")
    columns = {}
    for column in change.common.columns:
        array = one_chunk(kept.column(column.name)).cast(arrow_type(column.type))
        columns[column.name] = _patched(array, column.name, change, at)
    if change.gained is not None:
        here, there = matched(keys, _keys(change.gained, change.common), change.common)
        if len(here) != keys.num_rows:
            raise _misfit(change.name, "a row has no value for a new column")
        more = change.gained.take(pa.array(there))
        columns |= {name: one_chunk(more.column(name)) for name in more.column_names if name not in columns}
    return pa.table(columns)


def _staying(given: pa.Table, change: TableDiff) -> Positions:
    assert change.old is not None
    gone, found = matched(_keys(given, change.common), _keys(change.removed, change.common), change.common)
    if len(found) != change.removed.num_rows:
        raise _misfit(change.name, "a row to remove is missing")
    for column in change.old.columns:
        before = one_chunk(given.column(column.name)).take(pa.array(gone))
        if unequal(before, one_chunk(change.removed.column(column.name)), column.type).any():
            raise _misfit(change.name, "a row to remove has other values")
    return rest(given.num_rows, gone)


def _keys(table: pa.Table, common: TableSchema) -> pa.Table:
    wanted = pa.schema([pa.field(name, arrow_type(common.column(name).type)) for name in common.key])
    return table.select(list(common.key)).cast(wanted).combine_chunks()


def _patched(array: pa.Array, name: str, change: TableDiff, at: Positions) -> pa.Array:
    """The column with its changed cells; `at` are the places of the changed rows."""
    cells = change.cells.get(name)
    if cells is None:
        return array
    places = at[cells.rows.to_numpy(zero_copy_only=False)]
    if unequal(array.take(pa.array(places)), cells.before, change.common.column(name).type).any():
        raise _misfit(change.name, f"a cell of {name} to change has another value")
    source = np.arange(len(array))
    source[places] = len(array) + np.arange(len(places))
    return pa.concat_arrays([array, cells.after]).take(pa.array(source))


def _misfit(table: str, problem: str) -> DataError:
    return DataError(
        f"The difference does not fit the table {table!r}: {problem}",
        hint="Apply it to the state that it was made from.",
        table=table,
    )
