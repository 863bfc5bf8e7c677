"""Checkout with nothing to do, against ``dvc checkout`` with nothing to do; whole processes."""

from __future__ import annotations

import sys

from benchmarks import harness

RUNS = 9


def main() -> bool:
    """Prints the ratio; returns whether the promise holds."""
    harness.claim("Checkout with nothing to do")
    with harness.people(10_000) as root:
        harness.run([harness.TDV, "checkout", "v1.0.0"], root)
        sides = [
            harness.Side("tdv checkout v1.0.0", [harness.TDV, "checkout", "v1.0.0"]),
            harness.Side("dvc checkout", [harness.DVC, "checkout"]),
        ]
        own, peer = harness.alternate(sides, root, RUNS)
    for side, seconds in zip(sides, (own, peer), strict=True):
        harness.figure(side.label, f"{seconds * 1000:.0f} ms")
    holds = harness.ratio("tdv / dvc", own / peer, "< 0.5", holds=own / peer < 0.5)
    harness.versions("tdv", "dvc")
    return holds


if __name__ == "__main__":
    sys.exit(not main())
