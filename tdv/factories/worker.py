"""Runs factories, and Faker per row, in processes of their own.

In: a `Job`. Out: a `Spool` with the rows, or one error that names file and line. Always holds: a worker starts
fresh, with an environment that is the same everywhere but for the job's `Variation`; large tables are shared out
among several workers, which does not change a value.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import tdv
from tdv.errors import Bug, ConfigError, DocumentError, FactoryError, Problem
from tdv.factories.parents import Given
from tdv.factories.spool import Spool
from tdv.factories.variation import Variation

_BOOT: Final = (
    "import sys; sys.path.append(sys.argv[1]); from tdv.factories.worker_process import main; main(sys.argv[2]); "
    "from tdv.content.leave import leave; leave(0)"
)
_FEWEST_ROWS: Final = 4096
"""A worker takes a third of a second to start; fewer rows than this are not worth another one."""


@dataclass(frozen=True)
class Job:
    """The rows of a table that workers are to make, and from what; `directory` is the dataset's."""

    given: Given
    table: str
    columns: tuple[str, ...]
    rows: range
    root: Path
    directory: Path
    variation: Variation


@dataclass(frozen=True)
class Order:
    """One worker's share of a job, and the places of its answer: Arrow rows, and a report as JSON."""

    job: Job
    output: Path
    report: Path


def run(job: Job, scratch: Path) -> Spool:
    """Makes the rows; raises `FactoryError` for a factory that fails, `ConfigError` for options that do."""
    scratch.mkdir(parents=True, exist_ok=True)
    orders = [_order(replace(job, rows=rows), scratch) for rows in _shares(job.rows)]
    processes: list[subprocess.Popen[bytes]] = []
    try:
        processes.extend(_start(order, scratch) for order in orders)
        errors = [process.communicate()[1] for process in processes]
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.wait()
    for order, process, error in zip(orders, processes, errors, strict=True):
        _check(order, process.returncode, error)
    return Spool(tuple(order.output for order in orders), job.rows.start)


def _shares(rows: range) -> list[range]:
    workers = max(1, min(os.cpu_count() or 1, len(rows) // _FEWEST_ROWS))
    edges = [rows.start + len(rows) * number // workers for number in range(workers + 1)]
    return [range(start, stop) for start, stop in pairwise(edges)]


def _order(job: Job, scratch: Path) -> Order:
    name = uuid.uuid4().hex
    return Order(job, scratch / f"{name}.arrow", scratch / f"{name}.json")


def _start(order: Order, scratch: Path) -> subprocess.Popen[bytes]:
    path = order.output.with_suffix(".job")
    path.write_bytes(pickle.dumps(order))
    return subprocess.Popen(
        [sys.executable, "-s", "-P", "-c", _BOOT, str(Path(tdv.__file__).resolve().parent.parent), str(path)],
        cwd=order.job.root,
        env=_environment(order.job.variation, scratch),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _environment(variation: Variation, scratch: Path) -> Mapping[str, str]:
    return {
        "PYTHONHASHSEED": str(variation.hash_seed),
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONUTF8": "1",
        "TZ": variation.timezone,
        "LANG": variation.language,
        "LC_ALL": variation.language,
        "PATH": os.defpath,
        "HOME": str(scratch),
    }


def _check(order: Order, status: int, error: bytes) -> None:
    try:
        report = json.loads(order.report.read_bytes())
    except (FileNotFoundError, ValueError):
        last = error.decode(errors="replace").strip().splitlines()[-1:] or [f"it ended with status {status}"]
        raise FactoryError(
            f"the worker that makes {order.job.table!r} died: {last[0]}",
            hint="If factories.py does not end the process itself, there may be too little memory.",
        ) from None
    problem = report.get("error")
    if problem is not None:
        raise _error(problem)
    _check_sources(order.job, report["files"])


def _error(problem: Mapping[str, Any]) -> Exception:
    if problem["kind"] == "document":
        return DocumentError([Problem(**each) for each in problem["problems"]], hint=problem["hint"])
    kinds = {"config": ConfigError, "bug": Bug}
    return kinds.get(problem["kind"], FactoryError)(problem["message"], hint=problem["hint"])


def _check_sources(job: Job, files: Mapping[str, str | None]) -> None:
    """Raises `FactoryError` if the factory read files of the repository that ``sources:`` does not name."""
    missing = [file for file in files if not any(_covers(source, file) for source in job.given.spec.sources)]
    if missing:
        named = ", ".join([*job.given.spec.sources, *missing])
        place = next((f"{files[file]}: " for file in missing if files[file]), "")
        raise FactoryError(
            f"{place}the factory of {job.table!r} uses {', '.join(missing)}, which `sources:` does not name",
            hint=f"Add this line to {job.given.spec.path}: `sources: [{named}]`",
            files=missing,
        )


def _covers(source: str, file: str) -> bool:
    return file == source or file.startswith(source.rstrip("/") + "/")
