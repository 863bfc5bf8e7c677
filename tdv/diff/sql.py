"""The SQL statements that turn one state of a database into the other.

In: two snapshots. Out: lines of SQL that SQLite, DuckDB and PostgreSQL read, as far as they can: SQLite has no
statement that widens a type, and PostgreSQL writes binary values in another way. Always holds: all of it is one
transaction; children go before their parents and come after them; a value of a private column is written only
when asked for, and a statement that would need one cannot be run by mistake, because its mark is no SQL.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

import pyarrow as pa

from tdv.content.redact import mark
from tdv.content.sandbox import quoted
from tdv.content.snapshot import Snapshot
from tdv.content.text import to_text
from tdv.diff import WHOLE, TableDiff, diff
from tdv.model.schema import Column, DatasetSchema, TableSchema
from tdv.model.types import LogicalType

_TYPES: Final = {
    "bool": "BOOLEAN",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float64": "DOUBLE PRECISION",
    "string": "TEXT",
    "binary": "BLOB",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "TIMESTAMP",
    "timestamptz": "TIMESTAMPTZ",
    "uuid": "UUID",
    "json": "JSON",
}
_BARE: Final = frozenset({"int16", "int32", "int64", "decimal"})


def statements(
    old: Snapshot, new: Snapshot, names: tuple[str, str], *, reveal: bool, tables: Collection[str] = ()
) -> Iterator[str]:
    """Line by line; `names` are the references of both states, `tables` narrows to some."""
    found = diff(old, new, WHOLE, tables).tables
    script = _Script(reveal)
    yield f"-- {_comment(names[0])} → {_comment(names[1])}"
    yield "BEGIN;"
    for name in reversed(_parents_first(old.manifest.schema)):
        if name in found:
            yield from script.deletes(found[name])
    for name in _parents_first(new.manifest.schema):
        if name in found:
            yield from script.shape(found[name])
            yield from script.updates(found[name])
            yield from script.inserts(found[name])
    for name in reversed(_parents_first(old.manifest.schema)):
        if name in found:
            yield from script.drops(found[name])
    yield "COMMIT;"
    if script.hidden:
        yield f"-- {script.hidden} values of private columns are hidden; --show-private writes them."


def _comment(text: str) -> str:
    return " ".join(text.split())


def _parents_first(schema: DatasetSchema) -> list[str]:
    """Tables such that each comes after those that it references, as far as references go in no circle."""
    order: list[str] = []
    seen: set[str] = set()

    def visit(table: TableSchema) -> None:
        if table.name in seen:
            return
        seen.add(table.name)
        for reference in table.references:
            if reference.dataset is None and reference.table in names:
                visit(schema.table(reference.table))
        order.append(table.name)

    names = {table.name for table in schema.tables}
    for table in schema.tables:
        visit(table)
    return order


class _Script:
    """Writes statements and counts the values that it hides."""

    def __init__(self, reveal: bool) -> None:
        self._reveal = reveal
        self.hidden = 0

    def deletes(self, table: TableDiff) -> Iterator[str]:
        """Rows that go, from a table that stays."""
        if table.old is None or table.new is None:
            return
        columns = [table.old.column(name) for name in table.common.key] or list(table.old.columns)
        for row in self._rows(table.removed, columns, table):
            yield f"DELETE FROM {quoted(table.name)} WHERE {self._where(columns, row, table)};"

    def _where(self, columns: Sequence[Column], row: Sequence[str], table: TableDiff) -> str:
        tests = " AND ".join(_equals(column.name, value) for column, value in zip(columns, row, strict=True))
        if table.common.key:
            return tests
        # Of several equal rows one goes: every engine numbers its rows, in SQLite and DuckDB as rowid.
        return f"rowid = (SELECT min(rowid) FROM {quoted(table.name)} WHERE {tests})"

    def shape(self, table: TableDiff) -> Iterator[str]:
        """The table, its columns and their types."""
        name = quoted(table.name)
        if table.new is None:
            return
        if table.old is None:
            yield _create(table.new)
            return
        before = {column.name: column for column in table.old.columns}
        for column in table.new.columns:
            earlier = before.pop(column.name, None)
            if earlier is not None and column.name not in table.common.column_names:
                yield f"ALTER TABLE {name} DROP COLUMN {quoted(column.name)};"
                earlier = None
            if earlier is None:
                yield f"ALTER TABLE {name} ADD COLUMN {quoted(column.name)} {_type(column.type)};"
            elif earlier.type != column.type:
                yield f"ALTER TABLE {name} ALTER COLUMN {quoted(column.name)} TYPE {_type(column.type)};"
        for column in before.values():
            yield f"ALTER TABLE {name} DROP COLUMN {quoted(column.name)};"

    def updates(self, table: TableDiff) -> Iterator[str]:
        """Changed cells, and the values of new columns."""
        keys = [table.common.column(name) for name in table.common.key]
        yield from self._changes(table, keys)
        if table.gained is None or table.new is None or not keys:
            return
        fresh = [table.new.column(name) for name in table.gained.column_names if name not in table.common.key]
        places = self._rows(table.gained, keys, table)
        for place, row in zip(places, self._rows(table.gained, fresh, table), strict=True):
            yield self._update(table, keys, place, [(c.name, v) for c, v in zip(fresh, row, strict=True)])

    def _changes(self, table: TableDiff, keys: Sequence[Column]) -> Iterator[str]:
        cells: dict[int, list[tuple[str, str]]] = {}
        for name, cell in table.cells.items():
            column = table.common.column(name)
            (values,) = self._columns([cell.after], [column], table)
            for place, value in zip(cell.rows.to_pylist(), values, strict=True):
                cells.setdefault(place, []).append((name, value))
        for number, place in enumerate(self._rows(table.keys, keys, table) if cells else ()):
            yield self._update(table, keys, place, cells[number])

    def _update(
        self, table: TableDiff, keys: Sequence[Column], place: Sequence[str], cells: Sequence[tuple[str, str]]
    ) -> str:
        values = ", ".join(f"{quoted(name)} = {value}" for name, value in cells)
        tests = " AND ".join(_equals(key.name, value) for key, value in zip(keys, place, strict=True))
        return f"UPDATE {quoted(table.name)} SET {values} WHERE {tests};"

    def inserts(self, table: TableDiff) -> Iterator[str]:
        """Rows that come; without a comparable key and with other columns, all rows."""
        if table.new is None:
            return
        columns = table.new.columns
        names = ", ".join(quoted(column.name) for column in columns)
        sources = [table.added]
        if table.gained is not None and not table.common.key:
            yield f"DELETE FROM {quoted(table.name)};"
            sources.append(table.gained)
        for source in sources:
            for row in self._rows(source, columns, table):
                yield f"INSERT INTO {quoted(table.name)} ({names}) VALUES ({', '.join(row)});"

    def drops(self, table: TableDiff) -> Iterator[str]:
        """A table that goes."""
        if table.new is None:
            yield f"DROP TABLE {quoted(table.name)};"

    def _rows(self, rows: pa.Table, columns: Sequence[Column], table: TableDiff) -> Iterator[tuple[str, ...]]:
        if not columns:
            return iter(())
        return zip(*self._columns([rows.column(c.name) for c in columns], columns, table), strict=True)

    def _columns(self, arrays: Sequence[Any], columns: Sequence[Column], table: TableDiff) -> list[list[str]]:
        return [self._literals(array, column, table) for array, column in zip(arrays, columns, strict=True)]

    def _literals(self, array: Any, column: Column, table: TableDiff) -> list[str]:
        hidden = None if self._reveal else _mark(column.name, table)
        texts = to_text(array, column.type).to_pylist()
        if hidden is None:
            return ["NULL" if text is None else _literal(text, column.type) for text in texts]
        self.hidden += sum(text is not None for text in texts)
        return ["NULL" if text is None else hidden for text in texts]


def _mark(name: str, table: TableDiff) -> str | None:
    """What stands in the place of a value, if either state calls the column private."""
    for schema in (table.new, table.old):
        if schema is not None and name in schema.column_names and schema.column(name).privacy:
            return mark(schema.column(name))
    return None


def _equals(name: str, value: str) -> str:
    return f"{quoted(name)} IS NULL" if value == "NULL" else f"{quoted(name)} = {value}"


def _literal(text: str, kind: LogicalType) -> str:
    if kind.name in _BARE:
        return text
    if kind.name == "bool":
        return text.upper()
    if kind.name == "binary":
        return f"X'{text}'"
    if kind.name == "float64":
        return text if text.lower().lstrip("-") not in ("nan", "inf", "infinity") else f"'{text}'"
    return "'" + text.replace("'", "''") + "'"


def _create(table: TableSchema) -> str:
    lines = [
        f"{quoted(column.name)} {_type(column.type)}{'' if column.nullable else ' NOT NULL'}"
        for column in table.columns
    ]
    if table.key:
        lines.append(f"PRIMARY KEY ({', '.join(map(quoted, table.key))})")
    return f"CREATE TABLE {quoted(table.name)} ({', '.join(lines)});"


def _type(kind: LogicalType) -> str:
    if kind.name == "decimal":
        return f"DECIMAL({kind.precision},{kind.scale})"
    return _TYPES.get(kind.name, "JSON")
