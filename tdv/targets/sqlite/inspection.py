"""The schema of a SQLite database as others made it.

In: an open connection. Out: a `DatasetSchema`. Always holds: the type of a column is one that all of its values
are of, whatever it was declared as, since SQLite keeps any value in any column.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from tdv.model.schema import Column, DatasetSchema, Reference, Rules, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.protocol import STATE_TABLE
from tdv.targets.sql import quote
from tdv.targets.sqlite.codec import ARROW, Misread, Storage, decode, storage

_DECLARED: Final = (
    (r"TIMESTAMPTZ|TIMESTAMP WITH TIME ZONE", "timestamptz"),
    (r"DATETIME|TIMESTAMP", "timestamp"),
    (r"DATE", "date"),
    (r"TIME", "time"),
    (r"BOOL", "bool"),
    (r"SMALLINT|TINYINT|INT2", "int16"),
    (r"MEDIUMINT|INT4", "int32"),
    (r"INT", "int64"),
    (r"UUID", "uuid"),
    (r"JSON", "json"),
    (r"CHAR|CLOB|TEXT|STRING", "string"),
    (r"BLOB|BINARY", "binary"),
    (r"REAL|FLOA|DOUB", "float64"),
)
_WIDER: Final = {
    "bool": "int64",
    "int16": "int64",
    "int32": "int64",
    "int64": "float64",
    "date": "timestamp",
    "timestamp": "timestamptz",
}
"""What to try when values do not fit: after these, text."""
_BY_CLASS: Final = {"integer": "int64", "real": "float64", "text": "string", "blob": "binary"}
_PYTHON: Final[Mapping[Storage, tuple[type, ...]]] = {
    "integer": (int,),
    "real": (int, float),
    "number": (int, float),
    "text": (str,),
    "blob": (bytes,),
}
"""What `sqlite3` gives for the values of a column that is read as that; Arrow would cut 5.5 to the integer 5."""
_BATCH: Final = 65_536
_VISIBLE: Final = 0
_GENERATED: Final = (2, 3)
_NO_CODE: Final = re.compile(r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|\[[^\]]*\]|--[^\n]*|/\*.*?\*/""", re.DOTALL)
"""Literals, quoted names and comments in a CREATE TABLE."""


@dataclass(frozen=True, slots=True)
class _Found:
    """One column as ``PRAGMA table_xinfo`` tells it."""

    name: str
    declared: str
    not_null: bool
    key: int


def inspect(connection: sqlite3.Connection) -> DatasetSchema:
    """All tables of the database but SQLite's own and tdv's state, in the order in which they were made."""
    query = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY rootpage, name"
    names = [name for (name,) in connection.execute(query) if _is_users(name)]
    columns = {name: _columns(connection, name) for name in names}
    return DatasetSchema(tuple(_table(connection, name, columns) for name in names))


def omitted(connection: sqlite3.Connection) -> tuple[str, ...]:
    """What a schema does not say of these tables: generated columns, checks, collations, types that values break."""
    found: list[str] = []
    query = "SELECT name, sql FROM sqlite_master WHERE type = 'table' ORDER BY rootpage, name"
    for table, sql in connection.execute(query).fetchall():
        if not _is_users(table):
            continue
        rows = connection.execute(f"PRAGMA table_xinfo({quote(table)})").fetchall()
        found += [f"the generated column {table}.{row[1]}" for row in rows if row[6] in _GENERATED]
        for column in _columns(connection, table):
            classes = _classes(connection, table, column.name)
            if len(classes) > 1 and classes & {"text", "blob"}:
                mixed = " and ".join(sorted(classes))
                found.append(
                    f"the type {column.declared or '(none)'} of {table}.{column.name}: it holds {mixed} values"
                )
            elif classes and _is_rounded(connection, table, column):
                found.append(f"the type {column.declared} of {table}.{column.name}: SQLite keeps its values as floats")
        declared = _NO_CODE.sub(" ", sql or "")
        if re.search(r"\bCHECK\s*\(", declared, re.IGNORECASE):
            found.append(f"the CHECK constraints of {table}; write them under `checks:`")
        collations = {name.upper() for name in re.findall(r"\bCOLLATE\s+(\w+)", declared, re.IGNORECASE)} - {"BINARY"}
        found += [f"the collation {name} of {table}; text is compared byte by byte" for name in sorted(collations)]
    return tuple(found)


