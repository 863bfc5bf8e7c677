"""Tables that nobody else sees yet, filled and read back; by several connections at once where that pays.

In: empty tables, the rows of each. Out: full tables whose rows came back as they went in, or the error of the step that
failed first, after which no other step goes on. Always holds: the largest tables come first, since the last one decides
how long it takes; while one table is filled, others are read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Final, TypeVar

from pymysql import err

from tdv.targets.mysql.bulk import LARGE, counted_afterwards, in_one_pass
from tdv.targets.mysql.checking import check_rows
from tdv.targets.mysql.rows import fill, fingerprint
from tdv.targets.mysql.session import Given, connected, execute
from tdv.targets.mysql.wire import Connection
from tdv.targets.protocol import TableContent

CONNECTIONS: Final = 2
"""One more than that would only wait for this process, which encodes and compares."""
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Beside:
    """`tables` have their rows to get, at `places` by their names; `as_file` and `scratch` are for the rows."""

    tables: Sequence[TableContent]
    places: Mapping[str, str]
    as_file: bool
    scratch: Path

    def fill(self, connection: Connection, table: TableContent) -> str | None:
        """Puts the rows into one of the tables; returns a digest of what was sent, for `check`."""
        with in_one_pass(connection):
            return fill(connection, self.places[table.name], table, as_file=self.as_file)

    def check(self, connection: Connection, table: TableContent, sent: str | None) -> None:
        """Reads one of the tables back; raises `IntegrityError` for other rows.

        The same bytes as were sent are the same rows. Other bytes may be, too: they are decoded.
        """
        if sent is not None and fingerprint(connection, self.places[table.name], table.schema) == sent:
            return
        scratch = self.scratch / str(self.tables.index(table))
        check_rows(connection, [table], self.places.__getitem__, scratch)


def build(connection: Connection, given: Given, beside: Beside) -> None:
    """Does all of it; others than `connection` are opened with `given`, and only where there are many rows."""
    large = [beside.places[table.name] for table in beside.tables if table.rows >= LARGE]
    with counted_afterwards(connection, large), _workers(given, CONNECTIONS if large else 0) as workers:
        if workers:
            _at_once(connection, workers, beside)
            return
        for table, sent in [(table, beside.fill(connection, table)) for table in beside.tables]:
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

    def done(step: Callable[..., _T], *values: Any) -> _T:
        worker = free.get()
        try:
            return step(worker, *values)
        finally:
            free.put(worker)

    with ThreadPoolExecutor(len(workers)) as pool:
        try:
            largest = sorted(beside.tables, key=lambda table: table.rows * len(table.schema.columns), reverse=True)
            filled = {pool.submit(done, beside.fill, table): table for table in largest}
            checked: list[Future[Any]] = []
            for future in as_completed(filled):
                checked.append(pool.submit(done, beside.check, filled[future], future.result()))
            for future in as_completed(checked):
                future.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            _end(connection, workers)
            raise


def _end(connection: Connection, workers: Sequence[Connection]) -> None:
    """Ends what the server does for the workers, and what they wait for; a statement may not look whether its client
    is still there."""
    for worker in workers:
        with suppress(err.MySQLError):
            execute(connection, f"KILL {worker.thread_id()}")
        worker.cut()
