"""Whether a database changed since tdv loaded it, without reading a row.

In: a connection. Out: a JSON value that is another one after any committed write to the datasets' tables, or None where
the server cannot tell. Always holds: what counts is the second in which InnoDB last committed a change of each table,
once that second is over; the server forgets it when it restarts, and then there is no proof.
"""

from __future__ import annotations

from typing import Any, Final

from tdv.targets.mysql.session import execute
from tdv.targets.mysql.state import held_in
from tdv.targets.mysql.wire import Connection
from tdv.targets.sql import quote, text

_TABLES: Final = """
SELECT t.TABLE_NAME, CONCAT_WS(' ', t.CREATE_TIME, t.UPDATE_TIME, t.AUTO_INCREMENT), t.UPDATE_TIME < NOW(),
    t.ENGINE = 'InnoDB', (
      SELECT MD5(GROUP_CONCAT(CONCAT_WS(' ', c.COLUMN_NAME, c.COLUMN_TYPE, c.IS_NULLABLE) ORDER BY c.ORDINAL_POSITION))
        FROM information_schema.COLUMNS c WHERE c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME)
  FROM information_schema.TABLES t WHERE t.TABLE_SCHEMA = {} AND t.TABLE_TYPE = 'BASE TABLE' ORDER BY 1
"""
_UNTIL_NEXT_SECOND: Final = """
SELECT SLEEP(IF(MAX(UPDATE_TIME) >= NOW(), 1 - MICROSECOND(NOW(6)) / 1000000, 0))
  FROM information_schema.TABLES WHERE TABLE_SCHEMA = {}
"""


def proof(connection: Connection) -> Any | None:
    """What `Target.proof` promises; None for a database without tdv's state."""
    held = held_in(connection)
    rows = {name.lower(): rows for item in held for name, rows in item.tables.items()}
    ((database,),) = execute(connection, "SELECT DATABASE()")
    looks = looks_of(connection, str(database), rows)
    if not held or looks is None or len(looks) != len(rows):
        return None
    return [[item.to_plain() for item in held], looks]


def looks_of(connection: Connection, database: str, rows: dict[str, int] | None = None) -> list[Any] | None:
    """How the tables of a database look, those of `rows` or all; None where the server does not know when one was
    written, or where that was in this very second. One that was never written since the server started may be empty."""
    looks: list[Any] = []
    for name, times, is_over, is_innodb, columns in execute(connection, _TABLES.format(text(database))):
        if rows is not None and name.lower() not in rows:
            continue
        if not is_innodb or is_over == 0 or (is_over is None and not _is_empty(connection, database, name)):
            return None
        looks.append([name, times, columns])
    return looks


def settle(connection: Connection, database: str) -> None:
    """Waits until a later write falls into another second than the last one."""
    execute(connection, _UNTIL_NEXT_SECOND.format(text(database)))


def _is_empty(connection: Connection, database: str, name: str) -> bool:
    return not execute(connection, f"SELECT 1 FROM {quote(database)}.{quote(name)} LIMIT 1")
