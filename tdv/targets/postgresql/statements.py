"""What is said to a PostgreSQL server, whoever carries it: the driver or the small client.

In: a session. Out: rows, locks. Always holds: what the server refuses is told by its SQLSTATE, which both carry;
importing this module imports no driver.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final, Protocol

from tdv.errors import Refused

IN_USE: Final = "55006"
NOT_ALLOWED: Final = "42501"
READ_ONLY: Final = "25006"
NO_SUCH_DATABASE: Final = "3D000"
LOCKED: Final = "55P03"


class Answer(Protocol):
    """What a statement gives; `description` is None where that is no rows."""

    @property
    def description(self) -> Sequence[Any] | None: ...

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows."""


class Info(Protocol):
    """What a session knows of its server, such as 150018 for version 15.18."""

    @property
    def server_version(self) -> int: ...


class Speaking(Protocol):
    """A session in autocommit mode."""

    @property
    def info(self) -> Info: ...

    def execute(self, query: str, params: Sequence[Any] | None = None, /) -> Answer:
        """Runs one statement, with a value for each ``%s`` in it."""

    def transaction(self) -> AbstractContextManager[Any]:
        """Runs the statements of a block together, or none of them."""

    def close(self) -> None:
        """Ends the session."""


def execute(connection: Speaking, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Runs one statement and returns its rows, [] where it gives none."""
    cursor = connection.execute(statement, values or None)
    return cursor.fetchall() if cursor.description else []


@contextmanager
def tolerating(*states: str) -> Iterator[None]:
    """Ends a block quietly at what the server refuses for one of these reasons; for any, where none is named."""
    try:
        yield
    except Exception as exc:
        state = getattr(exc, "sqlstate", None)
        if not state or (states and state not in states):
            raise


def lock(connection: Speaking, name: str, what: str) -> None:
    """Waits for the advisory lock `name`, held until the session ends or the lock is released.

    `what` says in the error what is being waited for. Raises `Refused` with the holder.
    """
    number = _lock_number(name)
    try:
        execute(connection, "SELECT pg_advisory_lock(%s)", number)
    except Exception as exc:
        if getattr(exc, "sqlstate", None) != LOCKED:
            raise
        raise Refused(
            f"{what} is in use by {_holder(connection, number)}",
            hint="Wait for it to end, then run the command again.",
        ) from exc


def lock_at_once(connection: Speaking, name: str) -> bool:
    """Takes the advisory lock `name` as `lock` does; False where another session has it."""
    ((taken,),) = execute(connection, "SELECT pg_try_advisory_lock(%s)", _lock_number(name))
    return bool(taken)


def unlock(connection: Speaking, name: str) -> None:
    """Releases the advisory lock `name`."""
    execute(connection, "SELECT pg_advisory_unlock(%s)", _lock_number(name))


def _lock_number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(f"tdv {name}".encode()).digest()[:8], "big", signed=True)


def _holder(connection: Speaking, number: int) -> str:
    """Who holds an advisory lock, as far as the server tells."""
    rows = execute(
        connection,
        "SELECT a.pid, a.usename, coalesce(a.client_addr::text, 'this machine'), a.application_name "
        "FROM pg_locks l JOIN pg_stat_activity a USING (pid) WHERE l.locktype = 'advisory' AND l.granted "
        "AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) "
        "AND (l.classid::bigint << 32 | l.objid::bigint) = %s",
        number,
    )
    if not rows:
        return "another session"
    pid, user, address, application = rows[0]
    return f"session {pid} of {user} from {address}" + (f" ({application})" if application else "")
