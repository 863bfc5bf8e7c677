"""What a checkout gets is what the record says, or nothing."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.repository import Repository
from tests.shelf import Shelf

OLDER, NEWER = "datasets/shop/releases/1.0.0.yaml", "datasets/shop/releases/1.1.0.yaml"


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    """``shop`` 1.0.0 with one row and 1.1.0 with two."""
    shelf = Shelf.create(tmp_path / "repo")
    shelf.repository.write({"tdv.yaml": "{}\n"})
    shelf.releases(("1.0.0", {1: "ada"}), ("1.1.0", {1: "ada", 2: "bob"}))
    return shelf.repository.commit()


def take(project: Repository, *names: str) -> None:
    """Puts those lines of the older record into the newer one, as a botched merge does."""
    lines = {line.partition(":")[0]: line for line in project.read(OLDER).splitlines()}
    newer = [
        lines[name] if (name := line.partition(":")[0]) in names else line for line in project.read(NEWER).splitlines()
    ]
    project.write({NEWER: "\n".join(newer) + "\n"})


def rows(project: Repository, file: str) -> int:
    with closing(sqlite3.connect(project.root / file)) as database:
        return int(database.execute("SELECT count(*) FROM users").fetchone()[0])


@pytest.mark.parametrize(
    "names",
    [("artifact", "manifest"), ("digest",), ("content",), ("digest", "content"), ("sources",)],
    ids="+".join,
)
def test_record_that_mixes_two_releases_is_neither_loaded_nor_cached(
    project: Repository, names: tuple[str, ...]
) -> None:
    take(project, *names)
    refused = project.tdv("checkout", "v1.1.0", "--target", "app.db", expect=13)
    assert "1.1.0" in refused.stderr
    assert not (project.root / "app.db").exists()
    project.git("checkout", "datasets")
    project.tdv("checkout", "v1.1.0", "--target", "app.db", expect=0)
    assert rows(project, "app.db") == 2


def test_image_of_another_release_is_not_taken_for_an_altered_record(project: Repository) -> None:
    project.tdv("checkout", "v1.0.0", "--target", "first.db", expect=0)
    take(project, "digest")
    project.tdv("checkout", "v1.1.0", "--target", "app.db", expect=13)
    assert not (project.root / "app.db").exists()
