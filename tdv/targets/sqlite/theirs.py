"""Values in tables that the application made, as the application itself writes and compares them.

In: a value in SQL, and how tdv and the application declare its column. Out: an SQL expression of the value. Always
holds: it stands for the same value, which `rows` reads back.

SQLite compares texts letter by letter, so that `WHERE id = ?` finds a row only where both were written in one way.
SQLAlchemy and Django write a uuid as 32 digits, and moments in UTC without saying so; SQLAlchemy writes six digits of
microseconds even where there are none.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from tdv.model.schema import Column
from tdv.targets.sqlite.ddl import declared_as

OF_SQLALCHEMY: Final = "table alembic_version"
"""What a database has that SQLAlchemy's migration tool made; Django declares the same types in its way of writing."""
_DIGITS: Final = re.compile(r"(VAR)?CHAR\s*\(\s*32\s*\)", re.IGNORECASE)
_MOMENT: Final = re.compile(r"DATETIME|TIMESTAMP", re.IGNORECASE)
_IN_A_FORM: Final = frozenset({"uuid", "timestamp", "timestamptz", "time"})
_SECONDS: Final = {declared_as("timestamp"): 19, declared_as("timestamptz"): 19, declared_as("time"): 8}
"""Letters up to the microseconds, as tdv writes a value."""


@dataclass(frozen=True, slots=True)
class Written:
    """How tables of applications hold values: `declared` by table and column, in a database `by_sqlalchemy` or not."""

    declared: Mapping[tuple[str, str], str]
    by_sqlalchemy: bool

    def texts(self, stored: pa.Array, column: Column, table: str) -> pa.Array:
        """Texts as tdv stores them, as the application does."""
        theirs = self.declared.get((table, column.name))
        if theirs is None or column.type.name not in _IN_A_FORM:
            return stored
        said = value("?", declared_as(column.type.name), theirs, by_sqlalchemy=self.by_sqlalchemy)
        # One form for a checkout and for a script: SQLite itself works it out.
        with closing(sqlite3.connect(":memory:")) as engine:
            query = f"SELECT {said.replace('?', 'v')} FROM (SELECT ? AS v)"
            return pa.array([engine.execute(query, [text]).fetchone()[0] for text in stored.to_pylist()], pa.string())


def written(connection: sqlite3.Connection, ours: Collection[str]) -> Written:
    """How the tables of a database hold values that are not among `ours`, those that tdv made."""
    query = "SELECT m.name, c.name, c.type FROM sqlite_master m, pragma_table_xinfo(m.name) c WHERE m.type = 'table'"
    rows = connection.execute(query).fetchall()
    tables = {table for table, _, _ in rows}
    declared = {(table, column): kind for table, column, kind in rows if table not in ours}
    return Written(declared, OF_SQLALCHEMY.removeprefix("table ") in tables)


def value(column: str, ours: str, theirs: str, *, by_sqlalchemy: bool) -> str:
    """The value `column` of an image, which declares it as `ours`, as the application writes it that says `theirs`."""
    if ours == declared_as("uuid"):
        return f"replace({column}, '-', '')" if _DIGITS.fullmatch(theirs.strip()) else column
    is_moment = ours in _SECONDS and (theirs.strip().upper() == ours or _MOMENT.fullmatch(theirs.strip()))
    if not is_moment or theirs.strip().upper() == declared_as("timestamptz"):
        return column
    if not by_sqlalchemy:
        return f"replace({column}, '+00:00', '')"
    whole = _SECONDS[ours]
    micro = f"iif(substr({column}, {whole + 1}, 1) = '.', substr({column}, {whole + 2}, 6), '000000')"
    return f"substr({column}, 1, {whole}) || '.' || {micro}"
