"""SQL for SQLite that somebody else runs.

In: schemas and canonical columns. Out: statements and literals. Always holds: foreign keys are switched off outside of
the transaction only, the one place where SQLite heeds it, and looked at before it ends.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

import pyarrow as pa

from tdv.model.schema import Column, DatasetSchema, TableSchema
from tdv.model.types import LogicalType
from tdv.targets import sql
from tdv.targets.dialect import Outline, Rebuilds, follow, holds, if_missing, known_tables, text_literal
from tdv.targets.sql import quote
from tdv.targets.sqlite import ddl
from tdv.targets.sqlite.codec import storage
from tdv.targets.sqlite.deciding import refuse_tables
from tdv.targets.sqlite.literals import literals
from tdv.targets.sqlite.theirs import Written

_ROW_IDS: Final = ("rowid", "_rowid_", "oid")
_CHECK: Final = quote("_tdv_check")
_MOST_PARTS: Final = 100
"""Parts of one text that are put together: SQLite takes expressions of a depth of 1,000."""
_MIDNIGHT: Final = "' 00:00:00'"


@dataclass(frozen=True, slots=True)
class SqliteDialect(Rebuilds):
    """See `tdv.targets.dialect.Dialect`; `written` is how tables that are to be changed hold values, where an
    application made them."""

    name: str = "sqlite"
    written: Written = Written({}, by_sqlalchemy=False)  # noqa: RUF009 - a frozen value

    def notes(self, outline: Outline) -> list[str]:
        return ["For SQLite; `sqlite3 -bail` stops at the first error."]

    def beside(self, wanted: DatasetSchema) -> SqliteDialect:
        declared = dict(self.written.declared)
        for place, parent in follow(wanted, declared):
            declared[place] = declared[parent]
        return replace(self, written=replace(self.written, declared=declared))

    def refuse(self, tables: Iterable[TableSchema]) -> None:
        refuse_tables(list(tables))

    def literals(self, array: pa.Array, column: Column, table: str) -> list[str]:
        return list(literals(array, column, table, lambda t: _texts(self.written.texts(t, column, table))).to_pylist())

    def equal(self, column: Column, literal: str, table: str) -> str:
        return f"{quote(column.name)} = {literal}"

    def cast(self, name: str, old: LogicalType, new: LogicalType) -> str | None:
        if storage(old) in ("integer", "number") and storage(new) in ("integer", "number"):
            return quote(name)
        if (old.name, new.name) == ("date", "timestamp"):
            return f"{quote(name)} || {_MIDNIGHT}"
        return f"substr({quote(name)}, 1, 10)" if (old.name, new.name) == ("timestamp", "date") else None

    def holds(self, found: LogicalType, wanted: LogicalType) -> bool:
        return storage(found) == storage(wanted) != "text" or holds(self, found, wanted)

    def delete_one(self, table: TableSchema, condition: str) -> str | None:
        taken = {name.lower() for name in table.column_names}
        row = next((name for name in _ROW_IDS if name not in taken), None)
        place = quote(table.name)
        return row and f"DELETE FROM {place} WHERE {row} = (SELECT min({row}) FROM {place} WHERE {condition})"

    def create(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        return [ddl.create_table(table, known)]

    def finish(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        return list(map(if_missing, ddl.create_indexes(table, known)))

    def begin(self, outline: Outline) -> list[str]:
        return ["PRAGMA foreign_keys = OFF", "BEGIN"] if outline.aside else ["BEGIN"]

    def end(self, outline: Outline) -> list[str]:
        if not outline.aside:
            return ["COMMIT"]
        names = ", ".join(map(sql.text, sorted(known_tables(outline.old) | known_tables(outline.new))))
        broken = f'SELECT count(*) FROM pragma_foreign_key_check WHERE "table" IN ({names}) OR parent IN ({names})'
        return [
            f"CREATE TEMPORARY TABLE {_CHECK} (references_to_nothing INTEGER CHECK (references_to_nothing = 0))",
            f"INSERT INTO {_CHECK} {broken}",
            f"DROP TABLE {_CHECK}",
            "COMMIT",
            "PRAGMA foreign_keys = ON",
        ]


def _texts(stored: pa.Array) -> pa.Array:
    return pa.array([None if value is None else _text(value) for value in stored.to_pylist()], pa.string())


def _text(value: str) -> str:
    parts = text_literal(value, sql.text, lambda part: f"char({', '.join(str(ord(letter)) for letter in part)})")
    return " || ".join(parts) if len(parts) <= _MOST_PARTS else f"CAST(X'{value.encode().hex()}' AS TEXT)"


DIALECT: Final = SqliteDialect()
