"""How far the data in use is from the code, as ``tdv status`` tells it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tdv.model.compat import Compat, Span
from tdv.model.release import Amendment
from tdv.tag import TagOptions, tag
from tests.repository import Repository
from tests.shelf import SOURCE, Shelf

SETTINGS = """
    datasets: {shop: '^1'}
    app: {version: {file: VERSION}}
    migrations: {tool: alembic, path: migrations}
    targets: {stage: {url: "sqlite:///stage.db"}, gone: {url_env: NOT_SET}, empty: {url: "sqlite:///empty.db"}}
    environments: {staging: {target: stage}, production: {target: gone}, ci: {target: empty}}
"""

SPEC = """
    dataset: shop
    tables: {users: {key: [id], columns: {id: {type: int64}, name: {type: string, nullable: true}}}}
"""


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Four releases from a1 on, the second locked; the code is at c3."""
    shelf = Shelf.create(tmp_path / "repo")
    steps = (("a1", None), ("b2", "a1"), ("c3", "b2"))
    files = {
        f"migrations/versions/{name}.py": f"revision = {name!r}\ndown_revision = {before!r}\n" for name, before in steps
    }
    shelf.repository.write({"tdv.yaml": SETTINGS, "VERSION": "2.0", **files})
    versions = ("1.0.0", "1.1.0", "1.2.0", "1.3.0")
    shelf.releases(*((version, {n: "a" for n in range(number + 1)}) for number, version in enumerate(versions)))
    for version in versions:
        amended(shelf, version, compat=Compat(None, Span("a1", None)))
    shelf.repository.tdv("lock", expect=0)
    lock = shelf.repository.read("tdv.lock")
    before, after = (shelf.book.record("shop", version) for version in ("1.3.0", "1.1.0"))
    for old, new in (
        (f"version: {before.version}", f"version: {after.version}"),
        (before.digest, after.digest),
        (before.artifact.md5, after.artifact.md5),
        (f"size: {before.artifact.size}", f"size: {after.artifact.size}"),
    ):
        lock = lock.replace(old, new)
    shelf.repository.write({"tdv.lock": lock, SOURCE: SPEC}).commit()
    tag(shelf.git, TagOptions(("shop",)), lambda _: None)
    return shelf


def amended(shelf: Shelf, version: str, **said: Any) -> None:
    shelf.book.append_amendment("shop", Amendment(version, "2026-01-01T00:00:00Z", "learnt", **said))


def versions(project: Repository, *words: str) -> dict[str, dict[str, Any]]:
    found = project.tdv("status", "--json", *words, expect=0).json()["versions"]
    return {item["place"]: item for item in found}


def test_lock_is_behind_releases_that_fit(shelf: Shelf) -> None:
    (standing,) = versions(shelf.repository).values()
    assert (standing["dataset"], standing["version"]) == ("shop", "1.1.0")
    assert (standing["behind"], standing["newest"]) == (2, "1.3.0")
    assert (standing["migration"], standing["migrations"]) == ("a1", 2)
    said = " ".join(shelf.repository.tdv("status", expect=0).stdout.split())
    wanted = "tdv.lock shop@v1.1.0 2 releases behind v1.3.0, the code has 2 more migrations than a1"
    assert wanted in said
    amended(shelf, "1.3.0", yanked=True)
    amended(shelf, "1.2.0", compat=Compat("<2"))
    assert versions(shelf.repository)["tdv.lock"]["behind"] == 0


def test_lock_that_does_not_hold_is_a_notice(shelf: Shelf) -> None:
    amended(shelf, "1.1.0", compat=Compat("<2"))
    (dataset,) = shelf.repository.tdv("status", "--json", expect=0).json()["datasets"]
    notices = {notice["kind"]: notice for notice in dataset["notices"]}
    assert notices["unlocked"]["message"] == "the lock: shop@v1.1.0 serves app <2, not 2.0"
    assert notices["unlocked"]["hint"] == "tdv lock"
    said = shelf.repository.tdv("status", expect=0).stdout
    assert "no longer fits" in said
    assert "up to date" not in said


def test_lock_that_nothing_renews_has_the_hint_of_what_does(shelf: Shelf) -> None:
    shelf.repository.write({"tdv.yaml": shelf.repository.read("tdv.yaml").replace("'^1'", "'>=7'")})
    (dataset,) = shelf.repository.tdv("status", "--json", expect=0).json()["datasets"]
    (notice,) = (notice for notice in dataset["notices"] if notice["kind"] == "unlocked")
    assert notice["message"].startswith("the lock: shop@v1.1.0 is not in >=7, which tdv.yaml asks for")
    assert notice["hint"] == shelf.repository.tdv("lock", "--json", expect=12).json()["error"]["hint"]


