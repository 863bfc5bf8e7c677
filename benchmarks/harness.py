"""What all benchmarks share: scratch repositories, timing of whole processes, and one way to print a result.

In: commands. Out: seconds, megabytes and ratios on stdout. Always holds: both sides of a ratio are measured in
one run on one machine, alternately, and the median counts.
"""

from __future__ import annotations

import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Final

TOOLS: Final = Path(sys.executable).parent
TDV: Final = str(TOOLS / "tdv")
DVC: Final = str(TOOLS / "dvc")
MEGABYTE: Final = 1 << 20

SPEC: Final = """
dataset: people
description: A million people for measurements
seed: 1
as_of: 2026-01-01T00:00:00Z
tables:
  regions:
    rows: 1000
    key: [id]
    columns:
      id: {type: int64, generate: {sequence: {start: 1}}}
      name: {type: string, generate: {template: "region {id}"}}
  people:
    rows: ROWS
    key: [id]
    columns:
      id: {type: int64, generate: {sequence: {start: 1}}}
      name: {type: string, generate: {faker: name}}
      email: {type: string, unique: true, generate: {template: "user{id}@example.test"}}
      born: {type: date, generate: {datetime: {from: 1950-01-01, to: 2005-12-31}}}
      category: {type: string, enum: [basic, plus, pro], generate: {choice: {basic: 6, plus: 3, pro: 1}}}
      region_id: {type: int64, references: regions.id, generate: {pick: {}}}
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One process: wall time in seconds, and the peak memory of its largest process in bytes."""

    seconds: float
    peak: int


def run(command: Sequence[str], directory: Path) -> Run:
    """Runs a command that must succeed, and measures it from start to end."""
    with tempfile.TemporaryFile() as output:
        start = time.perf_counter()
        process = subprocess.Popen(
            command, cwd=directory, env=environment(), stdin=subprocess.DEVNULL, stdout=output, stderr=output
        )
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            output.seek(0)
            raise SystemExit(f"{' '.join(command)} failed:\n{output.read().decode(errors='replace')}")
    unit = 1 if sys.platform == "darwin" else 1024
    return Run(seconds, usage.ru_maxrss * unit)


def environment() -> dict[str, str]:
    """The environment of all measured processes: the user's, with a neutral Git, no analytics, and byte code kept."""
    return {
        **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
        "PATH": f"{TOOLS}{os.pathsep}{os.environ['PATH']}",
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_AUTHOR_NAME": "Bench",
        "GIT_AUTHOR_EMAIL": "bench@example.test",
        "GIT_COMMITTER_NAME": "Bench",
        "GIT_COMMITTER_EMAIL": "bench@example.test",
        "DVC_NO_ANALYTICS": "1",
    }


@dataclass(frozen=True, slots=True)
class Side:
    """One side of a comparison: `prepare` runs unmeasured before each run of `command`."""

    label: str
    command: Sequence[str]
    prepare: Callable[[], None] = lambda: None


def alternate(sides: Sequence[Side], directory: Path, runs: int) -> list[float]:
    """The median seconds of each side; one unmeasured round warms the page cache.

    What others left for the disk is written before a side begins: else it would wait for that.
    """
    times: list[list[float]] = [[] for _ in sides]
    for number in range(runs + 1):
        for side, seconds in zip(sides, times, strict=True):
            side.prepare()
            os.sync()
            measured = run(side.command, directory).seconds
            if number:
                seconds.append(measured)
    return [statistics.median(seconds) for seconds in times]


@contextmanager
def people(rows: int, *, released: bool = True) -> Iterator[Path]:
    """A scratch repository with the dataset ``people`` of `rows` rows, released as 1.0.0 and tagged."""
    with tempfile.TemporaryDirectory(prefix="tdv-bench-") as scratch:
        root = Path(scratch) / "repository"
        root.mkdir()
        run(["git", "init", "--quiet", "--initial-branch=main"], root)
        run([TDV, "init"], root)
        spec = root / "datasets" / "people" / "dataset.yaml"
        spec.parent.mkdir(parents=True)
        spec.write_text(textwrap.dedent(SPEC).lstrip().replace("ROWS", str(rows)), encoding="utf-8")
        if released:
            run([TDV, "build", "people"], root)
            commit(root, "People")
            run([TDV, "release", "people", "1.0.0", "-m", "People"], root)
            run([TDV, "tag"], root)
        yield root


def released(root: Path, dataset: str, spec: str) -> None:
    """Makes a repository with one dataset, built and released as 1.0.0."""
    path = root / "datasets" / dataset / "dataset.yaml"
    path.parent.mkdir(parents=True)
    path.write_text(spec.lstrip(), encoding="utf-8")
    run(["git", "init", "--quiet", "--initial-branch=main"], root)
    for command in (["init"], ["build", dataset]):
        run([TDV, *command], root)
    commit(root, dataset)
    run([TDV, "release", dataset, "1.0.0", "-m", dataset], root)


def commit(root: Path, message: str) -> None:
    """Commits everything in the scratch repository."""
    run(["git", "add", "--all"], root)
    run(["git", "commit", "--quiet", "--message", message], root)


def remove(*paths: Path) -> None:
    """Removes files and directories that may be there."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def claim(text: str) -> None:
    """Prints what is going to be measured."""
    print(f"\n{text}\n{'-' * len(text)}")


def figure(label: str, value: str) -> None:
    """Prints one measured value."""
    print(f"  {label:<58} {value:>16}")


def ratio(label: str, value: float, wanted: str, *, holds: bool) -> bool:
    """Prints a ratio with what was promised; returns whether it holds."""
    figure(f"{label} (wanted: {wanted})", f"{value:.2f} {'ok' if holds else 'MISSED'}")
    return holds


def versions(*packages: str) -> None:
    """Prints the versions of both sides and the machine."""
    print(
        "  " + ", ".join([*map(_version, packages), f"Python {platform.python_version()}", f"{os.cpu_count()} cores"])
    )


def _version(package: str) -> str:
    try:
        return f"{package} {version(package)}"
    except PackageNotFoundError:
        return f"{package} not installed"
