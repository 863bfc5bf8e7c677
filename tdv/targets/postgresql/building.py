"""A new database that nobody else sees, filled by several connections at once.

In: connections to an empty database, a load. Out: the database with the rows, verified and marked, or an error that
leaves it half full, to be dropped. Always holds: the largest tables come first, since the last one decides how long it
takes; while one table is filled, others get their indexes or are read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

import psycopg

from tdv.targets.postgresql import catalogue
from tdv.targets.postgresql.ddl import create_indexes, create_keys, create_references, create_table
from tdv.targets.postgresql.loading import contents_of, definitions, marked
from tdv.targets.postgresql.rows import fill_new, verify
from tdv.targets.postgresql.session import Connection, connect
from tdv.targets.postgresql.statements import execute
from tdv.targets.postgresql.tables import set_sequences
from tdv.targets.protocol import Held, Load, TableContent

CONNECTIONS: Final = 2
"""One more than that would only wait for this process, which encodes and compares."""
_SETTINGS: Final = "SET synchronous_commit = off"
"""The template gets its name in a transaction that flushes everything before it."""
_T = TypeVar("_T")


@contextmanager
def connections(given: dict[str, Any], database: str, wanted: int = CONNECTIONS) -> Iterator[list[Connection]]:
    """As many connections as the server gives, at least one."""
    with ExitStack() as stack:
        opened = [stack.enter_context(closing(connect(given, database)))]
        with suppress(psycopg.OperationalError):
            while len(opened) < wanted:
                opened.append(stack.enter_context(closing(connect(given, database))))
        yield opened


class Building:
    """The work; `run` does it."""

    def __init__(self, opened: Sequence[Connection], load: Load, scratch: Path) -> None:
        self._opened = opened
        self._load = load
        self._scratch = scratch
        self._contents = contents_of(load)
        self._tables = [table for _, content in self._contents for table in content.tables]
        self._known = [table.name for table in self._tables]
        self._free: SimpleQueue[Connection] = SimpleQueue()

    def run(self) -> tuple[Held, ...]:
        """Fills the database; after an error it is of no use."""
        first = self._opened[0]
        self._found = catalogue.survey(first, ())
        for connection in self._opened:
            execute(connection, _SETTINGS)
            self._free.put(connection)
        with ThreadPoolExecutor(len(self._opened)) as pool:
            try:
                self._fill_all(pool)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                for connection in self._opened:
                    connection.cancel()
                raise
        with first.transaction():
            for table in self._tables:
                for statement in create_references(table.schema, self._found.schema, self._known):
                    execute(first, statement)
                set_sequences(first, self._found.qualified(table.name))
            made = definitions(catalogue.survey(first, ()).survey.objects, self._tables)
            held = marked(self._load, self._contents, made, whole=not self._found.survey.objects)
            catalogue.write_state(first, held)
        return held

    def _fill_all(self, pool: ThreadPoolExecutor) -> None:
        largest = sorted(self._tables, key=lambda table: table.rows * len(table.schema.columns), reverse=True)
        filled = {pool.submit(self._with, self._filled, table): table for table in largest}
        later: list[Future[Any]] = []
        for future in as_completed(filled):
            table, sent = filled[future], future.result()
            later.append(pool.submit(self._with, self._verified, table, sent))
            for statement in create_indexes(table.schema, self._found.schema, self._known):
                later.append(pool.submit(self._with, execute, statement))
        for done in as_completed(later):
            done.result()

    def _with(self, step: Callable[..., _T], *values: Any) -> _T:
        """Runs a step with a connection that no other step has meanwhile."""
        connection = self._free.get()
        try:
            return step(connection, *values)
        finally:
            self._free.put(connection)

    def _filled(self, connection: Connection, table: TableContent) -> str | None:
        """Makes the table and its rows in one transaction, which need not log them; its keys need it for themselves."""
        with connection.transaction():
            execute(connection, create_table(table.schema, self._found.schema))
            sent = fill_new(connection, self._found.qualified(table.name), table)
            for statement in create_keys(table.schema, self._found.schema):
                execute(connection, statement)
        return sent

    def _verified(self, connection: Connection, table: TableContent, sent: str | None) -> None:
        verify(
            connection,
            self._found.qualified(table.name),
            table,
            sent,
            self._scratch / str(self._known.index(table.name)),
        )