def test_lock_in_conflict_leaves_something_to_do(shelf: Shelf) -> None:
    lock = shelf.repository.read("tdv.lock")
    shelf.repository.write({"tdv.lock": f"{lock}<<<<<<< HEAD\n=======\n>>>>>>> other\n"})
    said = shelf.repository.tdv("status", expect=0).stdout
    assert "nothing to do" not in said
    assert "in conflict, lines" in said
    assert "`tdv lock` settles it" in said


def test_app_version_that_cannot_be_told_is_said(shelf: Shelf) -> None:
    (shelf.root / "VERSION").unlink()
    assert "VERSION" in versions(shelf.repository)["tdv.lock"]["problem"]


def test_environments_are_asked_only_where_that_is_wanted(shelf: Shelf) -> None:
    assert set(versions(shelf.repository)) == {"tdv.lock"}
    assert not (shelf.root / "stage.db").exists()


def test_environment_is_compared_with_the_code(shelf: Shelf) -> None:
    project = shelf.repository
    project.tdv("checkout", "shop@v1.2.0", "--target", "staging", "--ignore-compat", expect=0)
    with closing(sqlite3.connect(shelf.root / "stage.db")) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)")
        database.execute("INSERT INTO alembic_version VALUES ('b2')")
        database.commit()
    project.tdv("promote", "v1.3.0", "staging", expect=0)
    found = versions(project, "--environments")
    staging = found["staging"]
    assert (staging["version"], staging["newest"], staging["behind"]) == ("1.2.0", "1.3.0", 1)
    assert (staging["migration"], staging["migrations"], staging["promoted"]) == ("b2", 1, "1.3.0")
    assert "the variable NOT_SET is not set" in found["production"]["problem"]
    assert found["ci"]["problem"] == "holds no release"
    said = " ".join(project.tdv("status", "--environments", expect=0).stdout.split())
    wanted = "shop@v1.2.0 1 release behind v1.3.0, the code has 1 more migration than b2, v1.3.0 is promoted"
    assert wanted in said


def test_yank_without_a_tag_is_told_until_it_is_tagged(shelf: Shelf) -> None:
    project = shelf.repository

    def told() -> list[str]:
        (dataset,) = project.tdv("status", "--json", expect=0).json()["datasets"]
        return [notice["message"] for notice in dataset["notices"] if notice["kind"] == "untagged"]

    project.tdv("yank", "v1.0.0", "-m", "Wrong", expect=0)
    assert told() == []
    project.commit("Yank")
    assert told() == ["the yank of v1.0.0 has no tag"]
    project.tdv("tag", expect=0)
    assert told() == []
    project.tdv("yank", "v1.0.0", "--undo", "-m", "It was right", expect=0)
    project.commit("Take the yank back")
    assert told() == ["v1.0.0 is yanked no more, and its tag still says so"]
    assert "shop@v1.0.0!  removed" in project.tdv("tag", expect=0).stdout
    assert told() == []
    assert "shop@v1.0.0!" not in project.git("tag")


def test_tag_of_a_yank_that_was_taken_back_is_removed_from_the_remote(shelf: Shelf, tmp_path: Path) -> None:
    project = shelf.repository
    project.git("clone", "--quiet", "--bare", str(shelf.root), str(tmp_path / "origin.git"))
    project.git("remote", "add", "origin", (tmp_path / "origin.git").as_uri())
    origin = Repository(tmp_path / "origin.git")
    project.tdv("yank", "v1.0.0", "-m", "Wrong", expect=0)
    project.commit("Yank").tdv("tag", "--push", expect=0)
    assert "shop@v1.0.0!" in origin.git("tag")
    project.tdv("yank", "v1.0.0", "--undo", "-m", "It was right", expect=0)
    project.commit("Take the yank back")
    assert "The remote still has shop@v1.0.0!" in project.tdv("tag", expect=0).stderr
    assert "shop@v1.0.0!  removed" in project.tdv("tag", "--push", expect=0).stdout
    assert "shop@v1.0.0!" not in origin.git("tag")
    assert project.tdv("tag", "--push", expect=0).stdout.count("removed") == 0
