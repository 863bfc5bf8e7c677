"""A repository on a read-only file system: what looks works, what writes says why it cannot."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import RepositoryBuilder
from tests.repository import Outcome, Repository, run

# A mount namespace of its own, in which the repository is mounted once more, read-only.
_MOUNT = 'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"'
_UNSHARE = ("unshare", "--map-root-user", "--mount", "sh", "-c", _MOUNT)
Locked = Callable[..., Outcome]


@pytest.fixture
def shop(repo: RepositoryBuilder) -> Repository:
    made = repo().prepared()
    made.tdv("new", "shop", expect=0)
    made.commit().tdv("build", expect=0)
    made.commit().tdv("release", "shop", "1.0.0", "-m", "First", expect=0)
    return made


@pytest.fixture
def locked(shop: Repository) -> Locked:
    """Runs tdv on the repository while that is read-only."""
    try:
        possible = subprocess.run([*_UNSHARE, shop.root, "true"], check=False, capture_output=True).returncode == 0
    except FileNotFoundError:
        possible = False
    if not possible:
        pytest.skip("this machine does not let tests mount anything")

    def tdv(*words: str) -> Outcome:
        return run(*_UNSHARE, shop.root, sys.executable, "-m", "tdv", "-C", shop.root, *words, cwd=Path("/"))

    return tdv


def test_what_only_looks_works_in_a_read_only_repository(locked: Locked) -> None:
    validated = locked("validate")
    assert (validated.exit_code, validated.stdout[:12]) == (0, "shop: valid,"), validated
    sampled = locked("sample", "shop.customers", "2")
    assert (sampled.exit_code, len(sampled.stdout.splitlines())) == (0, 3), sampled
    assert locked("verify", "--rebuild").exit_code == 0


def test_checkout_that_cannot_write_is_foreseen(locked: Locked, shop: Repository, tmp_path: Path) -> None:
    for target in (f"sqlite:///{tmp_path}/app.db", "sqlite:///app.db", "out/"):
        for more in ((), ("--dry-run",)):
            outcome = locked("checkout", "shop@v1.0.0", "--target", target, *more)
            assert (outcome.exit_code, outcome.stdout) == (15, ""), outcome
            assert f"cannot write {shop.root}" in outcome.stderr
            assert "Read-only file system" in outcome.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("build",),
        ("new", "more"),
        ("release", "shop", "--amend"),
        ("yank", "shop@v1.0.0", "-m", "wrong"),
        ("compat", "shop@v1.0.0", "--app", "^1", "-m", "tried"),
        ("lock",),
    ],
    ids=lambda words: words[0],
)
def test_what_writes_says_that_the_repository_is_read_only(locked: Locked, words: tuple[str, ...]) -> None:
    outcome = locked(*words)
    assert outcome.exit_code == 15, outcome
    assert "read-only" in outcome.stderr
    assert "Mount it writable" in outcome.stderr
    assert "Traceback" not in outcome.stderr
