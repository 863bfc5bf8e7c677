import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tdv.errors import GitError, Refused
from tdv.model.compat import Compat, Span
from tdv.model.release import Artifact
from tdv.store.git import Git
from tdv.tag import Tagging, TagOptions, tag
from tests.repository import Repository
from tests.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.release()
    return shelf


def uploaded(*artifacts: Any) -> list[Artifact]:
    return []


def run(git: Git, *, push: bool = False, upload: Any = uploaded) -> Tagging:
    return tag(git, TagOptions(("shop",), push), upload)


def actions(tagging: Tagging) -> list[tuple[str, str]]:
    return [(tag.name, tag.action) for tag in tagging.tags]


def test_tag_carries_the_promises_and_stands_on_the_release_commit(shelf: Shelf) -> None:
    release = shelf.source({1: "eve"}).release(compat=Compat(">=1.2,<3", Span("0003", None)), notes="A name")
    shelf.repository.write({"later.txt": "x"}).commit("Later")
    assert actions(run(shelf.git)) == [("shop@v1.0.0", "created"), ("shop@v1.0.1", "created")]
    found = next(tag for tag in shelf.git.tags("shop") if tag.version == "1.0.1")
    assert (found.commit, found.annotated) == (release.commit, True)
    assert (found.digest, found.app, found.migration) == (release.record.digest, ">=1.2,<3", "0003..")
    assert "A name" in shelf.repository.git("tag", "-l", "--format=%(contents)", "shop@v1.0.1")


def test_second_run_changes_nothing(shelf: Shelf) -> None:
    run(shelf.git)
    before = shelf.repository.git("for-each-ref")
    assert actions(run(shelf.git)) == [("shop@v1.0.0", "present")]
    assert shelf.repository.git("for-each-ref") == before


def test_gto_and_dvc_understand_the_tag(shelf: Shelf) -> None:
    run(shelf.git)
    shown = shelf.repository.gto("show", "shop@latest", "--ref")
    assert "shop@v1.0.0" in shown.stdout, shown


def test_data_is_uploaded_before_the_tag(shelf: Shelf) -> None:
    seen: list[Artifact] = []

    def upload(artifacts: Sequence[Artifact]) -> None:
        assert shelf.git.tags() == ()
        seen.extend(artifacts)

    run(shelf.git, upload=upload)
    assert seen == [shelf.book.record("shop", "1.0.0").artifact]
    run(shelf.git, upload=seen.clear)


def test_record_that_is_not_committed_is_left_alone(shelf: Shelf) -> None:
    shelf.source({1: "eve"}).release(commit=False)
    assert actions(run(shelf.git)) == [("shop@v1.0.0", "created")]


def test_commit_whose_lock_is_another_one_is_not_taggable(shelf: Shelf) -> None:
    shelf.source({1: "eve"})
    shelf.release(commit=False)
    shelf.repository.git("add", "datasets/shop/releases/1.0.1.yaml")
    shelf.repository.git("commit", "--quiet", "--message", "Only the record")
    with pytest.raises(GitError, match=r"No commit on this line holds shop@v1\.0\.1"):
        run(shelf.git)
    assert [tag.name for tag in shelf.git.tags()] == ["shop@v1.0.0"]
    shelf.repository.git("add", "dvc.lock", "dvc.yaml")
    shelf.repository.git("commit", "--quiet", "--message", "The lock")
    run(shelf.git)
    assert next(tag for tag in shelf.git.tags() if tag.version == "1.0.1").commit == shelf.git.head()


def test_no_commit_carries_two_versions_of_a_dataset(shelf: Shelf) -> None:
    git = shelf.repository.git
    git("switch", "--quiet", "--create", "work")
    shelf.release(compat=Compat(">=1"))
    shelf.release(compat=Compat(">=2"))
    git("switch", "--quiet", "main")
    git("merge", "--quiet", "--squash", "work")
    git("commit", "--quiet", "--message", "Squash")
    with pytest.raises(GitError, match=r"holds shop@v1\.0\.2 "):
        run(shelf.git)
    assert [tag.name for tag in shelf.git.tags()] == ["shop@v1.0.0", "shop@v1.0.1"]


