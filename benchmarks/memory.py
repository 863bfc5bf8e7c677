"""Peak memory of build and loads of 10,000,000 rows, and how it compares with a tenth of them.

Redis itself, a throwaway server whose memory does not count, needs some 3 GB for them.
"""

from __future__ import annotations

import os
import sys

from benchmarks import harness
from tdv.servers.redis import binaries, serve

ROWS = 10_000_000
LIMIT = 1.5e9


def peaks(rows: int) -> dict[str, int]:
    """The peak memory in bytes of each command on `rows` rows."""
    with harness.people(rows, released=False) as root, serve(binaries(os.environ["PATH"])) as server:
        runs = {"tdv build": harness.run([harness.TDV, "build", "people"], root)}
        for engine, url in (("SQLite", f"sqlite:///{root.parent / 'people.db'}"), ("Redis", server.url)):
            command = [harness.TDV, "checkout", "people@workspace", "--target", url]
            runs[f"tdv checkout into {engine}"] = harness.run(command, root)
    for label, run in runs.items():
        harness.figure(f"{label}, {rows:,} rows", f"{run.seconds:.1f} s")
    return {label: run.peak for label, run in runs.items()}


def main() -> bool:
    """Prints the peaks; returns whether the promise holds."""
    harness.claim(f"Peak memory with {ROWS:,} rows x 6 columns")
    small, large = peaks(ROWS // 10), peaks(ROWS)
    holds = True
    for label, peak in large.items():
        harness.figure(f"{label}, a tenth of the rows", f"{small[label] / harness.MEGABYTE:,.0f} MB")
        harness.figure(f"{label}, all rows", f"{peak / harness.MEGABYTE:,.0f} MB")
        holds &= harness.ratio(f"{label}, GB", peak / 1e9, f"< {LIMIT / 1e9}", holds=peak < LIMIT)
    harness.versions("tdv", "pyarrow", "duckdb", "numpy", "redis")
    return holds


if __name__ == "__main__":
    sys.exit(not main())
