"""What ``COPY … TO STDOUT`` gives, fast.

In: a connection and a statement. Out: blocks of bytes. Always holds: a block ends where a row ends, and afterwards the
connection is ready for another statement, however the caller stops.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Final

from psycopg import errors
from psycopg.pq import ExecStatus
from psycopg.waiting import Wait

from tdv.targets.postgresql.session import Connection

if TYPE_CHECKING:
    from psycopg.pq.abc import PGconn, PGresult

_BYTES: Final = 8 << 20


def received(connection: Connection, statement: str) -> Generator[bytearray]:
    """What a ``COPY … TO STDOUT`` gives, some megabytes at once and always whole rows.

    The driver's own loop takes twice the time for a row; hundreds of thousands of views of rows would keep the garbage
    collector busy, so that they are copied at once.
    """
    server = connection.pgconn
    with connection.lock:
        _expect(server.exec_(statement.encode()), ExecStatus.COPY_OUT)
        more = True
        try:
            while more:
                data = bytearray()
                more = connection.wait(_receive(server, data))
                if data:
                    yield data
        finally:
            # Whoever stops early goes on with another statement.
            while more:
                more = connection.wait(_receive(server, bytearray()))
            results = list(iter(server.get_result, None))
        for result in results:
            _expect(result, ExecStatus.COMMAND_OK)


def _expect(result: PGresult | None, status: ExecStatus) -> None:
    if result is not None and result.status != status:
        raise errors.error_from_result(result)


def _receive(server: PGconn, data: bytearray) -> Generator[Any, Any, bool]:
    """Adds the next rows that arrive to `data`; returns whether there may be more."""
    while len(data) < _BYTES:
        size, row = server.get_copy_data(1)
        if size < 0:
            return False
        data += row
        if not size:
            while not (yield Wait.R):
                continue
            server.consume_input()
    return True
