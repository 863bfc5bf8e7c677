"""Connections to a MongoDB server, and its errors in tdv's words.

In: a target's URL. Out: a connection to one of the server's databases, or a `TargetError`. Always holds: no message
carries a password or a value of a document.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from bson.codec_options import CodecOptions, DatetimeConversion
from bson.errors import BSONError
from pymongo import MongoClient, ReadPreference, WriteConcern, errors, timeout
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.read_concern import ReadConcern
from pymongo.uri_parser import parse_uri

from tdv.errors import DataError, TargetBusy, TargetError

Documents = Collection[dict[str, Any]]
_SELECT_WAIT: Final = 2_500
"""Milliseconds that a server, or the primary of a replica set, is looked for; the URL may say otherwise."""
_LISTENS_WAIT: Final = 1.0
_FAREWELL_WAIT: Final = 0.5
_OPTIONS: Final[CodecOptions[dict[str, Any]]] = CodecOptions(datetime_conversion=DatetimeConversion.DATETIME_MS)
UNAUTHORIZED: Final = 13
_AUTHENTICATION: Final = 18
_REFUSED_ROWS: Final = {121: "a validator of the collection", 11000: "a unique index of the collection"}
_CODES: Final = {
    UNAUTHORIZED: ("the user may not do this", "Grant it the role readWrite on the database, or dbOwner."),
    _AUTHENTICATION: ("wrong user or password", "Check both, and authSource in the URL."),
    14031: ("its disk is full", "Free some space, then run the command again; nothing was kept of this load."),
    10107: ("it is no primary, and only reads", "Name the primary or the whole replica set in the URL."),
    13435: ("it is no primary, and only reads", "Name the primary or the whole replica set in the URL."),
}


class Session:
    """A connection to the database of a URL, or to another one of its server."""

    def __init__(self, url: str) -> None:
        given = _parsed(url)
        if not given["database"]:
            raise TargetError(
                "the URL of the MongoDB target names no database",
                hint="Write it as mongodb://user@host:27017/database.",
            )
        words: dict[str, Any] = {"appname": "tdv", "retryWrites": False, "connect": False}
        _refuse_absent(given["nodelist"])
        if "serverselectiontimeoutms" not in {name.lower() for name in given["options"]}:
            words["serverSelectionTimeoutMS"] = _SELECT_WAIT
        self.client: MongoClient[dict[str, Any]] = MongoClient(url, **words)
        self.name = str(given["database"])
        self.database = self.of(self.name)

    def of(self, name: str) -> Database[dict[str, Any]]:
        """Another database of the server.

        A load reads back what it wrote: where the URL lets an application read from secondaries, or write without an
        answer, that is not for tdv.
        """
        write = self.client.write_concern
        return self.client.get_database(
            name,
            codec_options=_OPTIONS,
            read_preference=ReadPreference.PRIMARY,
            read_concern=ReadConcern(),
            write_concern=write if write.acknowledged else WriteConcern(),
        )

    def close(self) -> None:
        """Ends the connections; the driver tells the server so, and would wait for one that is gone."""
        with timeout(_FAREWELL_WAIT):
            self.client.close()


def sources(url: str) -> tuple[str, bool]:
    """The database that a URL names, and whether its user is looked for there."""
    given = _parsed(url)
    options = {name.lower() for name in given["options"]}
    return str(given["database"]), bool(given["username"]) and "authsource" not in options


def tidy(database: Database[dict[str, Any]], act: Callable[[], object]) -> None:
    """Takes away what a load leaves, as far as the server can still be reached; a server that is gone is not waited
    for."""
    with suppress(errors.PyMongoError):
        _refuse_absent(database.client.topology_description.server_descriptions())
        act()


@contextmanager
def failures(shown: str) -> Iterator[None]:
    """Turns the driver's errors into tdv's; `shown` is the target without credentials."""
    try:
        yield
    except (errors.PyMongoError, BSONError, OverflowError) as exc:
        # The server quotes the document that it refuses.
        raise _translated(exc, shown) from None


def _refuse_absent(nodes: Iterable[tuple[str, int | None]]) -> None:
    """Raises `ConnectionFailure` where no server listens: the driver would go on trying until its time is over.

    A server that does not refuse, but is slow or elects a primary, still gets that time.
    """
    refused = None
    for host, port in nodes:
        if port is None:
            return
        try:
            socket.create_connection((host, port), _LISTENS_WAIT).close()
        except ConnectionRefusedError as exc:
            refused = exc
            continue
        except OSError:
            return
        return
    if refused is not None:
        raise errors.ConnectionFailure("connection refused") from refused


def _parsed(url: str) -> dict[str, Any]:
    """The parts of a URL; raises `TargetError` without repeating it."""
    try:
        return dict(parse_uri(url))
    except (errors.PyMongoError, ValueError):
        # The reason may quote the password.
        raise TargetError(
            "the URL of the MongoDB target cannot be read",
            hint="Write it as mongodb://user@host:27017/database, special characters as %40 and the like.",
        ) from None


def _translated(exc: Exception, shown: str) -> TargetError | DataError:
    code = _code(exc)
    if code in _REFUSED_ROWS:
        return DataError(
            f"MongoDB refuses rows on {shown}: {_REFUSED_ROWS[code]} does not hold for them",
            hint="Compare the rules of the target's collection with the spec; nothing was kept of this load.",
        )
    if code in _CODES:
        reason, hint = _CODES[code]
        return TargetError(f"MongoDB refuses on {shown}: {reason}", hint=hint)
    if isinstance(exc, BSONError | OverflowError | errors.DocumentTooLarge):
        return DataError(
            f"MongoDB cannot hold a row of this load: {type(exc).__name__}",
            hint="A document has at most 16 MB and 100 levels, and its integers 64 bits.",
        )
    if isinstance(exc, errors.WaitQueueTimeoutError):
        return TargetBusy(f"{shown} takes no more connections", hint="Close other ones, then run the command again.")
    if isinstance(exc, errors.ConnectionFailure):
        refused = isinstance(exc.__cause__, ConnectionRefusedError)
        look = "Look whether the server runs, and at host and port of the URL"
        return TargetError(
            f"{shown} {'cannot be reached: connection refused' if refused else 'does not answer, or went away'}",
            hint=f"{look}." if refused else f"{look}; for one that is slow, serverSelectionTimeoutMS=10000 in it.",
        )
    name = (getattr(exc, "details", None) or {}).get("codeName") or type(exc).__name__
    return TargetError(f"MongoDB failed on {shown}: {name}", hint="Look at the server's log.")


def _code(exc: Exception) -> int | None:
    if isinstance(exc, errors.BulkWriteError):
        found = [*(exc.details or {}).get("writeErrors", ()), *(exc.details or {}).get("writeConcernErrors", ())]
        return int(found[0]["code"]) if found else None
    return exc.code if isinstance(exc, errors.OperationFailure) else None
