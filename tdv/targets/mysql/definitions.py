"""Views, routines and triggers of one database made in another one.

In: a connection, the names of two databases. Out: the objects. Always holds: they speak of the tables of the database
that they are in, as those that they are copied from do, and mean what they meant under their own SQL mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pymysql import err

from tdv.targets.mysql.ddl import STATE_PREFIX
from tdv.targets.mysql.session import execute
from tdv.targets.mysql.wire import Connection
from tdv.targets.sql import quote, text

TRIGGER: Final = "TRIGGER"
_VIEWS: Final = "SELECT TABLE_NAME FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()"
_ROUTINES: Final = (
    "SELECT ROUTINE_TYPE, ROUTINE_NAME FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()"
)
_TRIGGERS: Final = "SELECT TRIGGER_NAME FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE()"


@dataclass(frozen=True, slots=True)
class Definition:
    """One object: `kind` as in ``CREATE``, what makes it, and the SQL mode that it is to be read in, "" for any."""

    kind: str
    name: str
    statement: str
    mode: str = ""


def definitions(connection: Connection, database: str) -> list[Definition]:
    """What is in a database beside its tables and what is tdv's, in the order in which it can be made."""
    # Only in its own database a view is printed without the database's name.
    execute(connection, f"USE {quote(database)}")
    return [*_routines(connection), *_views(connection), *_triggers(connection)]


def make(connection: Connection, database: str, found: Iterable[Definition]) -> None:
    """Makes these objects in a database that has none of them."""
    execute(connection, f"USE {quote(database)}")
    ((mode,),) = execute(connection, "SELECT @@sql_mode")
    waiting = list(found)
    while waiting:
        later = [definition for definition in waiting if not _is_made(connection, definition, must=False)]
        if len(later) == len(waiting):
            _is_made(connection, later[0], must=True)
        waiting = later
    execute(connection, f"SET SESSION sql_mode = {text(mode)}")


def drop(connection: Connection, database: str, found: Iterable[Definition]) -> None:
    """Removes such objects from a database."""
    for definition in found:
        execute(connection, f"DROP {definition.kind} IF EXISTS {quote(database)}.{quote(definition.name)}")


def _is_made(connection: Connection, definition: Definition, *, must: bool) -> bool:
    """False for a view of another one that is not there yet; an error where it `must` be made."""
    execute(connection, f"SET SESSION sql_mode = {text(definition.mode or 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES')}")
    try:
        execute(connection, definition.statement)
    except err.MySQLError:
        if must:
            raise
        return False
    return True


def _views(connection: Connection) -> Iterator[Definition]:
    for (name,) in execute(connection, _VIEWS):
        if not name.startswith(STATE_PREFIX):
            ((_, statement, *_),) = execute(connection, f"SHOW CREATE VIEW {quote(name)}")
            yield Definition("VIEW", name, statement)


def _routines(connection: Connection) -> Iterator[Definition]:
    for kind, name in execute(connection, _ROUTINES):
        ((_, mode, statement, *_),) = execute(connection, f"SHOW CREATE {kind} {quote(name)}")
        yield Definition(kind, name, statement, mode)


def _triggers(connection: Connection) -> Iterator[Definition]:
    for (name,) in execute(connection, _TRIGGERS):
        ((_, mode, statement, *_),) = execute(connection, f"SHOW CREATE TRIGGER {quote(name)}")
        yield Definition(TRIGGER, name, statement, mode)
