"""`git diff`, `git log -p` and `git show` of test data, through the drivers that `tdv init` registers."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.repository import Repository, run
from tests.shop import released_shop

HERE = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
ELSEWHERE = "/usr/local/bin:/usr/bin:/bin"
RECORD = "datasets/shop/releases/1.1.0.yaml"
ADDED = "users  3 added  10 → 13 rows"
SPEC = """
dataset: zoo
tables:
  pens:
    key: [id]
    columns:
      id: {type: int64}
      name: {type: string, privacy: name}
      size: {type: int32, nullable: true}
"""


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    """The releases 1.0.0 and 1.1.0 of shop, whose data is in the cache."""
    return released_shop(tmp_path_factory.mktemp("diff") / "shop")


def shown(repository: Repository, *words: str, path: str = HERE) -> str:
    """What a git command prints, which never fails."""
    outcome = run("git", "--no-pager", *words, cwd=repository.root, env={"PATH": path, "TERM": "xterm"})
    assert (outcome.exit_code, outcome.stderr) == (0, ""), outcome
    return outcome.stdout


def first(shop: Repository) -> str:
    """The commit that released 1.0.0."""
    log = shown(shop, "log", "--format=%H", "--", "datasets/shop/releases/1.0.0.yaml")
    return log.split()[-1]


@pytest.mark.parametrize("file", ["dvc.lock", RECORD, "datasets/shop/snapshot.yaml"])
def test_git_diff_shows_rows_of_the_data_that_a_file_points_at(shop: Repository, file: str) -> None:
    text = shown(shop, "diff", first(shop), "HEAD", "--", file)
    assert text.startswith(f"diff --tdv a/{file} b/{file}\n")
    assert "shop@v1.0.0 → shop@v1.1.0\n" in text
    assert ADDED in text
    assert ("md5:" in text) == (file == RECORD)


def test_rows_of_a_release_are_shown_once(shop: Repository, tmp_path: Path) -> None:
    copy = Repository(tmp_path / "copy")
    shutil.copytree(shop.root, copy.root, symlinks=True)
    spec = copy.read("datasets/shop/dataset.yaml").replace("rows: 12", "rows: 15")
    copy.write({"datasets/shop/dataset.yaml": spec})
    copy.commit("Three more users")
    copy.tdv("release", "shop", "1.2.0", "-m", "More", expect=0)
    names = copy.git("show", "--format=", "--name-only", "HEAD").split()
    assert {"dvc.lock", "datasets/shop/snapshot.yaml", "datasets/shop/releases/1.2.0.yaml"} <= set(names)
    text = shown(copy, "diff", "HEAD~1", "HEAD")
    assert text.count("users  3 added") == 1
    assert text.count("rows: at dvc.lock below\n") == 2
    assert text.index("rows: at dvc.lock below") < text.index("users  3 added")
    assert "users  3 added" in shown(copy, "diff", "HEAD~1", "HEAD", "--", "datasets/shop/snapshot.yaml")


def test_rows_are_shown_where_only_one_file_changes(shop: Repository, tmp_path: Path) -> None:
    copy = Repository(tmp_path / "copy")
    shutil.copytree(shop.root, copy.root, symlinks=True)
    spec = copy.read("datasets/shop/dataset.yaml").replace("rows: 12", "rows: 15")
    copy.write({"datasets/shop/dataset.yaml": spec})
    copy.tdv("build", expect=0)
    text = shown(copy, "diff")
    assert (text.count("users  3 added"), text.count("rows: at dvc.lock below")) == (1, 1)
    copy.commit("Three more users")
    copy.tdv("release", "shop", "1.2.0", "-m", "More", expect=0)
    assert copy.git("show", "--format=", "--name-only", "HEAD").split()[-1].endswith("1.2.0.yaml")
    text = shown(copy, "diff", "HEAD~1", "HEAD")
    assert (text.count("users  3 added"), text.count("rows: at")) == (1, 0)
    copy.write({"zzz.txt": "A file that comes later, and is no dvc.lock\n"})
    copy.git("add", "zzz.txt")
    copy.git("commit", "--quiet", "--amend", "--no-edit")
    assert shown(copy, "diff", "HEAD~1", "HEAD").count("users  3 added") == 1
    copy.git("checkout", "--quiet", "HEAD~2", "--", "datasets/shop/snapshot.yaml")
    copy.write({"zzz.txt": "Another\n"})
    assert shown(copy, "diff", "HEAD").count("users  3 removed") == 1


def test_git_diff_is_in_colour_where_git_would_be(shop: Repository) -> None:
    words = ("diff", first(shop), "HEAD", "--", "dvc.lock")
    assert "\x1b[" not in shown(shop, *words)
    assert "\x1b[32m  +" in shown(shop, "-c", "color.ui=always", *words)


def test_git_log_shows_rows_line_by_line(shop: Repository) -> None:
    text = shown(shop, "log", "-p", "-1", "--format=%s", "HEAD~1", "--", "dvc.lock")
    assert text.count("\n+      users {") == 3


@pytest.mark.parametrize("tool", ["absent", "failing"])
def test_git_diff_works_without_a_tdv_that_works(shop: Repository, tmp_path: Path, tool: str) -> None:
    broken = tmp_path / "tdv"
    if tool == "failing":
        broken.write_text("#!/bin/sh\necho half a line\nexit 70\n", encoding="utf-8")
        broken.chmod(0o755)
    text = shown(shop, "diff", first(shop), "HEAD", "--", "dvc.lock", "README.md", path=f"{tmp_path}:{ELSEWHERE}")
    assert "\n+      md5: " in text
    assert "\n+      md5: " in shown(shop, "show", "HEAD~1", "--", "dvc.lock", path=f"{tmp_path}:{ELSEWHERE}")


def test_data_that_is_not_in_the_cache_is_told_as_text(shop: Repository, tmp_path: Path) -> None:
    copy = Repository(tmp_path / "copy")
    shutil.copytree(shop.root, copy.root, symlinks=True)
    shutil.rmtree(copy.root / ".dvc/cache")
    text = shown(copy, "diff", first(copy), "HEAD", "--", "dvc.lock")
    assert "\n     not in the cache: tdv pull fetches it\n" in text
    assert "\n+  output datasets/shop/data  " in text


def test_changes_that_no_state_precedes_are_text(shop: Repository, tmp_path: Path) -> None:
    copy = Repository(tmp_path / "copy")
    shutil.copytree(shop.root, copy.root, symlinks=True)
    copy.git("rm", "--quiet", "--cached", "dvc.lock", RECORD)
    text = shown(copy, "diff", "--cached")
    assert "\n-    users: 13 rows  tdv1:" in text
    assert "\n-version: 1.1.0\n" in text
    copy.git("reset", "--quiet")
    copy.git("mv", RECORD, "datasets/shop/releases/moved.yaml")
    assert "similarity index 100%\nrename from" in shown(copy, "diff", "--cached", "-M")


def parquet(path: Path, names: list[str], sizes: list[int | None]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = {"id": range(len(names)), "name": names, "size": pa.array(sizes, pa.int32())}
    pq.write_table(pa.table(rows), path)


def test_parquet_is_compared_by_row_with_the_key_and_the_secrets_of_the_spec(tmp_path: Path) -> None:
    zoo = Repository.create(tmp_path / "zoo", {"README.md": "Zoo\n"})
    zoo.tdv("init", expect=0)
    zoo.write({"datasets/zoo/dataset.yaml": SPEC, ".gitattributes": "*.parquet diff=tdv\n"})
    seed, other = zoo.root / "datasets/zoo/seeds/pens.parquet", zoo.root / "other.parquet"
    for path in (seed, other):
        parquet(path, ["ape", "bat"], [1, None])
    zoo.commit("Animals")
    for path in (seed, other):
        parquet(path, ["ape", "bee", "cow"], [2, None, 3])
    pens, rest = shown(zoo, "diff").split("diff --tdv a/other")
    assert pens.splitlines()[3:] == [
        "pens  1 added, 2 changed  2 → 3 rows",
        "     id  name             size",
        "  +   2  <private: name>     3",
        "  ~  id=0  size  1 → 2",
        "  ~  id=1  name  <private: name> (changed)",
    ]
    assert "other  3 added, 2 removed" in rest
    seed.write_bytes(b"PAR1 and no more")
    pq.write_table(pa.table({"id": pa.array([1], pa.duration("s"))}), other)
    text = shown(zoo, "diff")
    assert "+damaged Parquet" in text
    assert "+id: duration[s]" in text


def test_file_in_conflict_is_named(shop: Repository) -> None:
    outcome = shop.tdv("git-diff", "--", "dvc.lock", expect=0)
    assert outcome.stdout == "* Unmerged path dvc.lock\n"
    assert shop.tdv("git-diff", "--", "dvc.lock", "more").exit_code == 2
