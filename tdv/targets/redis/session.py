"""Connections to a Redis server, and its errors in tdv's words.

In: a target's URL. Out: a connection to one of the server's databases, or a `TargetError`. Always holds: no message
carries a password, a value of a row or the name of its key; a command is sent once.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, cast

import redis
from redis.backoff import NoBackoff
from redis.connection import parse_url
from redis.retry import Retry

from tdv.errors import IntegrityError, TargetBusy, TargetError
from tdv.targets.redis import scripts
from tdv.targets.redis.answers import answers_on, other, until
from tdv.targets.redis.names import NEVER

if TYPE_CHECKING:
    from tdv.targets.redis.codec import Block

_CONNECT_WAIT: Final = 10
_COPIES_SINCE: Final = (6, 2)
_SINCE: Final = (4, 0)
_DEFAULT_DATABASES: Final = 16
_REASONS: Final = (
    (r"WRONGPASS|NOAUTH|[Ii]nvalid (username|password)|[Aa]uthentication", "wrong user or password", "Check both."),
    (
        r"\bOOM\b|used memory",
        "its memory limit is reached",
        "Raise `maxmemory` or free memory; nothing was kept of this load.",
    ),
    (r"TDVLACKS", "it did not keep all rows, as when its memory limit is reached", "Raise `maxmemory` or free memory."),
    (r"READONLY|read only replica", "it is a replica, which only reads", "Use the primary server."),
    (
        r"NOPERM|[Nn]o permission|can't (access|run this command)",
        "the user may not do this",
        "Grant it all keys and commands.",
    ),
    (r"MISCONF", "it cannot save to its disk and takes no writes", "Free space on its disk, or look at its log."),
    (r"out of range", "it has no database of this number", "Name another one in the URL, or raise `databases`."),
    (r"unknown command", "it lacks a command", "Use Redis 4 or newer; tdv needs EVAL, SCAN and CLIENT."),
)
_BUSY: Final = (
    (r"LOADING|is loading", "it loads its data from disk", "Try again in a moment."),
    (r"max number of clients", "it takes no more connections", "Close other connections, or raise `maxclients`."),
    (r"\bBUSY\b", "it runs a long script", "Try again in a moment."),
    (r"TDVLOST", "another checkout took the lock meanwhile", "Run the command again."),
)
LACKS: Final = "TDVLACKS"
DAMAGED: Final = "TDVDAMAGED"
_NO_ROW: Final = "TDVNOROW"


class Session:
    """One connection to the database `database` of a server."""

    def __init__(self, url: str, database: int | None = None) -> None:
        given = _parsed(url)
        self.database = int(given.get("db", 0)) if database is None else database
        # A script that puts millions of rows in place may take longer than the driver would wait.
        waits = {"socket_connect_timeout": _CONNECT_WAIT, "socket_timeout": None}
        words: dict[str, Any] = {"client_name": "tdv", **waits, **given}
        words |= {"db": self.database, "protocol": 2, "decode_responses": False, "retry": Retry(NoBackoff(), 0)}
        secure = words.pop("connection_class", None) is redis.SSLConnection
        self._client = redis.Redis(single_connection_client=True, ssl=secure, **words)
        self._info = facts(self.call("INFO"))
        self._refuse_others()

    def call(self, *words: Any) -> Any:
        """Runs one command."""
        return cast(Any, self._client).execute_command(*words)

    def run(self, script: str, *words: Any) -> Any:
        """Runs a script."""
        return self._client.register_script(script)(args=list(words))

    def require_writable(self) -> None:
        """Raises the server's error where nothing can be written: for want of rights or memory, or on a replica."""
        # A key that does not exist, which nobody makes, is not set.
        self.call("SET", NEVER, "", "XX")

    def slices(self, script: str, *words: Any) -> Iterator[list[Any]]:
        """What a script answers that takes a cursor first, until the cursor is back at the start."""
        cursor = b"0"
        while True:
            answer = self.run(script, cursor, *words)
            cursor, *rest = answer if isinstance(answer, list) else [answer]
            yield rest
            if cursor == b"0":
                return

    def pour(self, blocks: Iterable[Block]) -> bool:
        """Sends blocks of rows; tells whether every row came back as it was sent."""
        mark = os.urandom(16).hex()
        # Whoever may not ask for the mark is told so here, and does not wait for it later.
        self.call("PING", mark)
        connection: Any = self._client.connection
        answers = answers_on(connection)
        for block in blocks:
            connection.send_packed_command([block.data])
            if found := other(answers, block.answer):
                connection.send_command("PING", mark)
                until(answers, mark, found)
                if refusal := answers.refused(found):
                    raise refusal
                return False
        return True

    def close(self) -> None:
        """Ends the connection."""
        self._client.close()

    @property
    def run_id(self) -> str:
        """Another text after every start of the server."""
        return str(self._info["run_id"])

    @property
    def copies(self) -> bool:
        """True for a server that can copy keys."""
        return self._version >= _COPIES_SINCE

    @property
    def databases(self) -> int:
        """How many databases the server has."""
        try:
            _, number = self.call("CONFIG", "GET", "databases")
            return int(number)
        except (redis.ResponseError, ValueError):
            return _DEFAULT_DATABASES

    @property
    def in_use(self) -> list[int]:
        """The databases that hold any key."""
        found = facts(self.call("INFO", "keyspace"))
        return sorted(int(name[2:]) for name in found if re.fullmatch(r"db[0-9]+", name))

    def sweep(self, pattern: str) -> None:
        """Removes the keys of a pattern."""
        for _ in self.slices(scripts.SWEEP, pattern):
            pass

    def is_connected(self, number: str) -> bool:
        """False if the server says that it has no such client."""
        try:
            found = self.call("CLIENT", "LIST")
        except redis.ResponseError:
            return True
        return re.search(rf"^id={re.escape(number)} ".encode(), found, re.MULTILINE) is not None

    @property
    def _version(self) -> tuple[int, ...]:
        return tuple(int(part) for part in re.findall(r"\d+", self._info.get("redis_version", "0"))[:2])

    def _refuse_others(self) -> None:
        if self._info.get("redis_mode") == "cluster" or self._info.get("cluster_enabled") == "1":
            raise TargetError(
                "the server is a Redis Cluster, which has no databases and no scripts over all keys",
                hint="Use a server that is no cluster; `tdv serve-db redis` starts one.",
            )
        if self._version < _SINCE:
            raise TargetError("the server is older than Redis 4", hint="Use a newer server.")


