"""PostgreSQL databases as targets.

In: `Load`s. Out: databases whose tables hold exactly their rows. Always holds: a database is replaced whole only
where tdv owns it; everywhere else one transaction replaces the rows of the datasets' tables. Importing this module
imports neither the driver nor Arrow.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from tdv.config import process_environment
from tdv.errors import Refused
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.driver import Driver
from tdv.targets.on_server import OnServer, target_lock
from tdv.targets.postgresql.types import LOSSES
from tdv.targets.protocol import Capabilities, Held, Load, Loss, Outcome, Plan
from tdv.targets.survey import deletions, migrates, owners_of, restores

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.targets.postgresql.dialect import PostgresqlDialect
    from tdv.targets.postgresql.session import Connection
    from tdv.targets.postgresql.whole import Whole
    from tdv.targets.throwaway import Throwaways


class PostgresqlTarget(OnServer):
    """One database of a server; rows are loaded into the first schema of the search path, ``public`` by default."""

    capabilities: ClassVar[Capabilities] = Capabilities(transactional=True, proof=True, references=True, throwaway=True)
    losses: ClassVar[Mapping[str, Loss]] = LOSSES
    driver: ClassVar[Driver] = Driver("PostgreSQL", "postgres", "tdv.targets.postgresql.session")

    def proof(self) -> Any | None:
        from tdv.targets.postgresql.authentication import Unsupported
        from tdv.targets.postgresql.proof import proof, proof_without_driver

        with suppress(Unsupported):
            return proof_without_driver(self.settings.url, process_environment())
        with self.failures(), self._connected_if_there() as connection:
            return proof(connection) if connection is not None else None

    def settle(self) -> None:
        """A load has handed in its counts; those of others grow by themselves."""

    def held(self) -> tuple[Held, ...]:
        with self.failures():
            from tdv.targets.postgresql.catalogue import held_in

            with self._connected_if_there() as connection:
                return held_in(connection) if connection is not None else ()

    def exists(self) -> bool:
        with self.failures(), self._connected_if_there() as connection:
            return connection is not None

    def plan(self, load: Load) -> Plan:
        with self.failures():
            with self._maintained() as whole:
                way = whole.plan(load) if whole is not None else None
            return Plan((*self._steps(way, load), *restores(load)))

    def _steps(self, way: str | None, load: Load) -> tuple[str, ...]:
        """What comes before the rows; `way` says how the whole database is replaced, None that its tables are
        filled."""
        from tdv.targets.postgresql.catalogue import is_empty, survey
        from tdv.targets.postgresql.loading import contents_of, counts, decided

        if way is not None:
            with self._connected_if_there() as connection:
                deleted = counts(connection, survey(connection, ())) if connection is not None else []
            return (way, *deletions(deleted), *migrates(load))
        contents_of(load)
        way = f"replace the rows of the datasets' tables in one transaction: {self.shown}"
        with self._connected() as connection:
            if load.schema is not None and is_empty(connection):
                return (way, *migrates(load))
            found = decided(connection, load, self.settings.also_empty).found
            return (way, *deletions(counts(connection, found, owners_of(load))))

    def load(self, load: Load) -> Outcome:
        from tdv.targets.postgresql.cloning import cloned_without_driver

        outcome = cloned_without_driver(self.settings, load, process_environment())
        if outcome is not None:
            return outcome
        with self.failures(), self._maintained() as whole:
            # Its lock is kept while tables are filled, too: no clone may come between.
            outcome = whole.replace(load) if whole is not None else None
            return outcome or self._replaced_rows(load)

    def drop(self) -> None:
        """Removes the database, which must be one that tdv owns, with everybody who is connected to it."""
        with self.failures(), self._maintained() as whole:
            if whole is None:
                raise Refused(
                    f"{self.shown} is not tdv's to drop", hint="Set `owns: database` for the target in tdv.yaml."
                )
            whole.drop()

    def throwaways(self) -> Throwaways:
        """The throwaway databases on the target's server; the target itself is not touched."""
        with self.failures():
            from tdv.targets.postgresql.throwaway import PostgresqlThrowaways

            return PostgresqlThrowaways(self.settings, self.fresh_scratch(), self.failures)

    def read(self, table: TableSchema) -> Iterator[pa.Table]:
        with self.failures():
            from tdv.content.order import ordered_stream
            from tdv.targets.postgresql.catalogue import schema_of
            from tdv.targets.postgresql.rows import read
            from tdv.targets.sql import quote

            with self._connected() as connection:
                place = f"{quote(schema_of(connection))}.{quote(table.name)}"
                yield from ordered_stream(read(connection, place, table), table, self.fresh_scratch())

    def inspect(self) -> DatasetSchema:
        with self.failures():
            from tdv.targets.postgresql.inspection import inspect

            with self._connected() as connection:
                return inspect(connection)

    def inspect_known(self, model: Sequence[TableSchema]) -> DatasetSchema:
        with self.failures():
            from tdv.targets.postgresql.inspection import inspect

            with self._connected() as connection:
                return inspect(connection, model)

    def table_names(self) -> Sequence[str]:
        with self.failures():
            from tdv.targets.postgresql.inspection import table_names

            with self._connected() as connection:
                return table_names(connection)

    def omitted(self) -> tuple[str, ...]:
        with self.failures():
            from tdv.targets.postgresql.inspection import omitted

            with self._connected() as connection:
                return omitted(connection)

    def indexes(self, tables: Sequence[str]) -> Mapping[str, Sequence[tuple[str, ...]]]:
        with self.failures():
            from tdv.targets.postgresql.inspection import indexes

            with self._connected() as connection:
                return {table: indexes(connection, table) for table in tables}

    def answer(self, query: str) -> Sequence[tuple[Any, ...]]:
        with self.failures():
            from tdv.targets.postgresql.session import answer

            with self._connected() as connection:
                return answer(connection, query)

    def dialect(self) -> PostgresqlDialect:
        with self.failures():
            from tdv.targets.postgresql.dialect import PostgresqlDialect
            from tdv.targets.postgresql.inspection import declarations, readers

            with self._connected() as connection:
                return PostgresqlDialect(theirs=declarations(connection), readers=readers(connection))

    def rounding(self) -> Mapping[tuple[str, str], str]:
        with self.failures():
            from tdv.targets.postgresql.inspection import rounding

            with self._connected() as connection:
                return rounding(connection)

    def look_up(self, table: str) -> Sequence[Mapping[str, Any]] | None:
        with self.failures():
            from tdv.targets.postgresql.catalogue import select

            with self._connected_if_there() as connection:
                return select(connection, table) if connection is not None else None

    def _replaced_rows(self, load: Load) -> Outcome:
        from tdv.targets.postgresql.catalogue import is_empty
        from tdv.targets.postgresql.loading import Loading
        from tdv.targets.postgresql.proof import hand_in
        from tdv.targets.postgresql.statements import lock

        with self._connected() as connection:
            lock(connection, target_lock(connection.info.dbname), f"the target {self.shown}")
            if load.schema is not None and is_empty(connection):
                load.schema.make(self.settings)
                load = replace(load, made=True)
            held = Loading(connection, load, self.settings.also_empty, self.fresh_scratch()).run()
            hand_in(connection)
            return Outcome("loaded", held)

    @contextmanager
    def _maintained(self) -> Iterator[Whole | None]:
        """The database as one that may be replaced, under its lock; None where tdv does not own it."""
        from tdv.targets.postgresql.cloning import NEVER
        from tdv.targets.postgresql.session import database_of, maintenance, parameters
        from tdv.targets.postgresql.statements import lock
        from tdv.targets.postgresql.whole import Whole

        given = parameters(self.settings.url)
        name = database_of(given)
        if self.settings.owns != "database" or name in NEVER:
            yield None
            return
        with closing(maintenance(given)) as admin:
            lock(admin, target_lock(name), f"the target {self.shown}")
            yield Whole(admin, self.settings, name, self.fresh_scratch())

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        from tdv.targets.postgresql.session import connect, parameters

        with closing(connect(parameters(self.settings.url))) as connection:
            yield connection

    @contextmanager
    def _connected_if_there(self) -> Iterator[Connection | None]:
        """None where the server has no such database."""
        import psycopg

        from tdv.targets.postgresql.session import connect, is_missing_database, parameters

        try:
            connection = connect(parameters(self.settings.url))
        except psycopg.OperationalError as exc:
            if not is_missing_database(exc):
                raise
            yield None
            return
        with closing(connection):
            yield connection
