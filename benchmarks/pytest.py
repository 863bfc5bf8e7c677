"""A database per test: what 100 tests wait for one of 1.4 MB each, against copying the file by hand and a bare copy.

What a test waits is its setup and its teardown as pytest measures them, with connecting; their median counts.
The peer is what people write: `shutil.copyfile` in a fixture, which checks nothing and knows no versions.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from pathlib import Path
from typing import Final

from benchmarks import harness

ROWS: Final = 14_000
TESTS: Final = 100
RUNS: Final = 5
CLONE: Final = 10.0
"""Milliseconds that a test may wait for a database of its own."""
ROLLBACK: Final = 1.0
"""Milliseconds that it may wait for a shared one."""

CONFTEST: Final = """
import collections, pathlib, sqlite3, shutil, statistics
import pytest

WAITED = collections.defaultdict(float)

def pytest_runtest_logreport(report):
    if report.when != "call":
        WAITED[report.nodeid] += report.duration

def pytest_unconfigure():
    pathlib.Path("waited").write_text(str(1000 * statistics.median(WAITED.values())))

@pytest.fixture
def clone(tdv_database):
    return tdv_database.connection

@pytest.fixture
def hand(tmp_path):
    connection = sqlite3.connect(shutil.copyfile("IMAGE", tmp_path / "app.db"))
    yield connection
    connection.close()
"""
TEST: Final = """
import pytest

@pytest.mark.tdv(rollback={rollback})
@pytest.mark.parametrize("number", range({tests}))
def test_it({fixture}, number):
    assert {fixture}.execute("DELETE FROM regions WHERE id > 1000").rowcount == 0
    assert {fixture}.execute("SELECT count(*) FROM regions").fetchone()[0] == 1000
"""
SIDES: Final = {
    "clone": TEST.format(tests=TESTS, fixture="clone", rollback=False),
    "rollback": TEST.format(tests=TESTS, fixture="clone", rollback=True),
    "hand": TEST.format(tests=TESTS, fixture="hand", rollback=False),
}


def waits(root: Path) -> dict[str, float]:
    """The milliseconds that a test waits on each side; the sides take turns."""
    found: dict[str, list[float]] = {name: [] for name in SIDES}
    for number in range(RUNS + 1):
        for name, values in found.items():
            command = [str(harness.TOOLS / "pytest"), "-q", "-p", "no:cacheprovider", f"test_{name}.py"]
            harness.run(command, root)
            if number:
                values.append(float((root / "waited").read_text()))
    return {name: statistics.median(values) for name, values in found.items()}


def bare_copy(image: Path, copy: Path) -> float:
    """The median milliseconds of a copy within the kernel."""
    times = []
    for _ in range(TESTS):
        start = time.perf_counter()
        with open(image, "rb") as source, open(copy, "wb") as target:
            os.copy_file_range(source.fileno(), target.fileno(), image.stat().st_size)
        times.append(time.perf_counter() - start)
        copy.unlink()
    return 1000 * statistics.median(times)


def main() -> bool:
    """Measures; returns whether a database is as cheap as promised."""
    with harness.people(ROWS) as root:
        image = root.parent / "image.db"
        harness.run([harness.TDV, "checkout", "people@v1.0.0", "--target", f"sqlite:///{image}"], root)
        for name, text in SIDES.items():
            (root / f"test_{name}.py").write_text(text, encoding="utf-8")
        (root / "conftest.py").write_text(CONFTEST.replace("IMAGE", str(image)), encoding="utf-8")
        harness.claim(f"{TESTS} tests with a SQLite database of {image.stat().st_size / harness.MEGABYTE:.1f} MB each")
        waited, copied = waits(root), bare_copy(image, root.parent / "copy.db")
    harness.figure("a test waits for a copy by hand (shutil.copyfile)", f"{waited['hand']:.2f} ms")
    harness.figure("a bare copy of the file within the kernel", f"{copied:.2f} ms")
    clone, rollback = waited["clone"], waited["rollback"]
    held = harness.ratio("ms a test waits for tdv_database", clone, f"< {CLONE:.0f}", holds=clone < CLONE)
    shared = harness.ratio("with rollback=True", rollback, f"< {ROLLBACK:.0f}", holds=rollback < ROLLBACK)
    harness.versions("tdv", "pytest")
    return held and shared


if __name__ == "__main__":
    sys.exit(not main())
