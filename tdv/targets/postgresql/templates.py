"""Finished databases on the server, to be cloned: one for each content, server version, locale and layout.

In: a connection to a database that is nobody's, a load, a way to fill a database. Out: the name of a template. Always
holds: a template is complete or not there, since it gets its name last; nobody connects to it, so that it can be cloned
at any time; it is found by everybody who may make databases on the server.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

import psycopg

from tdv.targets.postgresql import databases
from tdv.targets.postgresql.session import Connection, execute, lock, unlock
from tdv.targets.protocol import Held
from tdv.targets.sql import quote, text

LAYOUT: Final = 1
"""Another number makes all templates anew: change it with anything that changes what a load leaves."""
FORMAT: Final = "tdv.template/v1"
_TEMPLATE: Final = "tdv_template_"
_BUILDING: Final = "tdv_building_"
_DIGITS: Final = 20
KEEP_BYTES: Final = 16 << 30
KEEP_TEMPLATES: Final = 50


@dataclass(frozen=True, slots=True)
class Template:
    """A database to clone; `held` is what it says that it holds."""

    name: str
    held: tuple[Held, ...]


class Templates:
    """The templates of a server."""

    def __init__(self, admin: Connection) -> None:
        self._admin = admin

    def find(self, key: str) -> Template | None:
        """The template of `key`, if it is there."""
        name = _TEMPLATE + _short(key)
        for _, comment in databases.like(self._admin, _literally(name)):
            held = _held(comment)
            if held is not None:
                return Template(name, held)
        return None

    def make(self, key: str, locale: databases.Locale, build: Callable[[str], tuple[Held, ...]]) -> Template:
        """The template of `key`; `build` fills and verifies the database that it is given the name of."""
        name = _TEMPLATE + _short(key)
        lock(self._admin, name, f"the template {name}")
        try:
            found = self.find(key)
            if found is None:
                self._sweep(key)
                found = self._made(key, locale, build)
            return found
        finally:
            unlock(self._admin, name)

    def collect(self, spare: str, keep_bytes: int = KEEP_BYTES, keep_templates: int = KEEP_TEMPLATES) -> list[str]:
        """Drops the oldest templates until so many bytes and templates are left; never the one called `spare`."""
        rows = execute(
            self._admin,
            "SELECT datname, pg_database_size(oid) FROM pg_database WHERE datname LIKE %s ORDER BY oid DESC",
            _literally(_TEMPLATE) + "%",
        )
        dropped = []
        total = 0
        for count, (name, size) in enumerate(rows, 1):
            total += size
            if name != spare and (total > keep_bytes or count > keep_templates):
                databases.try_drop(self._admin, name)
                dropped.append(name)
        return dropped

    def _made(self, key: str, locale: databases.Locale, build: Callable[[str], tuple[Held, ...]]) -> Template:
        beside = f"{_BUILDING}{_short(key)}_{os.urandom(4).hex()}"
        databases.create(self._admin, beside, locale)
        try:
            held = build(beside)
            # Cheap copies of files need all of it on the disk; not every user may say so.
            with suppress(psycopg.Error):
                execute(self._admin, "CHECKPOINT")
            return self._published(beside, _TEMPLATE + _short(key), held)
        except BaseException:
            databases.try_drop(self._admin, beside)
            raise

    def _published(self, beside: str, name: str, held: tuple[Held, ...]) -> Template:
        label: dict[str, Any] = {"format": FORMAT, "held": [item.to_plain() for item in held]}
        databases.try_drop(self._admin, name)
        with self._admin.transaction():
            execute(self._admin, f"ALTER DATABASE {quote(beside)} IS_TEMPLATE true ALLOW_CONNECTIONS false")
            comment = text(json.dumps(label, ensure_ascii=False))
            execute(self._admin, f"COMMENT ON DATABASE {quote(beside)} IS {comment}")
            execute(self._admin, f"ALTER DATABASE {quote(beside)} RENAME TO {quote(name)}")
        return Template(name, held)

    def _sweep(self, key: str) -> None:
        """Drops what killed builds of this template left; its lock is held."""
        for name, _ in databases.like(self._admin, _literally(_BUILDING + _short(key)) + "%"):
            databases.try_drop(self._admin, name)


def key_of(content: str, locale: databases.Locale, schema: str) -> str:
    """What a template is for: the rows, where they go, and everything that decides whether a clone is right."""
    return json.dumps([LAYOUT, content, schema, repr(locale)])


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:_DIGITS]


def _literally(name: str) -> str:
    """A name as a ``LIKE`` pattern."""
    return name.replace("_", r"\_")


def _held(comment: str | None) -> tuple[Held, ...] | None:
    try:
        plain = json.loads(comment or "")
        if plain["format"] != FORMAT:
            return None
        return tuple(Held.from_plain(item) for item in plain["held"])
    except (ValueError, KeyError, TypeError):
        return None
