"""A PostgreSQL database per test: what 100 tests wait for one of 1.3 MB each, against pytest-postgresql and by hand.

What a test waits is its setup and its teardown as pytest measures them, with connecting; their median counts. All
sides use one throwaway server. By hand means pgtestdb's method with psycopg: a template made once, a clone per test.
Both peers load the same tables with their keys and indexes. tdv makes databases ahead of the tests; those here take
as long as a clone, as real ones do, and the time of a clone is printed beside.
"""

from __future__ import annotations

import os
import statistics
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from benchmarks import harness

ROWS: Final = 8_000
TESTS: Final = int(os.environ.get("TDV_BENCH_TESTS", "100"))
RUNS: Final = 3
MEMORY: Final = Path("/dev/shm")
"""Where the server keeps its files, if there is such a place: the time of a clone is that of its 300 files."""
WAIT: Final = 10.0
"""Milliseconds that a test may wait for a database that was made ahead, or brought back."""
ROLLBACK: Final = 1.0
"""Milliseconds that it may wait for a shared one that it left as it was."""

CONFTEST: Final = """
import collections, pathlib, statistics, time
import psycopg, pytest

URL = "SERVER"
WAITED = collections.defaultdict(float)

def pytest_runtest_logreport(report):
    if report.when != "call":
        WAITED[report.nodeid] += report.duration

def pytest_unconfigure():
    pathlib.Path("waited").write_text(str(1000 * statistics.median(WAITED.values())))

def named(name):
    return URL.replace("/postgres?", f"/{name}?")

@pytest.fixture
def own(tdv_database):
    return tdv_database.connection

@pytest.fixture(scope="session")
def template():
    with psycopg.connect(URL, autocommit=True) as admin:
        admin.execute("CREATE DATABASE template")
        with psycopg.connect(named("template")) as connection:
            connection.execute(pathlib.Path("people.sql").read_text())
        admin.execute("ALTER DATABASE template IS_TEMPLATE true ALLOW_CONNECTIONS false")
        yield "template"
        admin.execute("ALTER DATABASE template IS_TEMPLATE false")
        admin.execute("DROP DATABASE template")

@pytest.fixture
def hand(template, request):
    name = "hand_" + request.node.callspec.id
    with psycopg.connect(URL, autocommit=True) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    with psycopg.connect(named(name)) as connection:
        yield connection
    with psycopg.connect(URL, autocommit=True) as admin:
        admin.execute(f"DROP DATABASE {name}")
"""
PEER: Final = """
try:
    from pytest_postgresql import factories
except ImportError:
    pass
else:
    server = factories.postgresql_noproc(
        host="HOST", port=5432, user="postgres", dbname="peer", load=[pathlib.Path("people.sql")]
    )
    peer = factories.postgresql("server")
"""
TEST: Final = """
import time
import pytest

@pytest.mark.tdv(rollback={rollback})
@pytest.mark.parametrize("number", range({tests}))
def test_it({fixture}, number):
    {fixture}.execute("UPDATE {table} SET name = 'x' WHERE id = 1")
    assert {fixture}.execute("SELECT count(*) FROM regions").fetchone() == (1000,)
    {end}
"""
ALONE: Final = """
import pytest

@pytest.mark.parametrize("number", range({tests}))
def test_it(tmp_path_factory, number):
    pass
"""
LONG: Final = "{fixture}.commit(); time.sleep({seconds})"


def sides(seconds: float) -> dict[str, str]:
    """The tests of each side; `seconds` is how long those of them last for which something is made meanwhile."""

    def test(fixture: str, end: str = "", *, table: str = "regions", rollback: bool = False) -> str:
        return TEST.format(tests=TESTS, fixture=fixture, end=end or "pass", table=table, rollback=rollback)

    found = {
        "ahead": test("own", LONG.format(fixture="own", seconds=seconds)),
        "rollback": test("own", rollback=True),
        "reset": test("own", "own.commit()", rollback=True),
        "large": test("own", "own.commit()", rollback=True, table="people"),
        "hand": test("hand", "hand.commit()"),
        "alone": ALONE.format(tests=TESTS),
    }
    if find_spec("pytest_postgresql"):
        found["peer"] = test("peer", "peer.commit()")
    return found


