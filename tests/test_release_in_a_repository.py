"""``tdv release`` as it is called, in a repository with releases, tags and remotes."""

from __future__ import annotations

import shutil
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


def test_directory_of_the_remote_that_is_made_is_named_once(shop: Repository, tmp_path: Path) -> None:
    storage = tmp_path / "never-there"
    shop.write({".dvc/config": f"[core]\n    remote = disk\n['remote \"disk\"']\n    url = {storage}\n"}).commit()
    with_rows(shop, 7)
    said = f"The directory of the DVC remote disk was not there and was made: {storage}"
    assert said in shop.tdv("release", "shop", expect=0).stderr
    with_rows(shop, 8)
    assert said not in shop.tdv("release", "shop", expect=0).stderr


@pytest.mark.parametrize("attributes", ["datasets/** text eol=lf\n", "* text=auto\n"])
def test_sources_with_line_ends_that_git_does_not_keep_are_not_committed(shop: Repository, attributes: str) -> None:
    """A spreadsheet saves CRLF, Git commits LF and says nothing, and every other clone would build other data."""
    shop.write({".gitattributes": attributes}).commit("Attributes")
    shop.write({SPEC_PATH: SPEC.format(rows=9).replace("\n", "\r\n")})
    shop.tdv("build", "shop", expect=0)
    shop.commit("Nine rows")
    assert shop.git("status", "--porcelain") == ""
    said = f"Git keeps other line ends than these files have here: {SPEC_PATH}"
    refused = shop.tdv("release", "shop", expect=11)
    assert said in refused.stderr
    assert said in shop.tdv("check", "--base", "HEAD~1", expect=1).stdout
    assert said in shop.tdv("status", expect=0).stdout
    mend = f"rm {SPEC_PATH} && git checkout -- {SPEC_PATH}"
    assert mend in refused.stderr
    if "eol" not in attributes:
        assert f"Say `{SPEC_PATH} text eol=lf` in .gitattributes" in refused.stderr
    run("sh", "-c", mend, cwd=shop.root)
    shop.tdv("build", "shop", expect=0)
    shop.commit("Build")
    shop.tdv("release", "shop", expect=0)


# -- tags


def tags(shop: Repository) -> list[str]:
    return shop.git("tag").splitlines()


def test_amend_takes_its_own_tag_along_while_that_is_not_pushed(shop: Repository) -> None:
    with_rows(shop, 6).tdv("release", "shop", expect=0)
    shop.tdv("tag", expect=0)
    assert "pending" in shop.tdv("status", expect=0).stdout
    with_rows(shop, 7)
    amended = shop.tdv("release", "shop", "--amend", expect=0)
    assert "The tag shop@v1.3.0 was removed, it was not pushed" in amended.stderr
    shop.tdv("verify", expect=0)
    assert "shop@v1.3.0  created" in shop.tdv("tag", expect=0).stdout
    shop.tdv("verify", expect=0)


def test_amend_to_another_version_leaves_no_tag_behind(shop: Repository) -> None:
    with_rows(shop, 6).tdv("release", "shop", expect=0)
    shop.tdv("tag", expect=0)
    with_rows(shop, 7).tdv("release", "shop", "2.0.0", "--amend", expect=0)
    assert "shop@v1.3.0" not in tags(shop)
    shop.tdv("tag", expect=0)
    assert "shop@v2.0.0" in tags(shop)
    shop.tdv("verify", expect=0)


def test_amend_that_is_refused_keeps_the_tag(shop: Repository) -> None:
    with_rows(shop, 6).tdv("release", "shop", expect=0)
    shop.tdv("tag", expect=0)
    shop.write({SPEC_PATH: SPEC.format(rows=9)})
    shop.tdv("release", "shop", "--amend", expect=11)
    assert "shop@v1.3.0" in tags(shop)


def test_version_that_is_tagged_on_another_branch_is_refused(shop: Repository) -> None:
    shop.git("switch", "--quiet", "--create", "hotfix", "shop@v1.0.0")
    shop.write({"datasets/shop/seeds/users.csv": "id,email\n500,fix@example.test\n"}).commit()
    shop.tdv("release", "shop", "1.0.1", expect=0)
    shop.tdv("tag", expect=0)
    shop.git("switch", "--quiet", "--create", "other", "shop@v1.0.0")
    assert "It has a tag: `tdv adopt shop@v1.0.1`" in shop.tdv("show", "shop@v1.0.1", expect=10).stderr
    shop.write({"datasets/shop/seeds/users.csv": "id,email\n500,other@example.test\n"}).commit()
    for version in ("1.0.1", "auto"):
        refused = shop.tdv("release", "shop", version, expect=11)
        assert "shop@v1.0.1 is tagged already, by a release that is not on this branch" in refused.stderr
        assert not (shop.root / record("1.0.1")).exists()
    shop.tdv("release", "shop", "1.0.2", expect=0)


def test_version_that_another_branch_released_meanwhile_is_neither_tagged_nor_amended(
    shop: Repository, tmp_path: Path
) -> None:
    other = shop.clone(tmp_path / "other").prepared()
    shop.git("switch", "--quiet", "--create", "mine")
    with_rows(shop, 6).tdv("release", "shop", expect=0)
    with_rows(other, 7).tdv("release", "shop", expect=0)
    other.git("push", "--quiet", (tmp_path / "origin.git").as_uri(), "HEAD:main")
    shop.git("fetch", "--quiet")
    said = "origin/main released {}v1.3.0 meanwhile, with other content"
    status = shop.tdv("status", expect=0).stdout
    assert said.format("") in status
    assert "untagged" not in status
    for command in (("tag",), ("release", "shop"), ("release", "shop", "--amend")):
        assert said.format("shop@") in shop.tdv(*command, expect=11).stderr
    assert "shop@v1.3.0" not in tags(shop)
    run("git", "merge", "origin/main", cwd=shop.root)
    shop.tdv("merge", expect=1)
    shop.git("checkout", "--quiet", "--theirs", "--", record("1.3.0"))
    shop.tdv("merge")
    with_rows(shop, 8)
    shop.tdv("build", expect=0)
    shop.commit("Build")
    assert "shop@v1.4.0" in shop.tdv("release", "shop", expect=0).stdout


