"""Databases of a MongoDB server as targets.

In: `Load`s. Out: collections whose documents are exactly their rows. Always holds: each collection is replaced by one
rename, and the state that says so is written last. Importing this module imports neither the driver nor Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, ClassVar

from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.driver import Driver
from tdv.targets.mongodb.losses import LOSSES
from tdv.targets.on_server import OnServer
from tdv.targets.protocol import Capabilities, Held, Load, Loss, Outcome, Plan
from tdv.targets.survey import deletions, restores

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.targets.mongodb.session import Session
    from tdv.targets.throwaway import Throwaways


class MongodbTarget(OnServer):
    """One database of a server."""

    capabilities: ClassVar[Capabilities] = Capabilities(throwaway=True)
    losses: ClassVar[Mapping[str, Loss]] = LOSSES
    driver: ClassVar[Driver] = Driver("MongoDB", "mongodb", "tdv.targets.mongodb.session")

    def held(self) -> tuple[Held, ...]:
        with self.failures():
            from tdv.targets.mongodb.catalogue import held_in

            with self._connected() as session:
                return held_in(session.database)

    def plan(self, load: Load) -> Plan:
        with self.failures():
            from tdv.targets.mongodb.loading import looked, wanted_of
            from tdv.targets.mongodb.names import collection_of
            from tdv.targets.mongodb.whole import may_go, ready

            with self._connected() as session:
                kept = ready(session, load) if self._owned else None
                wanted = kept or wanted_of(load)
                there = looked(session.database, load, wanted)
                whole = self._owned and may_go(there.survey, load)
                if kept and not whole:
                    wanted_of(load)
                names = [name for item in wanted for name in item.schemas if collection_of(name) in there.found]
                counts = [(name, session.database[collection_of(name)].count_documents({})) for name in names]
            way = "replace everything by copies of an image" if whole else "replace the datasets' collections"
            return Plan((f"{way}, each in one step: {self.shown}", *deletions(counts), *restores(load)))

    def load(self, load: Load) -> Outcome:
        with self.failures(), self._connected() as session:
            from tdv.targets.mongodb.loading import Work, replace_rows
            from tdv.targets.mongodb.lock import locked
            from tdv.targets.mongodb.whole import replace_whole

            with locked(session.database, "target", f"the target {self.shown}") as lock:
                work = Work(session.database, lock, self.fresh_scratch())
                done = replace_whole(session, load, work) if self._owned else None
                return Outcome(*(done or ("loaded", replace_rows(work, load))))

    def throwaways(self) -> Throwaways:
        """The throwaway databases on the target's server; the target itself is not touched."""
        with self.failures():
            from tdv.targets.mongodb.throwaway import MongodbThrowaways

            return MongodbThrowaways(self.settings, self.fresh_scratch(), self.failures)

    def read(self, table: TableSchema) -> Iterator[pa.Table]:
        with self.failures():
            from tdv.content.order import ordered_stream
            from tdv.targets.mongodb.names import collection_of
            from tdv.targets.mongodb.rows import read

            with self._connected() as session:
                collection = session.database[collection_of(table.name)]
                yield from ordered_stream(read(collection, table), table, self.fresh_scratch())

    def inspect(self) -> DatasetSchema:
        with self.failures():
            from tdv.targets.mongodb.catalogue import inspect

            with self._connected() as session:
                return inspect(session.database, self.shown)

    @property
    def _owned(self) -> bool:
        return self.settings.owns == "database"

    @contextmanager
    def _connected(self) -> Iterator[Session]:
        from tdv.targets.mongodb.session import Session

        with closing(Session(self.settings.url)) as session:
            yield session
