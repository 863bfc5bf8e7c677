"""Throwaway databases beside a target, on its server.

In: a target's settings, names, and `Load`s. Out: copies of templates, and what is left of earlier ones. Always holds:
nobody knows the name of a copy before it is complete; only databases whose names tdv made are listed or dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import pymysql
from pymysql import err
from pymysql.constants import ER

from tdv.config import TargetSettings
from tdv.targets.mysql import sequences
from tdv.targets.mysql.definitions import definitions, make
from tdv.targets.mysql.proof import looks_of, settle
from tdv.targets.mysql.session import connect, execute, lock, named, number_of, parameters
from tdv.targets.mysql.state import write_state
from tdv.targets.mysql.templates import Template, Templates, create_database
from tdv.targets.mysql.wire import Connection
from tdv.targets.on_server import Filling
from tdv.targets.protocol import Load
from tdv.targets.sql import quote
from tdv.targets.throwaway import Leaving, Name, Throwaway

_DATABASES = (
    "SELECT s.SCHEMA_NAME, COALESCE(SUM(t.DATA_LENGTH + t.INDEX_LENGTH), 0) FROM information_schema.SCHEMATA s "
    "LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME "
    "WHERE LEFT(s.SCHEMA_NAME, 4) = 'tdv_' GROUP BY 1 ORDER BY 1"
)
_OTHERS = "SELECT 1 FROM information_schema.PROCESSLIST WHERE DB = %s AND ID NOT IN (%s, CONNECTION_ID())"
_GONE = (ER.BAD_DB_ERROR, ER.NO_SUCH_TABLE)
Failures = Callable[[], AbstractContextManager[None]]


class MysqlThrowaways:
    """The throwaways of one server; `settings` are those of any target on it, `failures` translates errors."""

    keeps_connection: ClassVar[bool] = True
    takes_long: ClassVar[bool] = True

    def __init__(self, settings: TargetSettings, scratch: Path, failures: Failures) -> None:
        self._settings = settings
        self._scratch = scratch
        self._failures = failures

    def create(self, name: Name, load: Load) -> Throwaway:
        throwaway = Throwaway(str(name), named(self._settings, str(name)))
        with self._failures(), self._server() as admin:
            templates, filling = Templates(admin), Filling(self._settings, load, self._scratch)
            template = templates.find(templates.name_of(load)) or templates.made(filling)
            # Whoever drops it waits for the end of this session: the server goes on when this process is killed.
            lock(admin, throwaway.name, f"the database {throwaway.name}")
            try:
                _copy(admin, template, throwaway.name, load)
            except err.MySQLError as exc:
                if number_of(exc) not in _GONE or templates.find(template.name) is not None:
                    raise
                # Another run has just removed the template, as one that was not used for longest.
                _copy(admin, templates.made(filling), throwaway.name, load)
        return throwaway

    def drop(self, leaving: str) -> None:
        with self._failures(), self._server() as admin:
            if Name.parse(leaving) is None:
                Templates(admin).drop(leaving)
                return
            lock(admin, leaving, f"the database {leaving}")
            # A transaction that is left open would keep the database from being dropped.
            for (session,) in execute(admin, "SELECT ID FROM information_schema.PROCESSLIST WHERE DB = %s", leaving):
                with suppress(err.MySQLError):
                    execute(admin, f"KILL {int(session)}")
            execute(admin, f"DROP DATABASE IF EXISTS {quote(leaving)}")

    def found(self) -> tuple[Leaving, ...]:
        with self._failures(), self._server() as admin:
            templates = Templates(admin)
            unfinished = [replace(_image(template), unfinished=True) for template in templates.unfinished()]
            return (*_databases(admin), *map(_image, templates.found()), *unfinished)

    def connect(self, throwaway: Throwaway) -> pymysql.connections.Connection[Any]:
        with self._failures():
            given = parameters(throwaway.url)
            return pymysql.connect(**given.words, database=given.database, charset="utf8mb4")

    def begin(self, throwaway: Throwaway, connection: Callable[[], Any]) -> Any:
        """How the tables look, in a second in which nobody has written yet: the server tells no smaller times."""
        # Not by a session in the database: the server may not have ended it when `undone` looks for those of others.
        with self._failures(), self._server() as admin:
            settle(admin, throwaway.name)
            return looks_of(admin, throwaway.name)

    def undone(self, throwaway: Throwaway, connection: Any | None, begun: Any) -> bool:
        """True if nothing was committed to any table, and nobody else has a connection to the database."""
        if connection is None or begun is None:
            return False
        connection.rollback()
        with self._failures(), self._server() as admin:
            others = execute(admin, _OTHERS, throwaway.name, connection.thread_id())
            return not others and _without_counters(looks_of(admin, throwaway.name)) == _without_counters(begun)

    @contextmanager
    def _server(self) -> Iterator[Connection]:
        with closing(connect(parameters(self._settings.url), None)) as admin:
            yield admin


def _copy(admin: Connection, template: Template, name: str, load: Load) -> None:
    """Makes the database `name` as the template is; after an error there is none."""
    create_database(admin, name)
    try:
        sequences.renew(admin, template.name, name)
        Templates(admin).copy(template, name, name)
        make(admin, name, definitions(admin, template.name))
        write_state(admin, load.stamped(template.held))
    except BaseException:
        with suppress(err.MySQLError):
            execute(admin, f"DROP DATABASE IF EXISTS {quote(name)}")
        raise


def _without_counters(looks: Any) -> Any:
    """A counter that a rolled-back row has moved stays moved, as it does in every engine."""
    return looks and [[name, times.split(" ")[:4], columns] for name, times, columns in looks]


def _image(template: Template) -> Leaving:
    return Leaving("image", template.name, datetime.fromtimestamp(template.used_at, UTC), "", template.size)


def _databases(admin: Connection) -> Iterator[Leaving]:
    for text, size in execute(admin, _DATABASES):
        name = Name.parse(text)
        if name is not None:
            yield Leaving("database", text, name.made_at, name.execution_id, int(size))
