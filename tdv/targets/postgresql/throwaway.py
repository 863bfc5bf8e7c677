"""Throwaway databases beside a target, on its server.

In: a target's parameters, names, and `Load`s. Out: clones of templates, and what is left of earlier ones. Always holds:
a clone has its name from the start and nobody knows that name before it is complete; only databases whose names tdv
made are listed or dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Final

import psycopg
from psycopg import errors
from psycopg.pq import ExecStatus
from psycopg.rows import tuple_row

from tdv.config import TargetSettings
from tdv.targets.on_server import Filling
from tdv.targets.postgresql import databases
from tdv.targets.postgresql.catalogue import write_state
from tdv.targets.postgresql.proof import SINCE
from tdv.targets.postgresql.resets import Resetting, resetting
from tdv.targets.postgresql.session import Connection, connect, database_of, maintenance, named, parameters
from tdv.targets.postgresql.statements import NO_SUCH_DATABASE, execute, lock, tolerating
from tdv.targets.postgresql.templates import Template, Templates, key_of
from tdv.targets.postgresql.whole import made, schema_options
from tdv.targets.protocol import Load
from tdv.targets.sql import quote
from tdv.targets.throwaway import Leaving, Name, Throwaway

_SESSIONS_SINCE: Final = 140_000
_THIS: Final = "(SELECT oid FROM pg_database WHERE datname = current_database())"
_SESSIONS: Final = f"pg_stat_get_db_sessions({_THIS})"
"""A session that has gone is counted before it leaves `pg_stat_activity`, where those that are there stand."""
_BEGIN: Final = f"BEGIN; SELECT pg_current_xact_id()::text, {_SESSIONS}"
_END: Final = f"""
SELECT pg_current_xact_id_if_assigned()::text;
ROLLBACK;
SELECT {_SESSIONS}, (SELECT count(*) FROM pg_stat_get_activity(NULL)
  WHERE datid = {_THIS} AND pid NOT IN (pg_backend_pid(), {{own}}) AND usesysid IS NOT NULL)
