"""Connections to a PostgreSQL server, and its errors in tdv's words.

In: a target's URL. Out: connections with known settings, or a `TargetError`. Always holds: no message carries a
password or a value of a row, and a statement never waits for a lock without end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, Final, cast
from urllib.parse import quote as percent
from urllib.parse import urlsplit

import psycopg
from psycopg import conninfo, errors

from tdv.config import TargetSettings
from tdv.errors import DataError, Refused, TargetBusy, TargetError, TdvError
from tdv.targets.fitting import REFERENCED
from tdv.targets.postgresql.settings import APPLICATION, USUAL
from tdv.targets.postgresql.statements import execute
from tdv.targets.sql import require_query

Connection = psycopg.Connection[tuple[Any, ...]]

_CONNECT_WAIT: Final = "10"
_RENAMED: Final = 9
"""How often in a row a database may be replaced while a connection to it is being opened."""
_MAINTENANCE: Final = ("postgres", "template1")
_IN_COPY: Final = re.compile(r"COPY (.+), line \d+(?:, column ([^:]+))?")
_REFUSALS: Final = (
    (r"password authentication failed|no password supplied|authentication failed", "Check user and password."),
    (r"too many clients|too many connections|connection slots", "Close other connections, or raise max_connections."),
    (r'role ".*" does not exist', "Check user and password."),
    (r'database ".*" does not', "Create it, or set `owns: database` for the target in tdv.yaml, so that tdv may."),
    (r"root certificate file", "Name the file of the server's authority in the URL: ?sslrootcert=/path/root.crt."),
    (r"pg_hba.conf.*no encryption", "Add ?sslmode=require to the URL, or look at the server's pg_hba.conf."),
    (r"pg_hba.conf", "The server lets nobody in from here; look at its pg_hba.conf."),
    (r"the database system is", "The server starts or stops; try again in a moment."),
    (r"locale is incompatible", "The server's system no longer has the locale that the database was made with."),
    (r"", "Look whether the server runs, and at host and port of the URL; `tdv serve-db postgresql` starts one."),
)
_POLICY: Final = "row-level security"
_HIDING: Final = "Name a user with BYPASSRLS, or the owner of the tables, unless they have FORCE ROW LEVEL SECURITY."
HINTS: Final = {
    "42501": "Grant the user the right, or name another user in the URL.",
    "25006": "The server or the user only reads: use the primary server, or another user.",
    "53100": "The disk of the server is full: free some space, then run the command again.",
    "53300": "Close other connections, or raise max_connections.",
    "55006": "Close the sessions on that database, then run the command again.",
    "57P01": "The server was stopped; nothing was kept of this load.",
    "57P02": "The server crashed; nothing was kept of this load.",
    "57P03": "The server starts or stops; try again in a moment.",
}


def parameters(url: str) -> dict[str, Any]:
    """The connection parameters of a URL, whose scheme may name a driver; raises `TargetError` without repeating it."""
    try:
        return cast(dict[str, Any], conninfo.conninfo_to_dict("postgresql" + url[url.index(":") :]))
    except psycopg.ProgrammingError:
        # The reason would quote the password.
        raise TargetError(
            "the URL of the PostgreSQL target cannot be read",
            hint="Write it as postgresql://user@host:5432/database, special characters as %40 and the like.",
        ) from None


def named(settings: TargetSettings, name: str) -> TargetSettings:
    """The settings that reach the database `name`, which tdv made, on the server of `settings`."""
    parts = urlsplit(settings.url)
    options = "&".join(word for word in parts.query.split("&") if word and not word.startswith("dbname="))
    url = f"{parts.scheme}://{parts.netloc}/{percent(name)}" + (f"?{options}" if options else "")
    return replace(settings, name=None, url=url, owns="database", protected=False)


def database_of(given: dict[str, Any]) -> str:
    """The database that these parameters reach: without a name, the one that is called as the user."""
    name = given.get("dbname") or given.get("user")
    if not name:
        raise TargetError(
            "the URL of the PostgreSQL target names no database",
            hint="Write it as postgresql://user@host:5432/database.",
        )
    return str(name)


def connect(given: dict[str, Any], database: str | None = None) -> Connection:
    """A connection in autocommit mode with the settings that tdv relies on."""
    words = {"connect_timeout": _CONNECT_WAIT, "application_name": APPLICATION, **given}
    words["client_encoding"] = "UTF8"
    if database is not None:
        words["dbname"] = database
    connection = _opened(words)
    execute(connection, USUAL)
    return connection


def _opened(words: dict[str, Any]) -> Connection:
    """A connection, also where the database gets another one's name while it is being opened.

    Whoever then waits for the database that had the name is told that it does not exist, with the detail that it seems
    to have just been renamed; the next attempt finds the new one. Without a detail there is no such database.
    """
    for _ in range(_RENAMED):
        try:
            return psycopg.connect(**words, autocommit=True, prepare_threshold=None)
        except psycopg.OperationalError as exc:
            if not is_missing_database(exc) or len(str(exc).splitlines()) == 1:
                raise
    return psycopg.connect(**words, autocommit=True, prepare_threshold=None)


def answer(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    """The first two rows of one query, in a transaction that only reads; raises `TargetError` for another statement,
    and where it fails over the rows, without the server's words, which may hold a value."""
    require_query(query)
    connection.read_only = True
    try:
        with connection.transaction(force_rollback=True):
            # In the binary protocol the server takes one statement: a second one could end the transaction. What only
            # reads for it may write files, as COPY does; only a query can have a cursor.
            connection.execute(f"DECLARE tdv CURSOR FOR {query}", binary=True)
            return connection.execute("FETCH 2 FROM tdv", binary=True).fetchall()
    except psycopg.DataError as exc:
        raise TargetError(f"it fails over the rows: {type(exc).__name__}", hint="Mend the query.") from None


