"""Throwaway databases on a MongoDB server: copies of images that the server makes by itself.

In: a target on the server, and `Load`s. Out: databases that hold exactly their rows. Always holds: nothing but
databases whose names tdv made, and its images, are listed or dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import quote, urlsplit

from pymongo import MongoClient, errors

from tdv.config import TargetSettings
from tdv.targets.mongodb.images import Images
from tdv.targets.mongodb.loading import Work
from tdv.targets.mongodb.lock import locked
from tdv.targets.mongodb.session import Session, sources
from tdv.targets.mongodb.whole import replace_whole
from tdv.targets.protocol import Load
from tdv.targets.throwaway import Leaving, Name, Throwaway

Failures = Callable[[], AbstractContextManager[None]]


class MongodbThrowaways:
    """The throwaways of one server; `settings` are those of any target on it, `failures` translates errors."""

    keeps_connection: ClassVar[bool] = True
    takes_long: ClassVar[bool] = False

    def __init__(self, settings: TargetSettings, scratch: Path, failures: Failures) -> None:
        self._settings = settings
        self._scratch = scratch
        self._failures = failures

    def create(self, name: Name, load: Load) -> Throwaway:
        throwaway = Throwaway(str(name), self._named(str(name)))
        with self._failures(), closing(Session(throwaway.url)) as session:
            try:
                with locked(session.database, "target", throwaway.name) as lock:
                    replace_whole(session, load, Work(session.database, lock, self._scratch))
            except BaseException:
                with suppress(errors.PyMongoError):
                    session.client.drop_database(throwaway.name)
                raise
        return throwaway

    def drop(self, leaving: str) -> None:
        with self._failures(), self._session() as session:
            if Name.parse(leaving) is not None:
                session.client.drop_database(leaving)
            else:
                Images(session).drop(leaving)

    def found(self) -> tuple[Leaving, ...]:
        with self._failures(), self._session() as session:
            databases = [
                Leaving("database", item["name"], name.made_at, name.execution_id, int(item.get("sizeOnDisk", 0)))
                for item in session.client.list_databases()
                if (name := Name.parse(item["name"])) is not None
            ]
            images = [
                Leaving("image", image.name, datetime.fromtimestamp(image.used_at, UTC))
                for image in Images(session).found()
            ]
            return (*sorted(databases, key=lambda item: item.name), *images)

    def connect(self, throwaway: Throwaway) -> MongoClient[dict[str, Any]]:
        with self._failures():
            return MongoClient(throwaway.url)

    def begin(self, throwaway: Throwaway, connection: Callable[[], Any]) -> Any:
        """None: the server does not tell whether anybody writes."""
        return None

    def undone(self, throwaway: Throwaway, connection: Any | None, begun: Any) -> bool:
        """False: nothing proves that nobody wrote."""
        return False

    @contextmanager
    def _session(self) -> Iterator[Session]:
        with closing(Session(self._settings.url)) as session:
            yield session

    def _named(self, name: str) -> TargetSettings:
        """The settings that reach the database `name` on this server."""
        parts = urlsplit(self._settings.url)
        database, is_source = sources(self._settings.url)
        options = [parts.query] if parts.query else []
        if is_source:
            options.append(f"authSource={quote(database, safe='')}")
        url = f"{parts.scheme}://{parts.netloc}/{name}" + (f"?{'&'.join(options)}" if options else "")
        return replace(self._settings, name=None, url=url, owns="database", protected=False)
