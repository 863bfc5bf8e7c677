"""A version to Parquet files, warm cache: ``tdv checkout`` (which verifies) against ``dvc get . PATH --rev TAG``."""

from __future__ import annotations

import sys

from benchmarks import harness

RUNS = 7
ROWS = 100_000


def main() -> bool:
    """Prints the ratio; returns whether the promise holds."""
    harness.claim(f"A version of {ROWS:,} rows to files, warm cache")
    with harness.people(ROWS) as root:
        out, got = root.parent / "out", root.parent / "got"
        reference = "people@v1.0.0"
        own_command = [harness.TDV, "checkout", reference, "--target", str(out), "--format", "parquet"]
        dvc_command = [harness.DVC, "get", ".", "datasets/people/data", "--rev", reference, "--out", str(got)]
        sides = [
            harness.Side("tdv checkout --format parquet", own_command, lambda: harness.remove(out)),
            harness.Side("dvc get . PATH --rev TAG", dvc_command, lambda: harness.remove(got)),
        ]
        own, peer = harness.alternate(sides, root, RUNS)
    for side, seconds in zip(sides, (own, peer), strict=True):
        harness.figure(side.label, f"{seconds * 1000:.0f} ms")
    holds = harness.ratio("tdv / dvc", own / peer, "< 0.33", holds=own / peer < 1 / 3)
    harness.versions("tdv", "dvc")
    return holds


if __name__ == "__main__":
    sys.exit(not main())
