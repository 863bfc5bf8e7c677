"""MariaDB: first load against ``mariadb < dump.sql`` of the same tables and against bare ``LOAD DATA``, second restore.

The server is a throwaway one. The peers restore what tdv made, with the same keys, references and indexes, and check
nothing; tdv verifies the files before and reads every row back afterwards. What it takes without reading back is shown,
too.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from benchmarks import harness
from benchmarks.postgresql import ROWS, SPEC

RUNS = 3
_ALONE = Path(__file__).with_name("mysql_alone.py")
BARE = """
import sys
import pymysql
user, password, place, directory, *tables = sys.argv[1:]
connection = pymysql.connect(user=user, password=password, unix_socket=place, database="bare", local_infile=True)
with connection.cursor() as cursor:
    cursor.execute("SET SESSION foreign_key_checks = 0, SESSION unique_checks = 0")
    for table in tables:
        cursor.execute(
            f"LOAD DATA LOCAL INFILE '{directory}/{table}.csv' INTO TABLE {table} CHARACTER SET utf8mb4 "
            "FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '\\"' IGNORE 1 LINES"
        )
connection.commit()
"""


class Bench:
    """A scratch repository with the dataset, and a server with a database for each side."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url
        self.parts = urlsplit(url)
        self.socket = dict(parse_qsl(self.parts.query))["unix_socket"]

    def database(self, name: str) -> str:
        """The URL of a database of the server."""
        return self.parts._replace(path=f"/{name}").geturl()

    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        """Runs statements and returns the rows of the last one."""
        import pymysql

        words = {"user": self.parts.username, "password": self.parts.password, "unix_socket": self.socket}
        with pymysql.connect(**words, autocommit=True) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def anew(self, name: str, *, made: bool = True) -> None:
        """An empty database of that name, or none."""
        self.sql(f"DROP DATABASE IF EXISTS {name}", *([f"CREATE DATABASE {name}"] if made else []))

    def checkout(self, name: str) -> list[str]:
        """The command that restores into a database."""
        return [harness.TDV, "checkout", "trade@v1.0.0", "--target", self.database(name)]

    def checkout_alone(self, name: str) -> list[str]:
        """The same without reading rows back."""
        return [sys.executable, str(_ALONE), *self.checkout(name)[1:]]

    def client(self, program: str) -> list[str]:
        """A program of MariaDB, connected to the server."""
        return [program, f"-u{self.parts.username}", f"-p{self.parts.password}", "-S", self.socket]

    def tables(self, name: str) -> list[str]:
        """The tables of a database."""
        query = f"SHOW FULL TABLES FROM {name} WHERE Table_type = 'BASE TABLE'"
        return [str(row[0]) for row in self.sql(query)]

    def emptied(self, name: str) -> None:
        """A database with the tables that tdv made in ``own``, and no rows."""
        self.anew(name)
        made = [self.sql(f"SHOW CREATE TABLE own.{table}")[0][1] for table in self.tables("own")]
        self.sql("SET SESSION foreign_key_checks = 0", f"USE {name}", *made)


