"""Databases of a Redis server as targets.

In: `Load`s. Out: hashes, one per row, that hold exactly their rows. Always holds: a database is emptied and copied
whole only where tdv owns it; everywhere else one script replaces the rows of the datasets' tables. Importing this
module imports neither the driver nor Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tdv.config import TargetSettings
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.driver import Driver
from tdv.targets.on_server import OnServer
from tdv.targets.protocol import Capabilities, Held, Load, Loss, Outcome, Plan
from tdv.targets.redis.losses import LOSSES
from tdv.targets.survey import deletions, restores

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.targets.redis.loading import Work
    from tdv.targets.redis.session import Session
    from tdv.targets.redis.whole import Whole
    from tdv.targets.throwaway import Throwaways


class RedisTarget(OnServer):
    """One logical database of a server."""

    capabilities: ClassVar[Capabilities] = Capabilities(transactional=True, proof=True, throwaway=True)
    losses: ClassVar[Mapping[str, Loss]] = LOSSES
    driver: ClassVar[Driver] = Driver("Redis", "redis", "tdv.targets.redis.session")

    def __init__(self, settings: TargetSettings, work: Path) -> None:
        super().__init__(settings, work)
        self._loaded: Any | None = None

    def proof(self) -> Any | None:
        """After a load, once, how the server was when the rows came into place: what others wrote since differs."""
        loaded, self._loaded = self._loaded, None
        if loaded is not None:
            return loaded
        with self.failures():
            from tdv.targets.redis.proof import proof

            with self._connected() as session:
                return proof(session)

    def held(self) -> tuple[Held, ...]:
        with self.failures():
            from tdv.targets.redis.catalogue import held_in

            with self._connected() as session:
                return held_in(session)

    def plan(self, load: Load) -> Plan:
        with self.failures():
            from tdv.targets.redis.loading import looked, present, tables_of

            with self._connected() as session:
                session.require_writable()
                whole = self._whole(session)
                way = "empty the database and copy an image"
                if whole is None or not whole.plan(load, session):
                    looked(session, load, tables_of(load))
                    way = "replace the rows of the datasets' tables"
                deleted = deletions(present(session, load))
            return Plan((f"{way} in one step: {self.shown}", *deleted, *restores(load)))

    def load(self, load: Load) -> Outcome:
        with self.failures(), self._working() as work:
            from tdv.targets.redis.loading import replace_rows
            from tdv.targets.redis.proof import of

            whole = self._whole(work.session)
            done = whole.replace(load, work) if whole is not None else None
            action, (held, seen) = done or ("loaded", replace_rows(work, load))
            self._loaded = of(seen)
            return Outcome(action, held)

    def throwaways(self) -> Throwaways:
        """The throwaway databases on the target's server; the target itself is not touched."""
        with self.failures():
            from tdv.targets.redis.throwaway import RedisThrowaways

            return RedisThrowaways(self.settings, self.failures)

    def read(self, table: TableSchema) -> Iterator[pa.Table]:
        with self.failures():
            from tdv.content.order import ordered_stream
            from tdv.targets.redis.rows import read

            with self._connected() as session:
                yield from ordered_stream(read(session, table), table, self.fresh_scratch())

    def inspect(self) -> DatasetSchema:
        with self.failures():
            from tdv.targets.redis.catalogue import inspect

            with self._connected() as session:
                return inspect(session, self.shown)

    def _whole(self, session: Session) -> Whole | None:
        """The database as one that may be replaced; None where tdv does not own it or the server cannot copy."""
        if self.settings.owns != "database":
            return None
        from tdv.targets.redis.whole import Whole

        return Whole.of(self.settings.url, session)

    @contextmanager
    def _working(self) -> Iterator[Work]:
        from tdv.targets.redis.loading import Work
        from tdv.targets.redis.lock import locked
        from tdv.targets.redis.names import LOCK

        with self._connected() as session, locked(session, LOCK, f"the target {self.shown}") as lock:
            yield Work(session, lock)

    @contextmanager
    def _connected(self) -> Iterator[Session]:
        from tdv.targets.redis.session import Session

        with closing(Session(self.settings.url)) as session:
            yield session
