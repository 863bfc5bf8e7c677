"""Interrupts and kills while the server makes a throwaway database: none is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Thread

import pytest

import tdv
from tdv.checkout import CheckoutOptions, load_of
from tdv.cleanup import CleanupOptions, cleanup
from tdv.project import Project, restores
from tdv.project.databases import DatabaseWish
from tdv.servers.server import Server
from tdv.targets.postgresql.session import connect, parameters
from tdv.targets.postgresql.statements import lock
from tdv.targets.throwaway import Name, throwaways_of
from tdv.testing import NOW
from tests.repository import Repository
from tests.shop import released_shop
from tests.targets.builders import target
from tests.targets.servers import run_sql

psycopg = pytest.importorskip("psycopg")
pytest_plugins = ["tests.targets.servers"]

CREATING = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'CREATE DATABASE \"tdv_2%' AND wait_event_type = 'Lock'"
EVERY = "SELECT datname FROM pg_database WHERE datname LIKE 'tdv\\_2%'"
MAKE = """
import sys, tdv
from tdv.project.databases import DatabaseWish
databases = tdv.open(".").databases("killed")
databases.create(DatabaseWish(target=sys.argv[1]))
"""


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    return released_shop(tmp_path / "shop")


def until(found: Callable[[], object]) -> None:
    while not found():
        pass


@contextmanager
def held(url: str) -> Iterator[Callable[[], None]]:
    """Keeps the server from making copies of the one template until the function is called, or the block ends."""
    ((template,),) = run_sql(url, "SELECT datname FROM pg_database WHERE datname LIKE 'tdv\\_template\\_%'")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"BEGIN; ALTER DATABASE {template} RENAME TO tdv_held")
        yield lambda: connection.execute("ROLLBACK") and None


@pytest.fixture
def url(postgresql_server: Server) -> str:
    url = postgresql_server.url
    for (name,) in run_sql(url, "SELECT datname FROM pg_database WHERE datname LIKE 'tdv\\_template\\_%'"):
        run_sql(url, f"ALTER DATABASE {name} IS_TEMPLATE false", f"DROP DATABASE {name}")
    return url


@pytest.fixture
def project(shop: Repository, url: str) -> Project:
    """A project whose template the server has."""
    opened = tdv.open(shop.root)
    with opened.databases("first") as databases:
        databases.create(DatabaseWish(target=url))
    return opened


def left(url: str, run: str) -> list[tuple[object, ...]]:
    return run_sql(url, f"SELECT datname FROM pg_database WHERE datname LIKE 'tdv\\_2%\\_{run}\\_%'")


def interrupted(call: Callable[[], object], url: str) -> None:
    """Calls something that waits for a database, and sends Ctrl-C once the server is at it."""

    def interrupt() -> None:
        until(lambda: run_sql(url, CREATING))
        os.kill(os.getpid(), signal.SIGINT)

    thread = Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        call()
    thread.join()


@pytest.mark.parametrize("ahead", [0, 2])
def test_database_that_nobody_waited_for_goes_at_the_end(project: Project, url: str, ahead: int) -> None:
    wish = DatabaseWish(target=url)
    databases = project.databases(f"waiting{ahead}", ahead=ahead)
    with held(url) as let_go:
        interrupted(lambda: databases.create(wish), url)
        let_go()
    databases.close()
    assert left(url, f"waiting{ahead}") == []
    assert list((project.ports.state / "runs").glob("*.made")) == []


def test_end_that_is_interrupted_leaves_no_database(project: Project, url: str) -> None:
    wish = DatabaseWish(target=url)
    databases = project.databases("ending", ahead=2)
    made = [databases.create(wish) for _ in range(2)]
    until(lambda: len(left(url, "ending")) == 4)
    with held(url) as let_go:
        made.append(databases.create(wish))
        until(lambda: run_sql(url, CREATING))
        for database in made:
            databases.discard(database)
        interrupted(databases.close, url)
        let_go()
    databases._pools[wish]._thread.shutdown()
    with project.databases("next") as others:
        others.create(wish)
    assert left(url, "ending") == []
    assert list((project.ports.state / "runs").glob("*.made")) == []


def test_exec_that_is_ended_meanwhile_leaves_no_database(project: Project, shop: Repository, url: str) -> None:
    before = run_sql(url, EVERY)
    words = [sys.executable, "-m", "tdv", "exec", "-t", url, "--fresh", "--", "true"]
    with held(url) as let_go:
        process = subprocess.Popen(words, cwd=shop.root)
        until(lambda: run_sql(url, CREATING))
        process.terminate()
        assert process.wait() == 128 + signal.SIGTERM
        let_go()
    assert run_sql(url, EVERY) == before
    assert list((project.ports.state / "runs").glob("*.made")) == []


def test_template_of_a_killed_build_goes_with_the_next_one(project: Project, url: str) -> None:
    dead, living = (f"tdv_building_{digit * 20}_00000000" for digit in "ab")
    for name in (dead, living, "tdv_building_mine"):
        run_sql(url, f"CREATE DATABASE {name}")
    query = "SELECT datname FROM pg_database WHERE datname LIKE 'tdv\\_building\\_%' ORDER BY 1"
    with closing(connect(parameters(url), "postgres")) as builder:
        lock(builder, f"tdv_template_{'b' * 20}", "the template")
        throwaways = throwaways_of(target(project.ports.root, url))
        for item in cleanup("here", throwaways, lambda _: True, CleanupOptions(NOW, dry_run=True)):
            assert item.leaving.name not in (living, "tdv_building_mine")
            assert bool(item.kept) == (item.leaving.name != dead)
        with project.databases("next") as databases:
            databases.create(DatabaseWish(("shop@v1.1.0",), target=url))
        assert run_sql(url, query) == [(living,), ("tdv_building_mine",)]
    for name in (living, "tdv_building_mine"):
        throwaways.drop(name)
    assert run_sql(url, query) == [("tdv_building_mine",)]
    run_sql(url, "DROP DATABASE tdv_building_mine")


def test_template_that_another_run_removes_meanwhile_is_made_anew(project: Project, url: str) -> None:
    name = Name(NOW, "late", "a")
    throwaways = throwaways_of(target(project.ports.root, url))
    load = load_of(
        restores.choose(project.ports, restores.CheckoutWish(target=url)).wanted,
        CheckoutOptions(project.ports.state, NOW, "late"),
    )
    with ThreadPoolExecutor(1) as pool:
        with closing(connect(parameters(url), "postgres")) as other:
            lock(other, str(name), "it")
            made = pool.submit(throwaways.create, name, load)
            until(lambda: run_sql(url, "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"))
            for leaving in throwaways.found():
                if leaving.kind == "image":
                    throwaways.drop(leaving.name)
        assert run_sql(made.result().url, "SELECT count(*) > 0 FROM users") == [(True,)]
    throwaways.drop(str(name))


def test_database_that_the_server_makes_for_a_killed_process_goes_with_the_next_run(
    project: Project, shop: Repository, url: str
) -> None:
    collected: list[object] = []

    def collect() -> None:
        with project.databases("next", ahead=0) as databases:
            # The killed run's databases go before one of this run is made.
            collected.append(databases.create(DatabaseWish(target=url)).name)

    with held(url) as let_go:
        process = subprocess.Popen([sys.executable, "-c", MAKE, url], cwd=shop.root)
        until(lambda: run_sql(url, CREATING))
        process.kill()
        process.wait()
        thread = Thread(target=collect)
        thread.start()
        # It waits for the session of the killed process, or for the template as that does.
        waiting = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype IN ('advisory', 'object') HAVING count(*) > 1"
        until(lambda: run_sql(url, waiting) or not thread.is_alive())
        let_go()
    thread.join()
    until(lambda: not run_sql(url, CREATING.replace("= 'Lock'", "IS NOT NULL")))
    assert len(collected) == 1
    assert left(url, "killed") == []
    assert list((project.ports.state / "runs").glob("*.made")) == []
