"""The plug-in in real runs of pytest, as processes of their own since NumPy cannot be loaded twice into one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from xml.etree import ElementTree

import pytest

from tdv.servers import redis
from tdv.servers.server import Options, Server
from tests.migrated import MIGRATOR, migrated
from tests.repository import Repository
from tests.shop import released_shop

pytest_plugins = ["pytester"]

COUNT = "connection.execute('SELECT count(*) FROM users').fetchone()[0]"
HEAVY = "{'tdv.project', 'tdv.config', 'pyarrow', 'numpy', 'duckdb', 'yaml', 'sqlite3', 'jsonschema'}"


@pytest.fixture
def shop(pytester: pytest.Pytester) -> Repository:
    """The repository in which pytest runs."""
    return released_shop(pytester.path)


def leavings(repository: Repository) -> list[str]:
    return sorted(path.name for path in (repository.root / ".tdv/throwaway").glob("*"))


def test_each_test_has_a_database_of_its_own(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile(
        f"""
        import pytest
        seen = set()

        @pytest.mark.parametrize("number", range(3))
        def test_rows(tdv_database, number):
            connection = tdv_database.connection
            assert {COUNT} == 10
            connection.execute("DELETE FROM users")
            connection.commit()
            assert tdv_database.path.is_file() and tdv_database.url == f"sqlite:///{{tdv_database.path}}"
            assert tdv_database.version == "1.0.0" and tdv_database.digest.startswith("tdv1:")
            seen.add(tdv_database.url)

        def test_databases_differ():
            assert len(seen) == 3
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=4)
    assert leavings(shop) == []
    assert list((shop.root / ".tdv/runs").iterdir()) == []


