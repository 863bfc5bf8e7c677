"""Finished databases on the server, whose tables are copied: one for each content and server version.

In: a connection to no database, a load. Out: a template, and copies of it. Always holds: a template is complete or of
no use, since the view that says what it holds comes last; it is found by everybody who may read it.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pymysql import err

from tdv.config import TargetSettings
from tdv.errors import DataError, IntegrityError, Refused
from tdv.targets.mysql import catalogue, sequences
from tdv.targets.mysql.bulk import LARGE, counted_afterwards, counts_anew, in_one_pass
from tdv.targets.mysql.ddl import STATE_PREFIX
from tdv.targets.mysql.session import (
    connected,
    execute,
    is_locked,
    lock,
    lock_at_once,
    named,
    parameters,
    translated,
    unlock,
)
from tdv.targets.mysql.state import held_in, write_state
from tdv.targets.mysql.wire import Connection
from tdv.targets.on_server import Filling
from tdv.targets.protocol import STATE_TABLE, AppSchema, Held, Load
from tdv.targets.sql import quote, text
from tdv.targets.survey import in_app_schema, unfit

LAYOUT: Final = 3
"""Another number makes all templates anew: change it with anything that changes what a load leaves."""
_TEMPLATE: Final = "tdv_template_"
_DIGITS: Final = 20
_NAME: Final = re.compile(rf"{_TEMPLATE}[0-9a-f]{{{_DIGITS}}}")
_USED: Final = f"{STATE_PREFIX}used"
"""A view in a template that says when it was copied last, in seconds since 1970."""
_USED_EVERY: Final = 3600
KEEP_BYTES: Final = 16 << 30
KEEP_TEMPLATES: Final = 50


@dataclass(frozen=True, slots=True)
class Template:
    """A database to copy; `held` is what it holds, `size` in bytes, `used_at` in seconds since 1970."""

    name: str
    held: tuple[Held, ...]
    size: int = 0
    used_at: int = 0


class Templates:
    """The templates of a server."""

    def __init__(self, admin: Connection) -> None:
        self._admin = admin

    def name_of(self, load: Load) -> str:
        """What the template of these rows is called."""
        ((version,),) = execute(self._admin, "SELECT VERSION()")
        key = json.dumps([LAYOUT, load.image_key, version])
        return _TEMPLATE + hashlib.sha256(key.encode()).hexdigest()[:_DIGITS]

    def find(self, name: str) -> Template | None:
        """The template of that name, if it is there and complete."""
        held = held_in(self._admin, f"{quote(name)}.{quote(STATE_TABLE)}")
        # While rows go into tables of the application, the state says which tables are tdv's, and nothing is whole.
        return Template(name, held) if held and all(item.whole for item in held) else None

    def made(self, filling: Filling) -> Template:
        """The template of a load, filled and verified now if it is not there; raises what `Target.load` raises."""
        name = self.name_of(filling.load)
        lock(self._admin, name, f"the template {name}")
        try:
            found = self.find(name)
            if found is None:
                found = Template(name, self._filled(name, filling))
                self._note_use(name)
                self.collect(name)
            return found
        finally:
            unlock(self._admin, name)

    def copy(self, template: Template, database: str, home: str) -> dict[str, str]:
        """Makes all tables of a template in an empty database; returns the place of each by its name.

        They use the sequences of the database `home`, where they are or will be.
        """
        source, goal = quote(template.name), quote(database)
        statements = {
            name: sequences.pointed(self._statement(template.name, name), template.name, home)
            for name in self._tables(template.name)
        }
        execute(self._admin, f"USE {goal}")
        for statement in statements.values():
            execute(self._admin, statement)
        places = {name: f"{goal}.{quote(name)}" for name in statements}
        rows = {table.lower(): count for held in template.held for table, count in held.tables.items()}
        large = [name for name in statements if rows.get(name.lower(), 0) >= LARGE and counts_anew(statements[name])]
        with in_one_pass(self._admin), counted_afterwards(self._admin, [places[name] for name in large]):
            for name, place in places.items():
                columns = self._columns(template.name, name)
                execute(self._admin, f"INSERT INTO {place} ({columns}) SELECT {columns} FROM {source}.{quote(name)}")
        self._note_use(template.name)
        return places

    def drop(self, name: str) -> None:
        """Removes a template, also one that is not complete and that nobody is at; any other name is left alone."""
        if not _NAME.fullmatch(name) or (self.find(name) is None and not lock_at_once(self._admin, name)):
            return
        execute(self._admin, f"DROP DATABASE IF EXISTS {quote(name)}")
        unlock(self._admin, name)

    def found(self) -> list[Template]:
        """All complete templates of the server, the one that was used last first."""
        found = [
            replace(template, size=size, used_at=self._used_at(name))
            for name, size in self._sizes()
            if (template := self.find(name)) is not None
        ]
        return sorted(found, key=lambda template: template.used_at, reverse=True)

    def unfinished(self) -> list[Template]:
        """What killed builds left, whose locks ended with them."""
        return [
            Template(name, (), size)
            for name, size in self._sizes()
            if self.find(name) is None and not is_locked(self._admin, name)
        ]

    def _sizes(self) -> Iterator[tuple[str, int]]:
        """All templates of the server, complete or not, with their sizes in bytes."""
        rows = execute(
            self._admin,
            "SELECT s.SCHEMA_NAME, COALESCE(SUM(t.DATA_LENGTH + t.INDEX_LENGTH), 0) FROM information_schema.SCHEMATA s "
            "LEFT JOIN information_schema.TABLES t ON t.TABLE_SCHEMA = s.SCHEMA_NAME "
            f"WHERE LEFT(s.SCHEMA_NAME, {len(_TEMPLATE)}) = {text(_TEMPLATE)} GROUP BY 1",
        )
        return ((name, int(size)) for name, size in rows if _NAME.fullmatch(name))

    def collect(self, spare: str, keep_bytes: int = KEEP_BYTES, keep_templates: int = KEEP_TEMPLATES) -> list[str]:
        """Drops the oldest templates until so many bytes and templates are left, never the one called `spare`; and what
        killed builds left of those that nobody asked for again."""
        for template in self.unfinished():
            self.drop(template.name)
        dropped = []
        total = 0
        for count, template in enumerate(self.found(), 1):
            total += template.size
            if template.name != spare and (total > keep_bytes or count > keep_templates):
                self.drop(template.name)
                dropped.append(template.name)
        return dropped

    def _filled(self, name: str, filling: Filling) -> tuple[Held, ...]:
        execute(self._admin, f"DROP DATABASE IF EXISTS {quote(name)}")
        create_database(self._admin, name)
        try:
            settings = named(filling.settings, name)
            if filling.load.schema is not None:
                return _in_schema(filling.load.schema, settings, filling)
            return _loaded(settings, filling.load, filling.scratch)
        except BaseException:
            with suppress(err.MySQLError):
                execute(self._admin, f"DROP DATABASE IF EXISTS {quote(name)}")
            raise

    def _tables(self, database: str) -> list[str]:
        rows = execute(
            self._admin,
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = %s "
            "AND TABLE_TYPE NOT IN ('VIEW', 'SEQUENCE')",
            database,
        )
        return [name for (name,) in rows]

    def _statement(self, database: str, table: str) -> str:
        ((_, statement, *_),) = execute(self._admin, f"SHOW CREATE TABLE {quote(database)}.{quote(table)}")
        return str(statement)

    def _columns(self, database: str, table: str) -> str:
        rows = execute(
            self._admin,
            "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = %s AND TABLE_NAME = %s "
            "AND COALESCE(GENERATION_EXPRESSION, '') = '' ORDER BY ORDINAL_POSITION",
            database,
            table,
        )
        return ", ".join(quote(name) for (name,) in rows)

    def _used_at(self, name: str) -> int:
        with suppress(err.MySQLError):
            ((seconds,),) = execute(self._admin, f"SELECT used_at FROM {quote(name)}.{quote(_USED)}")
            return int(seconds)
        return 0

    def _note_use(self, name: str) -> None:
        """Only who may make views in a template writes there; that of somebody else is copied all the same."""
        now = int(time.time())
        if now - self._used_at(name) > _USED_EVERY:
            with suppress(err.MySQLError):
                place = f"{quote(name)}.{quote(_USED)}"
                execute(self._admin, f"CREATE OR REPLACE SQL SECURITY INVOKER VIEW {place} AS SELECT {now} AS used_at")


def create_database(admin: Connection, name: str) -> None:
    """Makes an empty database whose text is UTF-8."""
    execute(admin, f"CREATE DATABASE {quote(name)} CHARACTER SET utf8mb4")


def _loaded(settings: TargetSettings, load: Load, scratch: Path) -> tuple[Held, ...]:
    # A copy needs no Arrow.
    from tdv.targets.mysql.loading import Loading

    given = parameters(settings.url)
    with connected(given) as connection:
        return Loading(connection, given, load, settings.also_empty, scratch).run()


def _in_schema(schema: AppSchema, settings: TargetSettings, filling: Filling) -> tuple[Held, ...]:
    """Fills an empty database with the application's schema and the rows in it."""
    schema.make(settings)
    load = filling.load.in_made_schema()
    try:
        held = _loaded(settings, load, filling.scratch)
    except (Refused, DataError, IntegrityError) as problem:
        raise unfit(load, problem) from problem
    except err.MySQLError as exc:
        refused = translated(exc, settings.shown)
        if isinstance(refused, DataError):
            raise unfit(load, refused) from None
        raise
    with connected(parameters(settings.url)) as connection:
        held = in_app_schema(held, schema, catalogue.survey(connection, ()).survey)
        write_state(connection, held)
    return held
