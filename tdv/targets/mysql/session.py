"""Connections to a MySQL or MariaDB server, and its errors in tdv's words.

In: a target's URL. Out: connections with known settings, or a `TargetError`. Always holds: no message carries a
password or a value of a row, names are quoted as in standard SQL, and a statement never waits for a lock without end.
"""

from __future__ import annotations

import errno
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit
from urllib.parse import quote as percent

import pymysql
from pymysql.constants import CR, ER

from tdv.config import TargetSettings
from tdv.durable import LOCK_WAIT
from tdv.errors import DataError, Refused, TargetBusy, TargetError, TdvError
from tdv.targets.mysql.ddl import MODES
from tdv.targets.mysql.wire import Connection
from tdv.targets.sql import require_query

_CONNECT_WAIT: Final = 10
_SETTINGS: Final = (
    f"sql_mode = '{MODES}'",
    "time_zone = '+00:00'",
    f"innodb_lock_wait_timeout = {int(LOCK_WAIT)}",
    f"lock_wait_timeout = {int(LOCK_WAIT)}",
    "foreign_key_checks = 0",
    "net_read_timeout = 600",
    "net_write_timeout = 600",
    "group_concat_max_len = 16777216",
    "sql_safe_updates = 0",
    "autocommit = 1",
)
_ONLY_MYSQL: Final = ("information_schema_stats_expiry = 0", "max_execution_time = 0")
_ONLY_MARIADB: Final = ("max_statement_time = 0",)
_SECURE: Final = ("ssl_ca", "ssl_cert", "ssl_key")
_THIS_HOST: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_COLUMN: Final = re.compile(r"(?:[Cc]olumn|for key|CONSTRAINT) (?:`[^`]+`\.)*[`'\"]([^`'\"]+)")
_VALUES: Final = {
    ER.DATA_TOO_LONG: "a value is too long",
    ER.WARN_DATA_OUT_OF_RANGE: "a value is out of range",
    ER.DUP_ENTRY: "a value stands twice",
    ER.BAD_NULL_ERROR: "NULL is not taken",
    ER.ROW_IS_REFERENCED_2: "a row is referenced",
    ER.NO_REFERENCED_ROW_2: "a reference points to nothing",
    ER.TRUNCATED_WRONG_VALUE: "a value is of another type",
    ER.TRUNCATED_WRONG_VALUE_FOR_FIELD: "a value is of another type",
    ER.WARN_DATA_TRUNCATED: "a value would be cut",
    4025: "a check fails",
    3819: "a check fails",
}
_UNREACHABLE: Final = {
    ER.ACCESS_DENIED_ERROR: "Check user and password.",
    ER.DBACCESS_DENIED_ERROR: "Grant the user the right, or name another user in the URL.",
    ER.BAD_DB_ERROR: "Create it, or set `owns: database` for the target in tdv.yaml, so that tdv may.",
    CR.CR_CONN_HOST_ERROR: "Look whether the server runs, and at host and port of the URL; "
    "`tdv serve-db mariadb` starts one.",
}
_FULL: Final = "The disk of the server is full: free some space, then run the command again."
_HINTS: Final = {
    ER.TABLEACCESS_DENIED_ERROR: "Grant the user the right, or name another user in the URL.",
    ER.SPECIFIC_ACCESS_DENIED_ERROR: "Grant the user the right, or name another user in the URL.",
    ER.OPTION_PREVENTS_STATEMENT: "The server only reads: use the primary server.",
    1836: "The server only reads: use the primary server.",
    ER.RECORD_FILE_FULL: _FULL,
    ER.DISK_FULL: _FULL,
    CR.CR_SERVER_GONE_ERROR: "The server was stopped; run the command again when it is back.",
    CR.CR_SERVER_LOST: "The server was stopped; run the command again when it is back.",
}
_REFUSED: Final = {
    ER.DUP_ENTRY: "Texts that differ in case or accents only are one in most collations: let the migration give the "
    "column a binary one, such as utf8mb4_bin. A trigger that adds rows to a table of the dataset does the same.",
    ER.TRUNCATED_WRONG_VALUE: "Compare the column's type with the spec. MariaDB's UUID refuses some that are not as "
    "RFC 4122 has them: give the rows others, or let the column be CHAR(36).",
}
_REFUSED_ELSE: Final = (
    "Run `tdv validate` to see which rows break which rule, or compare the target's table with the spec."
)
_ELSE: Final = "Look at the server's log and at the rights of the user."
_NO_SPACE: Final = re.compile(rf"\b[Ee]rr(?:code|no):? {errno.ENOSPC}\b")
_CROWDED: Final = frozenset({ER.CON_COUNT_ERROR, ER.TOO_MANY_USER_CONNECTIONS, ER.USER_LIMIT_REACHED})
_LOCKED: Final = frozenset({ER.LOCK_WAIT_TIMEOUT, ER.LOCK_DEADLOCK})


