"""One query over a SQLite database.

In: a connection that only reads. Out: rows. Always holds: nothing is written, and no other file is opened: a file that
is opened only for reading still lets ``ATTACH`` and ``VACUUM INTO`` make others.
"""

from __future__ import annotations

import sqlite3
from typing import Any, Final

from tdv.targets.sql import no_query

_ELSEWHERE: Final = frozenset({sqlite3.SQLITE_ATTACH, sqlite3.SQLITE_DETACH})
_LOOKING: Final = frozenset({
    "foreign_key_check", "foreign_key_list", "index_info", "index_list", "index_xinfo", "integrity_check",
    "quick_check", "table_info", "table_list", "table_xinfo",
})  # fmt: skip
"""Pragmas whose argument is what they look at; that of others is what they set."""


def answer(connection: sqlite3.Connection, query: str) -> list[tuple[Any, ...]]:
    """The first two rows of a query; raises `TargetError` for what does more than look."""
    connection.execute("PRAGMA query_only = ON")
    connection.set_authorizer(_allowed)
    try:
        return connection.execute(query).fetchmany(2)
    except sqlite3.DatabaseError as exc:
        if getattr(exc, "sqlite_errorname", "") == "SQLITE_AUTH":
            raise no_query() from exc
        raise


def _allowed(action: int, name: str | None, argument: str | None, *_: str | None) -> int:
    sets = action == sqlite3.SQLITE_PRAGMA and argument is not None and str(name).lower() not in _LOOKING
    return sqlite3.SQLITE_DENY if sets or action in _ELSEWHERE else sqlite3.SQLITE_OK
