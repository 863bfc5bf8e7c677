"""PostgreSQL: first load against ``pg_restore -j2`` of a dump of the same tables, second restore against a bare clone.

The server is a throwaway one. The peer restores what tdv made, with the same keys, references and indexes; it checks
the references, as a dump of a database with valid ones makes it, and nothing else. tdv, for which the build has proved
the references, verifies the files before, compares every row that the server gives back afterwards, and keeps a
template; what it takes without the last two is shown, too, as is what nothing but starting it takes.
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

from benchmarks import harness

ROWS = int(os.environ.get("TDV_BENCH_ROWS", "600000"))
RUNS = 3
ADMIN = "postgres"
_ALONE = Path(__file__).with_name("postgresql_alone.py")
_OWN_SIDES = 4
"""Sides of the first load that are not the peer's."""
SPEC = """
dataset: trade
seed: 1
as_of: 2026-01-01T00:00:00Z
tables:
  nation:
    rows: 25
    key: [id]
    columns:
      id: {type: int32, generate: {sequence: {start: 1}}}
      name: {type: string, generate: {template: "nation {id}"}}
  customer:
    rows: CUSTOMERS
    key: [id]
    columns:
      id: {type: int32, generate: {sequence: {start: 1}}}
      name: {type: string, generate: {faker: name}}
      nation_id: {type: int32, references: nation.id, generate: {pick: {}}}
      phone: {type: string, generate: {pattern: "[0-9]{2}-[0-9]{3}-[0-9]{3}-[0-9]{4}"}}
      balance: {type: "decimal(15,2)", generate: {uniform: {min: -999.99, max: 9999.99}}}
  part:
    rows: CUSTOMERS
    key: [id]
    columns:
      id: {type: int32, generate: {sequence: {start: 1}}}
      name: {type: string, generate: {template: "part {id}"}}
      price: {type: "decimal(15,2)", generate: {uniform: {min: 900.00, max: 2000.00}}}
  orders:
    rows: ORDERS
    key: [id]
    columns:
      id: {type: int64, generate: {sequence: {start: 1}}}
      customer_id: {type: int32, references: customer.id, generate: {pick: {}}}
      status: {type: string, generate: {choice: {O: 1, F: 1, P: 1}}}
      total: {type: "decimal(15,2)", generate: {uniform: {min: 800.00, max: 500000.00}}}
      ordered: {type: date, generate: {datetime: {from: 1992-01-01, to: 1998-08-02}}}
      clerk: {type: string, generate: {pattern: "Clerk#[0-9]{9}"}}
  lineitem:
    rows: ROWS
    key: [id]
    columns:
      id: {type: int64, generate: {sequence: {start: 1}}}
      order_id: {type: int64, references: orders.id, generate: {pick: {}}}
      part_id: {type: int32, references: part.id, generate: {pick: {}}}
      line: {type: int32, generate: {uniform: {min: 1, max: 7}}}
      quantity: {type: "decimal(15,2)", generate: {uniform: {min: 1.00, max: 50.00}}}
      price: {type: "decimal(15,2)", generate: {uniform: {min: 900.00, max: 100000.00}}}
      discount: {type: "decimal(15,2)", generate: {uniform: {min: 0.00, max: 0.10}}}
      tax: {type: "decimal(15,2)", generate: {uniform: {min: 0.00, max: 0.08}}}
      flag: {type: string, generate: {choice: {R: 1, A: 1, N: 2}}}
      status: {type: string, generate: {choice: {O: 1, F: 1}}}
      shipped: {type: date, generate: {datetime: {from: 1992-01-01, to: 1998-12-01}}}
      committed: {type: date, generate: {datetime: {from: 1992-01-01, to: 1998-12-01}}}
      received: {type: date, generate: {datetime: {from: 1992-01-01, to: 1998-12-01}}}
      instruction: {type: string, generate: {choice: [DELIVER IN PERSON, COLLECT COD, NONE, TAKE BACK RETURN]}}
      mode: {type: string, generate: {choice: [AIR, FOB, MAIL, RAIL, REG AIR, SHIP, TRUCK]}}
      comment: {type: string, generate: {pattern: "[a-z]{8} [a-z]{6} [a-z]{9}"}}
"""


