"""How the columns of a MySQL database are declared, whoever made them.

In: a connection. Out: frozen values. Always holds: what is told of a column can stand in SQL as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tdv.model.types import LogicalType
from tdv.targets.dialect import Place, is_steering
from tdv.targets.mysql.session import execute
from tdv.targets.mysql.types import length_of, logical
from tdv.targets.mysql.wire import Connection
from tdv.targets.sql import quote

_ALL: Final = """
SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
"""
_WORD: Final = re.compile(r"\w+")
_TIMES: Final = re.compile(r"(datetime|timestamp|time)(?:\([0-5]\))?")
_FLOAT: Final = re.compile(r"float(?:\(\d+,\d+\))?")
_NOW: Final = re.compile(r"current_timestamp(?:\(\d*\))?", re.IGNORECASE)
_COMMENT: Final = " COMMENT '"
_BITS: Final = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}


@dataclass(frozen=True, slots=True)
class Theirs:
    """One column: its `type`, and the rest of its declaration that decides what may reference it."""

    type: str
    characters: str = ""

    @property
    def declaration(self) -> str:
        """As it stands in a ``CREATE TABLE``."""
        return f"{self.type} {self.characters}".rstrip()

    @property
    def limits(self) -> tuple[int, int] | None:
        """The least and the greatest whole number of an integer column."""
        word = _WORD.match(self.type)
        bits = _BITS.get(word[0]) if word else None
        if bits is None:
            return None
        return (0, 2**bits - 1) if "unsigned" in self.type else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)

    def holds(self, kind: LogicalType, declared: str) -> bool:
        """Whether it takes the values that a column takes which tdv would have `declared` so, but for numbers outside
        of `limits`."""
        own, length, wanted = logical(self.type), length_of(self.type), length_of(declared)
        if own is None or kind.name not in _REFERRING:
            return False
        if own.name == kind.name == "string":
            return length is None or (wanted is not None and wanted <= length)
        as_bytes = kind.name == "uuid" and self.type in ("binary(16)", "varbinary(16)")
        return as_bytes or own.name == "string" or own == kind or kind.widens_to(own)


def columns_of_all(connection: Connection) -> dict[Place, Theirs]:
    """Every column of the database."""
    return {
        (table, name): Theirs(kind, f"CHARACTER SET {characters} COLLATE {collation}" if characters else "")
        for table, name, kind, characters, collation in execute(connection, _ALL)
    }


def rounding(columns: Mapping[Place, Theirs]) -> dict[Place, str]:
    """What is done to values by the columns that alter some."""
    found = {}
    for place, their in columns.items():
        if _TIMES.fullmatch(their.type):
            found[place] = "rounds fractions of a second"
        elif _FLOAT.fullmatch(their.type):
            found[place] = "rounds numbers"
    return found


def exact(connection: Connection, places: Mapping[Place, str]) -> dict[Place, str]:
    """The declarations by which columns that round keep all digits, the rest of them as it is."""
    found = {}
    for table in sorted({table for table, _ in places}):
        ((_, text),) = execute(connection, f"SHOW CREATE TABLE {quote(table)}")
        for line in str(text).splitlines():
            for owner, name in places:
                if owner == table and line.startswith(f"  {quote(name)} "):
                    found[table, name] = _widened(line.removeprefix(f"  {quote(name)} ").removesuffix(","))
    return found


def _widened(declaration: str) -> str:
    declaration, _, comment = declaration.partition(_COMMENT)
    if _FLOAT.match(declaration):
        declaration = _FLOAT.sub("double", declaration, count=1)
    else:
        declaration = _NOW.sub("current_timestamp(6)", _TIMES.sub(r"\1(6)", declaration, count=1))
    return f"{declaration}{_COMMENT}{comment}" if comment and not is_steering(comment) else declaration


_REFERRING: Final = frozenset({"int16", "int32", "int64", "decimal", "string", "uuid"})
"""Types of keys and references that applications declare in other words."""