def test_merge_commit_is_tagged_on_the_main_line(shelf: Shelf) -> None:
    git = shelf.repository.git
    git("switch", "--quiet", "--create", "work")
    shelf.source({1: "eve"}).release()
    git("switch", "--quiet", "main")
    git("merge", "--quiet", "--no-ff", "--message", "Merge", "work")
    run(shelf.git)
    assert next(tag for tag in shelf.git.tags() if tag.version == "1.0.1").commit == shelf.git.head()


def test_yank_is_mirrored(shelf: Shelf) -> None:
    shelf.repository.write(
        {
            "datasets/shop/amendments.yaml": """
            format: tdv.amendments/v1
            dataset: shop
            amendments:
              - {version: 1.0.0, date: "2026-12-01T00:00:00Z", reason: wrong, yanked: true}
            """
        }
    ).commit("Yank")
    assert actions(run(shelf.git)) == [("shop@v1.0.0", "created"), ("shop@v1.0.0!", "created")]
    assert actions(run(shelf.git)) == [("shop@v1.0.0", "present"), ("shop@v1.0.0!", "present")]


def test_tag_with_another_digest_is_refused(shelf: Shelf) -> None:
    shelf.repository.git("tag", "--annotate", "--message", "Forged\n\nTdv-Digest: tdv1:00", "shop@v1.0.0")
    with pytest.raises(Refused, match="promises tdv1:00"):
        run(shelf.git)


@pytest.fixture
def origin(shelf: Shelf, tmp_path: Path) -> Repository:
    bare = tmp_path / "origin.git"
    shelf.repository.git("clone", "--quiet", "--bare", str(shelf.root), str(bare))
    shelf.repository.git("remote", "add", "origin", bare.as_uri())
    shelf.repository.git("fetch", "--quiet", "origin")
    return Repository(bare)


def test_push_sends_each_tag_once(shelf: Shelf, origin: Repository) -> None:
    assert [tag.pushed for tag in run(shelf.git, push=True).tags] == [True]
    assert origin.git("tag") == "shop@v1.0.0"
    assert [tag.pushed for tag in run(shelf.git, push=True).tags] == [False]


def test_push_from_another_branch_is_said(shelf: Shelf, origin: Repository) -> None:
    shelf.repository.git("switch", "--quiet", "--create", "hotfix")
    assert run(shelf.git, push=True).notes == ()
    shelf.source({1: "eve"}).release()
    assert run(shelf.git, push=True).notes == (
        "Pushed from the branch hotfix, which origin/main does not hold: shop@v1.0.1",
    )
    assert run(shelf.git, push=True).notes == ()


def test_push_from_a_commit_on_no_branch_is_said(shelf: Shelf, origin: Repository) -> None:
    shelf.repository.git("checkout", "--quiet", "--detach")
    assert run(shelf.git, push=True).notes == ()
    shelf.source({1: "eve"}).release()
    commit = shelf.repository.git("rev-parse", "HEAD")[:10]
    assert run(shelf.git, push=True).notes == (
        f"Pushed from commit {commit} on no branch, which origin/main does not hold: shop@v1.0.1",
    )


def test_tag_of_the_remote_is_taken_over(shelf: Shelf, origin: Repository) -> None:
    run(shelf.git, push=True)
    shelf.repository.git("tag", "--delete", "shop@v1.0.0")
    assert actions(run(shelf.git)) == [("shop@v1.0.0", "fetched")]


def test_other_tag_of_the_same_digest_on_the_remote_is_success(shelf: Shelf, origin: Repository) -> None:
    run(shelf.git, push=True)
    shelf.repository.git("tag", "--delete", "shop@v1.0.0")
    digest = shelf.book.record("shop", "1.0.0").digest
    shelf.repository.git("tag", "--annotate", "--message", f"Mine\n\nTdv-Digest: {digest}", "shop@v1.0.0")
    assert actions(run(shelf.git, push=True)) == [("shop@v1.0.0", "present")]


def test_other_digest_on_the_remote_is_refused(shelf: Shelf, origin: Repository) -> None:
    run(shelf.git)
    shelf.repository.git("push", "--quiet", "origin", "main")
    moved = shelf.repository.git("rev-parse", "HEAD~1")
    origin.git("tag", "--annotate", "--message", "Other", "shop@v1.0.0", moved)
    with pytest.raises(Refused, match="of the remote promises what commit"):
        run(shelf.git, push=True)


