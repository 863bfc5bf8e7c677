"""A disk that is full in the middle, or that only reads: one sentence says so, and the old rows stay."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import duckdb
import pytest

from tdv.errors import TargetError
from tdv.servers import mariadb, postgresql
from tdv.servers.server import Options, Server
from tests.targets.builders import target
from tests.targets.places import Restored
from tests.targets.servers import database_url, mysql_url, run_mysql, run_sql

FILE = 32 << 20
POSTGRESQL = 120 << 20
MARIADB = 400 << 20
"""A server of MariaDB begins with a log of 256 MB."""
ROWS = 20_000
"""More than `LEFT` bytes in any form."""
LEFT = 8_192


class Disk:
    """A file system of its own that can be filled."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._filling = path / "filling"

    def fill(self) -> None:
        found = os.statvfs(self.path)
        self._filling.write_bytes(bytes(found.f_bavail * found.f_frsize - LEFT))

    def free(self) -> None:
        self._filling.unlink()

    def forbid(self) -> None:
        """From now on it only reads."""
        subprocess.run(["mount", "-o", "remount,ro", str(self.path)], check=True)


@pytest.fixture
def disks() -> Iterator[Callable[[int], Disk]]:
    """Makes file systems in memory of so many bytes, which takes a right to mount."""
    made: list[Path] = []

    def make(size: int) -> Disk:
        # Servers run as another user, who may not enter the test's own directory.
        path = Path(tempfile.mkdtemp(prefix="disk-"))
        path.chmod(0o755)
        words = ["mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(path)]
        if subprocess.run(words, capture_output=True, check=False).returncode:
            path.rmdir()
            pytest.skip("no file system can be mounted here")
        made.append(path)
        return Disk(path)

    yield make
    for path in made:
        subprocess.run(["umount", "--lazy", str(path)], check=True)
        path.rmdir()


def full(place: Restored, disk: Disk, before: int) -> str:
    """What is said by a checkout that fills the disk; before and afterwards, the target holds `before` rows."""
    disk.fill()
    with pytest.raises(TargetError) as caught:
        place.checkout(ROWS, "2.0.0")
    disk.free()
    if before:
        assert place.holds(before)
    else:
        assert place.target.held() == ()
    place.checkout(ROWS, "2.0.0")
    assert place.holds(ROWS)
    return f"{caught.value} {caught.value.hint}"


@pytest.mark.parametrize("url", ["sqlite:///{}/a.db", "duckdb:///{}/a.duckdb", "file://{}/out?format=csv"])
@pytest.mark.parametrize("before", [0, 5])
def test_files_are_replaced_or_stay(tmp_path: Path, disks: Callable[[int], Disk], url: str, before: int) -> None:
    disk = disks(FILE)
    place = Restored(tmp_path, url.format(disk.path)).owned()
    if before:
        place.checkout(before)
    assert "No space left on device" in full(place, disk, before)
    assert len(list(disk.path.iterdir())) == 1


def others(path: Path) -> None:
    """A table of somebody else's, so that rows have to be replaced in the file."""
    opened = sqlite3.connect(path) if path.suffix == ".db" else duckdb.connect(path)
    with closing(opened) as connection:
        connection.execute("CREATE TABLE mine (x INTEGER)")


@pytest.mark.parametrize(("engine", "name"), [("sqlite", "a.db"), ("duckdb", "a.duckdb")])
def test_transaction_in_a_file_is_undone(tmp_path: Path, disks: Callable[[int], Disk], engine: str, name: str) -> None:
    disk = disks(FILE)
    place = Restored(tmp_path, f"{engine}:///{disk.path / name}")
    place.checkout(5)
    others(disk.path / name)
    said = full(place, disk, 5)
    assert re.search(r"disk is full|No space left on device", said)
    assert "The disk is full: free some space" in said


@pytest.mark.parametrize(("engine", "name"), [("sqlite", "a.db"), ("duckdb", "a.duckdb")])
def test_image_that_does_not_fit_is_none(tmp_path: Path, disks: Callable[[int], Disk], engine: str, name: str) -> None:
    disk = disks(FILE)
    place = Restored(tmp_path, f"{engine}:///{tmp_path / name}").owned()
    place.checkout(5)
    place.target = target(disk.path, place.url, owns="database")
    assert "The disk is full: free some space" in full(place, disk, 5)


@pytest.mark.parametrize("url", ["sqlite:///{}/a.db", "duckdb:///{}/a.duckdb", "file://{}/out?format=csv"])
@pytest.mark.parametrize("owned", [False, True])
def test_disk_that_only_reads_is_said(tmp_path: Path, disks: Callable[[int], Disk], url: str, owned: bool) -> None:
    disk = disks(FILE)
    place = Restored(tmp_path, url.format(disk.path))
    place.checkout(5)
    if owned:
        place.owned()
    elif "file:" not in url:
        others(next(disk.path.iterdir()))
    disk.forbid()
    with pytest.raises(TargetError) as caught:
        place.checkout(3, "2.0.0")
    assert "ead-only" in f"{caught.value} {caught.value.hint}"
    assert place.holds(5)


@pytest.mark.parametrize("owns", ["tables", "database"])
def test_postgresql_keeps_the_old_rows(
    tmp_path: Path, disks: Callable[[int], Disk], postgresql_server: Server, owns: str
) -> None:
    disk = disks(POSTGRESQL)
    server = postgresql.start(postgresql_server.binaries, Options(port=None, directory=disk.path))
    try:
        run_sql(server.url, "CREATE DATABASE app")
        place = Restored(tmp_path, database_url(server.url, "app"))
        place.target = target(tmp_path, place.url, owns=owns)
        place.checkout(5)
        assert "The disk of the server is full" in full(place, disk, 5)
        left = "SELECT datname FROM pg_database WHERE datname ~ '^tdv_(clone|building)_'"
        assert run_sql(server.url, left) == []
    finally:
        server.process.stop()


@pytest.mark.parametrize("owns", ["tables", "database"])
def test_mariadb_keeps_the_old_rows(
    tmp_path: Path, disks: Callable[[int], Disk], mariadb_server: Server, owns: str
) -> None:
    disk = disks(MARIADB)
    server = mariadb.start(mariadb_server.binaries, Options(port=None, directory=disk.path))
    try:
        run_mysql(server.url, "CREATE DATABASE app")
        place = Restored(tmp_path, mysql_url(server.url, "app"))
        place.target = target(tmp_path, place.url, owns=owns)
        place.checkout(5)
        assert "disk of the server is full" in full(place, disk, 5)
    finally:
        server.process.stop()