def test_version_that_is_tagged_on_the_remote_only_is_refused(shop: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "origin.git").clone(tmp_path / "other")
    with_rows(other, 5).tdv("release", "shop", expect=0)
    other.git("push", "--quiet", "origin", "HEAD:refs/heads/work")
    other.tdv("tag", "--push", expect=0)
    refused = with_rows(shop, 6).tdv("release", "shop", expect=11)
    assert "shop@v1.3.0 is tagged already on the Git remote" in refused.stderr


def test_release_without_the_git_remote_says_what_it_did_not_look_at(shop: Repository, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "origin.git")
    made = with_rows(shop, 6).tdv("release", "shop", expect=0)
    assert "The tags of the Git remote were not looked at" in made.stderr


def test_tag_without_a_push_needs_no_network(shop: Repository, tmp_path: Path) -> None:
    with_rows(shop, 6).tdv("release", "shop", expect=0)
    shutil.rmtree(tmp_path / "origin.git")
    tagged = shop.tdv("tag", expect=0)
    assert "shop@v1.3.0  created" in tagged.stdout
    assert "The tags of the Git remote were not looked at" in tagged.stderr
    shop.tdv("tag", "--push", expect=14)


def test_word_that_is_no_version_comes_before_other_complaints(shop: Repository) -> None:
    shop.write({SPEC_PATH: SPEC.format(rows=9)})
    assert "neither a version nor a level" in shop.tdv("release", "shop", "1.0", expect=2).stderr


# -- what status and tag say of tags and data


@pytest.mark.parametrize("options", [(), ("--annotate", "--message", "x")])
def test_moved_tag_is_told_by_status_and_refused_by_tag(shop: Repository, options: tuple[str, ...]) -> None:
    shop.git("tag", "--force", *options, "shop@v1.2.0", "shop@v1.1.0^{commit}")
    assert "the tag shop@v1.2.0 was moved to" in shop.tdv("status", expect=0).stdout
    refused = shop.tdv("tag", expect=11)
    assert "git tag --delete shop@v1.2.0, then `tdv tag` fetches that of the remote" in refused.stderr
    shop.tdv("verify", expect=13)
    shop.git("tag", "--delete", "shop@v1.2.0")
    shop.tdv("tag", expect=0)
    shop.tdv("verify", expect=0)
    assert "nothing to do" in shop.tdv("status", expect=0).stdout


def test_status_tells_built_data_that_was_altered(shop: Repository) -> None:
    part = next((shop.root / "datasets/shop/data/users").glob("*.parquet"))
    data = part.read_bytes()
    part.chmod(0o644)
    part.write_bytes(data[:-1] + b"x")
    (notice,) = shop.tdv("status", "--json", expect=0).json()["datasets"][0]["notices"]
    assert (notice["kind"], notice["hint"]) == ("altered", "tdv build shop")
    shop.tdv("build", expect=0)
    assert part.read_bytes() == data
    assert "nothing to do" in shop.tdv("status", expect=0).stdout


def test_status_of_a_clone_without_data_is_not_altered(shop: Repository, tmp_path: Path) -> None:
    clone = Repository(tmp_path / "origin.git").clone(tmp_path / "clone")
    assert "altered" not in clone.tdv("status", expect=0).stdout


def test_status_says_that_git_left_the_data_of_another_commit(shop: Repository) -> None:
    shop.git("checkout", "--quiet", "shop@v1.1.0")
    assert "from another build: datasets/shop/data  tdv pull" in shop.tdv("status", expect=0).stdout
    assert "restored datasets/shop/data" in shop.tdv("pull", expect=0).stdout
    assert "datasets/shop/data" not in shop.tdv("status", expect=0).stdout


def test_status_of_a_clone_needs_neither_data_nor_remote(shop: Repository, tmp_path: Path) -> None:
    clone = shop.clone(tmp_path / "clone")
    shutil.rmtree(tmp_path / "storage")
    assert clone.tdv("status", expect=0).stdout == "shop  v1.2.0  nothing to do\n"


def test_retired_dataset_keeps_its_releases_and_holds_up_nothing(shop: Repository) -> None:
    """Spec, sources and what DVC's files say of it are gone; the records stay, and what they promise."""
    for name in ("dataset.yaml", "snapshot.yaml", "seeds", "scenarios"):
        shop.git("rm", "-rq", "--", f"datasets/shop/{name}")
    said = shop.tdv("check", "--base", "origin/main", expect=1).stdout
    assert "still there is its stage in dvc.yaml and its artifact in dvc.yaml" in said
    for name in ("dvc.yaml", "dvc.lock"):
        shop.git("rm", "-q", "--", name)
    shop.commit("Retire the shop")
    shop.tdv("check", "--base", "origin/main", expect=0)
    for command in (("build",), ("validate",), ("status",), ("tag",), ("verify",)):
        shop.tdv(*command, expect=0)
    shop.tdv("checkout", "shop@v1.1.0", expect=0)
    assert "shop has no datasets/shop/dataset.yaml any more" in shop.tdv("build", "shop", expect=10).stderr


def test_status_reads_a_broken_tdv_yaml(shop: Repository) -> None:
    shop.write({"tdv.yaml": "defualt: {dataset: shop}\n"})
    assert "tdv.yaml" in shop.tdv("status", expect=3).stderr
