"""Sequences of MariaDB, which columns take defaults from: where they go on, and the same ones in another database.

In: a connection, tables, names of databases. Out: sequences. Always holds: a sequence goes on after the greatest value
of all columns that it gives defaults to; one that no default names stays where the migrations left it. MySQL has none.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from contextlib import suppress
from typing import Final

from pymysql import err

from tdv.targets.mysql.session import execute
from tdv.targets.mysql.wire import Connection
from tdv.targets.sql import quote

SEQUENCE: Final = "SEQUENCE"
"""What the catalogue calls them as a kind of table."""
_SEQUENCES: Final = (
    f"SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s AND TABLE_TYPE = '{SEQUENCE}'"
)
_DEFAULTS: Final = (
    "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_DEFAULT, DATABASE() FROM information_schema.COLUMNS "
    "WHERE TABLE_SCHEMA = DATABASE() AND LOCATE('nextval(', COLUMN_DEFAULT) > 0 ORDER BY 1, 2"
)
_WORD: Final = r'(`(?:[^`]|``)+`|"(?:[^"]|"")+")'
_NEXT: Final = re.compile(rf"nextval\({_WORD}\.{_WORD}\)")


def names(connection: Connection, database: str) -> list[str]:
    """The sequences of a database."""
    return [name for (name,) in execute(connection, _SEQUENCES, database)]


def go_on(connection: Connection, tables: Collection[str]) -> None:
    """Lets the sequences of the connection's database go on that give defaults to columns of these tables.

    Only who may alter a sequence sets it back; for others it is too high at most.
    """
    for sequence, columns in _used(connection).items():
        if any(table in tables for table, _ in columns):
            _set(connection, sequence, _next(connection, sequence, columns))


def make(connection: Connection, source: str, database: str) -> None:
    """Makes the sequences of `source` that `database` lacks, where tables can name them then."""
    execute(connection, f"USE {quote(database)}")
    for name in names(connection, source):
        _create(connection, source, name, "SEQUENCE IF NOT EXISTS")


def renew(connection: Connection, source: str, database: str) -> None:
    """Makes the sequences of `database` those of `source`, which go on where these do."""
    wanted = names(connection, source)
    execute(connection, f"USE {quote(database)}")
    for name in names(connection, database):
        if name not in wanted:
            execute(connection, f"DROP SEQUENCE {quote(name)}")
    for name in wanted:
        _create(connection, source, name, "OR REPLACE SEQUENCE")
        ((number,),) = execute(connection, f"SELECT next_not_cached_value FROM {quote(source)}.{quote(name)}")
        execute(connection, f"SELECT SETVAL({quote(name)}, {int(number)}, 0)")


def pointed(statement: str, source: str, database: str) -> str:
    """What makes a table of `source`, with defaults that name the sequences of `database`: they name it themselves."""
    for mark in ("`", '"'):
        own = database.replace(mark, mark * 2)
        statement = statement.replace(f"nextval({mark}{source}{mark}.", f"nextval({mark}{own}{mark}.")
    return statement


def _create(connection: Connection, source: str, name: str, what: str) -> None:
    ((_, statement, *_),) = execute(connection, f"SHOW CREATE SEQUENCE {quote(source)}.{quote(name)}")
    execute(connection, str(statement).replace(SEQUENCE, what, 1))


def _used(connection: Connection) -> dict[str, list[tuple[str, str]]]:
    """The sequences of this database, each with the tables and columns that it gives defaults to."""
    found: dict[str, list[tuple[str, str]]] = {}
    for table, column, default, database in execute(connection, _DEFAULTS):
        match = _NEXT.search(default)
        if match is not None and _plain(match[1]) == database:
            found.setdefault(_plain(match[2]), []).append((table, column))
    return found


def _plain(word: str) -> str:
    return word[1:-1].replace(word[0] * 2, word[0])


def _next(connection: Connection, sequence: str, columns: Collection[tuple[str, str]]) -> int:
    """The value that follows those of the columns, from the sequence's start on."""
    looked = f"SELECT start_value, increment FROM {quote(sequence)}"
    ((start, step),) = execute(connection, looked)
    step = step or 1
    last = "MAX" if step > 0 else "MIN"
    ends = [execute(connection, f"SELECT {last}({quote(column)}) FROM {quote(table)}") for table, column in columns]
    taken = [int(value) + step for ((value,),) in ends if value is not None]
    return int(max([start, *taken]) if step > 0 else min([start, *taken]))


def _set(connection: Connection, sequence: str, number: int) -> None:
    """Whoever uses the sequence in a transaction is not waited for."""
    ((patience,),) = execute(connection, "SELECT @@lock_wait_timeout")
    execute(connection, "SET lock_wait_timeout = 1")
    with suppress(err.MySQLError):
        execute(connection, f"SELECT SETVAL({quote(sequence)}, {number}, 0)")
        execute(connection, f"ALTER SEQUENCE {quote(sequence)} RESTART WITH {number}")
    execute(connection, f"SET lock_wait_timeout = {int(patience)}")