def test_shallow_clone_deepens_until_it_finds_the_commit(shelf: Shelf, origin: Repository, tmp_path: Path) -> None:
    commit = shelf.git.head()
    for number in range(3):
        shelf.repository.write({"n.txt": str(number)}).commit(f"Work {number}")
    shelf.repository.git("push", "--quiet", "origin", "main")
    clone = origin.clone(tmp_path / "clone", "--depth=1")
    assert clone.git("rev-list", "--count", "HEAD") == "1"
    git = Git(clone.root, os.environ)
    assert run(git).tags[0].commit == commit


def test_shallow_clone_without_its_remote_says_what_to_fetch(shelf: Shelf, origin: Repository, tmp_path: Path) -> None:
    shelf.repository.write({"n.txt": "1"}).commit("Work")
    shelf.repository.git("push", "--quiet", "origin", "main")
    clone = origin.clone(tmp_path / "clone", "--depth=1")
    clone.git("remote", "remove", "origin")
    with pytest.raises(GitError, match=r"does not reach the commit that released shop@v1\.0\.0") as caught:
        run(Git(clone.root, os.environ))
    assert caught.value.hint == "git fetch --unshallow --tags"


def test_somebody_faster_with_the_same_digest_is_no_error(shelf: Shelf, origin: Repository) -> None:
    digest = shelf.book.record("shop", "1.0.0").digest

    def upload(_: Sequence[Artifact]) -> None:
        origin.git("tag", "--annotate", "--message", f"Faster\n\nTdv-Digest: {digest}", "shop@v1.0.0", "main")

    answer = run(shelf.git, push=True, upload=upload)
    assert actions(answer) == [("shop@v1.0.0", "created")]
    assert answer.to_plain()["tags"][0]["pushed"] is False


def test_somebody_faster_with_another_digest_is_refused(shelf: Shelf, origin: Repository) -> None:
    def upload(_: Sequence[Artifact]) -> None:
        origin.git("tag", "--annotate", "--message", "Other", "shop@v1.0.0", "main~1")

    with pytest.raises(Refused, match="of the remote promises"):
        run(shelf.git, push=True, upload=upload)


def test_broken_dvc_files_make_a_commit_not_taggable(shelf: Shelf) -> None:
    shelf.source({1: "eve"}).release(commit=False)
    shelf.repository.write({"dvc.lock": "a: [1\n"}).commit("Broken")
    with pytest.raises(GitError, match="No commit on this line"):
        run(shelf.git)


def test_releases_that_stand_nowhere_cost_nothing_and_are_counted(shelf: Shelf, tmp_path: Path) -> None:
    text = shelf.repository.read("datasets/shop/releases/1.0.0.yaml")

    def runs(last: int) -> tuple[int, str]:
        """How often Git was started, and the sentence, with so many records that no commit has the data of."""
        other = re.sub("md5: [0-9a-f]{32}", f"md5: {'0' * 32}", text)
        records = {
            f"datasets/shop/releases/2.0.{number}.yaml": other.replace("version: 1.0.0", f"version: 2.0.{number}")
            for number in range(last)
        }
        shelf.repository.write(records).commit(f"{last} records")
        trace = tmp_path / f"{last}.trace"
        git = Git(shelf.root, {**os.environ, "GIT_TRACE": str(trace)})
        with pytest.raises(GitError) as caught:
            run(git)
        assert len(caught.value.facts["failed"]) == last  # type: ignore[arg-type]
        return trace.read_text().count("trace: built-in: git"), str(caught.value)

    run(shelf.git)
    few, said = runs(2)
    assert said == "No commit on this line holds shop@v2.0.0, shop@v2.0.1 together with its dvc.lock"
    many, said = runs(30)
    assert (many, said[len("No commit on this line ") :]) == (
        few,
        "holds shop@v2.0.0, shop@v2.0.1, shop@v2.0.2, shop@v2.0.3, shop@v2.0.4 and 25 more together with its dvc.lock",
    )
