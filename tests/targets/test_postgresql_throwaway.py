"""Throwaway databases on a real PostgreSQL server, and the plug-in on them."""

from __future__ import annotations

from contextlib import closing, suppress
from functools import cache
from pathlib import Path
from threading import Thread

import pytest

from tdv.errors import Refused
from tdv.servers.server import Server
from tdv.targets.postgresql.session import connect, parameters
from tdv.targets.postgresql.statements import lock
from tdv.targets.throwaway import Name, Throwaway, Throwaways, throwaways_of
from tdv.testing import NOW
from tests.shop import kill_a_worker, released_shop
from tests.targets.builders import target
from tests.targets.servers import run_sql
from tests.targets.test_throwaway import load

psycopg = pytest.importorskip("psycopg")
pytest_plugins = ["pytester", "tests.targets.servers"]
LEFT = "SELECT count(*) FROM pg_database WHERE datname LIKE 'tdv\\_2%' AND datname NOT LIKE '%\\_run1\\_%'"


@pytest.fixture
def throwaways(tmp_path: Path, postgresql_server: Server) -> Throwaways:
    return throwaways_of(target(tmp_path, postgresql_server.url))


@pytest.fixture
def made(tmp_path: Path, throwaways: Throwaways) -> Throwaway:
    """A database that the session which made it has left: a busy server takes a while for that."""
    made = throwaways.create(Name(NOW, "run1", tmp_path.name[-12:].lower().replace("_", "x")), load(tmp_path))
    with psycopg.connect(made.url, dbname="postgres", autocommit=True) as admin:
        while admin.execute("SELECT 1 FROM pg_stat_activity WHERE datname = %s", [made.name]).fetchone():
            pass
    return made


def test_transaction_is_undone_on_a_connection_that_stays(throwaways: Throwaways, made: Throwaway) -> None:
    connection = throwaways.connect(made)
    for _ in range(2):
        begun = throwaways.begin(made, lambda: connection)
        connection.execute("DELETE FROM users")
        assert throwaways.undone(made, connection, begun)
    assert connection.execute("SELECT count(*) FROM users").fetchone() == (5,)
    connection.close()
    throwaways.drop(made.name)


@pytest.mark.parametrize("end", ["COMMIT", "ROLLBACK", "DO $$BEGIN RAISE 'broken'; END$$"])
def test_other_ends_of_a_transaction_prove_nothing(throwaways: Throwaways, made: Throwaway, end: str) -> None:
    connection = throwaways.connect(made)
    begun = throwaways.begin(made, lambda: connection)
    with suppress(psycopg.errors.RaiseException):
        connection.execute(end)
    assert not throwaways.undone(made, connection, begun)
    connection.close()
    throwaways.drop(made.name)


@pytest.mark.parametrize("stays", [True, False])
def test_session_of_somebody_else_is_noticed(throwaways: Throwaways, made: Throwaway, *, stays: bool) -> None:
    connection = throwaways.connect(made)
    begun = throwaways.begin(made, lambda: connection)
    other = throwaways.connect(made)
    if not stays:
        other.close()
    assert not throwaways.undone(made, connection, begun)
    other.close()
    connection.close()
    throwaways.drop(made.name)


def test_commit_is_undone_where_the_connection_came_after(throwaways: Throwaways, made: Throwaway) -> None:
    connected = cache(lambda: throwaways.connect(made))
    begun = throwaways.begin(made, connected)
    connected().execute("DELETE FROM users")
    connected().commit()
    assert throwaways.undone(made, connected(), begun)
    assert connected().execute("SELECT count(*) FROM users").fetchone() == (5,)
    connected().close()
    throwaways.drop(made.name)


def test_connection_is_as_new_after_a_commit_was_undone(throwaways: Throwaways, made: Throwaway) -> None:
    connected = cache(lambda: throwaways.connect(made))
    begun = throwaways.begin(made, connected)
    connection = connected()
    connection.row_factory = psycopg.rows.dict_row
    for _ in range(9):
        connection.execute("SELECT count(*) FROM users WHERE id > %s", (1,))
    connection.execute("SET statement_timeout = '7s'; SELECT pg_advisory_lock(1)")
    connection.commit()
    connection.autocommit = True
    connection.execute("DELETE FROM users")
    assert throwaways.undone(made, connection, begun)
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert not connection.autocommit
    assert connection.execute("SELECT count(*) FROM users WHERE id > %s", (0,)).fetchone() == (5,)
    assert connection.execute("SHOW statement_timeout").fetchone() == ("0",)
    assert connection.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'").fetchone() == (0,)
    connection.close()
    throwaways.drop(made.name)