def _parsed(url: str) -> dict[str, Any]:
    """The parameters of a URL; raises `TargetError` without repeating it."""
    try:
        return cast(dict[str, Any], cast(Any, parse_url)(url))
    except (ValueError, TypeError):
        # The reason may quote the password.
        raise TargetError(
            "the URL of the Redis target cannot be read",
            hint="Write it as redis://user@host:6379/0, special characters as %40 and the like.",
        ) from None


def facts(info: Any) -> dict[str, Any]:
    """What ``INFO`` says, by name; the driver has parsed what is not from a script."""
    if isinstance(info, dict):
        return {str(name): value if isinstance(value, dict) else str(value) for name, value in info.items()}
    text = info.decode("utf-8", "replace")
    return dict(line.split(":", 1) for line in text.splitlines() if ":" in line)


@contextmanager
def failures(shown: str) -> Iterator[None]:
    """Turns the driver's errors into tdv's; `shown` is the target without credentials."""
    try:
        yield
    except redis.RedisError as exc:
        # What the server says may quote a command with its values.
        raise _translated(exc, shown) from None


def _translated(exc: redis.RedisError, shown: str) -> TargetError | IntegrityError:
    text = str(exc)
    if _NO_ROW in text:
        return IntegrityError(
            f"a key of {shown} that has the name of a row is no hash",
            hint="Something else than tdv wrote it; `tdv checkout` removes it.",
        )
    for pattern, reason, hint in _BUSY:
        if re.search(pattern, text):
            return TargetBusy(f"{shown} is busy: {reason}", hint=hint)
    for pattern, reason, hint in _REASONS:
        if re.search(pattern, text):
            return TargetError(f"Redis refuses on {shown}: {reason}", hint=hint)
    if isinstance(exc, redis.ConnectionError | redis.TimeoutError):
        return TargetError(
            f"{shown} cannot be reached, or went away: {_reason(exc)}",
            hint="Look whether the server runs, and at host and port; `tdv serve-db redis` starts one.",
        )
    return TargetError(f"Redis failed on {shown}: {text.partition(',')[0]}", hint="Look at the server's log.")


def _reason(exc: redis.RedisError) -> str:
    """What the system says, as "Connection refused"; the driver's text repeats host and port."""
    cause = exc.__cause__ or exc.__context__
    return (cause.strerror if isinstance(cause, OSError) else None) or type(exc).__name__