def test_marker_names_release_and_scenario(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile(
        f"""
        import pytest
        pytestmark = pytest.mark.tdv("shop@v1.1.0")

        def test_of_module(tdv_database):
            connection = tdv_database.connection
            assert (tdv_database.version, {COUNT}) == ("1.1.0", 13)

        @pytest.mark.tdv(scenario="retry")
        def test_scenario_of_the_release_above(tdv_database):
            connection = tdv_database.connection
            assert (tdv_database.version, {COUNT}) == ("1.1.0", 1)

        @pytest.mark.tdv("shop@~1.0")
        def test_nearest_marker_wins(tdv_database):
            assert tdv_database.version == "1.0.0"

        @pytest.mark.parametrize("tdv_database", ["shop@v1.0.0", "shop@v1.1.0"], indirect=True)
        def test_every_version(tdv_database):
            assert tdv_database.releases["shop"].version in ("1.0.0", "1.1.0")
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=5)


def test_scopes_and_factories(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        def delete(database):
            connection = database.connection
            before = {COUNT}
            connection.execute("DELETE FROM users WHERE id = (SELECT min(id) FROM users)")
            connection.commit()
            return before

        @pytest.fixture(scope="session")
        def newest(tdv_database_factory):
            return tdv_database_factory("shop@v1.1.0")

        def test_first(tdv_session_database, tdv_module_database, newest):
            assert [delete(d) for d in (tdv_session_database, tdv_module_database, newest)] == [10, 10, 13]

        def test_second(tdv_session_database, tdv_module_database, newest):
            assert [delete(d) for d in (tdv_session_database, tdv_module_database, newest)] == [9, 9, 12]

        def test_more(tdv_databases, tdv_project):
            old, new, few = tdv_databases(), tdv_databases("shop@v1.1.0"), tdv_databases("shop", scenario="retry")
            assert [delete(d) for d in (old, new, few)] == [10, 13, 1]
            assert tdv_project.ports.root.samefile({str(pytester.path)!r})
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=3)
    assert leavings(shop) == []


def test_workers_of_xdist_are_isolated(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("number", range(12))
        def test_rows(tdv_database, tdv_session_database, number, worker_id):
            connection = tdv_database.connection
            assert {COUNT} == 10
            connection.execute("DELETE FROM users")
            connection.commit()
            assert f"_{{worker_id}}x" in tdv_database.name and f"_{{worker_id}}x" in tdv_session_database.name
            assert tdv_database.execution_id == tdv_session_database.execution_id
            with open("executions", "a") as file:
                print(tdv_database.execution_id, file=file)
        """
    )
    result = pytester.runpytest_subprocess("-n", "2")
    result.assert_outcomes(passed=12)
    assert len(set((pytester.path / "executions").read_text().split())) == 1
    assert leavings(shop) == []
    assert len(list((shop.root / ".tdv/images").glob("*.sqlite"))) == 1
    assert list((shop.root / ".tdv/runs").iterdir()) == []


def test_rollback_shares_a_database_until_somebody_writes(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile(
        f"""
        import pytest, sqlite3
        pytestmark = pytest.mark.tdv(rollback=True)
        names = []

        def test_writes(tdv_database):
            tdv_database.connection.execute("DELETE FROM users")
            names.append(tdv_database.name)

        def test_sees_nothing_of_it(tdv_database):
            connection = tdv_database.connection
            assert {COUNT} == 10
            names.append(tdv_database.name)

        def test_commits(tdv_database):
            other = sqlite3.connect(tdv_database.path)
            other.execute("DELETE FROM users")
            other.commit()
            other.close()
            names.append(tdv_database.name)

        def test_gets_another(tdv_database):
            connection = tdv_database.connection
            assert {COUNT} == 10
            connection.close()
            names.append(tdv_database.name)

        def test_connection_is_opened_again(tdv_database):
            connection = tdv_database.connection
            assert {COUNT} == 10
            names.append(tdv_database.name)

        def test_names():
            assert names[0] == names[1] == names[2] != names[3] == names[4]
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=6)
    assert leavings(shop) == []


def test_keep_leaves_the_database_of_a_failed_test(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile(
        """
        def test_passes(tdv_database):
            pass

        def test_fails(tdv_database):
            tdv_database.connection.execute("DELETE FROM users")
            assert False
        """
    )
    result = pytester.runpytest_subprocess("--tdv-keep")
    result.assert_outcomes(passed=1, failed=1)
    (name,) = leavings(shop)
    result.stdout.fnmatch_lines(
        ["*tdv database kept*", f"sqlite:///*{name}", "`tdv cleanup --execution *` removes it."]
    )
    query = f"import sqlite3; print(sqlite3.connect({str(shop.root / '.tdv/throwaway' / name)!r})"
    query += ".execute('SELECT count(*) FROM users').fetchone()[0])"
    assert subprocess.run([sys.executable, "-c", query], capture_output=True, text=True, check=True).stdout == "0\n"
    shop.tdv_process("cleanup", "--execution", name.split("_")[2], expect=0)
    assert leavings(shop) == []


def test_keep_leaves_no_database_that_no_failed_test_had(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile(
        """
        def test_passes(tdv_module_database, tdv_session_database):
            pass

        def test_fails(tdv_database):
            assert False
        """
    )
    result = pytester.runpytest_subprocess("--tdv-keep")
    result.assert_outcomes(passed=1, failed=1)
    (name,) = leavings(shop)
    result.stdout.fnmatch_lines([f"sqlite:///*{name}"])


def test_database_that_a_fixture_asks_for_by_name_is_told(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile(
        """
        import pytest

        @pytest.fixture(autouse=True)
        def asks(request):
            request.getfixturevalue("tdv_session_database")

        @pytest.mark.parametrize("number", range(2))
        def test_fails(number):
            assert False
        """
    )
    result = pytester.runpytest_subprocess("--tdv-keep", "--junitxml=report.xml")
    result.assert_outcomes(failed=2)
    (name,) = leavings(shop)
    result.stdout.fnmatch_lines(["*test_fails?0?*", f"sqlite:///*{name}", "*test_fails?1?*", f"sqlite:///*{name}"])
    properties = ElementTree.parse(pytester.path / "report.xml").findall(".//property")
    assert [item.get("name") for item in properties] == ["tdv.shop", "tdv.shop"]


AGAIN = """
import pytest
from _pytest.runner import runtestprotocol

@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item, nextitem):
    for attempt in range(2):
        reports = runtestprotocol(item, nextitem=nextitem, log=False)
        for report in reports:
            if report.failed and not attempt:
                report.outcome = "rerun"
            item.ihook.pytest_runtest_logreport(report=report)
        if all(report.outcome == "passed" for report in reports):
            return True

def pytest_report_teststatus(report):
    return ("rerun", "R", "RERUN") if report.outcome == "rerun" else None
"""


def test_keep_tells_of_the_databases_of_repeated_tests(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makeconftest(AGAIN)  # as pytest-rerunfailures does
    pytester.makepyfile("seen = []\ndef test_flaky(tdv_database):\n    seen.append(1)\n    assert len(seen) > 1\n")
    result = pytester.runpytest_subprocess("--tdv-keep")
    (name,) = leavings(shop)
    result.stdout.fnmatch_lines(["*of *::test_flaky, which was run again: sqlite:///*" + name, "`tdv cleanup *"])


def test_kept_database_beside_another_target_is_removed_by_what_is_said(
    pytester: pytest.Pytester, shop: Repository
) -> None:
    pytester.makepyfile("def test_fails(tdv_database):\n    assert False\n")
    target = "duckdb:///other.duckdb"
    result = pytester.runpytest_subprocess("--tdv-keep", "--tdv-target", target)
    (name,) = leavings(shop)
    execution = name.split("_")[2]
    result.stdout.fnmatch_lines([f"`tdv cleanup --target {target} --execution {execution}` removes it."])
    shop.tdv_process("cleanup", "--target", target, "--execution", execution, expect=0)
    assert leavings(shop) == []


def test_error_of_a_fixture_is_said_once(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile("def test_fails(tdv_databases):\n    tdv_databases('nothing')\n")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(failed=1)
    result.stdout.no_fnmatch_line("*another exception occurred*")


def test_keep_works_in_workers(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile("def test_fails(tdv_database, tdv_databases):\n    tdv_databases()\n    assert False\n")
    result = pytester.runpytest_subprocess("--tdv-keep", "-n", "1")
    result.assert_outcomes(failed=1)
    assert len(leavings(shop)) == 2
    result.stdout.fnmatch_lines([f"sqlite:///*{name}" for name in leavings(shop)])
    shop.tdv_process("cleanup", expect=0)
    assert leavings(shop) == []


def test_header_and_properties_name_the_data(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile("def test_one(tdv_database):\n    pass\n\ndef test_two():\n    pass\n")
    result = pytester.runpytest_subprocess("--junitxml=report.xml")
    result.stdout.fnmatch_lines(["tdv: shop 1.0.0 (tdv1:????????????)"])
    properties = ElementTree.parse(pytester.path / "report.xml").findall(".//property")
    assert [(item.get("name"), str(item.get("value"))[:11]) for item in properties] == [("tdv.shop", "1.0.0 tdv1:")]


def test_update_moves_the_lock_first(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile("def test_one(tdv_database):\n    assert tdv_database.version == '1.1.0'\n")
    result = pytester.runpytest_subprocess("--tdv-update", "-n", "1")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["tdv: shop 1.1.0 (tdv1:*)", "tdv.lock: shop is now v1.1.0"])
    assert "1.1.0" in shop.read("tdv.lock")


def test_target_comes_from_the_marker_the_command_line_the_ini_file(
    pytester: pytest.Pytester, shop: Repository
) -> None:
    pytester.makeini("[pytest]\ntdv_target = duckdb:///any.duckdb\ntdv_datasets = shop@v1.1.0\n")
    pytester.makepyfile(
        """
        import os, pytest

        def test_default(tdv_database):
            assert tdv_database.url.partition(":")[0] == os.environ["KIND"]
            assert tdv_database.version == "1.1.0"
            assert tdv_database.connection.execute("SELECT count(*) FROM users").fetchone() == (13,)

        @pytest.mark.tdv(target="sqlite:///any.db")
        def test_marker(tdv_database):
            assert tdv_database.url.startswith("sqlite:")
        """
    )
    for options, kind in (((), "duckdb"), (("--tdv-target", "sqlite:///other.db"), "sqlite")):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("KIND", kind)
            pytester.runpytest_subprocess(*options).assert_outcomes(passed=2)
    assert not (pytester.path / "any.duckdb").exists()


@pytest.mark.parametrize(
    ("marker", "message"),
    [
        ('"shop@v9.9.9"', "*There is no release shop@v9.9.9*"),
        ('"shop@v1.1.0", scenario="retri"', "*there is no scenario 'retri' in shop 1.1.0*"),
        ('target="out/"', "*no throwaway databases*"),
        ('"shop@v1.1.0", scenario="mysql://ada:hush@host/x"', "*no scenario 'mysql://host/x'*"),
        ('targte="ci"', "*pytest.mark.tdv: got an unexpected keyword argument 'targte'*"),
        ('rollback="yes"', "*pytest.mark.tdv: rollback must be True or False, not 'yes'*"),
        ("target=1", "*pytest.mark.tdv: target must be text, not 1*"),
        ("scenario=1", "*pytest.mark.tdv: scenario must be text, not 1*"),
        ("1.1", "*pytest.mark.tdv: a reference must be text, not 1.1*"),
        ('targte="ci"', "*the words scenario=, target= and rollback=*"),
    ],
)
def test_mistakes_are_told_in_a_sentence(
    pytester: pytest.Pytester, shop: Repository, marker: str, message: str
) -> None:
    pytester.makepyfile(f"import pytest\n\n@pytest.mark.tdv({marker})\ndef test_one(tdv_database):\n    pass\n")
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])
    result.stdout.no_fnmatch_line("*Traceback*")
    result.stdout.no_fnmatch_line("*another exception*")
    result.stdout.no_fnmatch_line("*hush*")


@pytest.mark.parametrize("given", ["3", "None", '{"scenario": "vip"}', '("shop@v1.0.0", 4)'])
def test_mistake_in_a_parameter_is_told_in_a_sentence(pytester: pytest.Pytester, shop: Repository, given: str) -> None:
    pytester.makepyfile(
        f"""
        import pytest

        @pytest.mark.parametrize("tdv_database", [{given}], indirect=True)
        def test_one(tdv_database):
            pass
        """
    )
    result = pytester.runpytest_subprocess()
    result.assert_outcomes(errors=1)
    wrong = given.removeprefix('("shop@v1.0.0", ').removesuffix(")").replace('"', "'")
    result.stdout.fnmatch_lines([f"the parameter of tdv_database: a reference must be text, not {wrong}"])
    result.stdout.fnmatch_lines(["It is a reference or a list of them; *"])
    result.stdout.no_fnmatch_line("*lending.py*")


def test_outside_of_a_repository_nothing_is_said_or_imported(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        f"""
        import sys

        def test_imports():
            assert {HEAVY} & set(sys.modules) == set()

        def test_database(tdv_database):
            pass
        """
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")  # others may import what they like
        result = pytester.runpytest_subprocess("-p", "tdv.pytest_plugin")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.no_fnmatch_line("tdv: *")
    result.stdout.fnmatch_lines(["*tdv init*"])


def test_async_tests_and_sqlalchemy(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile(
        """
        import pytest
        from sqlalchemy import create_engine, text
        from sqlalchemy.ext.asyncio import create_async_engine

        @pytest.fixture
        def anyio_backend():
            return "asyncio"

        @pytest.mark.anyio
        @pytest.mark.parametrize("number", range(2))
        async def test_async(tdv_database, number):
            engine = create_async_engine(tdv_database.url_for("aiosqlite"))
            async with engine.begin() as connection:
                assert (await connection.execute(text("DELETE FROM orders"))).rowcount == 20
            await engine.dispose()

        @pytest.mark.parametrize("number", range(2))
        def test_engine(tdv_database, number):
            with create_engine(tdv_database.url).begin() as connection:
                assert connection.execute(text("DELETE FROM orders")).rowcount == 20
        """
    )
    pytester.runpytest_subprocess().assert_outcomes(passed=4)


def test_databases_of_a_killed_run_are_cleaned_up(pytester: pytest.Pytester, shop: Repository) -> None:
    pytester.makepyfile("import os\n\ndef test_dies(tdv_database):\n    os.kill(os.getpid(), 9)\n")
    pytester.runpytest_subprocess()
    assert len(leavings(shop)) == 1
    shop.tdv_process("cleanup", expect=0)
    assert leavings(shop) == []
    assert Path(shop.root / ".tdv/images").is_dir()


def test_databases_of_a_killed_run_go_with_the_next_one_and_kept_ones_stay(
    pytester: pytest.Pytester, shop: Repository
) -> None:
    pytester.makepyfile(
        test_kept="def test_fails(tdv_database):\n    assert False\n",
        test_dies="import os\n\ndef test_dies(tdv_database):\n    os.kill(os.getpid(), 9)\n",
        test_next="def test_next(tdv_database):\n    pass\n",
    )
    pytester.runpytest_subprocess("--tdv-keep", "test_kept.py")
    kept = leavings(shop)
    pytester.runpytest_subprocess("test_dies.py")
    assert len(leavings(shop)) == 2
    pytester.runpytest_subprocess("test_next.py").assert_outcomes(passed=1)
    assert leavings(shop) == kept
    assert len(kept) == 1


@pytest.mark.parametrize("options", [(), ("-q",)])
def test_databases_of_a_killed_worker_go_with_its_run(
    pytester: pytest.Pytester, shop: Repository, options: tuple[str, ...]
) -> None:
    pytester.makepyfile(
        """
        import os
        import pytest

        @pytest.mark.parametrize("number", range(4))
        def test_dies(tdv_database, tdv_session_database, number):
            if number % 2:
                os.kill(os.getpid(), 9)

        @pytest.mark.tdv(target="duckdb:///other.duckdb")
        def test_dies_beside_another_target(tdv_database):
            os.kill(os.getpid(), 9)
        """
    )
    target = ("--tdv-target", "sqlite:///app.db")
    pytester.runpytest_subprocess("-n", "2", *target, *options).assert_outcomes(passed=2, failed=3)
    assert leavings(shop) == []
    assert list((shop.root / ".tdv/runs").iterdir()) == []


@pytest.mark.parametrize("options", [(), ("-n", "2")])
def test_schema_that_does_not_take_the_rows_is_made_once(pytester: pytest.Pytester, options: tuple[str, ...]) -> None:
    project = migrated(pytester.path)
    project.tdv("compat", "shop@v1.0.0", "--until", "", "-m", "not true", expect=0)
    counted = "import os\nwith open('applied', 'a') as file:\n    print(os.environ['DATABASE_URL'], file=file)\n"
    project.write({"migrate.py": counted + dedent(MIGRATOR)})
    pytester.makepyfile(
        """
        import pytest

        # 1.0.0 holds users, which the newest schema calls people.
        pytestmark = pytest.mark.tdv("shop@v1.0.0")

        @pytest.mark.parametrize("number", range(8))
        def test_rows(tdv_database, number):
            pass

        def test_shared(request):
            request.getfixturevalue("tdv_databases")("shop@1.0.0", target="local")

        @pytest.mark.tdv("shop@v2.0.0")
        def test_that_fits(tdv_database):
            assert tdv_database.version == "2.0.0"
        """
    )
    result = pytester.runpytest_subprocess("--tdv-keep", *options)
    result.assert_outcomes(passed=1, errors=8, failed=1)
    said = "shop@v1.0.0 does not fit the schema at migration 0003: the schema of the target has no table 'users'"
    assert result.stdout.str().count(f"\n{said}\nName a version that fits") == 9
    made = (project.root / "applied").read_text().splitlines()
    assert len(made) <= 3 if options else len(made) == 2


@pytest.mark.parametrize("workers", [(), ("-n", "1")])
def test_server_that_cannot_be_reached_leaves_the_report(
    pytester: pytest.Pytester, shop: Repository, workers: tuple[str, ...]
) -> None:
    pytester.makepyfile("def test_rows(tdv_database): pass")
    result = pytester.runpytest_subprocess("--tdv-target", "postgresql://ada:secret@127.0.0.1:1/app", *workers)
    result.assert_outcomes(errors=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    said = result.stdout.str() + result.stderr.str()
    assert "cannot be reached" in said
    assert "Traceback" not in said
    assert "secret" not in said


@pytest.mark.parametrize(("workers", "end"), [((), ""), (("-n", "2"), ""), (("-n", "1"), "os.kill(os.getpid(), 9)")])
def test_databases_left_on_a_server_that_is_gone_are_told_in_one_line(
    pytester: pytest.Pytester, shop: Repository, redis_server: Server, workers: tuple[str, ...], end: str
) -> None:
    server = redis.start(redis_server.binaries / "redis-server", Options())
    pytester.makepyfile(
        f"""
        import os, pytest, redis

        @pytest.mark.parametrize("number", range(2))
        def test_rows(tdv_session_database, number):
            if number and "{end}":
                redis.Redis.from_url("{server.url}").shutdown(nosave=True)
                {end or "pass"}

        @pytest.fixture(scope="session", autouse=True)
        def gone(tdv_session_database):
            yield
            with pytest.raises(redis.ConnectionError):
                redis.Redis.from_url("{server.url}").shutdown(nosave=True)
                redis.Redis.from_url("{server.url}").ping()
        """
    )
    result = pytester.runpytest_subprocess("--tdv-target", server.url, *workers)
    assert result.stdout.str().count("tdv: databases that may be left go with the next run: ") == 1
    server.process.stop()
