"""Finished contents on the server, to be copied: one for each digest, in a database where only tdv keeps anything.

In: a load. Out: an `Image`, and databases that are copies of it. Always holds: an image is complete, since its label is
written last; one that lacks a row is made anew; a copy is made by one script, so that nobody sees half of one.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import redis

from tdv.model.schema import TableSchema
from tdv.targets.protocol import Held, Load
from tdv.targets.redis import scripts
from tdv.targets.redis.catalogue import Marks, schemas_of
from tdv.targets.redis.loading import Work, contents_of
from tdv.targets.redis.lock import locked
from tdv.targets.redis.names import LOCK, OWN, literally, rows_of
from tdv.targets.redis.rows import fill
from tdv.targets.redis.session import LACKS, Session

FORMAT: Final = "tdv.redis-image/v1"
LAYOUT: Final = 1
"""Another number makes all images anew: change it with anything that changes what a load leaves."""
KEEP: Final = 20
_DIGITS: Final = 20
_LABELS: Final = f"{OWN}images"
_NAME: Final = re.compile(rf"{OWN}image:([0-9a-f]{{{_DIGITS}}})")


@dataclass(frozen=True, slots=True)
class Image:
    """Rows under names that begin with `prefix`; `rows` is their number, `used_at` in seconds since 1970."""

    key: str
    held: tuple[Held, ...]
    schemas: Mapping[str, str]
    rows: int
    used_at: int

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{OWN}image:{self.key}"

    @property
    def prefix(self) -> str:
        """What the names of its rows begin with."""
        return f"{self.name}:"

    @property
    def index(self) -> str:
        """The key of the set that lists its rows."""
        return f"{OWN}list:{self.key}"

    def tables(self) -> list[tuple[TableSchema, str]]:
        """The tables, each with its dataset."""
        return [
            (TableSchema.from_plain(name, json.loads(self.schemas[name])), item.dataset)
            for item in self.held
            for name in item.tables
        ]

    def label(self) -> str:
        """The image as its label says it."""
        plain: dict[str, Any] = {
            "format": FORMAT,
            "held": [item.to_plain() for item in self.held],
            "schemas": dict(self.schemas),
            "rows": self.rows,
            "used_at": self.used_at,
        }
        return json.dumps(plain, ensure_ascii=False)


@dataclass(frozen=True, slots=True)
class Guard:
    """A key of the database to replace and its value, without which it is left alone; `stays` afterwards or not."""

    name: str
    value: str
    stays: bool


class Images:
    """The images of a server; `session` is in the database that keeps them."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def database(self) -> int:
        """The number of the database that keeps the images."""
        return self._session.database

    def find(self, load: Load) -> Image | None:
        """The image of a load, if it is there."""
        key = _key(load)
        return _parsed(key, self._session.call("HGET", _LABELS, key))

    def make(self, load: Load, work: Work) -> Image:
        """The image of a load; `work` is that of the target, whose lock is held."""
        key = _key(load)
        with locked(self._session, f"{LOCK}:{key}", f"the image {key}", work.lock) as own:
            found = self.find(load)
            if found is not None:
                return found
            self.drop(f"{OWN}image:{key}")
            image = self._made(Work(self._session, own), load)
        self._collect(key)
        return image

    def copy(self, image: Image, load: Load, database: int, guard: Guard) -> tuple[tuple[Held, ...], Any]:
        """Makes `database` hold what the image has; gives that, and how the server was in that moment."""
        held = tuple(replace(item, whole=True) for item in load.stamped(image.held))
        plan = {
            "shelf": self._session.database,
            "list": image.index,
            "rows": image.rows,
            "image": image.prefix,
            "labels": _LABELS,
            "key": image.key,
            "used": replace(image, used_at=int(time.time())).label(),
            "database": database,
            "places": [rows_of(table).prefix for table, _ in image.tables()],
            "keeps": guard.stays,
            **Marks.of(held, image.schemas).to_plain(),
        }
        return held, self._session.run(scripts.CLONE, guard.name, guard.value, json.dumps(plan))

    def found(self) -> list[Image]:
        """All images, the one that was used last first."""
        labels = self._session.call("HGETALL", _LABELS)
        images = (_parsed(key.decode(), label) for key, label in labels.items())
        return sorted((image for image in images if image), key=lambda image: image.used_at, reverse=True)

    def drop(self, name: str) -> None:
        """Removes an image, or what is left of one; any other name is left alone."""
        match = _NAME.fullmatch(name)
        if match:
            self._session.call("HDEL", _LABELS, match[1])
            self._session.call("UNLINK", f"{OWN}list:{match[1]}")
            self._session.sweep(literally(f"{name}:") + "*")

    def _made(self, work: Work, load: Load) -> Image:
        contents = contents_of(load)
        tables = [table for _, content in contents for table in content.tables]
        held = tuple(load.mark(item, content.tables) for item, content in contents)
        schemas = schemas_of(content for _, content in contents)
        image = Image(_key(load), held, schemas, sum(table.rows for table in tables), int(time.time()))
        try:
            for table in tables:
                fill(work.session, work.lock, table, image.prefix)
            self._list(image, work)
        except Exception:
            self._give_up(image)
            raise
        self._session.call("HSET", _LABELS, image.key, image.label())
        return image

    def _list(self, image: Image, work: Work) -> None:
        """Makes the set of an image's rows, which must be all of them."""
        words = (literally(image.prefix) + "*", image.index, len(image.prefix))
        for _ in self._session.slices(scripts.LIST, *words):
            work.lock.renew()
        if self._session.call("SCARD", image.index) != image.rows:
            raise redis.ResponseError(LACKS)

    def _give_up(self, image: Image) -> None:
        try:
            self.drop(image.name)
        except redis.RedisError:
            return

    def _collect(self, spare: str) -> None:
        """Drops the images that were not used for longest."""
        for image in self.found()[KEEP:]:
            if image.key != spare:
                self.drop(image.name)


def _key(load: Load) -> str:
    return hashlib.sha256(json.dumps([LAYOUT, load.key]).encode()).hexdigest()[:_DIGITS]


def _parsed(key: str, label: bytes | None) -> Image | None:
    try:
        plain = json.loads(label or b"")
        if plain["format"] != FORMAT:
            return None
        held = tuple(Held.from_plain(item) for item in plain["held"])
        return Image(key, held, plain["schemas"], int(plain["rows"]), int(plain["used_at"]))
    except (ValueError, KeyError, TypeError):
        return None
