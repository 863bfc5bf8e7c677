"""Kills tdv at every point where it touches the disk or Git, runs it again, and looks whether all is well.

The points are counted by a run that is not killed. Each killed run is a process of its own, ended by SIGKILL; the
second run must finish the work as if nothing had been.
"""

from __future__ import annotations

import shutil
import signal
import sqlite3
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.repository import Repository, run

SHARDS = 4

SPEC = """
    dataset: shop
    seed: 1
    tables:
      users:
        rows: 20
        key: [id]
        columns:
          id: {type: int64, generate: {sequence: {start: 1}}}
          email: {type: string, generate: {template: "user{id}@example.test"}}
      orders:
        rows: 50
        key: [id]
        columns:
          id: {type: int64, generate: {sequence: {start: 1}}}
          user_id: {type: int64, references: users.id, generate: {pick: {}}}
"""


@dataclass(frozen=True)
class Case:
    """A command, what prepares a repository for it, what must hold after it, and how the second run may end."""

    words: Sequence[str]
    prepare: Callable[[Repository], None]
    check: Callable[[Repository], None]
    codes: frozenset[int] = frozenset({0})


def built(repository: Repository) -> None:
    assert repository.tdv("build", "--json", expect=0).json()["datasets"][0]["action"] == "unchanged"
    assert repository.tdv("validate", expect=0)
    assert not (repository.root / ".tdv" / "scratch").exists() or not any((repository.root / ".tdv/scratch").iterdir())


def released(repository: Repository) -> None:
    built(repository)
    assert repository.git("status", "--porcelain") == ""
    assert repository.git("log", "--format=%s").splitlines().count("Release shop v1.0.0") == 1
    assert repository.read("CHANGELOG.md").count("## shop v1.0.0") == 1
    repository.tdv("verify", expect=0)


def restored(repository: Repository) -> None:
    with sqlite3.connect(repository.root / "app.db") as connection:
        assert connection.execute("SELECT count(*) FROM orders").fetchone() == (50,)
    again = repository.tdv("checkout", "v1.0.0", "--target", "app.db", "--json", expect=0)
    assert again.json()["action"] == "unchanged"
    repository.tdv("verify", "shop@v1.0.0", "--target", "app.db", expect=0)


def spec_only(repository: Repository) -> None:
    """Nothing but the committed sources."""


def spec_built(repository: Repository) -> None:
    repository.tdv("build", expect=0)
    repository.commit("Build")


def spec_released(repository: Repository) -> None:
    spec_built(repository)
    repository.tdv("release", "shop", "1.0.0", expect=0)


def target_of_before(repository: Repository) -> None:
    spec_released(repository)
    repository.tdv("checkout", "v1.0.0", "--target", "app.db", expect=0)
    with sqlite3.connect(repository.root / "app.db") as connection:
        connection.execute("DELETE FROM orders WHERE id > 10")


CASES = {
    "build": Case(["build", "shop"], spec_only, built),
    # Killed after its commit, a release is done: the second run finds the version released and says so.
    "release": Case(["release", "shop", "1.0.0", "-m", "First"], spec_built, released, frozenset({0, 11})),
    "checkout": Case(["checkout", "v1.0.0", "--target", "app.db"], spec_released, restored),
    "checkout-again": Case(["checkout", "v1.0.0", "--target", "app.db"], target_of_before, restored),
}


@pytest.mark.slow
@pytest.mark.parametrize("shard", range(SHARDS))
@pytest.mark.parametrize("name", CASES)
def test_killed_run_is_finished_by_the_next(tmp_path: Path, name: str, shard: int) -> None:
    case = CASES[name]
    template = Repository.create(tmp_path / "template", {"datasets/shop/dataset.yaml": SPEC}).prepared()
    case.prepare(template)
    total = count_points(template, case, tmp_path / "counted")
    assert total > 5
    for point in range(1 + shard, total + 1, SHARDS):
        repository = copied(template, tmp_path / f"point-{point}")
        killed = run_to(repository, case, point)
        assert killed == -signal.SIGKILL, f"point {point} of {total} was not reached"
        again = repository.tdv(*case.words)
        assert again.exit_code in case.codes, again
        case.check(repository)
        shutil.rmtree(repository.root)


def copied(template: Repository, to: Path) -> Repository:
    shutil.copytree(template.root, to, symlinks=True)
    return Repository(to)


def count_points(template: Repository, case: Case, to: Path) -> int:
    repository = copied(template, to)
    counter = to.with_suffix(".count")
    assert run_to(repository, case, 0, counter) == 0
    return int(counter.read_text())


def run_to(repository: Repository, case: Case, point: int, counter: Path | None = None) -> int:
    """Runs the command and kills it at `point`; the exit code, or minus the signal."""
    words = [sys.executable, "-m", "tests.crash.killed", str(point), str(counter or "/dev/null"), *case.words]
    root = Path(__file__).parents[2]
    return run(*words, cwd=repository.root, env={"PYTHONPATH": str(root)}).exit_code
