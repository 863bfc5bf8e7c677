"""`tdv init`: what it writes, and what it leaves alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tdv import config
from tdv.errors import ConfigError, GitError
from tdv.init import Prepared, prepare
from tdv.store.git import Git
from tests.conftest import RepositoryBuilder
from tests.repository import Repository, run, tdv_in_process

FILES = (".dvc/config", ".dvc/.gitignore", "tdv.yaml", "dvc.yaml", ".gitignore", ".dvcignore", ".gitattributes")


def init(root: Path) -> Prepared:
    return prepare(Git(root, os.environ), os.environ)


def contents(root: Path) -> dict[str, bytes]:
    return {name: (root / name).read_bytes() for name in FILES}


def test_init_prepares_an_empty_repository_without_commits(repo: RepositoryBuilder) -> None:
    root = repo().root
    assert init(root).created == FILES
    assert config.load(root, {}).target().url.endswith("/.tdv/local.db")
    status = Repository(root).dvc("status")
    assert status.exit_code == 0, status
    ignored = run("git", "check-ignore", ".tdv/local.db", ".dvc/cache/x", cwd=root)
    assert ignored.stdout.split() == [".tdv/local.db", ".dvc/cache/x"]


def test_init_writes_what_dvc_init_writes(repo: RepositoryBuilder) -> None:
    ours, theirs = repo(name="ours").root, repo(name="theirs").root
    init(ours)
    assert Repository(theirs).dvc("init", "-q").exit_code == 0
    for name in (".dvc/config", ".dvc/.gitignore"):
        assert (ours / name).read_bytes() == (theirs / name).read_bytes()


def test_init_again_changes_nothing(repo: RepositoryBuilder) -> None:
    root = repo().root
    init(root)
    before = contents(root)
    again = init(root)
    assert (again.created, again.changed) == ((), ())
    assert contents(root) == before


def test_init_finishes_what_a_killed_one_began(repo: RepositoryBuilder) -> None:
    root = repo().root
    init(root)
    before = contents(root)
    for name in (".dvcignore", "tdv.yaml"):
        (root / name).unlink()
    assert init(root).created == ("tdv.yaml", ".dvcignore")
    assert contents(root) == before


def test_init_keeps_what_exists(repo: RepositoryBuilder) -> None:
    mine = {
        "tdv.yaml": "default: {target: mine}\ntargets: {mine: {url: out/}}\n",
        "dvc.yaml": "stages:\n  mine: {cmd: 'true'}\n",
        ".gitignore": "*.log",
        ".gitattributes": "# mine\nCHANGELOG.md merge=union\n",
        ".dvcignore": "*.pyc\n",
    }
    root = repo(mine).root
    done = init(root)
    assert set(done.changed) == {".gitignore", ".gitattributes", ".dvcignore", ".git/config"}
    assert (root / "tdv.yaml").read_text() == mine["tdv.yaml"]
    assert (root / "dvc.yaml").read_text() == mine["dvc.yaml"]
    assert (root / ".gitignore").read_text() == "*.log\n/.tdv/\n/tdv-review/\n"
    assert (root / ".gitattributes").read_text().count("CHANGELOG.md") == 1


def test_init_keeps_an_existing_dvc_repository_and_sees_its_remote(repo: RepositoryBuilder) -> None:
    root = repo().root
    assert Repository(root).dvc("init", "-q").exit_code == 0
    assert Repository(root).dvc("remote", "add", "-d", "storage", "remote").exit_code == 0
    settings = (root / ".dvc/config").read_bytes()
    assert ".dvc/config" not in init(root).created
    assert (root / ".dvc/config").read_bytes() == settings
    assert "/remote/" in (root / ".dvcignore").read_text().splitlines()
    assert "remote/** -text -diff" in (root / ".gitattributes").read_text().splitlines()


def test_init_serves_a_directory_of_a_larger_repository(repo: RepositoryBuilder) -> None:
    top = repo({"README.md": "monorepo"}).root
    root = top / "services" / "shop"
    root.mkdir(parents=True)
    init(root)
    assert sorted(path.name for path in top.iterdir()) == [".git", "README.md", "services"]
    assert config.find_root(root / ".dvc") == root
    status = Repository(root).dvc("status")
    assert status.exit_code == 0, status
    assert run("git", "check-ignore", "-q", ".tdv/x", cwd=root).exit_code == 0


def test_init_within_a_project_says_so(repo: RepositoryBuilder) -> None:
    outer = repo().prepared()
    inner = outer.root / "services/orders"
    inner.mkdir(parents=True)
    outcome = tdv_in_process("init", cwd=inner)
    assert outcome.exit_code == 0
    assert f"{outer.root} is a project already" in outcome.stderr
    assert tdv_in_process("init", "--json", cwd=inner).json()["within"] == str(outer.root)
    assert outer.tdv("init", "--json", expect=0).json()["within"] is None


def test_init_in_a_clone_speaks_of_the_datasets_that_are_there(repo: RepositoryBuilder) -> None:
    made = repo()
    assert "Next: `tdv new" in made.tdv("init", expect=0).stderr
    made.write({"datasets/shop/dataset.yaml": "dataset: shop\ntables: {}\n"})
    assert "Next: `tdv checkout`" in made.tdv("init", expect=0).stderr


def test_init_outside_git_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GitError) as caught:
        init(tmp_path)
    assert caught.value.hint == "git init"
    assert list(tmp_path.iterdir()) == []


def test_init_names_a_file_that_cannot_be_written(repo: RepositoryBuilder) -> None:
    root = repo().root
    (root / ".dvcignore").mkdir()
    with pytest.raises(ConfigError, match="dvcignore"):
        init(root)
