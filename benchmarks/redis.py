"""Redis: writing and reading back against a redis-py pipeline of the same hashes, the first load, and the way back.

The server is a throwaway one. The peer takes the same rows from Arrow and checks nothing.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import redis

from benchmarks import harness

ROWS = int(os.environ.get("TDV_BENCH_ROWS", "200000"))
RUNS = 3
BATCH = 10_000
PEER = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[1])!r}); from benchmarks.redis import pipeline; "
PEER += "pipeline(sys.argv[1])"


class Bench:
    """A scratch repository with the dataset, and a server."""

    def __init__(self, root: Path, url: str) -> None:
        self.root = root
        self.url = url

    def empty(self) -> None:
        """Leaves nothing on the server."""
        self.do("FLUSHALL")

    def do(self, *words: str | int) -> None:
        """Runs one command of Redis."""
        with redis.Redis.from_url(self.url) as client:
            client.execute_command(*words)

    def checkout(self, target: str) -> list[str]:
        """The command that restores into a target."""
        return [harness.TDV, "checkout", "people@v1.0.0", "--target", target]


def parts(root: Path) -> Iterator[tuple[str, pa.Table]]:
    """The rows of the built dataset, table by table."""
    for table in ("regions", "people"):
        for part in sorted((root / "datasets" / "people" / "data" / table).glob("*.parquet")):
            yield table, pq.read_table(part)


def pipeline(url: str, root: Path = Path()) -> float:
    """Writes the rows as people do with redis-py, and returns how long that took without reading the files."""
    seconds = 0.0
    with redis.Redis.from_url(url) as client:
        for table, rows in parts(root):
            start = time.perf_counter()
            for batch in rows.to_batches(max_chunksize=BATCH):
                pipe = client.pipeline(transaction=False)
                for row in batch.to_pylist():
                    fields = {k: v if isinstance(v, int | str) else str(v) for k, v in row.items() if v is not None}
                    pipe.hset(f"{table}:{row['id']}", mapping=fields)
                pipe.execute()
            seconds += time.perf_counter() - start
    return seconds


def bulk(url: str, root: Path) -> float:
    """Writes and reads back the rows as a checkout does, and returns how long that took without reading the files."""
    from tdv.content.snapshot import Snapshot
    from tdv.targets.protocol import TableContent
    from tdv.targets.redis.lock import locked
    from tdv.targets.redis.rows import fill
    from tdv.targets.redis.session import Session

    manifest = Snapshot.open(root / "datasets" / "people" / "data").manifest
    held = [(table, rows.to_batches()) for table, rows in parts(root)]
    with closing(Session(url)) as session, locked(session, "_tdv_lock", "the benchmark") as lock:
        start = time.perf_counter()
        for name, batches in held:
            tables = [pa.Table.from_batches([batch]) for batch in batches]
            schema = manifest.table(name).schema
            fill(session, lock, TableContent(schema, 0, "", lambda tables=tables: iter(tables)), "")
        return time.perf_counter() - start


def writing(bench: Bench) -> bool:
    """Prints the ratio of writing and reading back; returns whether the promise holds."""
    harness.claim(f"Writing {ROWS:,} rows and 1,000 parents into Redis and reading them back, files read before")
    own, peer = [], []
    for _ in range(RUNS):
        for side, seconds in ((bulk, own), (pipeline, peer)):
            bench.do("FLUSHALL")
            seconds.append(side(bench.url, bench.root))
    for label, seconds in (("commands built by Arrow", own), ("redis-py pipeline", peer)):
        harness.figure(label, f"{ROWS / statistics.median(seconds):,.0f} keys/s")
    factor = statistics.median(peer) / statistics.median(own)
    return harness.ratio("pipeline / tdv", factor, ">= 2", holds=factor >= 2)


def first_load(bench: Bench) -> bool:
    """Prints what the whole command takes, and the peer's whole program; returns whether the promise holds."""
    harness.claim("First load as a command: files verified, rows staged, read back, and put in place in one step")
    own = harness.Side("tdv checkout", bench.checkout(bench.url), bench.empty)
    peer = harness.Side("redis-py pipeline, nothing checked", [sys.executable, "-c", PEER, bench.url], bench.empty)
    own_seconds, peer_seconds = harness.alternate([own, peer], bench.root, RUNS)
    for side, seconds in ((own, own_seconds), (peer, peer_seconds)):
        harness.figure(side.label, f"{seconds:.2f} s")
    factor = peer_seconds / own_seconds
    return harness.ratio("pipeline / tdv", factor, ">= 2", holds=factor >= 2)


def way_back(bench: Bench) -> None:
    """Prints what a restore costs after a test changed a row of a database that tdv owns."""
    harness.claim("Restore of the same version into a database that tdv owns, after a row was changed")
    bench.empty()
    settings = "targets:\n  ci: {url_env: REDIS_URL, owns: database}\n"
    (bench.root / "tdv.yaml").write_text(settings, encoding="utf-8")
    os.environ["REDIS_URL"] = bench.url
    harness.run(bench.checkout("ci"), bench.root)
    own = harness.Side("tdv checkout", bench.checkout("ci"), lambda: bench.do("HSET", "people:1", "name", "changed"))
    idle = harness.Side("tdv checkout with nothing to do", bench.checkout("ci"))
    for side, seconds in zip((own, idle), harness.alternate([own, idle], bench.root, RUNS), strict=True):
        harness.figure(side.label, f"{seconds * 1000:.0f} ms")


@contextmanager
def prepared() -> Iterator[Bench]:
    """The repository with the release, and the server."""
    from tdv.servers.redis import binaries, serve

    with harness.people(ROWS) as root, serve(binaries(os.environ["PATH"])) as server:
        yield Bench(root, server.url)
        print(f"  Redis {server.version}", end="")
        harness.versions("tdv", "redis", "pyarrow")


def main() -> bool:
    """Measures all; returns whether the promise holds."""
    with prepared() as bench:
        holds = writing(bench)
        holds &= first_load(bench)
        way_back(bench)
        return holds


if __name__ == "__main__":
    sys.exit(not main())