@dataclass(frozen=True, slots=True)
class Given:
    """What a URL says: `words` are those of the driver, without the database."""

    words: Mapping[str, Any] = field(repr=False)
    database: str

    def __post_init__(self) -> None:
        if "\0" in self.database:
            raise TargetError("the URL of the MySQL target names a database with a NUL character", hint="Correct it.")


def parameters(url: str) -> Given:
    """The connection parameters of a URL; raises `TargetError` for one without a database, without repeating it."""
    try:
        parts = urlsplit(url)
        port = parts.port
        options = {name: values[-1] for name, values in parse_qs(parts.query).items()}
    except ValueError:
        # The reason could quote the password.
        raise _unreadable() from None
    database = unquote(parts.path.removeprefix("/"))
    if not database:
        raise _unreadable("names no database")
    words: dict[str, Any] = {
        "host": unquote(parts.hostname or "localhost"),
        "port": port or 3306,
        "user": unquote(parts.username or "") or None,
        "password": unquote(parts.password or "").encode(),  # of text the driver would make Latin-1
    }
    words.update({name: options[name] for name in ("unix_socket", *_SECURE) if name in options})
    if "unix_socket" in words or (words["host"] in _THIS_HOST and not any(name in words for name in _SECURE)):
        # Nobody else reads along, and preparing TLS takes longer than everything else about a connection.
        words["ssl_disabled"] = True
    return Given(words, database)


def _unreadable(what: str = "cannot be read") -> TargetError:
    return TargetError(
        f"the URL of the MySQL target {what}",
        hint="Write it as mysql://user@host:3306/database, special characters as %40 and the like.",
    )


