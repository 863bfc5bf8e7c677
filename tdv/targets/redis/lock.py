"""One checkout at a time: a lock that is a key of Redis.

In: a session and a name. Out: a lock that is held while the block runs. Always holds: the lock of a client that is no
longer connected is taken over at once, and that of one that is silent when its time is over.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

import redis

from tdv.durable import LOCK_WAIT
from tdv.errors import Refused
from tdv.targets.redis import scripts
from tdv.targets.redis.session import Session

_LIVES: Final = 60_000
"""Milliseconds until a lock that nobody renews is free."""
_RENEWED: Final = 10.0
_POLL: Final = 0.02


class Lock:
    """A lock that is held; its `value` names the holder. `outer` is one that is held meanwhile."""

    def __init__(self, session: Session, name: str, value: str, outer: Lock | None = None) -> None:
        self.name = name
        self.value = value
        self._session = session
        self._outer = outer
        self._renewed = time.monotonic()

    def renew(self) -> None:
        """Says that the holder is at work; to be called every few seconds."""
        if self._outer is not None:
            self._outer.renew()
        now = time.monotonic()
        if now - self._renewed > _RENEWED:
            self._session.call("PEXPIRE", self.name, _LIVES)
            self._renewed = now


@contextmanager
def locked(session: Session, name: str, what: str, outer: Lock | None = None) -> Iterator[Lock]:
    """Waits for the lock `name` in the session's database; raises `Refused` with the holder after a minute.

    `outer` is a lock that is held already, and is renewed with this one.
    """
    value = " ".join(
        (session.run_id, str(session.call("CLIENT", "ID")), os.urandom(6).hex(), str(os.getpid()), socket.gethostname())
    )
    _acquire(session, name, value, what)
    try:
        yield Lock(session, name, value, outer)
    finally:
        with suppress(redis.RedisError):
            session.run(scripts.UNLOCK, name, value)


def _acquire(session: Session, name: str, value: str, what: str) -> None:
    deadline = time.monotonic() + LOCK_WAIT
    gone = b""
    while holder := session.run(scripts.LOCK, name, value, _LIVES, gone):
        if _is_gone(session, holder):
            gone = holder
            continue
        if time.monotonic() >= deadline:
            *_, process, host = holder.decode("utf-8", "replace").split(" ")
            raise Refused(
                f"{what} is in use by process {process} on {host}",
                hint="Wait for it to end, then run the command again.",
            )
        time.sleep(_POLL)


def _is_gone(session: Session, holder: bytes) -> bool:
    run_id, client, *_ = holder.decode("utf-8", "replace").split(" ")
    return run_id != session.run_id or not session.is_connected(client)
