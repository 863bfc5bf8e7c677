"""PostgreSQL: a checkout that is killed leaves the old rows or the new ones, and the next one finishes."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from tdv.errors import TargetError, TdvError
from tdv.servers import postgresql
from tdv.servers.server import Options, Server
from tdv.targets.verification import target_digest
from tdv.testing import USERS, checkout, snapshot, users, wanted
from tests.targets.builders import target
from tests.targets.crashes import crash_before
from tests.targets.places import Place
from tests.targets.servers import database_url, run_sql

pytest.importorskip("psycopg")

from tdv.targets.postgresql import building, cloning, databases, loading
from tdv.targets.postgresql.templates import Templates

LEFT = "SELECT datname FROM pg_database WHERE datname ~ '^tdv_(clone|building)_'"
PLACES: dict[str, tuple[Any, str]] = {
    "before rows": (loading, "fill_new"),
    "before keys": (loading.Loading, "_finish"),
    "before reading back": (loading, "verify"),
    "before the mark": (loading.Loading, "_mark"),
    "before rows of a template": (building, "fill_new"),
    "before keys of a template": (building, "create_keys"),
    "before reading back a template": (building, "verify"),
    "before the mark of a template": (building, "marked"),
    "before the template": (Templates, "_published"),
    "before the clone": (databases, "clone"),
    "before the state of the clone": (cloning, "write_state"),
    "before the swap": (databases, "swap"),
    "before the old one is dropped": (databases, "try_drop"),
}


def die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def in_child(work: Callable[[], Any]) -> int:
    """Runs `work` in a forked process and returns how that ended."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        work()
    finally:
        os._exit(1)


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize("point", PLACES)
def test_killed_checkout_leaves_one_whole_version(
    tmp_path: Path, empty_postgresql: str, postgresql_server: Server, point: str, owned: bool
) -> None:
    place = Place(tmp_path, empty_postgresql)
    if owned:
        place.owned()
    place.checkout(17)
    place.sql("UPDATE users SET age = 1")
    module, name = PLACES[point]

    def killed() -> None:
        setattr(module, name, die)
        place.checkout(13, "2.0.0")

    status = in_child(killed)
    if owned != (module in (loading, loading.Loading)):
        assert os.WIFSIGNALED(status)
        assert len(place.ids()) in (17, 13)
    assert place.checkout(13, "2.0.0").action != "planned"
    digest = snapshot(tmp_path, {USERS: users(13)}).manifest
    assert target_digest(place.target, digest.schema) == digest.content
    place.sql("UPDATE users SET age = 1")
    place.checkout(13, "2.0.0")
    assert run_sql(postgresql_server.url, LEFT) == []
    for (template,) in run_sql(postgresql_server.url, "SELECT datname FROM pg_database WHERE datname ~ '^tdv_temp'"):
        run_sql(postgresql_server.url, f"ALTER DATABASE {template} IS_TEMPLATE false", f"DROP DATABASE {template}")


@pytest.mark.parametrize("point", PLACES)
def test_server_that_crashes_keeps_one_whole_version(
    tmp_path: Path, postgresql_server: Server, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """One process of the server is killed, upon which it ends all sessions and recovers."""
    server = postgresql.start(
        postgresql_server.binaries, Options(port=None, directory=postgresql_server.directory.parent)
    )
    module, _ = PLACES[point]
    owns = "tables" if module in (loading, loading.Loading) else "database"
    run_sql(server.url, "CREATE DATABASE app")
    place = Place(tmp_path, database_url(server.url, "app"))
    place.target = target(tmp_path, place.url, owns=owns)
    place.checkout(17)

    def kill() -> None:
        ((process,),) = run_sql(server.url, "SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
        os.kill(int(str(process)), signal.SIGKILL)

    crash_before(monkeypatch, PLACES[point], kill)
    try:
        with pytest.raises(TargetError):
            place.checkout(13, "2.0.0")
        server.process.wait_until(lambda: accepts(server.url), "PostgreSQL")
        assert len(place.ids()) in (17, 13)
        place.checkout(13, "2.0.0")
        assert place.holds(13)
        assert run_sql(server.url, LEFT) == []
    finally:
        server.process.stop()


def accepts(url: str) -> bool:
    """Whether the server has recovered."""
    import psycopg

    with suppress(psycopg.OperationalError):
        return bool(run_sql(url, "SELECT 1"))
    return False


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
def test_fifty_checkouts_at_once_all_succeed(tmp_path: Path, postgresql_server: Server, shared: bool) -> None:
    names = ["crowd" if shared else f"crowd_{number}" for number in range(50)]
    urls = [database_url(postgresql_server.url, name) for name in names]
    content = snapshot(tmp_path, {USERS: users(21)}).manifest.content
    with ProcessPoolExecutor(8, mp_context=get_context("fork")) as pool:
        digests = list(pool.map(restored, [str(tmp_path)] * 50, urls, range(50)))
    assert set(digests) == {content}
    for name in dict.fromkeys(names):
        run_sql(postgresql_server.url, f"DROP DATABASE {name} WITH (FORCE)")
    assert run_sql(postgresql_server.url, LEFT) == []
    open_sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'tdv' AND state <> 'idle'"
    assert run_sql(postgresql_server.url, open_sessions) == [(0,)]
