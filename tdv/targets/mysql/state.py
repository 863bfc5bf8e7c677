"""What a MySQL database says that it holds: a view of constants, `_tdv_state`.

In: a connection, `Held`s. Out: the view, or what it says. Always holds: a view is renamed in one statement with the
tables that it speaks of, goes with its database, and is no table that a migration tool would propose to drop.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from pymysql import err
from pymysql.constants import ER

from tdv.errors import TargetError
from tdv.targets.mysql.session import execute, number_of
from tdv.targets.mysql.wire import Connection
from tdv.targets.protocol import STATE_COLUMNS, STATE_TABLE, Held
from tdv.targets.sql import quote, text


def held_in(connection: Connection, place: str = quote(STATE_TABLE)) -> tuple[Held, ...]:
    """What the view at `place` says; () where there is none. Raises `TargetError` for one that is damaged."""
    try:
        rows = execute(connection, f"SELECT {', '.join(map(quote, STATE_COLUMNS))} FROM {place} ORDER BY dataset")
    except err.MySQLError as exc:
        if number_of(exc) in (ER.NO_SUCH_TABLE, ER.NO_DB_ERROR, ER.BAD_DB_ERROR):
            return ()
        raise
    try:
        return tuple(map(Held.from_row, rows))
    except (ValueError, TypeError) as exc:
        raise TargetError(
            f"the view {STATE_TABLE} cannot be read: {exc}",
            hint=f"Drop the view {STATE_TABLE} and run the checkout with --replace.",
        ) from exc


def write_state(connection: Connection, held: Iterable[Held], name: str = STATE_TABLE) -> None:
    """Makes the view say this, or removes it where nothing is held."""
    rows = [item.to_plain() for item in held]
    if not rows:
        execute(connection, f"DROP VIEW IF EXISTS {quote(name)}")
        return
    said = " UNION ALL ".join(
        f"SELECT {', '.join(f'{_stored(row[column])} AS {quote(column)}' for column in STATE_COLUMNS)}" for row in rows
    )
    execute(connection, f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW {quote(name)} AS {said}")


def _stored(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return text(json.dumps(value) if isinstance(value, dict | list) else value)
