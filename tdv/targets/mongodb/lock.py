"""One checkout at a time: a lock that is a document.

In: a database and a name. Out: a lock that is held while the block runs. Always holds: the clock is the server's; a
lock that nobody renews is free after half a minute, and at once when its process on this machine is seen to be dead.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from pymongo import errors
from pymongo.database import Database

from tdv.durable import LOCK_WAIT
from tdv.errors import Refused, TargetBusy
from tdv.targets.mongodb.names import LOCK
from tdv.targets.mongodb.session import tidy

_LIVES: Final = 30_000
"""Milliseconds until a lock that nobody renews is free."""
_RENEWED: Final = 5.0
_POLL: Final = 0.05
_UNTIL: Final[dict[str, Any]] = {"$add": ["$$NOW", _LIVES]}


class Lock:
    """A lock that is held; its `token` is like that of no other holder. `outer` is one that is held meanwhile."""

    def __init__(self, database: Database[dict[str, Any]], name: str, token: str, outer: Lock | None = None) -> None:
        self._outer = outer
        self._locks = database[LOCK]
        self._own = {"_id": name, "token": token}
        self._renewed = time.monotonic()

    def renew(self) -> None:
        """Says that the holder is at work; to be called every few seconds."""
        if self._outer is not None:
            self._outer.renew()
        if time.monotonic() - self._renewed > _RENEWED:
            self.confirm()

    def confirm(self) -> None:
        """Raises `TargetBusy` if the lock was lost."""
        if not self._locks.update_one(self._own, [{"$set": {"until": _UNTIL}}]).matched_count:
            raise TargetBusy("another checkout took the lock meanwhile", hint="Run the command again.")
        self._renewed = time.monotonic()


@contextmanager
def locked(database: Database[dict[str, Any]], name: str, what: str, outer: Lock | None = None) -> Iterator[Lock]:
    """Waits for the lock `name`; raises `Refused` with the holder after a minute.

    `outer` is a lock that is held already, and is renewed with this one.
    """
    token = os.urandom(8).hex()
    _acquire(database, name, token, what)
    try:
        yield Lock(database, name, token, outer)
    finally:
        tidy(database, lambda: database[LOCK].delete_one({"_id": name, "token": token}))


def _acquire(database: Database[dict[str, Any]], name: str, token: str, what: str) -> None:
    deadline = time.monotonic() + LOCK_WAIT
    gone = ""
    while not _taken(database, name, token, gone):
        holder = database[LOCK].find_one({"_id": name}) or {}
        gone = str(holder.get("token", "")) if _is_dead(holder) else ""
        if not gone and time.monotonic() >= deadline:
            raise Refused(
                f"{what} is in use by process {holder.get('process')} on {holder.get('host')}",
                hint="Wait for it to end, then run the command again.",
            )
        if not gone:
            time.sleep(_POLL)


def _taken(database: Database[dict[str, Any]], name: str, token: str, gone: str) -> bool:
    """Takes the lock if it is free, or if its holder is the one that is `gone`."""
    # MongoDB refuses an upsert that compares with `$$NOW`, as any other with `$expr`.
    now = database.command("hello")["localTime"]
    free = {"$or": [{"token": gone}, {"until": {"$lt": now}}]}
    fields = {"token": token, "process": os.getpid(), "host": socket.gethostname(), "machine": _machine()}
    try:
        database[LOCK].update_one(
            {"_id": name, **free},
            [{"$set": {**{key: {"$literal": value} for key, value in fields.items()}, "until": _UNTIL}}],
            upsert=True,
        )
    except errors.DuplicateKeyError:
        return False
    return True


def _machine() -> str:
    """The running kernel and the space of process numbers, "" where the system does not tell."""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        return f"{boot} {os.readlink('/proc/self/ns/pid')}"
    return ""


def _is_dead(holder: dict[str, Any]) -> bool:
    if not holder.get("machine") or holder["machine"] != _machine():
        return False
    try:
        os.kill(int(holder["process"]), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
