"""Real database servers for tests: one per process of pytest, started when the first test asks for it.

A test that asks for a server that cannot be had is skipped with the reason, and fails where TDV_REQUIRE_SERVERS is set.
"""

from __future__ import annotations

import os
import re
import secrets
import socket
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tdv.errors import PluginMissing, TdvError
from tdv.servers import mariadb, postgresql, redis
from tdv.servers.private import Account, new_directory
from tdv.servers.server import Options, Running, Server, free_port

# Read at import: tests run without the variables of tdv.
REQUIRED = bool(os.environ.get("TDV_REQUIRE_SERVERS"))
MONGODB = os.environ.get("TDV_TEST_MONGODB_URL", "")
FAST = Path("/dev/shm")
"""A file system in memory, where making a database takes a tenth of the time."""


def missing(reason: str) -> None:
    """Skips the test, or fails where everything must be there."""
    if REQUIRED:
        pytest.fail(f"TDV_REQUIRE_SERVERS is set, and {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[Server]:
    """A PostgreSQL server that only this process uses."""
    try:
        import psycopg  # noqa: F401

        programs = postgresql.binaries(os.environ["PATH"])
    except (ImportError, PluginMissing) as exc:
        missing(str(exc))
    directory = FAST if os.access(FAST, os.W_OK) else None
    try:
        server = postgresql.start(programs, Options(port=None, directory=directory))
    except TdvError as exc:
        missing(exc.message)
    yield server
    server.process.stop()


@pytest.fixture
def absent_postgresql(postgresql_server: Server) -> Iterator[str]:
    """The URL of a database that does not exist yet; it is dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    yield database_url(postgresql_server.url, name)
    run_sql(postgresql_server.url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@pytest.fixture
def empty_postgresql(postgresql_server: Server, absent_postgresql: str) -> str:
    """The URL of a database of its own, which is empty."""
    run_sql(postgresql_server.url, f'CREATE DATABASE "{name_of(absent_postgresql)}"')
    return absent_postgresql


def name_of(url: str) -> str:
    """The database of a URL."""
    return urlsplit(url).path.removeprefix("/")


def database_url(url: str, name: str) -> str:
    """`url` with another database."""
    return re.sub(r"(?<=[^/])/postgres\b", f"/{name}", url)


def run_sql(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Runs statements in autocommit mode and returns the rows of the last one."""
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Server]:
    """A Redis server that only this process uses."""
    try:
        import redis as driver  # noqa: F401

        program = redis.binaries(os.environ["PATH"])
    except (ImportError, PluginMissing) as exc:
        missing(str(exc))
    try:
        server = redis.start(program, Options())
    except TdvError as exc:
        missing(exc.message)
    yield server
    server.process.stop()


@pytest.fixture
def empty_redis(redis_server: Server) -> str:
    """The URL of a database of a server that holds nothing."""
    from redis import Redis

    with Redis.from_url(redis_server.url) as client:
        client.flushall()
    return redis_server.url.removesuffix("/0") + "/3"


@pytest.fixture(scope="session")
def mariadb_server() -> Iterator[Server]:
    """A MariaDB server that only this process uses."""
    try:
        import pymysql  # noqa: F401

        programs = mariadb.binaries(os.environ["PATH"])
    except (ImportError, PluginMissing) as exc:
        missing(str(exc))
    directory = FAST if os.access(FAST, os.W_OK) else None
    try:
        server = mariadb.start(programs, Options(port=None, directory=directory))
    except TdvError as exc:
        missing(exc.message)
    yield server
    server.process.stop()


@pytest.fixture
def absent_mysql(mariadb_server: Server) -> Iterator[str]:
    """The URL of a database that does not exist yet; it is dropped afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    yield mysql_url(mariadb_server.url, name)
    run_mysql(mariadb_server.url, f"DROP DATABASE IF EXISTS `{name}`")


@pytest.fixture
def empty_mysql(mariadb_server: Server, absent_mysql: str) -> str:
    """The URL of a database of its own, which is empty."""
    run_mysql(mariadb_server.url, f"CREATE DATABASE `{name_of(absent_mysql)}`")
    return absent_mysql


def mysql_url(url: str, name: str) -> str:
    """`url` with another database."""
    return urlsplit(url)._replace(path=f"/{name}").geturl()


def run_mysql(url: str, *statements: str) -> list[tuple[object, ...]]:
    """Runs statements in autocommit mode and returns the rows of the last one."""
    import pymysql

    parts = urlsplit(url)
    words = {"user": parts.username, "password": parts.password, "database": name_of(url)}
    place = dict(parse_qsl(parts.query)) or {"host": parts.hostname, "port": parts.port}
    with pymysql.connect(**words, **place, autocommit=True, charset="utf8mb4") as connection, connection.cursor() as c:
        for statement in statements:
            c.execute(statement)
        return list(c.fetchall())


@pytest.fixture(scope="session")
def mongodb_server() -> Iterator[str]:
    """The URL of a MongoDB server: that of TDV_TEST_MONGODB_URL, else one of SecantusDB that only this process uses."""
    if MONGODB:
        yield MONGODB
        return
    process, port = start_secantus()
    yield f"mongodb://127.0.0.1:{port}/"
    process.stop()


def start_secantus() -> tuple[Running, int]:
    """A server of SecantusDB, and its port."""
    program = Path(sys.executable).with_name("secantusd-py")
    if not program.exists():
        missing("neither is TDV_TEST_MONGODB_URL set nor SecantusDB installed")
    account, port = Account(os.geteuid(), os.getegid()), free_port()
    directory = new_directory(account, FAST if os.access(FAST, os.W_OK) else None)
    words = ["--host", "127.0.0.1", "--port", str(port), "--storage-path", str(directory / "data"), "--standalone"]
    process = Running([program, *words], directory, account, "TERM")
    process.wait_until(lambda: _accepts(port), "SecantusDB")
    return process, port


@pytest.fixture
def empty_mongodb(mongodb_server: str) -> Iterator[str]:
    """The URL of a database of its own, which is empty; what tdv keeps on the server is gone before and after."""
    from pymongo import MongoClient

    name = f"test_{secrets.token_hex(6)}"
    with MongoClient(mongodb_server) as client:
        client.drop_database("tdv_images")
        yield re.sub(r"/(?=\?|$)", f"/{name}", mongodb_server, count=1)
        client.drop_database(name)


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
