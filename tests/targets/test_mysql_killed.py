"""MariaDB: a checkout that is killed leaves the old rows or the new ones, and the next one finishes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from shutil import rmtree
from threading import Lock
from typing import Any

import pytest

from tdv.errors import TargetError, TdvError
from tdv.servers import mariadb
from tdv.servers.private import Account, new_directory
from tdv.servers.server import Options, Server
from tdv.targets.verification import target_digest
from tdv.testing import USERS, checkout, snapshot, users, wanted
from tests.targets.builders import target
from tests.targets.crashes import Mortal, crash_before, mortal
from tests.targets.places import ORDERS, MysqlPlace, shop
from tests.targets.servers import mysql_url, run_mysql
from tests.targets.test_postgresql_killed import die, in_child

pytest.importorskip("pymysql")

from tdv.targets.mysql import building, inplace, loading, swap, templates, whole
from tdv.targets.mysql.session import execute
from tdv.targets.mysql.wire import Connection

LEFT = (
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_NAME LIKE '\\_tdv\\_new%'"
    " OR TABLE_NAME LIKE '\\_tdv\\_old%' OR TABLE_SCHEMA LIKE 'tdv\\_copy%'"
)
THEIRS = "CREATE TABLE users (id bigint PRIMARY KEY, email varchar(99) UNIQUE, age smallint, at datetime(6))"
NEW: dict[str, tuple[Any, str]] = {
    "before rows": (building, "fill"),
    "before reading back": (building, "fingerprint"),
    "before the swap": (loading, "swap"),
    "before the rename": (swap, "execute"),
    "before old tables are dropped": (swap, "sweep"),
}
LARGE: dict[str, tuple[Any, str]] = {
    "before rows": (building, "fill"),
    "before keys": (building, "_change"),
    "before reading back": (building, "fingerprint"),
    "before references": (building.Beside, "finish"),
}
STAYING: dict[str, tuple[Any, str]] = {
    "before the state is taken away": (inplace, "write_state"),
    "before rows": (inplace, "fill"),
    "before reading back": (inplace, "check_rows"),
    "before the counter": (inplace, "counts_on"),
    "before the mark": (loading.Loading, "_marks"),
}
OWNED: dict[str, tuple[Any, str]] = {
    "before the template": (templates, "create_database"),
    "before its rows": (building, "fill"),
    "before its mark": (loading, "swap"),
    "before the copy": (templates.Templates, "copy"),
    "before the swap": (whole, "swap"),
}
WHOLE = (("1.0.0", 17), ("2.0.0", 13), ("", 17), ("", 13))
"""Versions, with their rows, that a reader may find; without a name while tables of others are filled in place."""
WAYS = {"new": NEW, "large": LARGE, "stay": STAYING, "own": OWNED}
POINTS = [(way, point) for way, points in WAYS.items() for point in points]
SESSIONS = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()"


@pytest.fixture
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How rows are replaced; any table is a large one where the way is so called."""
    name = str(request.param)
    if name == "large":
        monkeypatch.setattr(building, "LARGE", 1)
    return name


@pytest.mark.parametrize(("way", "point"), POINTS, indirect=["way"])
def test_killed_checkout_leaves_one_whole_version(tmp_path: Path, empty_mysql: str, way: str, point: str) -> None:
    place = MysqlPlace(tmp_path, empty_mysql)
    if way == "own":
        place.owned()
    if way == "stay":
        place.sql(THEIRS)
    place.checkout(17)
    place.sql("UPDATE users SET age = 1")
    module, name = WAYS[way][point]

    def killed() -> None:
        setattr(module, name, die)
        place.checkout(13, "2.0.0")

    status = in_child(killed)
    assert os.WIFSIGNALED(status)
    for held in place.target.held():
        assert (held.version, len(place.ids())) in WHOLE
    place.checkout(13, "2.0.0")
    digest = snapshot(tmp_path, {USERS: users(13)}).manifest
    assert target_digest(place.target, digest.schema) == digest.content
    assert [held.version for held in place.target.held()] == ["2.0.0"]
    assert place.sql(LEFT) == []
    for (database,) in place.sql("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'tdv%'"):
        place.sql(f"DROP DATABASE {database}")


@pytest.mark.parametrize("theirs", [False, True])
def test_server_that_goes_in_the_middle_is_an_error_of_the_target(
    tmp_path: Path, mariadb_server: Server, monkeypatch: pytest.MonkeyPatch, theirs: bool
) -> None:
    server = mariadb.start(mariadb_server.binaries, Options(port=None, directory=mariadb_server.directory.parent))
    place = MysqlPlace(tmp_path, server.url)
    if theirs:
        place.sql(THEIRS)
    place.checkout(17)
    process = int((server.directory / "pid").read_text())
    module, name = STAYING["before reading back"] if theirs else NEW["before reading back"]
    monkeypatch.setattr(module, name, lambda *_: os.kill(process, signal.SIGKILL))
    with pytest.raises(TargetError, match=r"MySQL failed|cannot be reached"):
        place.checkout(13, "2.0.0")
    server.process.stop()


