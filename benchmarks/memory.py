"""Peak memory of build and load of 10,000,000 rows, and how it compares with a tenth of them."""

from __future__ import annotations

import sys

from benchmarks import harness

ROWS = 10_000_000
LIMIT = 1.5e9


def peaks(rows: int) -> dict[str, int]:
    """The peak memory in bytes of each command on `rows` rows."""
    with harness.people(rows, released=False) as root:
        build = harness.run([harness.TDV, "build", "people"], root)
        target = f"sqlite:///{root.parent / 'people.db'}"
        load = harness.run([harness.TDV, "checkout", "people@workspace", "--target", target], root)
    harness.figure(f"tdv build, {rows:,} rows", f"{build.seconds:.1f} s")
    harness.figure(f"tdv checkout into SQLite, {rows:,} rows", f"{load.seconds:.1f} s")
    return {"tdv build": build.peak, "tdv checkout into SQLite": load.peak}


def main() -> bool:
    """Prints the peaks; returns whether the promise holds."""
    harness.claim(f"Peak memory with {ROWS:,} rows x 6 columns")
    small, large = peaks(ROWS // 10), peaks(ROWS)
    holds = True
    for label, peak in large.items():
        harness.figure(f"{label}, a tenth of the rows", f"{small[label] / harness.MEGABYTE:,.0f} MB")
        harness.figure(f"{label}, all rows", f"{peak / harness.MEGABYTE:,.0f} MB")
        holds &= harness.ratio(f"{label}, GB", peak / 1e9, f"< {LIMIT / 1e9}", holds=peak < LIMIT)
    harness.versions("tdv", "pyarrow", "duckdb", "numpy")
    return holds


if __name__ == "__main__":
    sys.exit(not main())
