"""Throwaway databases on a Redis server: empty logical databases, claimed by a key and filled by a copy of an image.

In: a target on the server, and `Load`s. Out: databases that hold exactly their rows. Always holds: a database is
claimed only while it has no key and nobody has it, and emptied only while it carries the name that tdv gave it, or by
the process that claimed it, where its user has emptied it before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, ClassVar, Final
from urllib.parse import urlsplit

import redis

from tdv.config import TargetSettings
from tdv.errors import TargetError
from tdv.targets.protocol import Load
from tdv.targets.redis import scripts
from tdv.targets.redis.images import Guard, Image, Images
from tdv.targets.redis.loading import Work
from tdv.targets.redis.lock import locked
from tdv.targets.redis.names import LOCK, OWN
from tdv.targets.redis.proof import proof
from tdv.targets.redis.session import DAMAGED, Session
from tdv.targets.throwaway import Leaving, Name, Throwaway

_MARK: Final = f"{OWN}throwaway"
Failures = Callable[[], AbstractContextManager[None]]


class RedisThrowaways:
    """The throwaways of one server; `settings` are those of any target on it, `failures` translates errors."""

    keeps_connection: ClassVar[bool] = True
    takes_long: ClassVar[bool] = False

    def __init__(self, settings: TargetSettings, failures: Failures) -> None:
        self._settings = settings
        self._failures = failures
        self._own: dict[str, int] = {}

    def create(self, name: Name, load: Load) -> Throwaway:
        with self._failures(), self._shelf() as session:
            if not session.copies:
                raise TargetError(
                    "the server is older than Redis 6.2 and cannot copy keys",
                    hint="Use a newer server; `tdv serve-db redis` starts one.",
                )
            images = Images(session)
            image = images.find(load) or self._made(images, load)
            database = self._claimed(session, str(name))
            try:
                self._copied(images, image, load, Guard(_MARK, str(name), stays=True), database)
            except BaseException:
                with suppress(redis.RedisError):
                    session.run(scripts.DROP, database, _MARK, str(name), 0)
                raise
        self._own[str(name)] = database
        return Throwaway(str(name), self._numbered(database))

    def drop(self, leaving: str) -> None:
        with self._failures(), self._shelf() as session:
            if Name.parse(leaving) is None:
                Images(session).drop(leaving)
                return
            own = self._own.pop(leaving, None)
            found = {number for number, name in self._claimed_ones(session).items() if name == leaving}
            for database in found if own is None else {own, *found}:
                session.run(scripts.DROP, database, _MARK, leaving, int(database == own))

    def found(self) -> tuple[Leaving, ...]:
        with self._failures(), self._shelf() as session:
            names = (Name.parse(mark) for mark in self._claimed_ones(session).values())
            databases = [Leaving("database", str(n), n.made_at, n.execution_id) for n in names if n is not None]
            images = [
                Leaving("image", image.name, datetime.fromtimestamp(image.used_at, UTC))
                for image in Images(session).found()
            ]
            return (*sorted(databases, key=lambda item: item.name), *images)

    def connect(self, throwaway: Throwaway) -> redis.Redis:
        with self._failures():
            return redis.Redis.from_url(throwaway.url)

    def begin(self, throwaway: Throwaway, connection: Callable[[], Any]) -> Any:
        with self._failures(), closing(Session(throwaway.url)) as session:
            return proof(session)

    def undone(self, throwaway: Throwaway, connection: Any | None, begun: Any) -> bool:
        """True if nobody wrote to the server: Redis takes no write back."""
        return begun is not None and self.begin(throwaway, lambda: connection) == begun

    def _made(self, images: Images, load: Load) -> Image:
        with (
            closing(Session(self._settings.url, images.database)) as session,
            locked(session, f"{LOCK}:throwaways", "the images of the server") as lock,
        ):
            return images.make(load, Work(session, lock))

    def _copied(self, images: Images, image: Image, load: Load, guard: Guard, database: int) -> None:
        try:
            images.copy(image, load, database, guard)
        except redis.ResponseError as exc:
            if DAMAGED not in str(exc):
                raise
            images.drop(image.name)
            images.copy(self._made(images, load), load, database, guard)

    def _claimed(self, session: Session, name: str) -> int:
        own = Session(self._settings.url)
        own.close()
        found = int(session.run(scripts.CLAIM, session.database - 1, own.database, session.database, _MARK, name))
        if found < 0:
            raise TargetError(
                f"all {session.database + 1} databases of the server are in use",
                hint="Run `tdv cleanup`, or raise `databases` in redis.conf; `tdv serve-db redis` has 1,024.",
            )
        return found

    def _claimed_ones(self, session: Session) -> dict[int, str]:
        """The databases that tdv claimed, each with its name."""
        found = session.run(scripts.MARKED, _MARK, *session.in_use)
        return {int(number): name.decode() for number, name in zip(found[0::2], found[1::2], strict=True)}

    @contextmanager
    def _shelf(self) -> Iterator[Session]:
        """A session in the last database of the server, which keeps the images."""
        with closing(Session(self._settings.url)) as first:
            last = first.databases - 1
        with closing(Session(self._settings.url, last)) as session:
            yield session

    def _numbered(self, database: int) -> TargetSettings:
        """The settings that reach the database of that number on this server."""
        parts = urlsplit(self._settings.url)
        options = "&".join(word for word in parts.query.split("&") if word and not word.startswith("db="))
        url = f"{parts.scheme}://{parts.netloc}/{database}" + (f"?{options}" if options else "")
        return replace(self._settings, name=None, url=url, owns="database", protected=False)