def maintenance(given: dict[str, Any]) -> Connection:
    """A connection to a database of the server that is nobody's."""
    *first, last = _MAINTENANCE
    for database in first:
        try:
            return connect(given, database)
        except psycopg.OperationalError as exc:
            if not is_missing_database(exc):
                raise
    return connect(given, last)


def is_missing_database(exc: psycopg.Error) -> bool:
    """True for the refusal of a connection to a database that does not exist."""
    return exc.sqlstate == "3D000" or bool(re.search(r'database ".*" does not exist', str(exc)))


@contextmanager
def failures(shown: str) -> Iterator[None]:
    """Turns the driver's errors into tdv's; `shown` is the target without credentials."""
    try:
        yield
    except psycopg.Error as exc:
        error = _translated(exc, shown)
        # The server quotes the row that it refuses.
        raise error from (None if isinstance(error, DataError) else exc)


def _translated(exc: psycopg.Error, shown: str) -> TdvError:
    state = exc.sqlstate or ""
    if state[:2] in ("22", "23"):
        return refused_rows(exc)
    if state == "55P03":
        return TargetBusy(
            f"another session holds a lock on {shown}",
            hint="End its transaction, then run the command again.",
        )
    if state == "42P04":
        return Refused(f"there is such a database on {shown} already", hint="Name another one.")
    if state == "53300":
        return TargetBusy(f"{shown} takes no more connections", hint=HINTS[state])
    if not state and isinstance(exc, psycopg.OperationalError):
        return _unreachable(exc, shown)
    reason = exc.diag.message_primary or type(exc).__name__
    hint = HINTS.get(state, "Look at the server's log and at the rights of the user.")
    return TargetError(f"PostgreSQL failed on {shown}: {reason}", hint=_HIDING if _POLICY in reason else hint)


def _unreachable(exc: psycopg.OperationalError, shown: str) -> TargetError:
    lines = [line.strip() for line in str(exc).splitlines() if line.strip()] or [type(exc).__name__]
    reason = next((line.partition("FATAL:")[2].strip() for line in lines if "FATAL:" in line), lines[0])
    hint = next(hint for pattern, hint in _REFUSALS if re.search(pattern, reason))
    kind = TargetBusy if "max_connections" in hint else TargetError
    return kind(f"{shown} cannot be reached: {reason}", hint=hint)


def refused_rows(exc: psycopg.Error) -> DataError:
    """For values that the engine, or a rule of an existing table, refuses; the values themselves stay unsaid."""
    found = _IN_COPY.search(exc.diag.context or "")
    table = exc.diag.table_name or (found[1] if found else "")
    column = exc.diag.column_name or (found[2] if found else "")
    place = ", ".join(
        word for word in (f"table {table!r}" if table else "", f"column {column!r}" if column else "") if word
    )
    rule = f" (rule {exc.diag.constraint_name})" if exc.diag.constraint_name else ""
    kind = type(exc).__name__
    hint = "Run `tdv validate` to see which rows break which rule, or compare the target's table with the spec."
    if isinstance(exc, errors.ForeignKeyViolation):
        hint = REFERENCED
    if isinstance(exc, errors.UntranslatableCharacter):
        hint = "The encoding of the database lacks a character of the rows; use a database whose encoding is UTF8."
    return DataError(
        f"PostgreSQL refuses rows{' of ' + place if place else ''}: {kind}{rule}",
        hint=hint,
        table=table,
    )
