"""Finds the first row and column in which two streams of rows differ.

In: rows in canonical form and order. Out: one sentence, or "" where they are equal. Always holds: memory is a few
batches of either side; values of private columns are not shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import pyarrow as pa

from tdv.content.arrow import empty_table
from tdv.content.digest import TableDigester
from tdv.content.hashing import column_hash
from tdv.content.redact import shown, shown_key
from tdv.content.snapshot import Snapshot
from tdv.model.schema import TableSchema
from tdv.seeds import united_rows

Reader = Callable[[TableSchema], Iterator[pa.Table]]


def target_difference(snapshot: Snapshot, read: Reader, scenarios: Sequence[str] = ()) -> str:
    """Where the rows that `read` gives differ from the snapshot's, or from those of `scenarios` alone; raises what
    reading raises. A snapshot that has none of the scenarios is loaded whole."""
    known = [scenario for scenario in snapshot.manifest.scenarios if scenario.name in scenarios]
    alone = united_rows(known, snapshot) if known else {}
    for table in snapshot.manifest.tables:
        rows = alone.get(table.name)
        digest = _digest(table.schema, [rows]) if rows is not None else table.digest
        if _digest(table.schema, read(table.schema)) != digest:
            expected = snapshot.batches(table.name) if rows is None else iter((rows,))
            found = first_difference(table.schema, expected, read(table.schema))
            return found or f"table {table.name}: the digest differs"
    return ""


def _digest(schema: TableSchema, batches: Iterable[pa.Table]) -> str:
    digester = TableDigester(schema)
    for batch in batches:
        digester.update(batch)
    return digester.finish()


def difference_of_snapshots(expected: Snapshot, found: Snapshot) -> str:
    """The first difference between two snapshots of different digests."""
    tables = {table.name: table for table in found.manifest.tables}
    for table in expected.manifest.tables:
        other = tables.pop(table.name, None)
        if other is None:
            return f"the table {table.name} is missing"
        if other.digest == table.digest:
            continue
        if {c.name: c.type for c in other.schema.columns} != {c.name: c.type for c in table.schema.columns}:
            return f"the columns of table {table.name} differ"
        difference = first_difference(table.schema, expected.batches(table.name), found.batches(table.name))
        return difference or f"table {table.name}: the digest differs"
    if tables:
        return f"there is the additional table {min(tables)}"
    return "the schema differs"


def first_difference(schema: TableSchema, expected: Iterator[pa.Table], found: Iterator[pa.Table]) -> str:
    """Names table, row and column of the first difference."""
    ours, theirs = _Cursor(schema, expected), _Cursor(schema, found)
    row = 0
    while True:
        left, right = ours.rest(), theirs.rest()
        rows = min(left.num_rows, right.num_rows)
        if rows == 0:
            return _ends(schema, left, right, row)
        at, column = _first_unequal(schema, left.slice(0, rows), right.slice(0, rows))
        if column:
            return _sentence(schema, left.slice(at, 1), right.slice(at, 1), (row + at, column))
        ours.skip(rows)
        theirs.skip(rows)
        row += rows


class _Cursor:
    """A stream of tables read row by row in blocks."""

    def __init__(self, schema: TableSchema, batches: Iterator[pa.Table]) -> None:
        self._schema = schema
        self._batches = batches
        self._current = empty_table(schema)

    def rest(self) -> pa.Table:
        """The rows at hand, none only at the end."""
        while self._current.num_rows == 0:
            following = next(self._batches, None)
            if following is None:
                break
            self._current = following.select(list(self._schema.column_names))
        return self._current

    def skip(self, rows: int) -> None:
        self._current = self._current.slice(rows)


def _first_unequal(schema: TableSchema, left: pa.Table, right: pa.Table) -> tuple[int, str]:
    """The first row in which any column differs, and the first such column of it, keys before others."""
    first, where = left.num_rows, ""
    for name in dict.fromkeys((*schema.key, *schema.column_names)):
        kind = schema.column(name).type
        ours = column_hash(left.column(name).combine_chunks(), kind)
        theirs = column_hash(right.column(name).combine_chunks(), kind)
        unequal = np.flatnonzero(ours != theirs)
        if len(unequal) and int(unequal[0]) < first:
            first, where = int(unequal[0]), name
    return first, where


def _sentence(schema: TableSchema, left: pa.Table, right: pa.Table, at: tuple[int, str]) -> str:
    row, column = at
    if column in schema.key:
        return f"table {schema.name}, row {row + 1}: expected the row {_key(schema, left)}, found {_key(schema, right)}"
    place = f"row {row + 1}" + (f" ({_key(schema, left)})" if schema.key else "")
    expected, found = (shown(schema.column(column), side.column(column)[0].as_py()) for side in (left, right))
    return f"table {schema.name}, {place}, column {column}: expected {expected}, found {found}"


def _ends(schema: TableSchema, left: pa.Table, right: pa.Table, row: int) -> str:
    if left.num_rows:
        name = f" {_key(schema, left.slice(0, 1))}" if schema.key else ""
        return f"table {schema.name}: row {row + 1}{name} is missing"
    if right.num_rows:
        name = f" {_key(schema, right.slice(0, 1))}" if schema.key else ""
        return f"table {schema.name}: row {row + 1}{name} is one too many"
    return ""


def _key(schema: TableSchema, row: pa.Table) -> str:
    return shown_key(schema, schema.key, [row.column(name)[0].as_py() for name in schema.key])
