"""A connection that moves rows in bulk: out of memory into ``LOAD DATA LOCAL``, and whole results as bytes.

In: statements, blocks of bytes. Out: blocks of bytes. Always holds: no file is ever read because a server asks for it,
and a connection never stays in the middle of a result.
"""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing, suppress
from typing import Any, Final

import pymysql
from pymysql.connections import MysqlPacket
from pymysql.constants import COMMAND, CR

from tdv.errors import DataError

_PIECE: Final = 1 << 18
_READ: Final = 1 << 20
_BLOCK: Final = 8 << 20
_WAIT: Final = 2
"""Seconds for what nobody should have to wait for."""
_LARGEST: Final = 0xFFFFFF
"""The payload of a packet that has a successor."""
_END, _FAILED, _NULL = 0xFE, 0xFF, 0xFB
_PREFIX: Final = {0xFC: 3, 0xFD: 4, 0xFE: 9}
"""Bytes of a value's length, by the first one; shorter values have one byte."""


class Connection(pymysql.connections.Connection):  # type: ignore[misc]
    """PyMySQL's connection, whose own way to `LOAD DATA LOCAL` would send any file that the server names."""

    def __init__(self, **words: Any) -> None:
        self._words = words
        super().__init__(local_infile=True, **words)
        # The server has been told; a request within any other statement is an error from here on.
        self._local_infile = False

    def query(self, sql: Any, unbuffered: bool = False) -> int:
        """Runs a statement; Ctrl-C ends it on the server, too."""
        try:
            return int(super().query(sql, unbuffered))
        except KeyboardInterrupt:
            self._give_up()
            raise

    def load(self, statement: str, blocks: Iterable[Any]) -> int:
        """Runs a ``LOAD DATA LOCAL`` on these bytes; returns how many warnings there are."""
        try:
            return self._loaded(statement, blocks)
        except KeyboardInterrupt:
            self._give_up()
            raise

    def _loaded(self, statement: str, blocks: Iterable[Any]) -> int:
        self._execute_command(COMMAND.COM_QUERY, statement)
        asked = self._read_packet()
        if not asked.is_load_local_packet():
            raise pymysql.err.InternalError(CR.CR_COMMANDS_OUT_OF_SYNC, "the server does not ask for the rows")
        try:
            for block in blocks:
                view = memoryview(block)
                for start in range(0, len(view), _PIECE):
                    self.write_packet(view[start : start + _PIECE])
        except Exception:
            self._end_of_load()
            raise
        answer = self._end_of_load()
        answer.advance(1)
        answer.read_length_encoded_integer()
        answer.read_length_encoded_integer()
        _, warnings = answer.read_struct("<HH")
        return int(warnings)

    def _end_of_load(self) -> Any:
        self.write_packet(b"")
        return self._read_packet()

    def values(self, query: str) -> Iterator[bytearray]:
        """The values of a query's only column, one after another, some megabytes at a time."""
        payloads = self._payloads(query)
        try:
            out = bytearray()
            for payload in payloads:
                if payload is None:
                    raise _too_long()
                out += payload
                if len(out) >= _BLOCK:
                    yield out
                    out = bytearray()
            if out:
                yield out
        except KeyboardInterrupt:
            self._give_up()
            payloads.close()
            raise
        finally:
            # Whatever happens to the reader, the connection can be used afterwards.
            deque(payloads, maxlen=0)

    def cut(self) -> None:
        """Ends the connection, and with an error whatever another thread waits for on it."""
        # It may have none any more.
        with suppress(OSError, AttributeError):
            self._sock.shutdown(socket.SHUT_RDWR)

    def _ask(self, query: str) -> None:
        """Sends a query for one column, and reads all that comes before the rows."""
        self._execute_command(COMMAND.COM_QUERY, query)
        for _ in range(3):
            self._read_packet()

    def _give_up(self) -> None:
        """Ends the session on both sides: half a packet may be between them, and the server may be at a statement that
        does not look whether its client is still there."""
        self._force_close()
        words = {**self._words, "database": None, "connect_timeout": _WAIT, "read_timeout": _WAIT}
        with suppress(pymysql.err.MySQLError), closing(pymysql.connections.Connection(**words)) as other:
            other.query(f"KILL {self.thread_id()}")

    def _payloads(self, query: str) -> Generator[bytearray | None]:
        """Values without their lengths, None for NULL; PyMySQL's own loop over packets takes five times as long."""
        self._ask(query)
        data, whole = bytearray(), bytearray()
        while True:
            read = self._rfile.read1(_READ)
            if not read:
                raise pymysql.err.OperationalError(CR.CR_SERVER_LOST, "Lost connection to MySQL server during query")
            data = data + read if data else bytearray(read)
            position, end = 0, len(data)
            while position + 4 <= end:
                size = data[position] | data[position + 1] << 8 | data[position + 2] << 16
                start, stop = position + 4, position + 4 + size
                if stop > end:
                    break
                position = stop
                if size == _LARGEST or whole:
                    whole += data[start:stop]
                    if size == _LARGEST:
                        continue
                    yield whole[_PREFIX.get(whole[0], 1) :]
                    whole = bytearray()
                    continue
                first = data[start]
                if first < _NULL:
                    yield data[start + 1 : stop]
                elif first == _END and size < _PREFIX[_END]:
                    return
                elif first == _FAILED:
                    MysqlPacket(bytes(data[start:stop]), self.encoding).raise_for_error()
                else:
                    yield data[start + _PREFIX[first] : stop] if first != _NULL else None
            data = data[position:]


def _too_long() -> DataError:
    """A row is never NULL but where the server gives up on it."""
    return DataError(
        "a row is longer than the server's max_allowed_packet, so that it cannot be read back",
        hint="Raise max_allowed_packet of the server.",
    )
