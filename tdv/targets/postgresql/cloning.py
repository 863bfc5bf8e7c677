"""A clone of a template takes the place of a database that tdv owns.

In: a session on the server for databases that are nobody's, and a way to reach the others. Out: the database under its
name, new; or None where somebody is connected. Always holds: nobody ever sees the name without a database, or with
half of one; importing this module imports no driver.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager, suppress
from dataclasses import replace
from typing import Any, Final

from tdv.config import TargetSettings
from tdv.errors import TdvError
from tdv.targets.beside import Beside
from tdv.targets.on_server import target_lock
from tdv.targets.postgresql import databases, wire
from tdv.targets.postgresql.authentication import Unsupported
from tdv.targets.postgresql.catalogue import held_in, write_state
from tdv.targets.postgresql.light import opened
from tdv.targets.postgresql.proof import proof
from tdv.targets.postgresql.statements import Speaking, execute, lock_at_once
from tdv.targets.postgresql.templates import Template, Templates, key_of
from tdv.targets.protocol import Held, Load, Outcome

NEVER: Final = frozenset({"postgres", "template0", "template1"})
"""Databases that a server cannot do without."""
_MAINTENANCE: Final = "postgres"
_CLONE: Final = "tdv_clone_"
_DIGITS: Final = 12
MayGo = Callable[[Speaking], bool]
"""Whether the database of a session may be replaced."""


class Cloning:
    """One database `name` on the server of `admin`; `connect` opens a session with a database of the server."""

    def __init__(self, admin: Speaking, connect: Callable[[str], AbstractContextManager[Speaking]], name: str) -> None:
        self._admin = admin
        self._connect = connect
        self._name = name
        self._templates = Templates(admin)

    def again(self, load: Load, options: str) -> Outcome | None:
        """Does it where the template is there, and the database with nothing in it but what tdv knows.

        `options` are those of the sessions; None anywhere else.
        """
        if not databases.exists(self._admin, self._name):
            return None
        locale = databases.locale_of(self._admin, self._name)
        template = self._templates.find(key_of(load.image_key, locale, options))
        if template is None or databases.in_use(self._admin, self._name):
            return None
        tables = tables_of(template)
        return self._put(template, load, "cloned", lambda old: is_known(held_in(old), tables, load))

    def put(self, template: Template, load: Load, action: Any, *, there: bool) -> Outcome | None:
        """Does it whatever is in the database; None where somebody is connected to it."""
        return self._put(template, load, action, (lambda _: True) if there else None)

    def _put(self, template: Template, load: Load, action: Any, may_go: MayGo | None) -> Outcome | None:
        """Does it where the old database may go; `may_go` is None where there is none."""
        self.sweep()
        new = f"{prefix_of(self._name)}{os.urandom(4).hex()}"
        held = load.stamped(template.held)
        swapped = False
        try:
            belongings = self._cloned(template, new, may_go)
            if belongings is not None:
                proved = self._stamp(new, held)
                for statement in belongings:
                    execute(self._admin, statement)
                databases.wait_until_left(self._admin, new)
                swapped = databases.swap(self._admin, new, self._name, f"{new}_old")
        except BaseException:
            # The next run drops it, where this one cannot.
            with suppress(Exception):
                databases.try_drop(self._admin, new)
            raise
        databases.try_drop(self._admin, f"{new}_old" if swapped else new)
        return Outcome(action, held, proved) if swapped else None

    def _cloned(self, template: Template, new: str, may_go: MayGo | None) -> tuple[str, ...] | None:
        """Makes the clone, by far the longest step, and looks at the old database meanwhile.

        Returns the statements that give the clone what belongs to the old one; None where that may not go.
        """

        def looked() -> tuple[str, ...] | None:
            if may_go is None:
                return ()
            with self._connect(self._name) as old:
                return databases.belongings(old, self._name, new) if may_go(old) else None

        tablespace = databases.tablespace_of(self._admin, self._name)
        looking = Beside(looked)
        try:
            self._templates.clone(template, new, tablespace)
        finally:
            looking.wait()
        return looking.result()

    def _stamp(self, new: str, held: Iterable[Held]) -> Any | None:
        """Writes into a clone what it holds; returns its proof, which nobody else could write before."""
        with self._connect(new) as connection:
            write_state(connection, held)
            return proof(connection)

    def sweep(self) -> None:
        """Drops clones that killed runs left; the lock of the target is held."""
        for name, _ in databases.like(self._admin, databases.literally(prefix_of(self._name)) + "%"):
            databases.try_drop(self._admin, name)


def cloned_without_driver(settings: TargetSettings, load: Load, environ: Mapping[str, str]) -> Outcome | None:
    """`Cloning.again` under the lock of the target, in half of the time it takes to load the driver.

    None wherever anything is in the way, or goes wrong, so that the driver says it, or knows how.
    """
    try:
        address = wire.Address.of(settings.url, environ)
        if settings.owns != "database" or address.database in NEVER:
            return None
        with opened(replace(address, database=_MAINTENANCE)) as admin:
            if not lock_at_once(admin, target_lock(address.database)):
                return None
            there = Cloning(admin, lambda name: opened(replace(address, database=name)), address.database)
            return there.again(load, address.options)
    except (Unsupported, wire.Refusal, TdvError, OSError, ValueError, LookupError):
        return None


def prefix_of(name: str) -> str:
    """How the names begin that clones have until they take the place of the database `name`."""
    return f"{_CLONE}{hashlib.sha256(name.encode()).hexdigest()[:_DIGITS]}_"


def is_known(held: Iterable[Held], tables: Iterable[str], load: Load) -> bool:
    """True for a database that is whole from tdv and the datasets of the load, with no other of these tables."""
    items = list(held)
    known = {table for item in items for table in item.tables}
    ours = all(item.whole and item.dataset in load.datasets for item in items)
    return bool(items) and ours and known.issuperset(tables)


def tables_of(template: Template) -> dict[str, str]:
    """The tables in a template, each with its dataset."""
    return {table: held.dataset for held in template.held for table in held.tables}