def indexes(connection: sqlite3.Connection, table: str) -> list[tuple[str, ...]]:
    """The columns of the indexes of a table, without partial ones and those over expressions."""
    return [names for _, _, names in _indexes(connection, table)]


def _is_rounded(connection: sqlite3.Connection, table: str, column: _Found) -> bool:
    """Whether a column was declared as a decimal and holds floats that are none of that scale."""
    declared = _declared(column.declared)
    is_decimal = declared is not None and declared.name == "decimal"
    return is_decimal and _type(connection, table, column).name == "float64"


def _is_users(table: str) -> bool:
    return not table.lower().startswith("sqlite_") and table.lower() != STATE_TABLE


def _columns(connection: sqlite3.Connection, table: str) -> list[_Found]:
    """The columns that hold values of their own, not generated ones."""
    rows = connection.execute(f"PRAGMA table_xinfo({quote(table)})").fetchall()
    return [
        _Found(name, declared, bool(not_null), key)
        for _, name, declared, not_null, _, key, hidden in rows
        if hidden == _VISIBLE
    ]


def _table(connection: sqlite3.Connection, name: str, columns: Mapping[str, Sequence[_Found]]) -> TableSchema:
    own = columns[name]
    key = tuple(column.name for column in sorted(own, key=lambda column: column.key) if column.key)
    described = tuple(_column(connection, name, column) for column in own)
    usable = all(column.type.may_be_key and not column.nullable for column in described if column.name in key)
    return TableSchema(
        name=name,
        columns=described,
        key=key if usable else (),
        uniques=_uniques(connection, name),
        references=_references(connection, name, columns),
    )


def _column(connection: sqlite3.Connection, table: str, column: _Found) -> Column:
    place = f"FROM {quote(table)} WHERE typeof({quote(column.name)})"
    has_null = connection.execute(f"SELECT 1 {place} = 'null' LIMIT 1").fetchone() is not None
    nullable = has_null or not (column.not_null or column.key)
    kind = _type(connection, table, column)
    rules = _rules(connection, table, column) if kind.name == "string" else Rules()
    return Column(column.name, kind, nullable, rules)


def _rules(connection: sqlite3.Connection, table: str, column: _Found) -> Rules:
    """The declared length of a text column, as in ``NVARCHAR(40)``, where all of its values keep to it."""
    declared = re.search(r"CHAR\w*\s*\(\s*(\d{1,9})\s*\)", column.declared.upper())
    if declared is None:
        return Rules()
    query = f"SELECT coalesce(max(length({quote(column.name)})), 0) FROM {quote(table)}"
    (longest,) = connection.execute(query).fetchone()
    return Rules(max_length=int(declared[1])) if longest <= int(declared[1]) else Rules()


def _type(connection: sqlite3.Connection, table: str, column: _Found) -> LogicalType:
    classes = _classes(connection, table, column.name)
    kind: LogicalType | None = _declared(column.declared)
    if kind is None:
        kind = _stored(classes)
    while kind is not None and not _fits(connection, table, column.name, kind):
        kind = _wider(kind, classes)
    return kind or LogicalType("binary" if classes == {"blob"} else "string")


def _stored(classes: set[str]) -> LogicalType:
    """The type of values of these storage classes; text where they have nothing else in common."""
    if classes == {"integer", "real"}:
        return LogicalType("float64")
    return LogicalType(_BY_CLASS[next(iter(classes))]) if len(classes) == 1 else LogicalType("string")


