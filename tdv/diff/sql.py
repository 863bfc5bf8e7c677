"""The SQL statements that turn one state of a database into the other, for one engine.

In: two snapshots and a dialect. Out: lines of SQL, one statement each, that leave behind what a checkout of the newer
state would. Always holds: rows go before those that they reference, and come after them; what cannot be ordered so is
run with references aside; a value of a private column is written only when asked for, and a statement that would need
one cannot be run by mistake, because its mark is no SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from tdv.content.arrow import arrow_type, one_chunk
from tdv.content.redact import mark
from tdv.content.snapshot import Snapshot
from tdv.diff import WHOLE, TableDiff, diff
from tdv.diff.sql_steps import Steps, steps
from tdv.model.schema import Column
from tdv.targets.dialect import Dialect, shown
from tdv.targets.sql import listed, quote

Row = Sequence[str]
_TOGETHER: Final = 100
"""Conditions side by side: SQLite takes expressions of a depth of 1,000."""


@dataclass(frozen=True, slots=True)
class ScriptOptions:
    """`names` are the references of both states, `tables` narrows to some; `reveal` writes private values.

    `rounding` are columns of the older state, each with its table, that the database declares to alter some values.
    """

    names: tuple[str, str]
    reveal: bool = False
    tables: Collection[str] = ()
    rounding: frozenset[tuple[str, str]] = frozenset()


def statements(old: Snapshot, new: Snapshot, dialect: Dialect, options: ScriptOptions) -> Iterator[str]:
    """Line by line."""
    dialect = dialect.beside(new.manifest.schema)
    found = steps(diff(old, new, WHOLE, options.tables), dialect)
    script = _Script(found, new, dialect, options)
    yield f"-- {' → '.join(map(shown, options.names))}"
    yield from (f"-- {note}" for note in dialect.notes(found.outline))
    yield from (f"{statement};" for statement in script.all())
    if script.hidden:
        yield f"-- {script.hidden} values of private columns are hidden; --show-private writes them."


class _Script:
    """Writes statements and counts the values that it hides."""

    def __init__(self, found: Steps, new: Snapshot, dialect: Dialect, options: ScriptOptions) -> None:
        self._found = found
        self._new = new
        self._dialect = dialect
        self._options = options
        self.hidden = 0

    def all(self) -> Iterator[str]:
        """The statements in order."""
        known = self._found.outline
        yield from self._dialect.begin(known)
        yield from self._unrounded()
        yield from (f"DROP TABLE {quote(table.name)}" for table in self._found.children_first if table.new is None)
        for table in self._found.children_first:
            yield from self._deletes(table)
        for table in self._found.parents_first:
            if table.old is not None:
                yield from self._rows_of(table)
        yield from self._redeclared()
        yield from self._fresh()
        yield from self._dialect.end(known)

    def _unrounded(self) -> Iterator[str]:
        """What would round rows that come takes them as they are."""
        for table in self._found.parents_first:
            if table.old is not None:
                names = [name for name in table.common.column_names if (table.name, name) in self._options.rounding]
                yield from self._dialect.unround(table.old, names)

    def _rows_of(self, table: TableDiff) -> Iterator[str]:
        """Rows that change and come, in a table that takes them."""
        reshape = self._found.reshapes.get(table.name)
        if reshape is not None:
            yield from self._dialect.loosen(reshape)
        place = self._dialect.place(reshape) if reshape is not None else table.name
        if reshape is not None and reshape.anew:
            yield from self._inserts(table, place, self._new.batches(table.name))
            return
        yield from self._changes(table, place)
        yield from self._gains(table, place)
        yield from self._inserts(table, place, [table.added])

    def _redeclared(self) -> Iterator[str]:
        """What holds again once the rows are there."""
        reshapes = self._found.reshapes
        for table in self._found.children_first:
            if table.name in reshapes:
                yield from self._dialect.clear(reshapes[table.name])
        for table in self._found.parents_first:
            if table.name in reshapes:
                yield from self._dialect.tighten(reshapes[table.name])

    def _fresh(self) -> Iterator[str]:
        """Tables that come, when those that they reference have their keys."""
        known = self._found.known.new
        fresh = [table for table in self._found.parents_first if table.old is None]
        for table in fresh:
            yield from self._dialect.create(table.schema, known)
            yield from self._inserts(table, table.name, [table.added])
        for table in fresh:
            yield from self._dialect.finish(table.schema, known)
        for table in fresh:
            yield from self._dialect.refer(table.schema, known)

    def _deletes(self, table: TableDiff) -> Iterator[str]:
        """Rows that go, from a table that stays."""
        reshape = self._found.reshapes.get(table.name)
        if table.old is None or table.new is None or (reshape is not None and reshape.anew):
            return
        key = [table.old.column(name) for name in table.common.key]
        columns = key or list(table.old.columns)
        for row in self._rows(table.removed, columns, table):
            condition = self._where(table.name, columns, row)
            one = f"DELETE FROM {quote(table.name)} WHERE {condition}"
            statement = one if key else self._dialect.delete_one(table.old, condition)
            assert statement is not None
            yield statement

    def _where(self, place: str, columns: Sequence[Column], row: Row) -> str:
        found = [
            f"{quote(column.name)} IS NULL" if value == "NULL" else self._dialect.equal(column, value, place)
            for column, value in zip(columns, row, strict=True)
        ]
        if len(found) > _TOGETHER:
            found = [f"({' AND '.join(found[at : at + _TOGETHER])})" for at in range(0, len(found), _TOGETHER)]
        return " AND ".join(found)

    def _changes(self, table: TableDiff, place: str) -> Iterator[str]:
        """Changed cells."""
        common = table.common
        keys = [common.column(name) for name in common.key]
        cells: dict[int, list[tuple[str, str]]] = {}
        for name, cell in table.cells.items():
            (values,) = self._columns([cell.after], [common.column(name)], table)
            for row, value in zip(cell.rows.to_pylist(), values, strict=True):
                cells.setdefault(row, []).append((name, value))
        for number, row in enumerate(self._rows(table.keys, keys, table) if cells else ()):
            yield self._update(place, keys, row, cells[number])

    def _gains(self, table: TableDiff, place: str) -> Iterator[str]:
        """The values of new columns in rows that stay; those columns hold NULL so far."""
        if table.gained is None or table.new is None or not table.common.key:
            return
        keys = [table.common.column(name) for name in table.common.key]
        names = [name for name in table.gained.column_names if name not in table.common.key]
        fresh = self._rows(table.gained, [table.new.column(name) for name in names], table)
        arrays = [one_chunk(table.gained.column(key.name)).cast(arrow_type(key.type)) for key in keys]
        places = zip(*self._columns(arrays, keys, table), strict=True)
        for row, values in zip(places, fresh, strict=True):
            cells = [(name, value) for name, value in zip(names, values, strict=True) if value != "NULL"]
            if cells:
                yield self._update(place, keys, row, cells)

    def _update(self, place: str, keys: Sequence[Column], row: Row, cells: Sequence[tuple[str, str]]) -> str:
        values = ", ".join(f"{quote(name)} = {value}" for name, value in cells)
        return f"UPDATE {quote(place)} SET {values} WHERE {self._where(place, keys, row)}"

    def _inserts(self, table: TableDiff, place: str, rows: Any) -> Iterator[str]:
        """Rows that come."""
        assert table.new is not None
        columns = table.new.columns
        names, overriding = listed(table.new.column_names), self._dialect.overriding(table.new)
        start = f"INSERT INTO {quote(place)} ({names}){overriding} VALUES"
        for batch in rows:
            for row in self._rows(batch, columns, table):
                yield f"{start} ({', '.join(row)})"

    def _rows(self, rows: pa.Table, columns: Sequence[Column], table: TableDiff) -> Iterator[Row]:
        if not columns:
            return iter(())
        return zip(*self._columns([one_chunk(rows.column(c.name)) for c in columns], columns, table), strict=True)

    def _columns(self, arrays: Sequence[Any], columns: Sequence[Column], table: TableDiff) -> list[list[str]]:
        return [self._literals(array, column, table) for array, column in zip(arrays, columns, strict=True)]

    def _literals(self, array: Any, column: Column, table: TableDiff) -> list[str]:
        hidden = None if self._options.reveal else _mark(column.name, table)
        if hidden is None:
            return self._dialect.literals(array, column, table.name)
        self.hidden += len(array) - array.null_count
        return [hidden if is_there else "NULL" for is_there in array.is_valid().to_pylist()]


def _mark(name: str, table: TableDiff) -> str | None:
    """What stands in the place of a value, if either state calls the column private."""
    for schema in (table.new, table.old):
        if schema is not None and name in schema.column_names and schema.column(name).privacy:
            return mark(schema.column(name))
    return None