def waits(root: Path, names: list[str], runs: int, *options: str) -> dict[str, float]:
    """The milliseconds that a test waits on each side; they take turns, without plug-ins that none of them uses."""
    found: dict[str, list[float]] = {name: [] for name in names}
    others = ["-p", "no:asyncio", "-p", "no:django"]
    for number in range(runs + 1):
        for name, values in found.items():
            plugins = ["-p", "no:cacheprovider", *others, *([] if name == "peer" else ["-p", "no:postgresql"])]
            harness.run([str(harness.TOOLS / "pytest"), "-q", *plugins, *options, f"test_{name}.py"], root)
            if number:
                values.append(float((root / "waited").read_text()))
    return {name: statistics.median(values) for name, values in found.items()}


def main() -> bool:
    """Measures; returns whether a database is as cheap as promised."""
    from tempfile import TemporaryDirectory

    from tdv.servers.postgresql import binaries, serve
    from tdv.servers.server import Options

    programs = binaries(os.environ["PATH"])
    options = Options(port=None, directory=MEMORY if os.access(MEMORY, os.W_OK) else None)
    with harness.people(ROWS) as root, TemporaryDirectory() as scratch, serve(programs, options) as server:
        url = server.url
        prepare(root, url, programs, Path(scratch))
        harness.claim(f"{TESTS} tests with a PostgreSQL database each")
        (clone,) = waits(root, ["ahead"], 1, "--tdv-ahead", "0").values()
        for name, text in sides(clone / 1000).items():
            (root / f"test_{name}.py").write_text(text, encoding="utf-8")
        found = waits(root, list(sides(0)), RUNS)
        print(f"  PostgreSQL {server.version}", end="")
        harness.versions("tdv", "pytest", "psycopg", "pytest-postgresql")
    return report(clone, found)


def prepare(root: Path, url: str, programs: Path, scratch: Path) -> None:
    """The tests, and the data as the peers load it."""
    from urllib.parse import parse_qs, urlsplit

    import psycopg

    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("CREATE DATABASE data")
    data = url.replace("/postgres?", "/data?")
    harness.run([harness.TDV, "checkout", "people@v1.0.0", "--target", data], root)
    dump = [
        "--no-owner",
        "--inserts",
        "--rows-per-insert=1000",
        "--exclude-schema=_tdv",
        "-f",
        str(root / "people.sql"),
    ]
    harness.run([str(programs / "pg_dump"), *dump, data], root)
    text = (root / "people.sql").read_text(encoding="utf-8")
    kept = [
        line for line in text.splitlines() if not line.startswith(("\\", "SELECT pg_catalog.set_config('search_path'"))
    ]
    (root / "people.sql").write_text("\n".join(kept), encoding="utf-8")
    host = parse_qs(urlsplit(url).query)["host"][0]
    conftest = (CONFTEST + PEER).replace("SERVER", url).replace("HOST", host)
    (root / "conftest.py").write_text(conftest, encoding="utf-8")
    (root / "pytest.ini").write_text(f"[pytest]\ntdv_target = {url}\n", encoding="utf-8")
    (root / "test_ahead.py").write_text(sides(0)["ahead"], encoding="utf-8")


def report(clone: float, found: dict[str, float]) -> bool:
    """Prints what was measured; returns whether the promises hold."""
    harness.figure("a test waits for a clone when none is made ahead", f"{clone:.2f} ms")
    harness.figure("a test waits by hand, as pgtestdb does it", f"{found['hand']:.2f} ms")
    harness.figure("one that shares, and writes to the largest table", f"{found['large']:.2f} ms")
    harness.figure("a test without a database waits for pytest", f"{found['alone']:.2f} ms")
    best = found["hand"]
    if "peer" in found:
        harness.figure("a test waits with pytest-postgresql", f"{found['peer']:.2f} ms")
        best = min(best, found["peer"])
    held = [
        harness.ratio("made ahead / the faster of both", found["ahead"] / best, "< 1", holds=found["ahead"] < best),
        harness.ratio(
            "ms a test waits for one made ahead", found["ahead"], f"< {WAIT:.0f}", holds=found["ahead"] < WAIT
        ),
        harness.ratio("ms, shared and brought back", found["reset"], f"< {WAIT:.0f}", holds=found["reset"] < WAIT),
        harness.ratio(
            "ms, shared and rolled back", found["rollback"], f"< {ROLLBACK:.0f}", holds=found["rollback"] < ROLLBACK
        ),
    ]
    return all(held)


if __name__ == "__main__":
    sys.exit(not main())
