"""Runs every benchmark, or those named on the command line: ``python -m benchmarks start nothing_to_do``."""

from __future__ import annotations

import importlib
import sys

NAMES = (
    "start",
    "nothing_to_do",
    "version_to_files",
    "build",
    "sqlite",
    "postgresql",
    "mysql",
    "redis",
    "memory",
    "diff",
    "pytest",
    "pytest_postgresql",
    "resolve",
)


def main(names: list[str]) -> int:
    """Runs benchmarks by name; 1 if a promise does not hold."""
    missed = [name for name in names or NAMES if not importlib.import_module(f"benchmarks.{name}").main()]
    print(f"\nMissed: {', '.join(missed)}" if missed else "\nEvery promise holds.")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
