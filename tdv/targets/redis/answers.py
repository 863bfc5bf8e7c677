"""What a Redis server answers, as the bytes that it sends.

In: a connection of the driver. Out: those bytes, to be compared with the expected ones. Always holds: what was compared
is read; an error in the place of an answer is told without the key that it may quote.

The driver parses each value by itself, which takes longer than all else of a load, and has no public way to the bytes.
They are read where its own parsers read them, or written anew from the values if a version keeps its socket elsewhere.
"""

from __future__ import annotations

import re
import socket
from typing import Any, Final, Protocol

import redis

_CHUNK: Final = 1 << 18
_REFUSAL: Final = re.compile(rb"-([A-Z]+) ")


class Answers(Protocol):
    """The answers of one connection."""

    def received(self, most: int) -> bytes:
        """The next bytes, at least one."""
        ...

    def refused(self, other: bytes) -> redis.ResponseError | None:
        """The error that stands in the place of an answer at the beginning of these bytes."""
        ...


class FromSocket:
    """The bytes as they come."""

    def __init__(self, server: socket.socket) -> None:
        self._server = server

    def received(self, most: int) -> bytes:
        try:
            found = self._server.recv(most)
        except OSError as exc:
            raise redis.ConnectionError(str(exc)) from exc
        if not found:
            raise redis.ConnectionError("the server ended the connection")
        return found

    def refused(self, other: bytes) -> redis.ResponseError | None:
        refusal = _REFUSAL.match(other)
        return redis.ResponseError(refusal[1].decode()) if refusal else None


class FromDriver:
    """The bytes of what the driver has parsed."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection
        self._left = b""
        self._error: redis.ResponseError | None = None

    def received(self, most: int) -> bytes:
        if not self._left:
            self._left = self._next()
        found, self._left = self._left[:most], self._left[most:]
        return found

    def refused(self, other: bytes) -> redis.ResponseError | None:
        return self._error if other.startswith(b"-") else None

    def _next(self) -> bytes:
        try:
            return _written(self._connection.read_response(disable_decoding=True))
        except redis.ResponseError as exc:
            self._error = self._error or exc
            return b"-\r\n"


def answers_on(connection: Any) -> Answers:
    """The answers of a connection that waits for none."""
    server = getattr(connection, "_sock", None)
    return FromSocket(server) if isinstance(server, socket.socket) else FromDriver(connection)


def other(answers: Answers, expected: memoryview) -> bytes:
    """What comes from the first byte on that is not the expected one; nothing where all are."""
    while expected:
        found = answers.received(min(len(expected), _CHUNK))
        wanted = bytes(expected[: len(found)])
        if found != wanted:
            return found[next(place for place, byte in enumerate(found) if byte != wanted[place]) :]
        expected = expected[len(found) :]
    return b""


def until(answers: Answers, mark: str, found: bytes) -> None:
    """Reads on to the end of an answer, of which `found` was read."""
    while not found.endswith(b"%s\r\n" % mark.encode()):
        found = found[-len(mark) - 1 :] + answers.received(_CHUNK)


def _written(value: Any) -> bytes:
    if isinstance(value, list):
        return b"*%d\r\n" % len(value) + b"".join(map(_written, value))
    if isinstance(value, int):
        return b":%d\r\n" % value
    return b"$-1\r\n" if value is None else b"$%d\r\n%s\r\n" % (len(value), value)
