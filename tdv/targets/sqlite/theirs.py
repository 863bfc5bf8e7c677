"""Values in tables that the application made, as the application itself writes and compares them.

In: the name of a column, and how tdv and the application declare it. Out: an SQL expression of the value. Always holds:
it stands for the same value, which `rows` reads back.

SQLite compares texts letter by letter, so that `WHERE id = ?` finds a row only where both were written in one way.
SQLAlchemy and Django write a uuid as 32 digits, and moments in UTC without saying so; SQLAlchemy writes six digits of
microseconds even where there are none.
"""

from __future__ import annotations

import re
from typing import Final

from tdv.targets.sql import quote
from tdv.targets.sqlite.ddl import declared_as

OF_SQLALCHEMY: Final = "table alembic_version"
"""What a database has that SQLAlchemy's migration tool made; Django declares the same types in its way of writing."""
_DIGITS: Final = re.compile(r"(VAR)?CHAR\s*\(\s*32\s*\)", re.IGNORECASE)
_MOMENT: Final = re.compile(r"DATETIME|TIMESTAMP", re.IGNORECASE)
_SECONDS: Final = {declared_as("timestamp"): 19, declared_as("timestamptz"): 19, declared_as("time"): 8}
"""Letters up to the microseconds, as tdv writes a value."""


def value(name: str, ours: str, theirs: str, *, by_sqlalchemy: bool) -> str:
    """The column `name` of an image, which declares it as `ours`, as the application writes it that says `theirs`."""
    column = quote(name)
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