@pytest.fixture(scope="module")
def durable(mariadb_server: Server) -> Iterator[tuple[Mortal, str]]:
    """A server that keeps what it has committed when it is killed, and its URL."""
    account = Account.choose()
    directory = new_directory(account, mariadb_server.directory.parent)
    program, installer = mariadb_server.binaries / "mariadbd", mariadb._installer(mariadb_server.binaries)
    assert installer is not None
    mariadb._initialise(installer, directory, account)
    mariadb._write_accounts(directory, account, "pw")
    command = [*mariadb._command(program, directory, None), "--innodb-flush-log-at-trx-commit=2"]
    try:
        with mortal(command, "ready for connections", account.options) as server:
            # The accounts are made once.
            (directory / "accounts.sql").write_text("")
            yield server, mariadb._url(directory, None, "pw")
    finally:
        rmtree(directory)


@pytest.mark.parametrize(("way", "point"), POINTS, indirect=["way"])
def test_server_that_crashes_keeps_one_whole_version(
    tmp_path: Path, durable: tuple[Mortal, str], monkeypatch: pytest.MonkeyPatch, way: str, point: str
) -> None:
    server, url = durable
    run_mysql(url, "DROP DATABASE IF EXISTS app", "DROP DATABASE IF EXISTS others", "CREATE DATABASE app")
    run_mysql(
        url, "CREATE DATABASE others", "CREATE TABLE others.notes (id int)", "INSERT INTO others.notes VALUES (1)"
    )
    place = MysqlPlace(tmp_path, mysql_url(url, "app"))
    if way == "own":
        place.owned()
    if way == "stay":
        place.sql(THEIRS)
    place.checkout(17)
    crash_before(monkeypatch, WAYS[way][point], server.kill)
    with pytest.raises(TargetError):
        place.checkout(13, "2.0.0")
    server.start()
    for held in place.target.held():
        assert (held.version, len(place.ids())) in WHOLE
    place.checkout(13, "2.0.0")
    assert place.holds(13)
    assert [held.version for held in place.target.held()] == ["2.0.0"]
    assert place.sql(LEFT) == []
    assert place.sql("SELECT id FROM others.notes") == [(1,)]
    for (database,) in place.sql("SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'tdv%'"):
        place.sql(f"DROP DATABASE {database}")


@pytest.mark.parametrize("point", ["fill", "_change", "fingerprint"])
def test_ctrl_c_while_tables_are_built_side_by_side_leaves_nothing(
    tmp_path: Path, empty_mysql: str, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """One session of the server is in the middle of a statement that would take minutes."""
    place = MysqlPlace(tmp_path, empty_mysql)
    monkeypatch.setattr(building, "LARGE", 1)

    first = Lock()

    def held(connection: Connection, *_: Any, **__: Any) -> None:
        if first.acquire(blocking=False):
            os.kill(os.getpid(), signal.SIGINT)
        execute(connection, "DO SLEEP(600)")

    def interrupted() -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        setattr(building, point, held)
        try:
            place.checkout_tables(shop())
        except KeyboardInterrupt:
            os._exit(130)

    assert os.waitstatus_to_exitcode(in_child(interrupted)) == 130
    assert place.sql("SHOW TABLES") == []
    while place.sql(SESSIONS) != [(0,)]:
        pass  # The server ends a session a moment after its client has gone.
    place.checkout_tables(shop())
    assert place.target.inspect().table("orders").references == ORDERS.references


def restored(directory: str, url: str, number: int) -> str:
    """One checkout in a process of its own."""
    home = Path(directory)
    place = target(home / str(number), url, owns="database")
    found = snapshot(home, {USERS: users(21)})
    try:
        checkout(home / str(number), place, wanted(found))
        return target_digest(place, found.manifest.schema)
    except TdvError as exc:
        return exc.message


@pytest.mark.slow
@pytest.mark.parametrize("shared", [False, True])
def test_twenty_checkouts_at_once_all_succeed(tmp_path: Path, mariadb_server: Server, shared: bool) -> None:
    names = ["crowd" if shared else f"crowd_{number}" for number in range(20)]
    urls = [mysql_url(mariadb_server.url, name) for name in names]
    content = snapshot(tmp_path, {USERS: users(21)}).manifest.content
    with ProcessPoolExecutor(8, mp_context=get_context("fork")) as pool:
        digests = list(pool.map(restored, [str(tmp_path)] * 20, urls, range(20)))
    assert set(digests) == {content}
    for name in dict.fromkeys(names):
        run_mysql(mariadb_server.url, f"DROP DATABASE {name}")
    assert run_mysql(mariadb_server.url, LEFT) == []