"""
"""Statistics are read once per transaction: those after the rollback are of another one."""
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
        self._own: dict[str, int] = {}

    def create(self, name: Name, load: Load) -> Throwaway:
        throwaway = Throwaway(str(name), named(self._settings, str(name)))
        with self._failures(), self._server() as (admin, given):
            template = self._cloned(admin, given, throwaway.name, load)
            try:
                with closing(connect(given, throwaway.name)) as connection:
                    write_state(connection, load.stamped(template.held))
            except BaseException:
                with suppress(psycopg.Error):
                    _drop(admin, throwaway.name)
                raise
        return throwaway

    def drop(self, leaving: str) -> None:
        self._own.pop(leaving, None)
        used = self._resettings.pop(leaving, None)
        if used is not None:
            used.close()
        with self._failures(), self._server() as (admin, _):
            if Name.parse(leaving) is not None:
                lock(admin, leaving, f"the database {leaving}")
                _drop(admin, leaving)
            else:
                Templates(admin).drop(leaving)

    def found(self) -> tuple[Leaving, ...]:
        with self._failures(), self._server() as (admin, _):
            return (*_databases(admin), *_images(admin))

    def connect(self, throwaway: Throwaway) -> psycopg.Connection[tuple[Any, ...]]:
        with self._failures():
            connection = psycopg.connect(**parameters(throwaway.url))
            if connection.info.server_version >= SINCE:
                # Else the server may count the session later, as if it were one more.
                connection.pgconn.exec_(b"SELECT pg_stat_force_next_flush()")
            return connection

    def begin(self, throwaway: Throwaway, connection: Callable[[], Any]) -> Any:
        """The transaction that the connection is in from now on, and how many sessions there have been."""
        if throwaway.name not in self._resettings:
            with self._failures():
                self._resettings[throwaway.name] = self._resetting(throwaway.name)
        if connection().info.server_version < _SESSIONS_SINCE:
            return None
        # One message instead of two: a test waits for each.
        result = connection().pgconn.exec_(_BEGIN.encode())
        if result.status != ExecStatus.TUPLES_OK:
            raise errors.error_from_result(result)
        return (result.get_value(0, 0).decode(), int(result.get_value(0, 1)))

    def undone(self, throwaway: Throwaway, connection: Any | None, begun: Any) -> bool:
        """True if the connection was in one transaction all the time, and nobody else had one to the database, or if
        what was written is undone."""
        found = self._resettings.get(throwaway.name)
        if connection is None or begun is None:
            return found is not None and found.undo()
        if _was_only(connection, begun, self._own.get(throwaway.name, 0)):
            return True
        if found is None:
            connection.close()
            return False
        return found.undo(*_renewed(connection))

    def _cloned(self, admin: Connection, given: dict[str, Any], name: str, load: Load) -> Template:
        """Makes the database `name` a clone of the template of a load, which is made where it is not there."""
        templates, filling = Templates(admin), Filling(self._settings, load, self._scratch)
        locale = databases.locale_of(admin, database_of(given))
        key = key_of(load.image_key, locale, schema_options(given))
        template = templates.find(key) or made(templates, filling, key, locale)
        # Whoever drops it waits for the end of this session: the server goes on when this process is killed.
        lock(admin, name, f"the database {name}")
        is_cloned = False
        with tolerating(NO_SUCH_DATABASE):
            templates.clone(template, name)
            is_cloned = True
        if not is_cloned:
            # Another run has just removed the template, as one that was not used for longest.
            template = made(templates, filling, key, locale)
            templates.clone(template, name)
        return template

    def _resetting(self, name: str) -> Resetting | None:
        connection = connect(parameters(self._settings.url), name)
        # One that is closed takes a while to leave. Should its number be given to another session, that one is counted.
        self._own[name] = connection.info.backend_pid
        found = resetting(connection)
        if found is None:
            connection.close()
        return found

    @contextmanager
    def _server(self) -> Iterator[tuple[Connection, dict[str, Any]]]:
        given = parameters(self._settings.url)
        with closing(maintenance(given)) as admin:
            yield admin, given


def _drop(admin: Connection, name: str) -> None:
    execute(admin, f"DROP DATABASE IF EXISTS {quote(name)} WITH (FORCE)")


def _was_only(connection: psycopg.Connection[Any], begun: tuple[str, int], own: int) -> bool:
    """Rolls back, and says whether that undid all there is to undo; `own` is a session of tdv that is there."""
    if connection.closed:
        return False
    # The connection's own ways to make a cursor and a row may be anybody's.
    with psycopg.Cursor(connection, row_factory=tuple_row) as cursor:
        try:
            transaction = cursor.execute(_END.format(own=int(own)), prepare=False).fetchone()
        except errors.InFailedSqlTransaction:
            connection.rollback()
            return False
        while cursor.nextset():
            pass
        return transaction == (begun[0],) and cursor.fetchone() == (begun[1], 0)


def _renewed(connection: psycopg.Connection[Any]) -> tuple[int, ...]:
    """Makes a session as good as new, with its counts handed in, and gives its number; closes it where that fails."""
    try:
        connection.rollback()
        connection.autocommit = True
        connection.row_factory, connection.cursor_factory = tuple_row, psycopg.Cursor
        connection.execute("DISCARD ALL", prepare=False)
        connection.execute("SELECT pg_stat_force_next_flush()", prepare=False)
        connection.autocommit = False
        connection.isolation_level = connection.read_only = connection.deferrable = None
    except psycopg.Error:
        connection.close()
        return ()
    return (connection.info.backend_pid,)


def _databases(admin: Connection) -> Iterator[Leaving]:
    query = "SELECT datname, pg_database_size(oid) FROM pg_database WHERE datname LIKE %s ORDER BY 1"
    rows = execute(admin, query, databases.literally("tdv_") + "%")
    for text, size in rows:
        name = Name.parse(text)
        if name is not None:
            yield Leaving("database", text, name.made_at, name.execution_id, size)


def _images(admin: Connection) -> Iterator[Leaving]:
    templates = Templates(admin)
    for template, size in templates.found():
        yield Leaving("image", template.name, datetime.fromtimestamp(template.used_at, UTC), "", size)
    for name, size in templates.unfinished():
        yield Leaving("image", name, datetime.fromtimestamp(0, UTC), "", size, unfinished=True)
