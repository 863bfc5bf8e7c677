"""Statements that make a dataset's tables in SQLite, and the loss table.

In: table schemas. Out: SQL. Always holds: the declared type gives the affinity that the codec relies on, a
single integer key is the rowid, references are declared within the loaded datasets only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from tdv.errors import DataError
from tdv.model.schema import Column, Reference, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.protocol import STATE_TABLE, Loss
from tdv.targets.sql import index_name, indexed, keys_of, listed, quote, too_wide

MOST_COLUMNS: Final = 2_000
EXACT_DIGITS: Final = 15
"""Decimals of so many digits survive SQLite's REAL; longer ones are text."""

LOSSES: Final[Mapping[str, Loss]] = {
    "bool": Loss("encoded", "BOOLEAN", "0 and 1"),
    "int16": Loss("native", "SMALLINT"),
    "int32": Loss("native", "INTEGER"),
    "int64": Loss("native", "BIGINT", "INTEGER as a single key"),
    "float64": Loss("native", "DOUBLE", "NaN is refused: SQLite turns it into NULL"),
    "decimal": Loss("encoded", "DECIMAL(p,s)", "numbers; read back exactly at the declared scale"),
    f"decimal>{EXACT_DIGITS}": Loss("encoded", "TEXT", "digits as text"),
    "string": Loss("native", "TEXT", "VARCHAR(n) where the column has maxLength"),
    "binary": Loss("native", "BLOB"),
    "date": Loss("encoded", "DATE", "2026-01-31; years 1 to 9999"),
    "time": Loss("encoded", "TIME", "12:30:00 or 12:30:00.000001"),
    "timestamp": Loss("encoded", "DATETIME", "2026-01-31 12:30:00; years 1 to 9999"),
    "timestamptz": Loss("encoded", "TIMESTAMPTZ", "2026-01-31 12:30:00+00:00; years 1 to 9999"),
    "uuid": Loss("encoded", "UUID", "lower-case text"),
    "json": Loss("encoded", "JSON TEXT", "canonical text"),
    "list": Loss("encoded", "JSON TEXT", "a JSON array"),
    "struct": Loss("encoded", "JSON TEXT", "a JSON object"),
}
_NAMES: Final = {
    "bool": "BOOLEAN",
    "int16": "SMALLINT",
    "int32": "INTEGER",
    "int64": "BIGINT",
    "float64": "DOUBLE",
    "string": "TEXT",
    "binary": "BLOB",
    "date": "DATE",
    "time": "TIME",
    "timestamp": "DATETIME",
    "timestamptz": "TIMESTAMPTZ",
    "uuid": "UUID",
    "json": "JSON TEXT",
    "list": "JSON TEXT",
    "struct": "JSON TEXT",
}
_INTEGERS: Final = frozenset({"int16", "int32", "int64"})


def is_rowid(table: TableSchema, name: str) -> bool:
    """True for the single integer key, which SQLite keeps as the rowid itself."""
    return table.key == (name,) and table.column(name).type.name in _INTEGERS


def is_number(kind: LogicalType) -> bool:
    """True for decimals that are stored as numbers."""
    return kind.name == "decimal" and kind.precision <= EXACT_DIGITS


def declared_as(kind: str) -> str:
    """How a column of the type of this name is declared, for types that are declared in one way only."""
    return _NAMES[kind]


def create_table(table: TableSchema, known: Iterable[str]) -> str:
    """``CREATE TABLE``; `known` are the tables that references may point to."""
    parts = [_column(table, name) for name in table.column_names]
    if table.key and not is_rowid(table, table.key[0]):
        parts.append(f"PRIMARY KEY ({listed(table.key)})")
    parts += [f"UNIQUE ({listed(unique)})" for unique in keys_of(table)]
    names = set(known)
    parts += [_reference(reference) for reference in table.references if reference.table in names]
    return f"CREATE TABLE {quote(table.name)} ({', '.join(parts)})"


def declarations(table: TableSchema) -> dict[str, str]:
    """What each column is declared as."""
    return {column.name: "INTEGER" if is_rowid(table, column.name) else _type_name(column) for column in table.columns}


def create_indexes(table: TableSchema, known: Iterable[str]) -> list[str]:
    """An index for each reference that no key serves."""
    names = set(known)
    return [
        f"CREATE INDEX {quote(index_name(table.name, columns, names))} ON {quote(table.name)} ({listed(columns)})"
        for columns in indexed(table, names)
    ]


def refuse_names(tables: Iterable[TableSchema]) -> None:
    """Raises `DataError` for names that SQLite keeps for itself or cannot tell apart."""
    seen: dict[str, str] = {}
    for table in tables:
        if table.name.lower().startswith("sqlite_") or table.name.lower() == STATE_TABLE:
            raise DataError(f"SQLite takes no table {table.name!r}", hint="Rename the table in the spec.")
        twins = [table.name, *table.column_names]
        folded = [name.lower() for name in twins[1:]]
        if table.name.lower() in seen or len(set(folded)) != len(folded):
            raise DataError(
                f"SQLite does not tell names apart by case: {', '.join(map(repr, twins))}",
                hint="Rename one of them in the spec.",
                table=table.name,
            )
        seen[table.name.lower()] = table.name


def refuse_columns(tables: Iterable[TableSchema]) -> None:
    """Raises `DataError` for tables of more columns than SQLite takes."""
    for table in tables:
        if len(table.columns) > MOST_COLUMNS:
            raise too_wide(table, "SQLite", MOST_COLUMNS)


def _column(table: TableSchema, name: str) -> str:
    column = table.column(name)
    if is_rowid(table, name):
        return f"{quote(name)} INTEGER PRIMARY KEY NOT NULL"
    return f"{quote(name)} {_type_name(column)}" + ("" if column.nullable else " NOT NULL")


def _type_name(column: Column) -> str:
    """The declared type; SQLite does not look at the length of a text, and `inspect` gives it back."""
    kind, longest = column.type, column.rules.max_length
    if kind.name == "string" and longest is not None:
        return f"VARCHAR({longest})"
    if kind.name == "decimal":
        return f"DECIMAL({kind.precision},{kind.scale})" if is_number(kind) else "TEXT"
    return _NAMES[kind.name]


def _reference(reference: Reference) -> str:
    return f"FOREIGN KEY ({listed(reference.columns)}) REFERENCES {quote(reference.table)} ({listed(reference.to)})"
