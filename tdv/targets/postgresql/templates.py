"""Finished databases on the server, to be cloned: one for each content, server version, locale and layout.

In: a connection to a database that is nobody's, a load, a way to fill a database. Out: the name of a template. Always
holds: a template is complete or not there, since it gets its name last; nobody connects to it, so that it can be cloned
at any time; it is found by everybody who may make databases on the server.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Final

from tdv.targets.postgresql import databases
from tdv.targets.postgresql.statements import Speaking, execute, lock, lock_at_once, tolerating, unlock
from tdv.targets.protocol import Held
from tdv.targets.sql import quote, text

LAYOUT: Final = 2
"""Another number makes all templates anew: change it with anything that changes what a load leaves."""
FORMAT: Final = "tdv.template/v1"
_TEMPLATE: Final = "tdv_template_"
_BUILDING: Final = "tdv_building_"
_DIGITS: Final = 20
_NAME: Final = re.compile(rf"{_TEMPLATE}[0-9a-f]{{{_DIGITS}}}")
_UNFINISHED: Final = re.compile(rf"{_BUILDING}([0-9a-f]{{{_DIGITS}}})_[0-9a-f]{{8}}")
_USED_EVERY: Final = 3600
"""Seconds within which the use of a template is noted once."""
KEEP_BYTES: Final = 16 << 30
KEEP_TEMPLATES: Final = 50


@dataclass(frozen=True, slots=True)
class Template:
    """A database to clone; `held` is what it says that it holds, `used_at` in seconds since 1970 when it was cloned."""

    name: str
    held: tuple[Held, ...]
    used_at: int = 0


class Templates:
    """The templates of a server."""

    def __init__(self, admin: Speaking) -> None:
        self._admin = admin

    def find(self, key: str) -> Template | None:
        """The template of `key`, if it is there."""
        name = _TEMPLATE + _short(key)
        for _, comment in databases.like(self._admin, databases.literally(name)):
            return _parsed(name, comment)
        return None

    def found(self) -> list[tuple[Template, int]]:
        """All templates of the server with their sizes in bytes, the one that was used last first."""
        sizes = dict(execute(self._admin, "SELECT datname, pg_database_size(oid) FROM pg_database WHERE datistemplate"))
        templates = sorted(self._all(), key=lambda template: template.used_at, reverse=True)
        return [(template, int(sizes.get(template.name, 0))) for template in templates]

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

    def clone(self, template: Template, name: str, tablespace: str | None = None) -> None:
        """Makes the database `name`, and notes that the template is in use."""
        databases.clone(self._admin, template.name, name, tablespace)
        now = int(time.time())
        if now - template.used_at > _USED_EVERY:
            # Only its owner may write on a template; that of somebody else is cloned all the same.
            with tolerating():
                self._label(template.name, replace(template, used_at=now))

    def drop(self, name: str) -> None:
        """Removes a template, or what a build left that nobody is at; any other name is left alone."""
        match = _UNFINISHED.fullmatch(name)
        if _NAME.fullmatch(name):
            databases.try_drop(self._admin, name)
        elif match is not None and lock_at_once(self._admin, _TEMPLATE + match[1]):
            databases.try_drop(self._admin, name)
            unlock(self._admin, _TEMPLATE + match[1])

    def unfinished(self) -> list[tuple[str, int]]:
        """What killed builds left, whose locks ended with them, with sizes in bytes."""
        query = "SELECT datname, pg_database_size(oid) FROM pg_database WHERE datname LIKE %s ORDER BY 1"
        rows = execute(self._admin, query, databases.literally(_BUILDING) + "%")
        return [(name, int(size)) for name, size in rows if self._is_left(name)]

    def collect(self, spare: str, keep_bytes: int = KEEP_BYTES, keep_templates: int = KEEP_TEMPLATES) -> list[str]:
        """Drops the oldest templates until so many bytes and templates are left, never the one called `spare`; and what
        killed builds left of those that nobody asked for again."""
        for name, _ in self.unfinished():
            self.drop(name)
        dropped = []
        total = 0
        for count, (template, size) in enumerate(self.found(), 1):
            total += size
            if template.name != spare and (total > keep_bytes or count > keep_templates):
                self.drop(template.name)
                dropped.append(template.name)
        return dropped

    def _made(self, key: str, locale: databases.Locale, build: Callable[[str], tuple[Held, ...]]) -> Template:
        beside = f"{_BUILDING}{_short(key)}_{os.urandom(4).hex()}"
        databases.create(self._admin, beside, locale)
        try:
            held = build(beside)
            # Cheap copies of files need all of it on the disk; not every user may say so.
            with tolerating():
                execute(self._admin, "CHECKPOINT")
            return self._published(beside, _TEMPLATE + _short(key), held)
        except BaseException:
            databases.try_drop(self._admin, beside)
            raise

    def _published(self, beside: str, name: str, held: tuple[Held, ...]) -> Template:
        template = Template(name, held, int(time.time()))
        databases.try_drop(self._admin, name)
        with self._admin.transaction():
            execute(self._admin, f"ALTER DATABASE {quote(beside)} IS_TEMPLATE true ALLOW_CONNECTIONS false")
            self._label(beside, template)
            execute(self._admin, f"ALTER DATABASE {quote(beside)} RENAME TO {quote(name)}")
        return template

    def _label(self, name: str, template: Template) -> None:
        """Writes on a database what it holds: the only place that is read without a connection to it."""
        label: dict[str, Any] = {
            "format": FORMAT,
            "held": [item.to_plain() for item in template.held],
            "used_at": template.used_at,
        }
        execute(self._admin, f"COMMENT ON DATABASE {quote(name)} IS {text(json.dumps(label, ensure_ascii=False))}")

    def _all(self) -> Iterator[Template]:
        for name, comment in databases.like(self._admin, databases.literally(_TEMPLATE) + "%"):
            template = _parsed(name, comment)
            if template is not None and _NAME.fullmatch(name):
                yield template

    def _sweep(self, key: str) -> None:
        """Drops what killed builds of this template left; its lock is held."""
        for name, _ in databases.like(self._admin, databases.literally(_BUILDING + _short(key)) + "%"):
            databases.try_drop(self._admin, name)

    def _is_left(self, name: str) -> bool:
        match = _UNFINISHED.fullmatch(name)
        if match is None or not lock_at_once(self._admin, _TEMPLATE + match[1]):
            return False
        unlock(self._admin, _TEMPLATE + match[1])
        return True


def key_of(content: str, locale: databases.Locale, schema: str) -> str:
    """What a template is for: the rows, where they go, and everything that decides whether a clone is right."""
    return json.dumps([LAYOUT, content, schema, repr(locale)])


def _short(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:_DIGITS]


def _parsed(name: str, comment: str | None) -> Template | None:
    try:
        plain = json.loads(comment or "")
        if plain["format"] != FORMAT:
            return None
        return Template(name, tuple(Held.from_plain(item) for item in plain["held"]), int(plain["used_at"]))
    except (ValueError, KeyError, TypeError):
        return None
