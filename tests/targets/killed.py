"""Kills a checkout at each of its points, as ``kill -9`` does, and looks at what a reader then sees.

``python -m tests.targets.killed CASE DIRECTORY`` prepares a target that holds the first version, then for each point
copies all of it, checks the second version out in a process of its own that dies there, asserts that the target
holds the one or the other whole, checks out again and verifies. Prints the number of points.
"""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb  # noqa: F401 - each forked process would import it again

from tdv.content.snapshot import Snapshot
from tdv.errors import TargetError
from tdv.targets.duckdb import loading  # noqa: F401
from tdv.targets.files import formats  # noqa: F401
from tdv.targets.sqlite import build  # noqa: F401
from tdv.targets.verification import target_digest
from tdv.testing import USERS, checkout, snapshot, users, wanted
from tests.crash.killed import Points, watch_databases, watch_files
from tests.targets.builders import target

FOREIGN = "CREATE TABLE notes (text TEXT)"


@dataclass(frozen=True)
class Case:
    """The target's URL, and what happens to it before the second version is checked out."""

    url: str
    before: Callable[[Path], None]
    first: bool = True


def nothing(home: Path) -> None:
    pass


def dirty(home: Path) -> None:
    with closing(sqlite3.connect(home / "app.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("UPDATE users SET age = 1")
        connection.commit()


def foreign_table(home: Path) -> None:
    with closing(sqlite3.connect(home / "app.db")) as connection:
        connection.execute(FOREIGN)
        connection.execute("INSERT INTO notes VALUES ('mine')")
        connection.commit()


def foreign_file(home: Path) -> None:
    (home / "out" / "notes.txt").write_text("mine")


CASES = {
    "sqlite-new": Case("sqlite:///{}/app.db", nothing, first=False),
    "sqlite-dirty": Case("sqlite:///{}/app.db", dirty),
    "sqlite-foreign": Case("sqlite:///{}/app.db", foreign_table),
    "duckdb": Case("duckdb:///{}/app.duckdb", nothing),
    "csv": Case("file://{}/out?format=csv", nothing),
    "csv-foreign": Case("file://{}/out?format=csv", foreign_file),
    "parquet": Case("file://{}/out?format=parquet", nothing),
}


def in_child(work: Callable[[], None]) -> int:
    """Runs `work` in a forked process and returns how that ended."""
    child = os.fork()
    if child:
        return os.waitpid(child, 0)[1]
    try:
        work()
    except Exception:  # noqa: BLE001 - the parent only sees the status
        sys.excepthook(*sys.exc_info())
        os._exit(1)
    os._exit(0)


def main() -> None:
    case, directory = CASES[sys.argv[1]], Path(sys.argv[2])
    home = directory / "home"

    def prepare() -> None:
        for count in (7, 5):
            snapshot(directory, {USERS: users(count)})
        if case.first:
            place = target(home, case.url.format(home))
            checkout(home, place, Snapshot.open(snapshots(directory)[7]))
            case.before(home)
        shutil.copytree(home, directory / "prepared")

    home.mkdir()
    assert in_child(prepare) == 0
    point = 0
    while True:
        point += 1
        shutil.rmtree(home)
        shutil.copytree(directory / "prepared", home)
        status = in_child(partial(die, point, directory, home, case))
        if os.WIFEXITED(status):
            assert os.WEXITSTATUS(status) == 0
            break
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert in_child(partial(look, directory, home, case)) == 0, f"point {point}"
    print(point - 1)


def snapshots(directory: Path) -> dict[int, Path]:
    found = {Snapshot.open(path).manifest.table("users").rows: path for path in directory.glob("snapshot-*")}
    return dict(sorted(found.items()))


def second(directory: Path, home: Path, case: Case) -> None:
    found = Snapshot.open(snapshots(directory)[5])
    checkout(home, target(home, case.url.format(home)), wanted(found, "2.0.0"))


def die(point: int, directory: Path, home: Path, case: Case) -> None:
    points = Points(point)
    watch_files(points)
    watch_databases(points)
    second(directory, home, case)


def look(directory: Path, home: Path, case: Case) -> None:
    place = target(home, case.url.format(home))
    for held in place.held():
        found = Snapshot.open(snapshots(directory)[held.tables["users"]]).manifest
        assert held.version == ("2.0.0" if held.tables["users"] == 5 else "1.0.0")
        dirty_rows = held.version == "1.0.0" and case.before is dirty
        assert dirty_rows or target_digest(place, found.schema) == found.content
    second(directory, home, case)
    found = Snapshot.open(snapshots(directory)[5]).manifest
    assert target_digest(place, found.schema) == found.content
    if case.before is foreign_table:
        with closing(sqlite3.connect(home / "app.db")) as connection:
            assert connection.execute("SELECT text FROM notes").fetchall() == [("mine",)]
    if case.before is foreign_file:
        assert (home / "out" / "notes.txt").read_text() == "mine"
    left = [path.name for path in home.iterdir() if path.name.endswith((".tmp", "-wal", "-shm", "-journal"))]
    assert not left, left


if __name__ == "__main__":
    try:
        main()
    except TargetError as exc:
        sys.exit(exc.message)
