"""Tables that nobody else sees yet: made, filled and read back; by several connections at once where that pays.

In: the rows of each. Out: full tables whose rows came back as they went in, or the error of the step that failed first,
after which no other step goes on. Always holds: the largest tables come first, since the last one decides how long it
takes; they get their keys when they are full, and are read back meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from time import sleep
from typing import Any, Final, TypeVar

from pymysql import err

from tdv.targets.mysql.bulk import COUNTED, LARGE, UNCOUNTED, in_one_pass
from tdv.targets.mysql.checking import check_rows
from tdv.targets.mysql.ddl import Making, create_table, later_keys, later_references
from tdv.targets.mysql.rows import fill, fingerprint
from tdv.targets.mysql.session import Given, connected, execute
from tdv.targets.mysql.wire import Connection
from tdv.targets.protocol import TableContent
from tdv.targets.sql import quote

CONNECTIONS: Final = 2
"""One more than that would only wait for this process, which encodes and compares."""
_PATIENCE: Final = 86_400
"""Seconds to wait for a table to be read back."""
_AT_WORK: Final = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO = %s AND STATE = 'altering table'"
_LOOKS: Final = 100
_BETWEEN_LOOKS: Final = 0.002
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Beside:
    """`tables` are to be made as `making` says, those of its `bare` by and by; `as_file` and `scratch` are for the
    rows."""

    tables: Sequence[TableContent]
    making: Making
    as_file: bool
    scratch: Path

    def make(self, connection: Connection) -> None:
        """Makes all tables, without rows."""
        for table in self.tables:
            option = f" {UNCOUNTED}" if table.name in self.making.bare else ""
            execute(connection, create_table(table.schema, self.making) + option)

    def fill(self, connection: Connection, table: TableContent) -> str | None:
        """Puts the rows into one of the tables; returns a digest of what was sent, for `check`."""
        with in_one_pass(connection):
            return fill(connection, self._place(table.name), table, as_file=self.as_file)

    def keys(self, table: TableContent) -> str:
        """What gives one of the tables the keys that it was made without, "" for nothing."""
        return self._change(table, later_keys(table.schema, self.making))

    def check(self, connection: Connection, table: TableContent, sent: str | None) -> None:
        """Reads one of the tables back; raises `IntegrityError` for other rows.

        The same bytes as were sent are the same rows. Other bytes may be, too: they are decoded.
        """
        if sent is not None and fingerprint(connection, self._place(table.name), table.schema) == sent:
            return
        scratch = self.scratch / str(self.tables.index(table))
        check_rows(connection, [table], self._place, scratch)

    def finish(self, connection: Connection) -> None:
        """Gives full tables what comes last: references, and to be counted as other tables are."""
        for table in self.tables:
            counted = [COUNTED] if table.name in self.making.bare else []
            if change := self._change(table, later_references(table.schema, self.making) + counted):
                execute(connection, change)

    def _place(self, name: str) -> str:
        return quote(self.making.names[name])

    def _change(self, table: TableContent, changes: Sequence[str]) -> str:
        return f"ALTER TABLE {self._place(table.name)} {', '.join(changes)}" if changes else ""


def large(tables: Iterable[TableContent]) -> frozenset[str]:
    """Which tables get their keys when they are full."""
    return frozenset(table.name for table in tables if table.rows >= LARGE)


def build(connection: Connection, given: Given, beside: Beside) -> None:
    """Does all of it; others than `connection` are opened with `given`, and only where there are many rows."""
    beside.make(connection)
    with _workers(given, CONNECTIONS if beside.making.bare else 0) as workers:
        if workers:
            _at_once(connection, workers, beside)
        else:
            _one_by_one(connection, beside)
    beside.finish(connection)


def _one_by_one(connection: Connection, beside: Beside) -> None:
    for table, sent in [(table, beside.fill(connection, table)) for table in beside.tables]:
        if keys := beside.keys(table):
            execute(connection, keys)
        beside.check(connection, table, sent)


@contextmanager
def _workers(given: Given, wanted: int) -> Iterator[list[Connection]]:
    """So many connections, or none where the server gives fewer."""
    with ExitStack() as stack:
        try:
            opened = [stack.enter_context(connected(given)) for _ in range(wanted)]
        except err.OperationalError:
            stack.close()
            opened = []
        yield opened


def _at_once(connection: Connection, workers: Sequence[Connection], beside: Beside) -> None:
    """Each step on a worker that no other step has meanwhile; `connection` ends them when one fails."""
    free: SimpleQueue[Connection] = SimpleQueue()
    for worker in workers:
        free.put(worker)

    def start(step: Callable[..., _T], *values: Any) -> Future[_T]:
        def done() -> _T:
            worker = free.get()
            try:
                return step(worker, *values)
            finally:
                free.put(worker)

        return pool.submit(done)

    with ThreadPoolExecutor(len(workers)) as pool:
        try:
            largest = sorted(beside.tables, key=lambda table: table.rows * len(table.schema.columns), reverse=True)
            filled = {start(beside.fill, table): table for table in largest}
            rest: list[Future[Any]] = []
            for future in as_completed(filled):
                table, sent = filled[future], future.result()
                if change := beside.keys(table):
                    rest.append(start(_change, change))
                    rest.append(start(_wait_for, change, rest[-1]))
                rest.append(start(beside.check, table, sent))
            for future in as_completed(rest):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            _end(connection, workers)
            raise


def _change(worker: Connection, statement: str) -> None:
    """Changes a table that others read meanwhile; at the end the server waits for them."""
    ((patience,),) = execute(worker, "SELECT @@lock_wait_timeout")
    execute(worker, f"SET lock_wait_timeout = {_PATIENCE}")
    execute(worker, statement)
    execute(worker, f"SET lock_wait_timeout = {int(patience)}")


def _wait_for(worker: Connection, statement: str, change: Future[None]) -> None:
    """Waits until the server is at work on a change of a table: who reads the table before is waited for first."""
    for _ in range(_LOOKS):
        if change.done() or execute(worker, _AT_WORK, statement):
            return
        sleep(_BETWEEN_LOOKS)


def _end(connection: Connection, workers: Sequence[Connection]) -> None:
    """Ends what the server does for the workers, and what they wait for; a statement may not look whether its client
    is still there."""
    try:
        for worker in workers:
            with suppress(err.MySQLError):
                execute(connection, f"KILL {worker.thread_id()}")
    finally:
        # Also where a server that does not answer was not waited for.
        for worker in workers:
            worker.cut()
