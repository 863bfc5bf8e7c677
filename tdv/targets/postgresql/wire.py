"""A small client of the PostgreSQL protocol, for what must be done before the driver is loaded.

In: a URL and the environment. Out: a session that runs statements and gives rows as text. Always holds: what it does
not know (several hosts, certificates, Kerberos, service and password files, options) raises `Unsupported` before or
instead of a guess, so that the driver does it; encryption is as libpq's `sslmode` has it; no error repeats a password.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import field
from typing import Final
from urllib.parse import unquote, urlsplit

from tdv.frozen import dataclass
from tdv.targets.postgresql.authentication import Login, Unsupported
from tdv.targets.postgresql.settings import APPLICATION

_PROTOCOL: Final = 196_608
_SSL_REQUEST: Final = 80_877_103
_CANCEL_REQUEST: Final = 80_877_102
_WAIT: Final = 10.0
_LONGEST: Final = 16 << 20
_MODES: Final = frozenset({"disable", "prefer", "require"})
_VARIABLES: Final = {
    "PGHOST": "host",
    "PGPORT": "port",
    "PGUSER": "user",
    "PGPASSWORD": "password",
    "PGDATABASE": "dbname",
    "PGSSLMODE": "sslmode",
    "PGOPTIONS": "options",
}
_WITHOUT_EFFECT: Final = frozenset({"PGDATA", "PGAPPNAME", "PGCLIENTENCODING", "PGCONNECT_TIMEOUT"})
_OPTIONS: Final = frozenset({*_VARIABLES.values(), "application_name", "client_encoding", "connect_timeout"})
Row = tuple[str | None, ...]


class Refusal(Exception):
    """What the server says instead of an answer."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate


@dataclass(frozen=True, slots=True)
class Address:
    """Where a server is and who asks; `host` is a directory for a Unix socket."""

    host: str
    port: int
    user: str
    database: str
    password: str | None = field(default=None, repr=False)
    sslmode: str = "prefer"
    application: str = APPLICATION
    options: str = ""

    @classmethod
    def of(cls, url: str, environ: Mapping[str, str]) -> Address:
        """What libpq makes of a URL and its variables; raises `Unsupported`."""
        words = {**_from_environment(environ), **_from_url(url)}
        host, user, mode = words.get("host", ""), words.get("user", ""), words.get("sslmode", "prefer")
        if not host or not user or "," in host or host.startswith("@") or mode not in _MODES:
            raise Unsupported
        # Certificates there change what libpq accepts and shows.
        if not host.startswith("/") and mode != "disable" and os.path.exists(os.path.expanduser("~/.postgresql")):
            raise Unsupported
        return cls(
            host,
            int(words.get("port", "5432")),
            user,
            words.get("dbname") or user,
            words.get("password"),
            mode,
            words.get("application_name", APPLICATION),
            words.get("options", ""),
        )


def _from_environment(environ: Mapping[str, str]) -> dict[str, str]:
    given = {name: value for name, value in environ.items() if name.startswith("PG") and name not in _WITHOUT_EFFECT}
    if not given.keys() <= _VARIABLES.keys():
        raise Unsupported
    return {_VARIABLES[name]: value for name, value in given.items() if value}


def _from_url(url: str) -> dict[str, str]:
    parts = urlsplit(url)
    people, _, place = parts.netloc.rpartition("@")
    user, _, password = people.partition(":")
    host, _, port = place.partition(":")
    if "[" in place or parts.fragment:
        raise Unsupported
    found = {"user": user, "password": password, "host": host, "port": port, "dbname": parts.path.removeprefix("/")}
    options = [word.partition("=") for word in parts.query.split("&") if word]
    names = [name for name, _, _ in options]
    if not set(names) <= _OPTIONS or len(names) != len(set(names)):
        raise Unsupported
    found.update((name, value) for name, _, value in options)
    return {name: unquote(value, errors="strict") for name, value in found.items() if value}


@contextmanager
def session(address: Address) -> Iterator[Session]:
    """A session that is ready for statements; raises `Unsupported`, `Refusal` or `OSError`."""
    with _connected(address) as stream, closing(Session(stream, address)) as opened:
        opened.start()
        yield opened


def _connected(address: Address) -> socket.socket:
    is_local = address.host.startswith("/")
    place = (address.host, address.port)
    stream = socket.socket(socket.AF_UNIX) if is_local else socket.create_connection(place, _WAIT)
    try:
        if is_local:
            stream.settimeout(_WAIT)
            stream.connect(f"{address.host}/.s.PGSQL.{address.port}")
            return stream
        stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return stream if address.sslmode == "disable" else _encrypted(stream, address)
    except BaseException:
        stream.close()
        raise


def _encrypted(stream: socket.socket, address: Address) -> socket.socket:
    """The stream with TLS, where the server has it; a server without it is left to the driver if it is required."""
    stream.sendall(struct.pack("!ii", 8, _SSL_REQUEST))
    answer = stream.recv(1)
    if answer == b"N" and address.sslmode == "prefer":
        return stream
    if answer != b"S":
        raise Unsupported
    # Loading it takes as long as all the rest.
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # As libpq has it: these modes keep from listening, not from posing as the server.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context.wrap_socket(stream, server_hostname=address.host)