def _wider(kind: LogicalType, classes: set[str]) -> LogicalType | None:
    """What to try after `kind`; for decimals that SQLite rounded to floats, these, so that no digit is lost."""
    if kind.name == "decimal" and classes and classes <= {"integer", "real"}:
        return _stored(classes)
    return LogicalType(_WIDER[kind.name]) if kind.name in _WIDER else None


def _classes(connection: sqlite3.Connection, table: str, name: str) -> set[str]:
    found = connection.execute(f"SELECT DISTINCT typeof({quote(name)}) FROM {quote(table)}")
    return {kind for (kind,) in found} - {"null"}


def _declared(text: str) -> LogicalType | None:
    """The type of a declaration; None where it says nothing, as in ``NUMERIC``."""
    upper = text.upper()
    number = re.search(r"(?:DEC|NUMERIC|MONEY|NUMBER)\w*\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)", upper)
    if number:
        precision, scale = int(number[1]), int(number[2] or 0)
        return LogicalType("decimal", precision, scale) if 1 <= precision <= 38 and scale <= precision else None
    return next((LogicalType(name) for pattern, name in _DECLARED if re.search(pattern, upper)), None)


def _fits(connection: sqlite3.Connection, table: str, name: str, kind: LogicalType) -> bool:
    """Whether all values of a column can be read as `kind`."""
    cursor = connection.execute(f"SELECT {quote(name)} FROM {quote(table)}")
    allowed = (type(None), *_PYTHON[storage(kind)])
    try:
        while rows := cursor.fetchmany(_BATCH):
            values: list[Any] = [value for (value,) in rows]
            if any(not isinstance(value, allowed) for value in values):
                return False
            decode(pa.array(values, ARROW[storage(kind)]), kind)
    except (Misread, pa.ArrowException, OverflowError, TypeError):
        return False
    return True


def _uniques(connection: sqlite3.Connection, table: str) -> tuple[tuple[str, ...], ...]:
    found = [names for unique, origin, names in _indexes(connection, table) if unique and origin != "pk"]
    return tuple(sorted(dict.fromkeys(found)))


def _indexes(connection: sqlite3.Connection, table: str) -> Iterator[tuple[bool, str, tuple[str, ...]]]:
    """Whether each index over all rows is unique, what made it, and its columns."""
    for _, index, unique, origin, partial in connection.execute(f"PRAGMA index_list({quote(table)})").fetchall():
        names = tuple(row[2] for row in connection.execute(f"PRAGMA index_info({quote(index)})"))
        if not partial and None not in names:
            yield bool(unique), origin, names


def _references(
    connection: sqlite3.Connection, table: str, columns: Mapping[str, Sequence[_Found]]
) -> tuple[Reference, ...]:
    """Foreign keys to tables that exist, with names as their tables spell them."""
    spelled = {name.lower(): name for name in columns}
    found: dict[int, list[tuple[str, str, str | None]]] = {}
    for number, _, to_table, column, to, *_ in connection.execute(f"PRAGMA foreign_key_list({quote(table)})"):
        if to_table.lower() in spelled:
            found.setdefault(number, []).append((spelled[to_table.lower()], column, to))
    references = []
    for parts in found.values():
        target = parts[0][0]
        key = [column.name for column in sorted(columns[target], key=lambda column: column.key) if column.key]
        to_columns = [to for _, _, to in parts if to is not None] or key
        if len(to_columns) == len(parts):
            own = tuple(_spelled(column, columns[table]) for _, column, _ in parts)
            references.append(Reference(own, target, tuple(_spelled(to, columns[target]) for to in to_columns)))
    return tuple(sorted(references, key=lambda reference: reference.columns))


def _spelled(name: str, columns: Sequence[_Found]) -> str:
    return next((column.name for column in columns if column.name.lower() == name.lower()), name)
