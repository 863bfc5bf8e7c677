"""A database that tdv owns: all of its tables are replaced by copies of those of a template.

In: a connection to no database, the settings of a target, a load. Out: the tables under their names, new; or None where
the user may not. Always holds: the copies are made beside, and take the names of the tables in one statement.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from pymysql import err
from pymysql.constants import ER

from tdv.config import TargetSettings
from tdv.targets.mysql import sequences
from tdv.targets.mysql.catalogue import TABLE, Found, survey
from tdv.targets.mysql.definitions import TRIGGER, definitions, drop, make
from tdv.targets.mysql.loading import contents_of
from tdv.targets.mysql.session import connected, execute, number_of, parameters, require_rights
from tdv.targets.mysql.state import write_state
from tdv.targets.mysql.swap import Swap, swap, sweep
from tdv.targets.mysql.templates import Template, Templates, create_database
from tdv.targets.mysql.wire import Connection
from tdv.targets.on_server import Filling
from tdv.targets.protocol import Held, Load, Outcome
from tdv.targets.sql import quote, text
from tdv.targets.survey import is_all_ours, owners_of, refuse_strangers

_COPY: Final = "tdv_copy_"
_DIGITS: Final = 12
_VIEW: Final = "view "
_T = TypeVar("_T")
_DENIED: Final = (ER.DBACCESS_DENIED_ERROR, ER.TABLEACCESS_DENIED_ERROR)


@dataclass(frozen=True, slots=True)
class Whole:
    """The database of `settings` on the server of `admin`."""

    admin: Connection
    settings: TargetSettings
    scratch: Path

    @property
    def name(self) -> str:
        """The database."""
        return parameters(self.settings.url).database

    def replace(self, load: Load) -> Outcome | None:
        """Puts copies in the place of the tables; None where their rows have to be replaced instead.

        Raises `Refused` for rows that are not tdv's.
        """
        return self._unless_denied(lambda: self._replaced(load))

    def plan(self, load: Load) -> str | None:
        """What `replace` would do, in a sentence; None where rows have to be replaced instead. Raises what it refuses
        with."""
        return self._unless_denied(lambda: self._planned(load))

    def _unless_denied(self, step: Callable[[], _T]) -> _T | None:
        """None where the user may not do a step, and the database is there to be filled."""
        try:
            return step()
        except err.MySQLError as exc:
            if number_of(exc) not in _DENIED or not self.exists():
                raise
            return None

    def _planned(self, load: Load) -> str | None:
        templates = Templates(self.admin)
        there = self.exists()
        self._require_rights(there=there)
        template = templates.find(templates.name_of(load))
        if there:
            with connected(parameters(self.settings.url)) as connection:
                if not _may_go(self._looked(connection, load, template), load):
                    return None
        if template is None:
            contents_of(load)
        return f"replace all of the database {self.name} by copies" if there else f"create the database {self.name}"

    def _require_rights(self, *, there: bool) -> None:
        """Raises an error of the server where the user may make no tables in databases of copies, or in its own."""
        names = [f"{self._prefix}0", *([] if there else [self.name])]
        require_rights(self.admin, [f"CREATE TABLE {quote(name)}.{quote('t')} (a INT)" for name in names])

    def exists(self) -> bool:
        """Whether the server has the database."""
        return bool(execute(self.admin, "SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = %s", self.name))

    def _replaced(self, load: Load) -> Outcome | None:
        there = self.exists()
        self._require_rights(there=there)
        if not there:
            create_database(self.admin, self.name)
        templates = Templates(self.admin)
        template = templates.find(templates.name_of(load))
        with connected(parameters(self.settings.url)) as connection:
            sweep(connection)
            found = self._looked(connection, load, template)
            if not _may_go(found, load):
                return None
            action: Any = "loaded" if template is None else "cloned"
            template = template or templates.made(Filling(self.settings, load, self.scratch))
            self._sweep()
            return self._copied(connection, load, found, template, action)

    def _looked(self, connection: Connection, load: Load, template: Template | None) -> Found:
        if template is not None:
            owners = {table: held.dataset for held in template.held for table in held.tables}
        else:
            owners = owners_of(load)
        found = survey(connection, owners)
        refuse_strangers(found.survey, load, owners)
        return found

    def _copied(self, connection: Connection, load: Load, found: Found, template: Template, action: Any) -> Outcome:
        beside = f"{self._prefix}{os.urandom(4).hex()}"
        grave = f"{beside}_old"
        held = list(load.stamped(template.held))
        try:
            create_database(self.admin, beside)
            create_database(self.admin, grave)
            sequences.make(self.admin, template.name, self.name)
            places = Templates(self.admin).copy(template, beside, self.name)
            gone = [found.name_of(name.removeprefix(TABLE)) for name in found.survey.objects if name.startswith(TABLE)]
            views = [name.removeprefix(_VIEW) for name in found.survey.objects if name.startswith(_VIEW)]
            new = {place: name for name, place in places.items()}
            later = self._later(connection, template)
            # Views, routines, triggers and sequences come one by one: until all are there, there is no version.
            marked = _of_no_version(held) if later else held
            self._drop_triggers(connection, found)
            swap(connection, Swap(new, gone, marked, bool(found.survey.held), views, grave))
            if later:
                later()
                write_state(connection, held)
        finally:
            with suppress(err.MySQLError):
                execute(self.admin, f"DROP DATABASE IF EXISTS {quote(beside)}")
                execute(self.admin, f"DROP DATABASE IF EXISTS {quote(grave)}")
        return Outcome(action, tuple(held))

    def _later(self, connection: Connection, template: Template) -> Callable[[], None] | None:
        """What makes everything but tables as it is in the template, once the tables are there; None if there is
        nothing of the kind."""
        others = definitions(self.admin, template.name)
        routines = [item for item in definitions(connection, self.name) if item.kind not in ("VIEW", TRIGGER)]
        counting = [*sequences.names(self.admin, template.name), *sequences.names(self.admin, self.name)]
        if not others and not routines and not counting:
            return None

        def make_all() -> None:
            drop(connection, self.name, routines)
            make(connection, self.name, others)
            sequences.renew(self.admin, template.name, self.name)

        return make_all

    def _drop_triggers(self, connection: Connection, found: Found) -> None:
        """A table that has triggers cannot move to another database."""
        triggers = [item for item in definitions(connection, self.name) if item.kind == TRIGGER]
        if triggers:
            write_state(connection, _of_no_version(found.survey.held))
            drop(connection, self.name, triggers)

    @property
    def _prefix(self) -> str:
        return f"{_COPY}{hashlib.sha256(self.name.encode()).hexdigest()[:_DIGITS]}_"

    def _sweep(self) -> None:
        """Drops copies that killed runs left; the lock of the target is held."""
        query = f"SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE LEFT(SCHEMA_NAME, {len(self._prefix)}) = "
        for (name,) in execute(self.admin, query + text(self._prefix)):
            execute(self.admin, f"DROP DATABASE IF EXISTS {quote(name)}")


def _of_no_version(held: Iterable[Held]) -> list[Held]:
    return [replace(item, version="", digest="") for item in held]


def _may_go(found: Found, load: Load) -> bool:
    """True where all of the database may go, and no table of another one references a table of it."""
    referenced = any(TABLE + table not in found.survey.objects for table, _ in found.survey.references)
    return is_all_ours(found.survey, load, owned=True) and not referenced
