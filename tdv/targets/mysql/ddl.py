"""Statements that make a dataset's tables in MySQL.

In: table schemas. Out: SQL. Always holds: tables are made with their keys, or get them when they are full; references
name the tables beside them, wherever those are renamed to afterwards.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from tdv.errors import DataError
from tdv.model.schema import TableSchema
from tdv.targets.mysql.types import MOST_SCALE, declared
from tdv.targets.sql import indexed, keys_of, listed, quote, too_wide

STATE_PREFIX: Final = "_tdv_"
"""What tdv keeps beside the dataset's tables begins like this."""
MODES: Final = (
    "ANSI_QUOTES,NO_BACKSLASH_ESCAPES,STRICT_ALL_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,"
    "NO_AUTO_VALUE_ON_ZERO,NO_ENGINE_SUBSTITUTION"
)
"""The SQL modes in which all SQL of the adapter is to be read."""
_INTEGERS: Final = frozenset({"int16", "int32", "int64"})
_LONGEST_NAME: Final = 64
_LONGEST_NUMBERED: Final = _LONGEST_NAME - len("_ibfk_99")
"""The longest name of a table after which the server itself can call its references."""
_MOST_COLUMNS: Final = 1_017
_KEY_BYTES: Final = 3072
_BYTES: Final = {"string": 4, "binary": 1}
"""Bytes of a character of the types whose room in a key has to be shared out."""
_OTHER_BYTES: Final = 36
_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class Making:
    """How tables are made: `names` maps each table to the name that it is made under, `collation` is that of text,
    `bare` are those that are made with the primary key alone, to get the rest when they are full, and `types` declares
    columns, each with its table, in other words than tdv's own. `token` tells the names of references from those of
    tables that give way: they are unique in a database."""

    names: Mapping[str, str]
    collation: str
    bare: frozenset[str] = frozenset()
    types: Mapping[tuple[str, str], str] = field(default_factory=dict)
    token: str = field(default_factory=lambda: secrets.token_hex(8))


def create_table(table: TableSchema, making: Making) -> str:
    """``CREATE TABLE`` with keys, an index for each reference, and references to tables of `making`; without what
    comes later, see `later_keys` and `later_references`."""
    types = types_of(table, making.names)
    types |= {name: making.types[table.name, name] for name in types if (table.name, name) in making.types}
    parts = [
        f"{quote(column.name)} {types[column.name]}"
        + (" NULL" if column.nullable else " NOT NULL")
        + (" AUTO_INCREMENT" if counts_on(table, column.name) and "int" in types[column.name] else "")
        for column in table.columns
    ]
    parts += [f"PRIMARY KEY ({listed(table.key)})"] if table.key else []
    parts += [] if table.name in making.bare else _keys(table, making)
    parts += [] if _refers_later(table, making) else _references(table, making)
    return (
        f"CREATE TABLE {quote(making.names[table.name])} ({', '.join(parts)}) "
        f"ENGINE=InnoDB ROW_FORMAT=DYNAMIC DEFAULT CHARACTER SET utf8mb4 COLLATE {making.collation}"
    )


def types_of(table: TableSchema, known: Iterable[str]) -> dict[str, str]:
    """What each column is declared as, where references may point to the `known` tables."""
    room = _room(table, [table.key, *keys_of(table), *indexed(table, known)])
    return {column.name: declared(column, room.get(column.name)) for column in table.columns}


def later_keys(table: TableSchema, making: Making) -> list[str]:
    """The changes by which a table that was made bare gets its keys."""
    return [f"ADD {key}" for key in _keys(table, making)] if table.name in making.bare else []


def later_references(table: TableSchema, making: Making) -> list[str]:
    """The changes by which a table gets its references, where it or a table that it references was made bare."""
    return [f"ADD {reference}" for reference in _references(table, making)] if _refers_later(table, making) else []


def counts_on(table: TableSchema, name: str) -> bool:
    """True for the single integer key: it counts on by itself, as applications expect."""
    return table.key == (name,) and table.column(name).type.name in _INTEGERS


def refuse_columns(tables: Iterable[TableSchema]) -> None:
    """Raises `DataError` for names, decimals and tables that MySQL has no room for."""
    tables = list(tables)
    long = [
        repr(name)
        for table in tables
        for name in (table.name, *table.column_names)
        if len(name) > _LONGEST_NAME or name != name.rstrip() or any(ord(letter) > 0xFFFF for letter in name)
    ]
    wide = [
        f"{table.name}.{column.name} ({column.type})"
        for table in tables
        for column in table.columns
        if column.type.name == "decimal" and column.type.scale > MOST_SCALE
    ]
    taken = [repr(table.name) for table in tables if table.name.lower().startswith(STATE_PREFIX)]
    alike = [
        f"{table.name}.{name}"
        for table in tables
        for name in table.column_names
        if sum(other.lower() == name.lower() for other in table.column_names) > 1
    ]
    for table in tables:
        if len(table.columns) > _MOST_COLUMNS:
            raise too_wide(table, "MySQL", _MOST_COLUMNS)
    for what, found in (
        ("names of more than 64 characters, with spaces at the end or beyond the basic plane:", long),
        ("more than 30 digits after the point:", wide),
        ("tables whose name begins as those of tdv:", taken),
        ("names of columns that differ in case alone:", alike),
    ):
        if found:
            raise DataError(f"MySQL cannot hold {what} {', '.join(found)}", hint="Change them in the spec.")


def _keys(table: TableSchema, making: Making) -> list[str]:
    """All keys but the primary one."""
    uniques = [f"UNIQUE KEY ({listed(unique)})" for unique in keys_of(table)]
    return uniques + [f"KEY ({listed(columns)})" for columns in indexed(table, making.names)]


def _references(table: TableSchema, making: Making) -> list[str]:
    """The references to tables of `making`."""
    known = [reference for reference in dict.fromkeys(table.references) if reference.table in making.names]
    return [
        f"{_named(table, making, number)}FOREIGN KEY ({listed(reference.columns)}) REFERENCES "
        f"{quote(making.names[reference.table])} ({listed(reference.to)})"
        for number, reference in enumerate(known, 1)
    ]


def _named(table: TableSchema, making: Making, number: int) -> str:
    """The name of a reference where the server cannot give it one, since it would begin with that of the table."""
    if len(table.name) <= _LONGEST_NUMBERED:
        return ""
    own = hashlib.sha256(f"{making.token} {table.name}".encode()).hexdigest()[:_DIGITS]
    return f"CONSTRAINT {quote(f'{own}_ibfk_{number}')} "


def _refers_later(table: TableSchema, making: Making) -> bool:
    """All references together: the server numbers them as they come."""
    return not making.bare.isdisjoint({table.name, *(reference.table for reference in table.references)})


def _room(table: TableSchema, keys: Iterable[tuple[str, ...]]) -> dict[str, int]:
    """For text and binary columns in keys: the characters or bytes that the narrowest key leaves them."""
    room: dict[str, int] = {}
    for key in keys:
        shared = [name for name in key if table.column(name).type.name in _BYTES]
        left = _KEY_BYTES - _OTHER_BYTES * (len(key) - len(shared))
        for name in shared:
            most = left // len(shared) // _BYTES[table.column(name).type.name]
            room[name] = min(room.get(name, most), most)
    return room
