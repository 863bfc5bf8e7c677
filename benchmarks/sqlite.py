"""SQLite: first load against ``sqlite3 … .import`` of the same table, second restore against ``cp`` of the file.

The peer gets the schema that tdv makes and the rows as CSV, and checks nothing; tdv verifies the files before and
reads every row back afterwards.
"""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from benchmarks import harness

ROWS = 1_000_000
RUNS = 3
TABLES = ("regions", "people")
FEW = """\
dataset: few
tables:
  few:
    rows: 10
    key: [id]
    columns:
      id: {type: int64, generate: {sequence: {start: 1}}}
"""


def schema_of(database: Path) -> str:
    """The statements that make the dataset's tables and indexes, as tdv left them in a database."""
    query = (
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND substr(tbl_name, 1, 4) <> '_tdv' ORDER BY type DESC"
    )
    with closing(sqlite3.connect(database)) as connection:
        return "".join(f"{sql};\n" for (sql,) in connection.execute(query))


def first_load(root: Path) -> bool:
    """Prints the ratio of the first load; returns whether the promise holds."""
    harness.claim(f"First load of {ROWS:,} rows into SQLite")
    shell = shutil.which("sqlite3")
    own_file, peer_file = root.parent / "own.db", root.parent / "peer.db"
    own_command = [harness.TDV, "checkout", "people@v1.0.0", "--target", f"sqlite:///{own_file}"]
    own = harness.Side(
        "tdv checkout", own_command, lambda: harness.remove(own_file, root / ".tdv" / "images", root / ".tdv" / "state")
    )
    if shell is None:
        (seconds,) = harness.alternate([own], root, RUNS)
        harness.figure(own.label, f"{ROWS / seconds:,.0f} rows/s")
        print("  The sqlite3 shell is not installed, so there is no ratio; the system's package is called sqlite3.")
        return True
    csv = root.parent / "csv"
    harness.run([*own_command], root)
    harness.run([harness.TDV, "checkout", "people@v1.0.0", "--target", str(csv), "--format", "csv"], root)
    script = root.parent / "import.sql"
    imports = "".join(f".import --csv --skip 1 {csv / table}.csv {table}\n" for table in TABLES)
    script.write_text(schema_of(own_file) + imports, encoding="utf-8")
    peer = harness.Side(
        "sqlite3 .import", [shell, str(peer_file), f".read {script}"], lambda: harness.remove(peer_file)
    )
    own_seconds, peer_seconds = harness.alternate([own, peer], root, RUNS)
    for side, seconds in ((own, own_seconds), (peer, peer_seconds)):
        harness.figure(side.label, f"{ROWS / seconds:,.0f} rows/s")
    factor = peer_seconds / own_seconds
    holds = harness.ratio("tdv / sqlite3 .import, rows per second", factor, ">= 1.5", holds=factor >= 1.5)
    harness.versions("tdv", "pyarrow")
    shell_version = subprocess.run([shell, "--version"], capture_output=True, check=True, text=True).stdout
    print(f"  sqlite3 shell {shell_version.split()[0]}")
    return holds


def release_few(root: Path) -> None:
    """Releases a dataset of a few rows: restoring it costs what every restore costs before the first byte."""
    spec = root / "datasets" / "few" / "dataset.yaml"
    spec.parent.mkdir()
    spec.write_text(FEW, encoding="utf-8")
    harness.commit(root, "A few rows")
    harness.run([harness.TDV, "release", "few", "1.0.0"], root)


def second_restore(root: Path) -> bool:
    """Prints the ratio of the second restore; returns whether the promise holds."""
    harness.claim("Second restore of the same version, into a new file")
    target, copy = root.parent / "restored.db", root.parent / "copy.db"
    command = [harness.TDV, "checkout", "people@v1.0.0", "--target", f"sqlite:///{target}"]
    harness.run(command, root)
    source = root.parent / "source.db"
    shutil.copyfile(target, source)
    size = source.stat().st_size / harness.MEGABYTE

    def target_gone() -> None:
        harness.remove(target)

    def copy_gone() -> None:
        harness.remove(copy)

    release_few(root)
    small = root.parent / "small.db"
    small_command = [harness.TDV, "checkout", "few@v1.0.0", "--target", f"sqlite:///{small}"]
    harness.run(small_command, root)
    fresh = harness.Side("tdv checkout, new file", command, target_gone)
    idle = harness.Side("the same of a few rows", small_command, lambda: harness.remove(small))
    plain = harness.Side(f"cp, {size:.0f} MB", ["cp", str(source), str(copy)], copy_gone)
    flushed = harness.Side(
        "cp, then flushed to the disk", ["sh", "-c", f"cp {source} {copy} && sync {copy}"], copy_gone
    )
    sides = [fresh, idle, plain, flushed]
    restored, start, copied, durable = harness.alternate(sides, root, 2 * RUNS + 1)
    for side, seconds in zip(sides, (restored, start, copied, durable), strict=True):
        harness.figure(side.label, f"{seconds * 1000:.0f} ms")
    factor = restored / (start + copied)
    holds = harness.ratio("restore / (start of the process + cp)", factor, "<= 1", holds=factor <= 1)
    harness.versions("tdv")
    return holds


def main() -> bool:
    """Measures both; returns whether both promises hold."""
    with harness.people(ROWS) as root:
        loaded = first_load(root)
        return second_restore(root) and loaded


if __name__ == "__main__":
    sys.exit(not main())