def first_load(bench: Bench) -> bool:
    """Prints the ratios of the first load; returns whether the promises hold."""
    harness.claim(f"First load of {ROWS:,} rows with four parents into MariaDB")
    own = harness.Side("tdv checkout, rows read back", bench.checkout("own"), lambda: bench.anew("own"))
    dump, copies = bench.root.parent / "trade.sql", bench.root.parent / "csv"
    bench.anew("own")
    harness.run(bench.checkout("own"), bench.root)
    harness.run(["sh", "-c", f'"$@" > {dump}', "sh", *bench.client("mariadb-dump"), "own"], bench.root)
    harness.run([harness.TDV, "checkout", "trade@v1.0.0", "--target", f"{copies}/", "--format", "csv"], bench.root)
    restore = ["sh", "-c", f'"$@" < {dump}', "sh", *bench.client("mariadb"), "peer"]
    peer = harness.Side("mariadb < dump.sql, nothing checked", restore, lambda: bench.anew("peer"))
    tables = sorted(path.stem for path in copies.glob("*.csv"))
    words = [str(bench.parts.username), str(bench.parts.password), bench.socket, str(copies), *tables]
    bare = harness.Side(
        "bare LOAD DATA of ready CSV", [sys.executable, "-c", BARE, *words], lambda: bench.emptied("bare")
    )
    alone = harness.Side("tdv checkout, rows not read back", bench.checkout_alone("own"), lambda: bench.anew("own"))
    idle = harness.Side("tdv checkout with nothing to do", bench.checkout("idle"))
    bench.anew("idle")
    sides = [own, alone, peer, bare, idle]
    taken = harness.alternate(sides, bench.root, RUNS)
    for side, seconds in zip(sides, taken, strict=True):
        harness.figure(side.label, f"{seconds:.2f} s")
    own_seconds, alone_seconds, peer_seconds, bare_seconds, _ = taken
    restored = harness.ratio(
        "tdv / dump restore", own_seconds / peer_seconds, "<= 0.7", holds=own_seconds <= 0.7 * peer_seconds
    )
    harness.figure("tdv / bare LOAD DATA", f"{own_seconds / bare_seconds:.2f}")
    harness.figure("rows not read back / bare LOAD DATA", f"{alone_seconds / bare_seconds:.2f}")
    return restored


def second_restore(bench: Bench) -> bool:
    """Prints the ratio of the second restore; returns whether the promise holds."""
    harness.claim("Second restore of the same version into a database that tdv owns, after rows were changed")
    settings = "targets:\n  ci: {url_env: DATABASE_URL, owns: database}\n"
    (bench.root / "tdv.yaml").write_text(settings, encoding="utf-8")
    os.environ["DATABASE_URL"] = bench.database("ci")
    bench.anew("ci", made=False)
    command = [harness.TDV, "checkout", "trade@v1.0.0", "--target", "ci"]
    harness.run(command, bench.root)
    own = harness.Side("tdv checkout", command, lambda: bench.sql("DELETE FROM ci.lineitem WHERE id < 10") and None)
    idle = harness.Side("tdv checkout with nothing to do", command)
    copies = "; ".join(
        ["SET foreign_key_checks = 0", "SET unique_checks = 0"]
        + [f"INSERT INTO copy.{table} SELECT * FROM ci.{table}" for table in bench.tables("ci")]
    )
    copy = harness.Side(
        "bare INSERT … SELECT of all tables",
        [*bench.client("mariadb"), "-e", copies],
        lambda: bench.emptied("copy"),
    )
    restored, start, copied = harness.alternate([own, idle, copy], bench.root, RUNS)
    for side, seconds in ((own, restored), (idle, start), (copy, copied)):
        harness.figure(side.label, f"{seconds:.2f} s")
    factor = restored / (start + copied)
    return harness.ratio("restore / (start of the process + copy)", factor, "<= 1.2", holds=factor <= 1.2)


@contextmanager
def prepared() -> Iterator[Bench]:
    """The repository with the release, and the server."""
    from tdv.servers.mariadb import binaries, serve
    from tdv.servers.server import Options

    programs = binaries(os.environ["PATH"])
    with TemporaryDirectory(prefix="tdv-bench-") as scratch, serve(programs, Options(port=None)) as server:
        root = Path(scratch) / "repository"
        spec = SPEC.replace("CUSTOMERS", str(ROWS // 40)).replace("ORDERS", str(ROWS // 4)).replace("ROWS", str(ROWS))
        harness.released(root, "trade", spec)
        yield Bench(root, server.url)
        print(f"  MariaDB {server.version}", end="")
        harness.versions("tdv", "pymysql", "pyarrow")


def main() -> bool:
    """Measures both; returns whether the promises hold."""
    if shutil.which("mariadb-dump") is None:
        print("  There is no mariadb-dump on this machine, so there is no ratio.")
        return True
    with prepared() as bench:
        loaded = first_load(bench)
        return second_restore(bench) and loaded


if __name__ == "__main__":
    sys.exit(not main())
