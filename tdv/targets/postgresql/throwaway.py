"""Throwaway databases beside a target, on its server.

In: a target's parameters, names, and `Load`s. Out: clones of templates, and what is left of earlier ones. Always holds:
a clone has its name from the start and nobody knows that name before it is complete; only databases whose names tdv
made are listed or dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final, LiteralString

import psycopg
from psycopg.rows import tuple_row

from tdv.config import TargetSettings
from tdv.targets.postgresql import databases
from tdv.targets.postgresql.catalogue import write_state
from tdv.targets.postgresql.resets import Resetting, resetting
from tdv.targets.postgresql.session import (
    Connection,
    connect,
    database_of,
    execute,
    maintenance,
    named,
    parameters,
)
from tdv.targets.postgresql.templates import Templates, key_of
from tdv.targets.postgresql.whole import Filling, made, schema_options
from tdv.targets.protocol import Load
from tdv.targets.sql import quote
from tdv.targets.throwaway import Leaving, Name, Throwaway

_SESSIONS_SINCE: Final = 140_000
_SESSIONS: Final = "SELECT sessions FROM pg_stat_database WHERE datname = current_database()"
"""A session that has gone is counted before it leaves `pg_stat_activity`, where those that are there stand."""
_OTHERS: Final = """
SELECT count(*) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'"""
Failures = Callable[[], AbstractContextManager[None]]


class PostgresqlThrowaways:
    """The throwaways of one server; `settings` are those of any target on it, `failures` translates errors."""

    keeps_connection: ClassVar[bool] = True
    takes_long: ClassVar[bool] = True

    def __init__(self, settings: TargetSettings, scratch: Path, failures: Failures) -> None:
        self._settings = settings
        self._scratch = scratch
        self._failures = failures
        self._resettings: dict[str, Resetting | None] = {}

    def create(self, name: Name, load: Load) -> Throwaway:
        throwaway = Throwaway(str(name), named(self._settings, str(name)))
        with self._failures(), self._server() as (admin, given):
            templates = Templates(admin)
            locale = databases.locale_of(admin, database_of(given))
            key = key_of(load.image_key, locale, schema_options(given))
            template = templates.find(key) or made(templates, Filling(self._settings, load, self._scratch), key, locale)
            templates.clone(template, throwaway.name)
            try:
                with closing(connect(given, throwaway.name)) as connection:
                    write_state(connection, load.stamped(template.held))
            except BaseException:
                databases.try_drop(admin, throwaway.name)
                raise
        return throwaway

    def drop(self, leaving: str) -> None:
        used = self._resettings.pop(leaving, None)
        if used is not None:
            used.close()
        with self._failures(), self._server() as (admin, _):
            if Name.parse(leaving) is not None:
                execute(admin, f"DROP DATABASE IF EXISTS {quote(leaving)} WITH (FORCE)")
            else:
                Templates(admin).drop(leaving)

    def found(self) -> tuple[Leaving, ...]:
        with self._failures(), self._server() as (admin, _):
            return (*_databases(admin), *_images(admin))

    def connect(self, throwaway: Throwaway) -> psycopg.Connection[tuple[Any, ...]]:
        with self._failures():
            return psycopg.connect(**parameters(throwaway.url))

    def begin(self, throwaway: Throwaway, connection: Callable[[], Any]) -> Any:
        """The transaction that the connection is in from now on, and how many sessions there have been."""
        if throwaway.name not in self._resettings:
            with self._failures():
                self._resettings[throwaway.name] = self._resetting(throwaway.name)
        if connection().info.server_version < _SESSIONS_SINCE:
            return None
        return _first(connection(), f"SELECT pg_current_xact_id()::text, ({_SESSIONS})")

    def undone(self, throwaway: Throwaway, connection: Any | None, begun: Any) -> bool:
        """True if the connection was in one transaction all the time, and nobody else had one to the database, or if
        what was written is undone."""
        found = self._resettings.get(throwaway.name)
        if connection is not None and begun is not None:
            if self._was_only(connection, begun, found.pid if found is not None else 0):
                return True
            # Whatever else was done in the session goes with it.
            connection.close()
        return found is not None and found.undo()

    def _was_only(self, connection: Any, begun: Any, own: int) -> bool:
        if connection.closed:
            return False
        try:
            same = _first(connection, "SELECT pg_current_xact_id_if_assigned()::text")[0] == begun[0]
        except psycopg.errors.InFailedSqlTransaction:
            same = False
        connection.rollback()
        # A new transaction, since statistics are read once per transaction.
        sessions, others = _first(connection, f"SELECT ({_SESSIONS}), ({_OTHERS} AND pid <> {int(own)})")
        connection.rollback()
        return bool(same and sessions == begun[1] and not others)

    def _resetting(self, name: str) -> Resetting | None:
        connection = connect(parameters(self._settings.url), name)
        found = resetting(connection)
        if found is None:
            connection.close()
        return found

    @contextmanager
    def _server(self) -> Iterator[tuple[Connection, dict[str, Any]]]:
        given = parameters(self._settings.url)
        with closing(maintenance(given)) as admin:
            yield admin, given


def _first(connection: psycopg.Connection[Any], query: LiteralString) -> tuple[Any, ...]:
    """The first row of a query, on a connection whose row factory may be anybody's."""
    with connection.cursor(row_factory=tuple_row) as cursor:
        row = cursor.execute(query).fetchone()
    return row or ()


def _databases(admin: Connection) -> Iterator[Leaving]:
    query = "SELECT datname, pg_database_size(oid) FROM pg_database WHERE datname LIKE %s ORDER BY 1"
    rows = execute(admin, query, databases.literally("tdv_") + "%")
    for text, size in rows:
        name = Name.parse(text)
        if name is not None:
            yield Leaving("database", text, name.made_at, name.execution_id, size)


def _images(admin: Connection) -> Iterator[Leaving]:
    for template, size in Templates(admin).found():
        yield Leaving("image", template.name, datetime.fromtimestamp(template.used_at, UTC), "", size)
