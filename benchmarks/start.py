"""The time of ``tdv --help``, against a bare start of the same Python."""

from __future__ import annotations

import sys
from pathlib import Path

from benchmarks import harness

RUNS = 11
LIMIT = 0.2


def main() -> bool:
    """Prints the time; returns whether the promise holds."""
    harness.claim("tdv --help")
    sides = [
        harness.Side("tdv --help", [harness.TDV, "--help"]),
        harness.Side("python -c pass", [sys.executable, "-c", "pass"]),
    ]
    own, bare = harness.alternate(sides, Path.cwd(), RUNS)
    for side, seconds in zip(sides, (own, bare), strict=True):
        harness.figure(side.label, f"{seconds * 1000:.0f} ms")
    holds = harness.ratio("seconds", own, f"< {LIMIT}", holds=own < LIMIT)
    harness.figure("tdv --help / bare Python", f"{own / bare:.1f}")
    harness.versions("tdv", "typer")
    return holds


if __name__ == "__main__":
    sys.exit(not main())
