"""Where a target's URL points: as an absolute URL, as hosts, and as an identity that no spelling can hide.

In: URLs and paths as users write them, and the environment. Out: text. Always holds: two complete URLs of one
database have one `identity`, whatever driver, user, password, options or relative path they are written with.

``sqlite:///x.db`` and ``duckdb:///x.duckdb`` are relative and need a fourth slash to be absolute (as SQLAlchemy
has it); ``file:///dir`` is absolute (RFC 8089), and ``file:dir`` relative. In the path of these URLs ``?``, ``#``
and ``%`` are percent-encoded.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, parse_qs, parse_qsl, quote, unquote, urlsplit

from tdv.errors import UsageError

FILES: Final = frozenset({"sqlite", "duckdb", "file"})
_SUFFIXES: Final = {
    ".db": "sqlite",
    ".sqlite": "sqlite",
    ".sqlite3": "sqlite",
    ".db3": "sqlite",
    ".duckdb": "duckdb",
    ".ddb": "duckdb",
}
_SYNONYMS: Final = {"postgres": "postgresql", "mariadb": "mysql", "rediss": "redis"}
_PORTS: Final = {"postgresql": "5432", "mysql": "3306", "mongodb": "27017", "redis": "6379"}
_THIS_HOST: Final = frozenset({"", "localhost", "127.0.0.1", "::1", "0.0.0.0"})
_SOCKETS: Final = {"mysql": "unix_socket", "redis": "unix_socket_path"}
_LIBPQ: Final = {"host": "PGHOST", "port": "PGPORT", "dbname": "PGDATABASE"}
_SECRET: Final = r"(?i)(^|&)([^&=]*(?:password|passwd|pwd|secret|token|key)[^&=]*)=[^&]*"


def is_url(text: str) -> bool:
    """True for what begins with a scheme; a single letter is no scheme."""
    return re.match(r"[A-Za-z][A-Za-z0-9+.-]+:", text) is not None


def is_path(text: str) -> bool:
    """True for what can only be a path: it holds a slash or ends as a database file does."""
    return "/" in text or text in (".", "..") or Path(text).suffix.lower() in _SUFFIXES


def absolute(text: str, directory: Path) -> str:
    """The URL of `text` (a URL or a path), with a relative path counted from `directory`, an absolute one."""
    if not is_url(text):
        engine = "file" if text.endswith("/") else _SUFFIXES.get(Path(text).suffix.lower(), "file")
        return file_url(engine, _from(directory, text, ends=text.endswith("/")), "")
    parts = _parsed(text)
    if _engine(parts.scheme) not in FILES:
        return text
    if "#" in text:
        raise UsageError("the URL of the target has a # in it, which ends its path", hint="Write # as %23.")
    path = unquote(_written_path(parts))
    if path in ("", ":memory:"):
        return text
    return file_url(parts.scheme.lower(), _from(directory, path, ends=path.endswith("/")), parts.query)


def complete(url: str, environ: Mapping[str, str]) -> str:
    """An absolute URL with what libpq would add from its variables, so that the URL alone says where it leads.

    Raises `UsageError` where a service of libpq would say it: which file describes the services depends on the driver.
    """
    parts = urlsplit(url)
    if _engine(parts.scheme) != "postgresql" or not url.partition(":")[2].startswith("//"):
        return url
    given = _of_libpq(parts)
    _refuse_service(given, environ)
    added = {name: environ.get(_LIBPQ[name], "") for name in ("host", "port") if name not in given}
    added = {name: value for name, value in added.items() if value}
    address = environ.get("PGHOSTADDR", "")
    if "hostaddr" not in given and (address or "PGSERVICE" in environ):
        # It goes before any host; one without text keeps out that of the service.
        added["hostaddr"] = address
    path = parts.path
    if not given.get("dbname"):
        database = given.get("dbname", environ.get(_LIBPQ["dbname"])) or _user(given, environ)
        path = "/" + quote(database, "", errors="surrogateescape")
        # Of two options the last one wins.
        added |= {name: database for name in ("dbname",) if name in given}
    words = [f"{name}={quote(value, errors='surrogateescape')}" for name, value in added.items()]
    query = "&".join([*filter(None, [parts.query]), *words])
    return f"{parts.scheme}://{parts.netloc}{path}" + (f"?{query}" if query else "")


def identity(url: str) -> frozenset[str]:
    """What `url` points to, one text per host: engine, host, port and database, or engine and real path.

    `url` is absolute and complete. Two URLs that share a text point to one database.
    """
    parts = urlsplit(url)
    engine = _engine(parts.scheme)
    if engine in FILES:
        return frozenset({f"{engine} {os.path.realpath(unquote(_written_path(parts)))}"})
    database = _database(parts, engine)
    return frozenset(f"{engine} {host} {database}" for host in _hosts_and_ports(parts, engine))


def hosts(url: str) -> tuple[str, ...]:
    """The hosts of `url` in lower case, () for files."""
    parts = urlsplit(url)
    engine = _engine(parts.scheme)
    return () if engine in FILES else tuple(text.rpartition(":")[0] for text in _hosts_and_ports(parts, engine))


def engine_of(url: str) -> str:
    """The engine of a URL in one spelling, whatever driver it names."""
    return _engine(url.partition(":")[0])


def server(url: str) -> str:
    """The server of an absolute URL as it is written there, without database and credentials; for files, the engine."""
    parts = urlsplit(url)
    engine = _engine(parts.scheme)
    if engine in FILES:
        return engine
    options = "&".join(word for word in parts.query.split("&") if not word.startswith(("dbname=", "db=")))
    return without_credentials(f"{engine}://{parts.netloc}/" + (f"?{options}" if options else ""))


def without_credentials(url: str) -> str:
    """`url` as it may be printed: no user information and no option whose name speaks of a secret."""
    parts = urlsplit(url)
    query = re.sub(_SECRET, r"\1\2=…", parts.query)
    if not parts.netloc:
        return url.replace(f"?{parts.query}", f"?{query}") if parts.query else url
    shown = parts._replace(netloc=parts.netloc.rpartition("@")[2], query=query)
    # `geturl` drops the slashes where no host follows them, as in that of a Unix socket.
    return shown.geturl() if shown.netloc else f"{parts.scheme}://{shown._replace(scheme='').geturl()}"


def _parsed(text: str) -> SplitResult:
    """The parts of a URL. Drivers do not agree on where a password with a ``#`` or ``/`` ends: then the host that is
    checked would not be the one that is connected to, and a part of the password would be printed as a path."""
    try:
        parts = urlsplit(text)
    except ValueError:
        raise _unreadable() from None
    is_torn = "#" in text or "@" in parts.path or "@" in parts.query.partition("=")[0]
    if is_torn and _engine(parts.scheme) not in FILES:
        raise _unreadable()
    return parts


def _unreadable() -> UsageError:
    """Says nothing of the URL itself: it may hold a password in any of its parts."""
    return UsageError(
        "the URL of the target cannot be read",
        hint="Write it as scheme://user:password@host:port/database, with # as %23, / as %2F, ? as %3F, @ as %40.",
    )


def _engine(scheme: str) -> str:
    """The engine of ``postgresql+psycopg`` and the like: the scheme without driver, in one spelling."""
    engine = scheme.lower().partition("+")[0]
    return _SYNONYMS.get(engine, engine)


def _written_path(parts: SplitResult) -> str:
    """The path of a file URL; absolute if it begins with a slash."""
    if _engine(parts.scheme) == "file" or parts.netloc:
        return parts.path
    return parts.path.removeprefix("/")


def _from(directory: Path, path: str, *, ends: bool) -> str:
    whole = "/" + os.path.normpath(os.path.join(directory, path)).lstrip("/")
    return whole + "/" if ends and whole != "/" else whole


def file_url(scheme: str, path: str, query: str = "") -> str:
    """The URL of an absolute path. Only what would end the path, or be decoded, is encoded: not every program that is
    given a URL decodes it."""
    slashes = "://" if _engine(scheme) == "file" else ":///"
    written = re.sub(r"[%?#\x00-\x1f\x7f]", lambda match: quote(match[0]), path)
    return f"{scheme}{slashes}{written}" + (f"?{query}" if query else "")


def _option(parts: SplitResult, name: str) -> str | None:
    found = parse_qs(parts.query).get(name)
    return found[-1] if found else None


def _of_libpq(parts: SplitResult) -> dict[str, str]:
    """The parameters that libpq reads out of a URL: options win, also empty ones; lists have commas."""
    places = _places(parts)
    written = {
        "host": ",".join(host for host, _ in places),
        "port": ",".join(port for _, port in places),
        "user": unquote(parts.username or ""),
        "dbname": unquote(parts.path.removeprefix("/")),
    }
    # There, a plus sign is no space.
    options = parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True)
    return {name: value for name, value in written.items() if value} | dict(options)


def _refuse_service(given: Mapping[str, str], environ: Mapping[str, str]) -> None:
    hint = "Write host, port and database in the URL: postgresql://user@host:5432/database."
    if "service" in given:
        raise UsageError(
            f"the URL of the target names the service {given['service']!r}, which hides what database it is", hint=hint
        )
    missing = [name for name in _LIBPQ if name not in given]
    if "PGSERVICE" in environ and missing:
        raise UsageError(
            f"PGSERVICE is set, and the URL of the target leaves {missing[0]} to that service",
            hint=f"{hint[:-1]}, or unset PGSERVICE.",
        )


def _user(given: Mapping[str, str], environ: Mapping[str, str]) -> str:
    """The user that libpq logs in with, "" where the system knows none."""
    named = given.get("user", environ.get("PGUSER"))
    if named:
        return named
    try:
        import pwd

        return pwd.getpwuid(os.geteuid()).pw_name
    except (ImportError, KeyError):
        return ""


def _database(parts: SplitResult, engine: str) -> str:
    """The database as the driver of the engine finds it."""
    path = unquote(parts.path.strip("/"))
    if engine == "postgresql":
        # libpq takes the user's name for a database that is not given.
        given = _of_libpq(parts)
        return given.get("dbname") or given.get("user", "")
    if engine == "redis":
        # redis-py lets the first option win, and reads a number out of a path, else takes 0.
        return _number(unquote(parse_qs(parts.query).get("db", [path.replace("/", "")])[0]))
    return path


def _number(text: str) -> str:
    try:
        return str(int(text))
    except ValueError:
        return "0"


def _hosts_and_ports(parts: SplitResult, engine: str) -> tuple[str, ...]:
    """``host:port`` for each host, as the driver of the engine finds them."""
    places = _places(parts)
    if engine == "postgresql":
        given = _of_libpq(parts)
        lists = [given[name] for name in ("host", "hostaddr") if given.get(name)] or [""]
        places = [place for hosts in lists for place in _paired(hosts.split(","), given.get("port", "").split(","))]
    elif engine == "redis":
        names, ports = [host for host, _ in places], [port for _, port in places]
        names = [_host_and_port(_option(parts, "host") or "")[0]] if names == [""] else names
        ports = [_option(parts, "port") or ""] if ports == [""] else ports
        places = list(zip(names, ports, strict=True))
    if engine in _SOCKETS and _option(parts, _SOCKETS[engine]):
        # It goes before host and port, and does not tell the port of its server.
        places = [("", places[0][1]), ("", "")]
    return tuple(f"{_named(host)}:{_port(port) or _PORTS.get(engine, '')}" for host, port in places)


def _paired(names: list[str], ports: list[str]) -> list[tuple[str, str]]:
    """Hosts and ports; one port is that of all hosts."""
    return list(zip(names, ports if len(ports) == len(names) else ports[:1] * len(names), strict=True))


def _places(parts: SplitResult) -> list[tuple[str, str]]:
    """The hosts between user and path, each with its port."""
    return [_host_and_port(unquote(text)) for text in parts.netloc.rpartition("@")[2].split(",")]


def _host_and_port(text: str) -> tuple[str, str]:
    """Host and port, "" where there is none; ``[::1]:5432`` and a bare IPv6 address work."""
    match = re.fullmatch(r"\[(.*)\](?::([0-9]+))?|([^:]*)(?::([0-9]+))?", text)
    return (match[1] or match[3] or "", match[2] or match[4] or "") if match else (text, "")


def _port(text: str) -> str:
    """A port as drivers read it, so that 05432 is 5432, and 0 is none."""
    return _number(text).removeprefix("0")


def _named(host: str) -> str:
    """A host in lower case; every name of this machine is one."""
    is_here = host.lower() in _THIS_HOST or host.startswith(("/", "@")) or re.fullmatch(r"127(\.[0-9]+){3}", host)
    return "localhost" if is_here else host.lower().rstrip(".")
