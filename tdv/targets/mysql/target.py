"""MySQL and MariaDB databases as targets.

In: `Load`s. Out: databases whose tables hold exactly their rows. Always holds: readers see all of the old rows or all
of the new ones, although the server commits at every statement that makes a table. Importing this module imports
neither the driver nor Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from tdv.errors import Refused
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.driver import Driver
from tdv.targets.mysql.types import LOSSES
from tdv.targets.on_server import OnServer, target_lock
from tdv.targets.protocol import Capabilities, Held, Load, Loss, Outcome, Plan
from tdv.targets.survey import deletions, migrates, owners_of, restores

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.targets.mysql.dialect import MysqlDialect
    from tdv.targets.mysql.whole import Whole
    from tdv.targets.mysql.wire import Connection
    from tdv.targets.throwaway import Throwaways


class MysqlTarget(OnServer):
    """One database of a server."""

    capabilities: ClassVar[Capabilities] = Capabilities(transactional=True, proof=True, references=True, throwaway=True)
    losses: ClassVar[Mapping[str, Loss]] = LOSSES
    driver: ClassVar[Driver] = Driver("MySQL", "mysql", "tdv.targets.mysql.session")

    def proof(self) -> Any | None:
        with self.failures():
            from tdv.targets.mysql.proof import proof

            with self._connected_if_there() as connection:
                return proof(connection) if connection is not None else None

    def settle(self) -> None:
        """There is no proof as long as it could miss a write; rows are read then, see `same`."""

    def held(self) -> tuple[Held, ...]:
        with self.failures():
            from tdv.targets.mysql.state import held_in

            with self._connected_if_there() as connection:
                return held_in(connection) if connection is not None else ()

    def exists(self) -> bool:
        with self.failures(), self._connected_if_there() as connection:
            return connection is not None

    def plan(self, load: Load) -> Plan:
        with self.failures():
            with self._connected_if_there() as connection:
                if connection is not None and self._is_same(connection, load):
                    return Plan((f"leave all as it is, which was read: {self.shown}",))
            way = None
            if self.settings.owns == "database":
                with self._admin() as admin:
                    way = self._whole(admin).plan(load)
            return Plan((*self._steps(way, load), *restores(load)))

    def _steps(self, way: str | None, load: Load) -> tuple[str, ...]:
        """What comes before the rows; `way` says how the whole database is replaced, None that its rows are."""
        from tdv.targets.mysql.catalogue import is_empty, survey
        from tdv.targets.mysql.loading import contents_of, counts, decided

        if way is not None:
            with self._connected_if_there() as connection:
                deleted = counts(connection, survey(connection, ())) if connection is not None else []
            return (way, *deletions(deleted), *migrates(load))
        contents_of(load)
        way = f"replace the rows of the datasets' tables: {self.shown}"
        with self._connected() as connection:
            if load.schema is not None and is_empty(connection):
                return (way, *migrates(load))
            found = decided(connection, load, self.settings.also_empty).found
            return (way, *deletions(counts(connection, found, owners_of(load))))

    def load(self, load: Load) -> Outcome:
        with self.failures(), self._locked() as admin:
            return self._unchanged(load) or self._replaced_whole(admin, load) or self._replaced_rows(load)

    def drop(self) -> None:
        """Removes the database, which must be one that tdv owns."""
        with self.failures(), self._locked() as admin:
            from tdv.targets.mysql.session import execute, parameters
            from tdv.targets.sql import quote

            if self.settings.owns != "database":
                raise Refused(
                    f"{self.shown} is not tdv's to drop", hint="Set `owns: database` for the target in tdv.yaml."
                )
            execute(admin, f"DROP DATABASE IF EXISTS {quote(parameters(self.settings.url).database)}")

    def throwaways(self) -> Throwaways:
        """The throwaway databases on the target's server; the target itself is not touched."""
        with self.failures():
            from tdv.targets.mysql.throwaway import MysqlThrowaways

            return MysqlThrowaways(self.settings, self.fresh_scratch(), self.failures)

    def read(self, table: TableSchema) -> Iterator[pa.Table]:
        with self.failures():
            from tdv.content.order import ordered_stream
            from tdv.targets.mysql.rows import read
            from tdv.targets.sql import quote

            with self._connected() as connection:
                yield from ordered_stream(read(connection, quote(table.name), table), table, self.fresh_scratch())

    def inspect(self) -> DatasetSchema:
        with self.failures():
            from tdv.targets.mysql.inspection import inspect

            with self._connected() as connection:
                return inspect(connection)

    def inspect_known(self, model: Sequence[TableSchema]) -> DatasetSchema:
        with self.failures():
            from tdv.targets.mysql.inspection import inspect

            with self._connected() as connection:
                return inspect(connection, model)

    def table_names(self) -> Sequence[str]:
        with self.failures():
            from tdv.targets.mysql.inspection import table_names

            with self._connected() as connection:
                return table_names(connection)

    def omitted(self) -> tuple[str, ...]:
        with self.failures():
            from tdv.targets.mysql.inspection import omitted

            with self._connected() as connection:
                return omitted(connection)

    def indexes(self, tables: Sequence[str]) -> Mapping[str, Sequence[tuple[str, ...]]]:
        with self.failures():
            from tdv.targets.mysql.inspection import indexes

            with self._connected() as connection:
                return {table: indexes(connection, table) for table in tables}

    def answer(self, query: str) -> Sequence[tuple[Any, ...]]:
        with self.failures():
            from tdv.targets.mysql.session import answer

            with self._connected() as connection:
                return answer(connection, query)

    def dialect(self) -> MysqlDialect:
        with self.failures():
            from tdv.targets.mysql.dialect import MysqlDialect
            from tdv.targets.mysql.tables import uuid_forms
            from tdv.targets.mysql.theirs import columns_of_all, exact, rounding

            with self._connected() as connection:
                theirs = columns_of_all(connection)
                return MysqlDialect(
                    uuids=uuid_forms(connection), theirs=theirs, exact=exact(connection, rounding(theirs))
                )

    def rounding(self) -> Mapping[tuple[str, str], str]:
        with self.failures():
            from tdv.targets.mysql.theirs import columns_of_all, rounding

            with self._connected() as connection:
                return rounding(columns_of_all(connection))

    def look_up(self, table: str) -> Sequence[Mapping[str, Any]] | None:
        with self.failures():
            from tdv.targets.mysql.catalogue import select

            with self._connected_if_there() as connection:
                return select(connection, table) if connection is not None else None

    def _is_same(self, connection: Connection, load: Load) -> bool:
        """False where rows have to be replaced, or where looking at all of them would take longer."""
        from tdv.targets.mysql.same import is_same

        return is_same(connection, load, self.fresh_scratch())

    def _unchanged(self, load: Load) -> Outcome | None:
        """None where rows have to be replaced."""
        with self._connected_if_there() as connection:
            if connection is None or not self._is_same(connection, load):
                return None
            from tdv.targets.mysql.state import held_in
            from tdv.targets.mysql.swap import sweep

            sweep(connection)
            return Outcome("unchanged", tuple(h for h in held_in(connection) if h.dataset in load.datasets))

    def _replaced_whole(self, admin: Connection, load: Load) -> Outcome | None:
        """None for a database that tdv does not own, or may not replace."""
        return self._whole(admin).replace(load) if self.settings.owns == "database" else None

    def _whole(self, connection: Connection) -> Whole:
        from tdv.targets.mysql.whole import Whole

        return Whole(connection, self.settings, self.fresh_scratch())

    def _replaced_rows(self, load: Load) -> Outcome:
        from tdv.targets.mysql.catalogue import is_empty
        from tdv.targets.mysql.loading import Loading
        from tdv.targets.mysql.session import parameters

        given, also_empty = parameters(self.settings.url), self.settings.also_empty
        with self._connected() as connection:
            if load.schema is not None and is_empty(connection):
                load.schema.make(self.settings)
                load = replace(load, made=True)
            return Outcome("loaded", Loading(connection, given, load, also_empty, self.fresh_scratch()).run())

    @contextmanager
    def _locked(self) -> Iterator[Connection]:
        """A connection to no database, which holds the lock of the target."""
        from tdv.targets.mysql.session import lock, parameters

        with self._admin() as admin:
            lock(admin, target_lock(parameters(self.settings.url).database), f"the target {self.shown}")
            yield admin

    @contextmanager
    def _admin(self) -> Iterator[Connection]:
        """A connection to no database."""
        from tdv.targets.mysql.session import connect, parameters

        with closing(connect(parameters(self.settings.url), None)) as admin:
            yield admin

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        from tdv.targets.mysql.session import connected, parameters

        with connected(parameters(self.settings.url)) as connection:
            yield connection

    @contextmanager
    def _connected_if_there(self) -> Iterator[Connection | None]:
        """None where the server has no such database."""
        import pymysql

        from tdv.targets.mysql.session import connect, is_missing_database, parameters

        given = parameters(self.settings.url)
        try:
            connection = connect(given, given.database)
        except pymysql.err.MySQLError as exc:
            if not is_missing_database(exc):
                raise
            yield None
            return
        with closing(connection):
            yield connection
