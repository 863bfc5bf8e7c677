"""Several projects in one Git repository: each has its own datasets, releases and tags."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.released import SPEC
from tests.repository import Repository, run

WEB, SHOP = "services/web", "services/shop-app"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with the dataset ``shop`` in two projects, both released as 1.0.0, and its bare origin."""
    place = tmp_path_factory.mktemp("monorepo")
    top = Repository.create(place / "repo", {"README.md": "Two services\n"})
    for project, rows in ((WEB, 2), (SHOP, 5)):
        inner = Repository(top.root / project)
        inner.root.mkdir(parents=True)
        inner.tdv("init", expect=0)
        inner.write({"datasets/shop/dataset.yaml": SPEC.format(rows=rows)})
        inner.tdv("build", expect=0)
        top.commit(f"Begin {project}")
        inner.tdv("release", "shop", "1.0.0", "-m", "First", expect=0)
    top.git("clone", "--quiet", "--bare", str(top.root), str(place / "origin.git"))
    return place


@pytest.fixture
def top(made: Path, tmp_path: Path) -> Repository:
    """A copy of it."""
    for name in ("repo", "origin.git"):
        shutil.copytree(made / name, tmp_path / name, symlinks=True)
    top = Repository(tmp_path / "repo")
    top.git("remote", "add", "origin", (tmp_path / "origin.git").as_uri())
    top.git("fetch", "--quiet", "origin")
    return top


def test_tags_are_named_as_gto_names_them(top: Repository) -> None:
    web, shop = Repository(top.root / WEB), Repository(top.root / SHOP)
    for project in (web, shop):
        assert "shop@v1.0.0" in project.tdv("tag", "--push", expect=0).stdout
        assert project.tdv("tag", "--push", expect=0).exit_code == 0
    names = {f"{WEB}=shop@v1.0.0", f"{SHOP}=shop@v1.0.0"}
    assert set(top.git("tag", "--list").split()) == names
    listed = run("git", "ls-remote", "--tags", "origin", cwd=top.root).stdout
    assert all(f"refs/tags/{name}\n" in listed for name in names)
    assert f"{WEB}:shop" in top.gto("show").stdout


def test_each_project_sees_its_own_releases(top: Repository) -> None:
    web, shop = Repository(top.root / WEB), Repository(top.root / SHOP)
    web.tdv("tag", "--push", expect=0)
    assert web.tdv("log", "--json", expect=0).json()["releases"][0]["tagged"] is True
    assert shop.tdv("log", "--json", expect=0).json()["releases"][0]["tagged"] is False
    assert "untagged" not in web.tdv("status", expect=0).stdout
    web.tdv("verify", expect=0)
    web.tdv("checkout", expect=0)
    shop.tdv("checkout", expect=0)
    assert (web.root / ".tdv/local.db").exists()
    deeper = Repository(shop.root / "src")
    deeper.root.mkdir()
    assert deeper.tdv("resolve", expect=0).stdout.startswith("shop@v1.0.0")
    answer = top.tdv("resolve", expect=3).stderr
    assert "there is no tdv.yaml" in answer
    assert f"There are projects in {', '.join(sorted((WEB, SHOP)))}: go there, or name one with -C." in answer


def test_tags_of_a_project_are_adopted_fetched_and_promoted(top: Repository, tmp_path: Path) -> None:
    web = Repository(top.root / WEB)
    web.tdv("tag", "--push", expect=0)
    web.tdv("promote", "shop@v1.0.0", "staging", expect=0)
    assert f"{WEB}=shop#staging#1" in top.git("tag", "--list").split()
    assert web.tdv("show", "shop#staging", "--json", expect=0).json()["version"] == "1.0.0"
    web.write({"datasets/shop/dataset.yaml": SPEC.format(rows=3)})
    top.commit("More users")
    web.tdv("release", "shop", "1.1.0", "-m", "More", expect=0)
    top.git("push", "--quiet", "origin", "HEAD:main")
    web.tdv("tag", "--push", expect=0)
    older = Repository(tmp_path / "older")
    run("git", "clone", "--quiet", "--no-tags", (tmp_path / "origin.git").as_uri(), older.root, cwd=tmp_path)
    older.git("reset", "--quiet", "--hard", "HEAD~2")
    Repository(older.root / WEB).tdv("adopt", "shop@v1.1.0", expect=0)
    assert (older.root / WEB / "datasets/shop/releases/1.1.0.yaml").exists()


def test_hint_of_a_record_that_differs_runs_in_its_project(top: Repository) -> None:
    web = Repository(top.root / WEB)
    web.tdv("tag", expect=0)
    record = web.read("datasets/shop/releases/1.0.0.yaml")
    web.write({"datasets/shop/releases/1.0.0.yaml": record.replace("First", "Mine")})
    hint = web.tdv("adopt", "shop@v1.0.0", "--json", expect=11).json()["error"]["hint"]
    command = hint.partition("`")[2].partition("`")[0]
    assert run("sh", "-c", command, cwd=web.root).stdout == record


def test_directory_that_no_tag_can_name_is_said_before_the_first_tag(tmp_path: Path) -> None:
    top = Repository.create(tmp_path / "repo", {"README.md": "One\n"})
    inner = Repository(top.root / "my data")
    inner.root.mkdir()
    said = "No release can be tagged here: Git takes no tag of the name my data=…"
    mended = "Rename the directory 'my data' with `git mv`."
    assert f"{said}. {mended}" in inner.tdv("init", expect=0).stderr
    inner.write({"datasets/shop/dataset.yaml": SPEC.format(rows=2)})
    inner.tdv("build", expect=0)
    top.commit("Begin")
    before = top.git("rev-parse", "HEAD")
    told = inner.tdv("release", "shop", "1.0.0", "-m", "First", expect=0).stderr
    assert f"{said}. {mended}" in told
    assert "`tdv tag`" not in told
    broken = [
        item for item in inner.tdv("check", "--base", before, "--json", expect=1).json()["subjects"] if not item["ok"]
    ]
    assert [(item["promise"], item["message"], item["hint"]) for item in broken] == [("taggable", said, mended)]
    error = inner.tdv("tag", "--json", expect=14).json()["error"]
    assert (error["message"], error["hint"]) == (said, mended)


def test_tags_of_data_are_no_tags_of_the_app(top: Repository) -> None:
    web = Repository(top.root / WEB)
    web.tdv("tag", expect=0)
    web.tdv("lock", expect=0)
    top.commit("Pin").git("tag", "web-1.0.0")
    web.tdv("tag", "--push", expect=0)
    uses = web.tdv("log", "--used-by", "shop@v1.0.0", "--json", expect=0).json()
    assert [use["tag"] for use in uses["tags"]] == ["web-1.0.0"]