class Bench:
    """A scratch repository with the dataset, and a server with a database for each side."""

    def __init__(self, root: Path, url: str, programs: Path) -> None:
        self.root = root
        self.url = url
        self.programs = programs

    def database(self, name: str) -> str:
        """The URL of a database of the server."""
        return self.url.replace(f"/{ADMIN}?", f"/{name}?")

    def sql(self, statement: str) -> list[tuple[Any, ...]]:
        """Runs one statement in the database that is nobody's."""
        import psycopg

        with psycopg.connect(self.url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def anew(self, name: str, *, made: bool = True) -> None:
        """An empty database of that name, or none."""
        self.sql(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        if made:
            self.sql(f"CREATE DATABASE {name}")

    def own(self) -> None:
        """An empty database that tdv does not own."""
        self.anew("own")

    def forget(self) -> None:
        """No database of tdv's and no template."""
        self.anew("ci", made=False)
        for (name,) in self.sql("SELECT datname FROM pg_database WHERE datname LIKE 'tdv\\_%'"):
            self.sql(f"ALTER DATABASE {name} IS_TEMPLATE false")
            self.anew(name, made=False)

    def validate(self, name: str) -> None:
        """Checks all references of a database."""
        import psycopg

        with psycopg.connect(self.database(name)) as connection:
            query = "SELECT conrelid::regclass::text, quote_ident(conname) FROM pg_constraint WHERE NOT convalidated"
            for table, constraint in connection.execute(query).fetchall():
                connection.execute(f"ALTER TABLE {table} VALIDATE CONSTRAINT {constraint}".encode())

    def checkout(self, target: str) -> list[str]:
        """The command that restores into a target of tdv.yaml, or a database by its URL."""
        return [harness.TDV, "checkout", "trade@v1.0.0", "--target", target]

    def database_checkout(self, name: str) -> list[str]:
        """The command that restores into a database."""
        return self.checkout(self.database(name))


def first_load(bench: Bench) -> bool:
    """Prints the ratio of the first load; returns whether the promise holds."""
    harness.claim(f"First load of {ROWS:,} rows with four parents into PostgreSQL")
    own = harness.Side("tdv checkout, into a database that tdv owns", bench.checkout("ci"), bench.forget)
    alone = harness.Side("the same without reading back and template", _alone(bench.checkout("ci")), bench.forget)
    shared = harness.Side("tdv checkout, into one that it does not own", bench.database_checkout("own"), bench.own)
    idle = harness.Side("tdv checkout with nothing to do", bench.database_checkout("idle"))
    bench.anew("idle")
    sides = [own, alone, shared, idle, *_restores(bench)]
    seconds = harness.alternate(sides, bench.root, RUNS)
    for side, taken in zip(sides, seconds, strict=True):
        harness.figure(side.label, f"{taken:.2f} s")
    if len(sides) == _OWN_SIDES:
        print("  There is no pg_restore beside the server, so there is no ratio.")
        return True
    harness.figure("without reading back and template / pg_restore -j2", f"{seconds[1] / seconds[_OWN_SIDES]:.2f}")
    factor = seconds[0] / seconds[_OWN_SIDES]
    return harness.ratio("tdv / pg_restore -j2", factor, "<= 0.7", holds=factor <= 0.7)


def _alone(command: list[str]) -> list[str]:
    """A checkout that leaves out what `pg_restore` does not do."""
    return [sys.executable, str(_ALONE), *command[1:]]


def _restores(bench: Bench) -> Iterator[harness.Side]:
    """The peer, with references that it checks and with such as it need not."""
    restore = shutil.which("pg_restore", path=str(bench.programs))
    if restore is None:
        return
    bench.own()
    harness.run(bench.database_checkout("own"), bench.root)
    for checked in (False, True):
        if checked:
            bench.validate("own")
        dump = bench.root.parent / f"trade-{checked}.dump"
        harness.run([str(bench.programs / "pg_dump"), "-Fc", "-f", str(dump), bench.database("own")], bench.root)
    for checked, what in ((True, "references checked"), (False, "references NOT VALID")):
        command = [restore, "-j2", "-d", bench.database("peer"), str(bench.root.parent / f"trade-{checked}.dump")]
        yield harness.Side(f"pg_restore -j2, {what}", command, lambda: bench.anew("peer"))


def second_restore(bench: Bench) -> bool:
    """Prints the ratio of the second restore; returns whether the promise holds."""
    harness.claim("Second restore of the same version into a database that tdv owns, after rows were changed")
    command = bench.checkout("ci")
    bench.forget()
    harness.run(command, bench.root)
    ((template, size),) = bench.sql(
        "SELECT datname, pg_database_size(oid) FROM pg_database WHERE datname LIKE 'tdv\\_template\\_%'"
    )
    psql = str(bench.programs / "psql")
    touch = [psql, "-qc", "DELETE FROM lineitem WHERE id < 10", bench.database("ci")]
    own = harness.Side("tdv checkout", command, lambda: harness.run(touch, bench.root) and None)
    idle = harness.Side("tdv checkout with nothing to do", command)
    clone = [psql, "-qc", f"CREATE DATABASE bare TEMPLATE {template} STRATEGY FILE_COPY", bench.url]
    bare = harness.Side(
        f"CREATE DATABASE … TEMPLATE, {size // harness.MEGABYTE} MB", clone, lambda: bench.anew("bare", made=False)
    )
    restored, start, cloned = harness.alternate([own, idle, bare], bench.root, 2 * RUNS + 1)
    for side, seconds in ((own, restored), (idle, start), (bare, cloned)):
        harness.figure(side.label, f"{seconds * 1000:.0f} ms")
    factor = restored / (start + cloned)
    return harness.ratio("restore / (start of the process + clone)", factor, "<= 1.2", holds=factor <= 1.2)


@contextmanager
def prepared() -> Iterator[Bench]:
    """The repository with the release, and the server."""
    from tdv.servers.postgresql import binaries, serve
    from tdv.servers.server import Options

    programs = binaries(os.environ["PATH"])
    with TemporaryDirectory(prefix="tdv-bench-") as scratch, serve(programs, Options(port=None)) as server:
        root = Path(scratch) / "repository"
        spec = root / "datasets" / "trade" / "dataset.yaml"
        spec.parent.mkdir(parents=True)
        text = SPEC.lstrip().replace("CUSTOMERS", str(ROWS // 40)).replace("ORDERS", str(ROWS // 4))
        spec.write_text(text.replace("ROWS", str(ROWS)), encoding="utf-8")
        harness.run(["git", "init", "--quiet", "--initial-branch=main"], root)
        for command in (["init"], ["build", "trade"]):
            harness.run([harness.TDV, *command], root)
        harness.commit(root, "Trade")
        harness.run([harness.TDV, "release", "trade", "1.0.0", "-m", "Trade"], root)
        bench = Bench(root, server.url, programs)
        settings = "targets:\n  ci: {url_env: DATABASE_URL, owns: database}\n"
        (root / "tdv.yaml").write_text(settings, encoding="utf-8")
        os.environ["DATABASE_URL"] = bench.database("ci")
        yield bench
        print(f"  PostgreSQL {server.version}", end="")
        harness.versions("tdv", "psycopg", "pyarrow")


def main() -> bool:
    """Measures both; returns whether both promises hold."""
    with prepared() as bench:
        loaded = first_load(bench)
        return second_restore(bench) and loaded


if __name__ == "__main__":
    sys.exit(not main())
