"""What is in a SQLite database, and its view `_tdv_state`: tools that compare tables with models do not look at views.

In: connections. Out: a `Survey`, and the state's rows. Always holds: the state is written last, in the transaction
or the file that brings the rows; only the standard library is used.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

from tdv.errors import TargetError
from tdv.targets.protocol import STATE_COLUMNS, STATE_TABLE, Held
from tdv.targets.sql import quote, text
from tdv.targets.survey import Survey

_TABLE: Final = "table "
_VIEW: Final = "view "


def private(path: Path) -> sqlite3.Connection:
    """A connection to a file that is nobody else's: without journal, locks and flushes."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-131072"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def survey(connection: sqlite3.Connection) -> Survey:
    """Looks at the catalogue, `_tdv_state`, and which tables have rows."""
    found = connection.execute("SELECT type, name, sql FROM main.sqlite_master WHERE sql IS NOT NULL").fetchall()
    objects = {f"{kind} {name}": sql for kind, name, sql in found if not name.startswith("sqlite_")}
    has_state = objects.pop(_VIEW + STATE_TABLE, None) is not None
    tables = [name.removeprefix(_TABLE) for name in objects if name.startswith(_TABLE)]
    return Survey(
        objects=objects,
        held=_held_in(connection) if has_state else (),
        filled=frozenset(table for table in tables if _has_rows(connection, table)),
        references=tuple(
            (table, str(row[2]))
            for table in tables
            for row in connection.execute(f"PRAGMA main.foreign_key_list({quote(table)})")
        ),
    )


def write(connection: sqlite3.Connection, held: Iterable[Held]) -> None:
    """Says `held` of these datasets; what is said of others stays. Where nothing is held there is no view."""
    now = {item.dataset: item for item in (*survey(connection).held, *held)}
    rows = [item.to_plain() for item in now.values()]
    said = ", ".join(f"({', '.join(_literal(row[name]) for name in STATE_COLUMNS)})" for row in rows)
    connection.execute(f"DROP VIEW IF EXISTS main.{STATE_TABLE}")
    if rows:
        connection.execute(f"CREATE VIEW main.{STATE_TABLE} ({', '.join(STATE_COLUMNS)}) AS VALUES {said}")


def _held_in(connection: sqlite3.Connection) -> tuple[Held, ...]:
    try:
        rows = connection.execute(
            f"SELECT {', '.join(STATE_COLUMNS)} FROM main.{STATE_TABLE} ORDER BY dataset"
        ).fetchall()
        return tuple(map(Held.from_row, rows))
    except (sqlite3.OperationalError, ValueError, TypeError) as exc:
        if getattr(exc, "sqlite_errorname", "").startswith("SQLITE_BUSY"):
            raise
        raise TargetError(
            f"the view {STATE_TABLE} cannot be read: {exc}",
            hint=f"Drop the view {STATE_TABLE} and run the checkout with --replace.",
        ) from exc


def _has_rows(connection: sqlite3.Connection, table: str) -> bool:
    return connection.execute(f"SELECT 1 FROM main.{quote(table)} LIMIT 1").fetchone() is not None


def _literal(value: Any) -> str:
    if isinstance(value, bool):
        return str(int(value))
    return text(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
