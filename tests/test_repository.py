"""The environment and the builder that all other tests stand on."""

from __future__ import annotations

import os

from tests.conftest import RepositoryBuilder


def test_repository_has_fixed_author_and_date(repo: RepositoryBuilder) -> None:
    made = repo({"a.txt": "one\n"})
    assert made.git("log", "--format=%an|%ae|%aI|%cI") == (
        "Ada Tester|ada@example.test|2026-01-02T03:04:05+00:00|2026-01-02T03:04:05+00:00"
    )
    assert made.git("branch", "--show-current") == "main"


def test_environment_is_private(repo: RepositoryBuilder) -> None:
    made = repo()
    assert os.environ["HOME"] not in ("", "/root")
    assert made.git("config", "--list", "--show-scope").count("global") == 0


def test_equal_files_give_equal_commits(repo: RepositoryBuilder) -> None:
    files = {"b/c.txt": "two\n"}
    assert repo(files, name="one").git("rev-parse", "HEAD") == repo(files, name="two").git("rev-parse", "HEAD")