def connect(given: Given, database: str | None) -> Connection:
    """A connection in autocommit mode with the settings that tdv relies on; `database` None is none at all."""
    words = {"charset": "utf8mb4", "connect_timeout": _CONNECT_WAIT, "autocommit": True}
    try:
        connection = Connection(**given.words, database=database, **words)
    except RuntimeError as exc:
        # Those ways to log in that need another package: MySQL's `caching_sha2_password`, MariaDB's `ed25519`.
        raise TargetError(
            f"the driver cannot log in as this server asks for: {exc}",
            hint='Install that package beside tdv; pip install "tdv[mysql]" brings `cryptography`.',
        ) from exc
    extra = _ONLY_MARIADB if is_mariadb(connection) else _ONLY_MYSQL
    execute(connection, f"SET SESSION {', SESSION '.join((*_SETTINGS, *extra))}")
    # The driver quotes by what the last answer of the server said about backslashes.
    execute(connection, "SET NAMES utf8mb4 COLLATE utf8mb4_bin")
    execute(connection, "SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    return connection


@contextmanager
def connected(given: Given) -> Iterator[Connection]:
    """A connection to the database of a URL while the block runs."""
    with closing(connect(given, given.database)) as connection:
        yield connection


def named(settings: TargetSettings, name: str) -> TargetSettings:
    """The settings that reach the database `name`, which tdv made, on the server of `settings`."""
    url = urlsplit(settings.url)._replace(path=f"/{percent(name, safe='')}").geturl()
    return replace(settings, name=None, url=url, owns="database", protected=False)


def is_mariadb(connection: Connection) -> bool:
    """True for a MariaDB server."""
    return "mariadb" in str(connection.server_version).lower()


def execute(connection: Connection, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    """Runs one statement and returns its rows, [] where it gives none."""
    with connection.cursor() as cursor:
        cursor.execute(statement, values or None)
        return [tuple(row) for row in cursor.fetchall()] if cursor.description else []


def require_rights(connection: Connection, statements: Iterable[str]) -> None:
    """Raises the server's error for the first of these statements that this user may not run; none of them is run.

    Of most kinds of statements the server looks at the rights when it prepares them, not of ``DROP``, ``ALTER`` or
    ``CREATE DATABASE``.
    """
    for statement in statements:
        execute(connection, "PREPARE tdv_asked FROM %s", statement)
        execute(connection, "DEALLOCATE PREPARE tdv_asked")


def answer(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    """The first two rows of one query, in the server's own SQL modes; transactions of the session only read from
    then on. Raises `TargetError` for another statement."""
    require_query(query)
    execute(connection, "SET SESSION sql_mode = DEFAULT")
    execute(connection, "SET SESSION TRANSACTION READ ONLY")
    # What only reads for the server may write files and settings; only a query that does not can stand in another one.
    inner = query.rstrip("; \t\r\n")
    execute(connection, "PREPARE tdv FROM %s", f"SELECT EXISTS (\n{inner}\n)")
    return execute(connection, query)[:2]


def is_missing_database(exc: pymysql.err.Error) -> bool:
    """True for the refusal of a connection to a database that does not exist."""
    return bool(number_of(exc) == ER.BAD_DB_ERROR)


def number_of(exc: pymysql.err.Error) -> int:
    """The number of an error, 0 where it has none."""
    return int(exc.args[0]) if exc.args and isinstance(exc.args[0], int) else 0


def lock(connection: Connection, name: str, what: str) -> None:
    """Waits for the lock `name`, held until the session ends or the lock is released.

    `what` says in the error what is being waited for. Raises `Refused` with the holder.
    """
    ((got,),) = execute(connection, "SELECT GET_LOCK(%s, %s)", _lock_name(name), int(LOCK_WAIT))
    if got != 1:
        raise Refused(
            f"{what} is in use by {_holder(connection, name)}", hint="Wait for it to end, then run the command again."
        )


def lock_at_once(connection: Connection, name: str) -> bool:
    """Takes the lock `name` if nobody has it."""
    return execute(connection, "SELECT GET_LOCK(%s, 0)", _lock_name(name)) == [(1,)]


def is_locked(connection: Connection, name: str) -> bool:
    """Whether a session has the lock `name`."""
    return execute(connection, "SELECT IS_FREE_LOCK(%s)", _lock_name(name)) != [(1,)]


def unlock(connection: Connection, name: str) -> None:
    """Releases the lock `name`, which a session that has ended released by that."""
    with suppress(pymysql.err.InterfaceError):
        execute(connection, "SELECT RELEASE_LOCK(%s)", _lock_name(name))


@contextmanager
def failures(shown: str) -> Iterator[None]:
    """Turns the driver's errors into tdv's; `shown` is the target without credentials."""
    try:
        yield
    except pymysql.err.Error as exc:
        error = translated(exc, shown)
        # The server quotes the row that it refuses.
        raise error from (None if isinstance(error, DataError) else exc)


def translated(exc: pymysql.err.Error, shown: str) -> TdvError:
    """An error of the driver as one of tdv's."""
    number = number_of(exc)
    reason = str(exc.args[1]) if len(exc.args) > 1 else "the connection is closed"
    if number in _VALUES:
        return refused_rows(number, reason)
    if number == ER.DB_CREATE_EXISTS:
        return Refused(f"there is such a database on {shown} already", hint="Name another one.")
    if number in _CROWDED:
        return TargetBusy(
            f"{shown} takes no more connections", hint="Close other connections, or raise max_connections."
        )
    if number in _LOCKED:
        return TargetBusy(
            f"another session holds a lock on {shown}", hint="End its transaction, then run the command again."
        )
    if number in _UNREACHABLE:
        return TargetError(f"{shown} cannot be reached: {reason}", hint=_UNREACHABLE[number])
    # Writing to a file of any kind may fail, with a number of its own each.
    hint = _FULL if _NO_SPACE.search(reason) else _HINTS.get(number, _ELSE)
    return TargetError(f"MySQL failed on {shown}: {reason}", hint=hint)


def refused_rows(number: int, reason: str, table: str = "") -> DataError:
    """For values that the engine, or a rule of an existing table, refuses; the values themselves stay unsaid."""
    column = _COLUMN.search(reason)
    place = f" of table {table!r}" if table else ""
    return DataError(
        f"MySQL refuses rows{place}: {_VALUES.get(number, f'error {number}')}" + (f" ({column[1]})" if column else ""),
        hint=_REFUSED.get(number, _REFUSED_ELSE),
        table=table,
    )


def _lock_name(name: str) -> str:
    return "tdv " + hashlib.sha256(name.encode()).hexdigest()[:32]


def _holder(connection: Connection, name: str) -> str:
    """Who holds a lock, as far as the server tells."""
    rows = execute(
        connection,
        "SELECT ID, USER, HOST FROM information_schema.PROCESSLIST WHERE ID = IS_USED_LOCK(%s)",
        _lock_name(name),
    )
    if not rows:
        return "another session"
    number, user, host = rows[0]
    return f"session {number} of {user} from {host}"
