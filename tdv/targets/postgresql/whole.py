"""A database that tdv owns: it is replaced as one by a clone of a template.

In: the connection parameters of a target, and a load. Out: the database under its name, new; or False where somebody
is connected or the user may not. Always holds: nobody ever sees the name without a database, or with half of one.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import psycopg
from psycopg import errors

from tdv.config import TargetSettings
from tdv.errors import DataError, IntegrityError, Refused, TargetError
from tdv.targets.on_server import Filling
from tdv.targets.postgresql import databases
from tdv.targets.postgresql.catalogue import held_in, survey
from tdv.targets.postgresql.cloning import Cloning, is_known, tables_of
from tdv.targets.postgresql.session import HINTS, Connection, connect, named, parameters, refused_rows
from tdv.targets.postgresql.statements import NOT_ALLOWED, execute
from tdv.targets.postgresql.templates import Template, Templates, key_of
from tdv.targets.protocol import AppSchema, Held, Load, Outcome
from tdv.targets.sql import quote
from tdv.targets.survey import in_app_schema, is_all_ours, refuse_strangers, unfit


def made(templates: Templates, filling: Filling, key: str, locale: databases.Locale) -> Template:
    """The template of `key`, filled now; raises what `Target.load` raises for its rows."""

    def build(name: str) -> tuple[Held, ...]:
        from tdv.targets.postgresql.building import Building, connections

        settings = named(filling.settings, name)
        with connections(parameters(settings.url), name) as opened:
            _make_schema(opened[0])
            if filling.load.schema is None:
                return Building(opened, filling.load, filling.scratch).run()
        return _made_in(filling.load.schema, settings, filling)

    # A clone needs no Arrow, which takes as long to import as the server takes to make an empty database.
    Thread(target=import_module, args=("tdv.targets.postgresql.building",)).start()
    template = templates.make(key, locale, build)
    templates.collect(template.name)
    return template


def _made_in(schema: AppSchema, settings: TargetSettings, filling: Filling) -> tuple[Held, ...]:
    """Fills an empty database with the application's schema and the rows in it."""
    from tdv.targets.postgresql.loading import Loading

    schema.make(settings)
    load = filling.load.in_made_schema()
    with closing(connect(parameters(settings.url))) as connection:
        try:
            held = Loading(connection, load, filling.settings.also_empty, filling.scratch).run()
        except (Refused, DataError, IntegrityError) as problem:
            raise unfit(load, problem) from problem
        except (psycopg.IntegrityError, psycopg.DataError) as exc:
            raise unfit(load, refused_rows(exc)) from None
        return in_app_schema(held, schema, survey(connection, ()).survey)


@dataclass(frozen=True, slots=True)
class _Look:
    """Whether a database is `there`, the template that would take its place, and whether it `may_go`."""

    there: bool
    locale: databases.Locale
    key: str
    template: Template | None
    may_go: bool


class Whole:
    """One database `name` on the server of `admin`; `settings` reach it."""

    def __init__(self, admin: Connection, settings: TargetSettings, name: str, scratch: Path) -> None:
        self._admin = admin
        self._settings = settings
        self._given = parameters(settings.url)
        self._name = name
        self._scratch = scratch
        self._templates = Templates(admin)
        self._cloning = Cloning(admin, lambda other: closing(connect(self._given, other)), name)

    def replace(self, load: Load) -> Outcome | None:
        """Puts a clone in the place of the database; None where its tables have to be filled instead.

        Raises `Refused` for rows that are not tdv's.
        """
        look = self._look(load)
        if not look.may_go:
            return None
        template = look.template
        action: Any = "cloned" if template is not None else "loaded"
        try:
            if template is None:
                filling = Filling(self._settings, load, self._scratch)
                template = made(self._templates, filling, look.key, look.locale)
            return self._cloning.put(template, load, action, there=look.there)
        except errors.InsufficientPrivilege:
            if not look.there:
                raise
            return None

    def plan(self, load: Load) -> str | None:
        """What `replace` would do, in a sentence; None where the tables have to be filled instead. Raises what it
        refuses with."""
        from tdv.targets.postgresql.loading import contents_of

        look = self._look(load)
        if not look.may_go:
            return None
        if look.template is None:
            contents_of(load)
        return f"replace the whole database {self._name}" if look.there else f"create the database {self._name}"

    def _look(self, load: Load) -> _Look:
        there = databases.exists(self._admin, self._name)
        may_make = databases.may_make(self._admin, self._name)
        if not there and not may_make:
            raise TargetError(f"permission denied to create the database {self._name}", hint=HINTS[NOT_ALLOWED])
        locale = databases.locale_of(self._admin, self._name)
        key = key_of(load.image_key, locale, schema_options(self._given))
        template = self._templates.find(key)
        if not may_make:
            return _Look(there, locale, key, template, may_go=False)
        return _Look(there, locale, key, template, may_go=not there or self._may_go(load, template))

    def drop(self) -> None:
        """Removes the database, and what killed runs left of it."""
        self._cloning.sweep()
        execute(self._admin, f"DROP DATABASE IF EXISTS {quote(self._name)} WITH (FORCE)")

    def _may_go(self, load: Load, template: Template | None) -> bool:
        """True if nobody is connected to the database and all of it may go."""
        if databases.in_use(self._admin, self._name):
            return False
        with closing(connect(self._given)) as connection:
            held = held_in(connection)
            owners = _owners(load, template)
            if is_known(held, owners, load):
                return True
            found = survey(connection, owners).survey
            refuse_strangers(found, load, owners)
            return is_all_ours(found, load, owned=True)


def schema_options(given: dict[str, Any]) -> str:
    """What in the parameters decides which schema the rows go to."""
    return str(given.get("options", ""))


def _owners(load: Load, template: Template | None) -> dict[str, str]:
    """The tables to load, each with its dataset; from the template where there is one."""
    if template is not None:
        return tables_of(template)
    return {table.name: item.dataset for item in load.items for table in item.content().tables}


def _make_schema(connection: Connection) -> None:
    """A new database has only the schema ``public``; the search path of the URL may name another one."""
    ((present, names),) = execute(connection, "SELECT current_schema(), current_setting('search_path')")
    if present is None:
        for name in _schemas(names):
            execute(connection, f"CREATE SCHEMA IF NOT EXISTS {quote(name)}")


def _schemas(path: str) -> Iterable[str]:
    words = [word.strip() for word in path.split(",")]
    names = [word[1:-1].replace('""', '"') if word.startswith('"') else word.lower() for word in words]
    return [name for name in names if name and name != "$user"]
