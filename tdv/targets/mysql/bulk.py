"""New tables that InnoDB fills in one pass, without counting them anew all the while.

In: a connection, tables that nobody else sees. Out: nothing. Always holds: afterwards the tables are declared as they
were before, and the server's statistics are those of all their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final

from tdv.targets.mysql.session import execute
from tdv.targets.mysql.wire import Connection

LARGE: Final = 50_000
"""Rows from which on a table takes longer to fill than two changes of its declaration."""
_COUNTED: Final = "STATS_AUTO_RECALC"
UNCOUNTED: Final = f"{_COUNTED} = 0"
"""The option of a table that is not counted before `COUNTED` is set."""
COUNTED: Final = f"{_COUNTED} = DEFAULT"


@contextmanager
def in_one_pass(connection: Connection) -> Iterator[None]:
    """The block fills empty tables whose rows are known to be valid."""
    # Without these checks InnoDB fills an empty table in one pass.
    execute(connection, "SET SESSION unique_checks = 0")
    yield
    execute(connection, "SET SESSION unique_checks = 1")


@contextmanager
def counted_afterwards(connection: Connection, large: Iterable[str]) -> Iterator[None]:
    """The block fills empty tables; `large` are the places of those of many rows.

    MariaDB wants to count a table again as soon as its rows are more than it knew of. While one statement fills it, it
    is locked, and the thread that counts asks for it without a pause: as much work as filling it.
    """
    places = list(large)
    for place in places:
        execute(connection, f"ALTER TABLE {place} {UNCOUNTED}")
    yield
    # A change of a table waits until those that reference it are full.
    for place in places:
        execute(connection, f"ALTER TABLE {place} {COUNTED}")


def counts_anew(statement: str) -> bool:
    """Whether InnoDB keeps the statistics of the table that the statement makes as the server is set to."""
    return "ENGINE=InnoDB" in statement and _COUNTED not in statement