class Session:
    """One connection; `version` is that of the server as a number: 15 for 15.18."""

    def __init__(self, stream: socket.socket, address: Address) -> None:
        self._stream = stream
        self._read = stream.makefile("rb")
        self._address = address
        self._key = b""
        self.version = 0

    def start(self) -> None:
        """Says who asks, and proves it."""
        address = self._address
        words = {
            "user": address.user,
            "database": address.database,
            "client_encoding": "UTF8",
            "application_name": address.application,
            **({"options": address.options} if address.options else {}),
        }
        body = b"".join(text.encode() + b"\0" for pair in words.items() for text in pair) + b"\0"
        self._stream.sendall(struct.pack("!ii", len(body) + 8, _PROTOCOL) + body)
        login = Login(address.user, address.password)
        for kind, data in self._answers(b"RK"):
            if kind == b"K":
                self._key = data
            elif (answer := login.answer(int.from_bytes(data[:4], "big"), data[4:])) is not None:
                self._send(b"p", answer)

    def wait_for_long(self) -> None:
        """From now on an answer may take as long as it takes."""
        self._stream.settimeout(None)

    def query(self, statements: str) -> list[Row]:
        """Runs statements, in one transaction, and gives the rows of the last one."""
        return self.answer(statements)[1]

    def answer(self, statements: str) -> tuple[tuple[int, ...], list[Row]]:
        """As `query`, with the number of each column's type. Ctrl-C ends the statements on the server, too."""
        try:
            self._send(b"Q", statements.encode() + b"\0")
            return self._rows()
        except KeyboardInterrupt:
            self._cancel()
            raise

    def close(self) -> None:
        """Takes leave, so that the server notes no lost connection."""
        with suppress(OSError):
            self._send(b"X", b"")
        self._read.close()

    def _rows(self) -> tuple[tuple[int, ...], list[Row]]:
        types: tuple[int, ...] = ()
        rows: list[Row] = []
        for kind, data in self._answers(b"TDCI"):
            if kind == b"T":
                types, rows = _types(data), []
            elif kind == b"D":
                rows.append(_row(data))
        return types, rows

    def _cancel(self) -> None:
        """Ends what is at work, by a connection of its own as the protocol has it, and waits a while for its answer:
        the next statement, which tidies up, would wait for its end, and be taken for answered by it."""
        self._stream.settimeout(_WAIT)
        with suppress(Unsupported, Refusal, OSError):
            with _connected(self._address) as stream:
                stream.sendall(struct.pack("!ii", len(self._key) + 8, _CANCEL_REQUEST) + self._key)
                stream.recv(1)
            self._rows()

    def _answers(self, expected: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The messages until the server is ready; raises the first error that it reports, then or when it hangs up."""
        refusal: Refusal | None = None
        while True:
            kind, data = self._message()
            if kind == b"E":
                refusal = refusal or _refusal(data)
            if refusal is not None and (kind == b"Z" or _is_last(data)):
                raise refusal
            if kind == b"Z":
                return
            if kind == b"S" and data.startswith(b"server_version\0"):
                self.version = int(data.split(b"\0")[1].split(b".")[0])
            elif kind in expected:
                yield kind, data
            elif kind not in b"SNAE":
                raise Unsupported

    def _message(self) -> tuple[bytes, bytes]:
        head = self._read.read(5)
        size = int.from_bytes(head[1:], "big") - 4
        if len(head) < 5 or not 0 <= size <= _LONGEST:
            raise Unsupported
        return head[:1], self._read.read(size)

    def _send(self, kind: bytes, data: bytes) -> None:
        self._stream.sendall(kind + struct.pack("!i", len(data) + 4) + data)


def _types(data: bytes) -> tuple[int, ...]:
    """Behind each column's name stand the table and column that it is from, then its type."""
    found = []
    place = 2
    for _ in range(int.from_bytes(data[:2], "big")):
        place = data.index(b"\0", place) + 1
        found.append(int.from_bytes(data[place + 6 : place + 10], "big"))
        place += 18
    return tuple(found)


def _row(data: bytes) -> Row:
    values: list[str | None] = []
    place = 2
    for _ in range(int.from_bytes(data[:2], "big")):
        size = int.from_bytes(data[place : place + 4], "big", signed=True)
        place += 4
        values.append(None if size < 0 else data[place : place + size].decode())
        place += max(size, 0)
    return tuple(values)


def _is_last(data: bytes) -> bool:
    """Whether an error ends the session."""
    return b"\0VFATAL\0" in data or b"\0VPANIC\0" in data


def _refusal(data: bytes) -> Refusal:
    fields = {part[:1]: part[1:].decode(errors="replace") for part in data.split(b"\0") if part}
    return Refusal(fields.get(b"C", ""), fields.get(b"M", ""))
