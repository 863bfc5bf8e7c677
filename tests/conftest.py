"""What every test gets: an environment of its own, and a builder of repositories.

Always holds: a test sees no configuration of the user or the machine, the same author and clock of Git
everywhere, and leaves nothing behind outside its temporary directory.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, settings

from tests.repository import Repository

pytest_plugins = ["tests.targets.servers"]

AUTHOR = {"NAME": "Ada Tester", "EMAIL": "ada@example.test", "DATE": "2026-01-02T03:04:05+00:00"}
FOREIGN = ("TDV_", "DVC_", "GIT_", "XDG_", "COVERAGE_")

settings.register_profile(
    "tests", deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("tests")


class RepositoryBuilder(Protocol):
    """``repo({"README.md": "…"}, name="app")`` makes a Git repository with one commit."""

    def __call__(self, files: Mapping[str, str | bytes] | None = None, *, name: str = "repo") -> Repository: ...


@pytest.fixture(autouse=True)
def private_environment(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A private home, no configuration of Git or DVC from outside, a fixed author, date and time zone."""
    home = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(FOREIGN):
            monkeypatch.delenv(name)
    private = {
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_TERMINAL_PROMPT": "0",
        "DVC_NO_ANALYTICS": "1",
        "DVC_GLOBAL_CONFIG_DIR": str(home / "dvc"),
        "DVC_SYSTEM_CONFIG_DIR": str(home / "dvc-system"),
        "DVC_SITE_CACHE_DIR": str(home / "dvc-cache"),
        "NO_COLOR": "1",
        "LC_ALL": "C.UTF-8",
        "TZ": "UTC",
    }
    private |= {f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in AUTHOR.items()}
    for name, value in private.items():
        monkeypatch.setenv(name, value)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def repo(tmp_path: Path) -> RepositoryBuilder:
    """The builder of Git repositories; `Repository.prepared()` runs ``tdv init`` in one."""

    def build(files: Mapping[str, str | bytes] | None = None, *, name: str = "repo") -> Repository:
        return Repository.create(tmp_path / name, files)

    return build