def test_session_of_another_role_is_noticed(throwaways: Throwaways, made: Throwaway, postgresql_server: Server) -> None:
    run_sql(postgresql_server.url, "CREATE ROLE app LOGIN", "CREATE ROLE owner LOGIN CREATEDB")
    run_sql(made.url, "GRANT ALL ON ALL TABLES IN SCHEMA public, _tdv TO owner", "GRANT USAGE ON SCHEMA _tdv TO owner")
    connected = cache(lambda: throwaways.connect(made))
    throwaways.begin(made, connected)
    with connected() as connection:
        # A user who sees of another role's sessions no more than that they are there.
        connection.execute("SET SESSION AUTHORIZATION owner")
        connection.commit()
        begun = throwaways.begin(made, connected)
        with psycopg.connect(made.url, user="app") as other:
            other.execute("SELECT 1")
            assert connection.execute("SELECT backend_type FROM pg_stat_activity WHERE usename = 'app'").fetchall() == [
                (None,)
            ]
            assert not throwaways.undone(made, connection, begun)
    throwaways.drop(made.name)
    run_sql(postgresql_server.url, "DROP ROLE app, owner")


def test_drop_waits_for_the_session_that_makes_the_database(
    throwaways: Throwaways, made: Throwaway, postgresql_server: Server
) -> None:
    dropping = Thread(target=throwaways.drop, args=(made.name,))
    with closing(connect(parameters(postgresql_server.url), "postgres")) as maker:
        lock(maker, made.name, "the database")
        dropping.start()
        while not run_sql(postgresql_server.url, "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"):
            assert dropping.is_alive()
    dropping.join()
    assert made.name not in [item.name for item in throwaways.found()]


def test_name_that_is_taken_is_refused_and_stays(tmp_path: Path, throwaways: Throwaways, made: Throwaway) -> None:
    name = Name.parse(made.name)
    assert name is not None
    with pytest.raises(Refused, match="such a database"):
        throwaways.create(name, load(tmp_path))
    with throwaways.connect(made) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (5,)
    throwaways.drop(made.name)


def test_shared_database_that_cannot_be_used_again_is_dropped(
    pytester: pytest.Pytester, postgresql_server: Server
) -> None:
    released_shop(pytester.path)
    pytester.makepyfile(
        f"""
        import psycopg
        import pytest

        @pytest.mark.tdv(rollback=True)
        @pytest.mark.parametrize("number", range(2))
        def test_shared(tdv_database, number):
            with psycopg.connect({postgresql_server.url!r}, autocommit=True) as connection:
                connection.execute(f"ALTER DATABASE {{tdv_database.name}} ALLOW_CONNECTIONS false")
            tdv_database.connection.close()
        """
    )
    result = pytester.runpytest_subprocess("--tdv-target", postgresql_server.url)
    result.assert_outcomes(passed=1, errors=1)
    assert run_sql(postgresql_server.url, LEFT) == [(0,)]


def test_killed_worker_leaves_nothing(pytester: pytest.Pytester, postgresql_server: Server) -> None:
    kill_a_worker(pytester, postgresql_server.url)
    assert run_sql(postgresql_server.url, LEFT) == [(0,)]


def test_plug_in_and_exec_clone_on_the_server(pytester: pytest.Pytester, postgresql_server: Server) -> None:
    shop = released_shop(pytester.path)
    pytester.makepyfile(
        """
        import pytest
        names = []

        @pytest.mark.parametrize("number", range(3))
        def test_rows(tdv_database, number):
            assert tdv_database.is_connected == (number > 0)
            connection = tdv_database.connection
            assert connection.execute("SELECT count(*) FROM users").fetchone() == (10,)
            connection.execute("DELETE FROM orders")
            connection.commit()

        @pytest.mark.tdv(rollback=True)
        @pytest.mark.parametrize("number", range(3))
        def test_shared(tdv_database, number):
            assert tdv_database.connection.execute("DELETE FROM orders").rowcount == 20
            if number == 1:
                tdv_database.connection.commit()
            names.append(tdv_database.name)

        def test_one_was_shared():
            assert len(names) == 3 and len(set(names)) == 1
        """
    )
    result = pytester.runpytest_subprocess("--tdv-target", postgresql_server.url)
    result.assert_outcomes(passed=7)
    outcome = shop.tdv_process("exec", "-t", postgresql_server.url, "--fresh", "--", "sh", "-c", "echo $DATABASE_URL")
    assert outcome.stdout.startswith("postgresql://")
    assert run_sql(postgresql_server.url, LEFT) == [(0,)]
