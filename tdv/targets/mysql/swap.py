"""Finished tables take the names of a dataset's tables, all in one statement.

In: a connection, tables that were made and filled beside, what goes. Out: nothing. Always holds: `RENAME TABLE` is
atomic, the view that says what the database holds is renamed with the tables, and references follow their tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Final

from pymysql import err

from tdv.targets.mysql.catalogue import leftovers
from tdv.targets.mysql.ddl import STATE_PREFIX
from tdv.targets.mysql.session import execute
from tdv.targets.mysql.state import write_state
from tdv.targets.mysql.wire import Connection
from tdv.targets.protocol import STATE_TABLE, Held
from tdv.targets.sql import quote

NEW: Final = f"{STATE_PREFIX}new_"
_OLD: Final = f"{STATE_PREFIX}old_"


@dataclass(frozen=True, slots=True)
class Swap:
    """`new` maps each table, by its place, to its name from now on; `gone` are names of tables that go, with those of
    `views`; `held` is what the database then holds; `marked` says that it has a state now. Tables go to the database
    `grave`, if there is one: names of references are unique in a database, and those of the old tables stay theirs."""

    new: Mapping[str, str]
    gone: Sequence[str]
    held: Sequence[Held]
    marked: bool
    views: Sequence[str] = ()
    grave: str = ""


def swap(connection: Connection, wanted: Swap) -> None:
    """Does it, then drops what went; what cannot be dropped now is swept by the next load."""
    write_state(connection, wanted.held, f"{NEW}state")
    grave = f"{quote(wanted.grave)}." if wanted.grave else ""
    moves = [(quote(name), f"{grave}{quote(f'{_OLD}{index}')}") for index, name in enumerate(wanted.gone)]
    moves += [(quote(name), quote(f"{_OLD}view_{index}")) for index, name in enumerate(wanted.views)]
    moves += [(place, quote(name)) for place, name in wanted.new.items()]
    moves += [(quote(STATE_TABLE), quote(f"{_OLD}state"))] if wanted.marked else []
    moves += [(quote(f"{NEW}state"), quote(STATE_TABLE))]
    execute(connection, f"RENAME TABLE {', '.join(f'{place} TO {name}' for place, name in moves)}")
    with suppress(err.MySQLError):
        sweep(connection)


def sweep(connection: Connection) -> None:
    """Drops what this load or a killed one left beside the tables; the lock of the target is held."""
    drop(connection, leftovers(connection))


def drop(connection: Connection, objects: Iterable[tuple[str, str]]) -> None:
    """Drops tables and views, pairs of a kind and a name."""
    for kind, name in objects:
        execute(connection, f"DROP {kind} IF EXISTS {quote(name)}")
