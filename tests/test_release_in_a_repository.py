"""``tdv release`` as it is called, in a repository with releases, tags and remotes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.released import SPEC, SPEC_PATH, record, released, with_rows
from tests.repository import Repository, run


@pytest.fixture
def shop(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return released(tmp_path, tmp_path_factory.getbasetemp())


def in_conflict(shop: Repository) -> None:
    shop.git("switch", "--quiet", "--create", "other", "HEAD~1")
    with_rows(shop, 7)
    shop.git("switch", "--quiet", "main")
    with_rows(shop, 8)


@pytest.mark.parametrize("command", ["merge", "rebase", "cherry-pick"])
def test_nothing_is_written_while_a_merge_is_in_conflict(shop: Repository, command: str) -> None:
    in_conflict(shop)
    assert run("git", command, "other", cwd=shop.root).exit_code != 0
    before = shop.git("status", "--porcelain"), shop.read("dvc.yaml"), shop.read("CHANGELOG.md")
    refused = shop.tdv("release", "shop", expect=11)
    assert f"a {command} is not finished and there are conflicts in {SPEC_PATH}" in refused.stderr
    assert (shop.git("status", "--porcelain"), shop.read("dvc.yaml"), shop.read("CHANGELOG.md")) == before


def test_nothing_is_written_before_a_merge_is_committed(shop: Repository) -> None:
    shop.git("switch", "--quiet", "--create", "other")
    shop.write({"notes.txt": "x"}).commit()
    shop.git("switch", "--quiet", "main")
    with_rows(shop, 8)
    shop.git("merge", "--quiet", "--no-commit", "--no-ff", "other")
    refused = shop.tdv("release", "shop", expect=11)
    assert "a merge is not finished" in refused.stderr
    assert not (shop.root / record("1.3.0")).exists()
    shop.git("commit", "--quiet", "--message", "Merge")
    shop.tdv("release", "shop", expect=0)
    assert (shop.root / record("1.3.0")).exists()


def test_conflict_without_a_merge_is_named(shop: Repository) -> None:
    shop.write({SPEC_PATH: SPEC.format(rows=6)}).git("stash", "--quiet")
    with_rows(shop, 7)
    assert run("git", "stash", "pop", cwd=shop.root).exit_code != 0
    refused = shop.tdv("release", "shop", expect=11)
    assert f"there are conflicts in {SPEC_PATH}" in refused.stderr
