from pathlib import Path

from tdv import documents
from tdv.log import log
from tdv.tag import TagOptions, tag
from tests.shelf import Shelf


def test_log_lists_newest_version_first(tmp_path: Path) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.releases(("1.0.0", {1: "a"}), ("2.0.0", {2: "b"}), ("1.0.1", {1: "c"}))
    answer = log(shelf.book, shelf.git, ("shop",))
    assert [entry.release.version for entry in answer.entries] == ["2.0.0", "1.0.1", "1.0.0"]
    assert [entry.tagged for entry in answer.entries] == [False] * 3
    plain = answer.to_plain()
    documents.validate(documents.plain(plain, "log"), "log")
    assert plain["releases"][0]["bump"] == "major"
    assert plain["releases"][0]["rows"] == 1


def test_log_knows_tags_and_yanks(tmp_path: Path) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.release()
    tag(shelf.git, TagOptions(("shop",)), lambda _: None)
    (entry,) = log(shelf.book, shelf.git, ("shop",)).entries
    assert (entry.tagged, entry.release.yanked) == (True, False)


def test_shallow_clone_does_not_know_about_tags(tmp_path: Path) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.release()
    tag(shelf.git, TagOptions(("shop",)), lambda _: None)
    clone = Shelf(shelf.repository.clone(tmp_path / "clone", "--depth=1", "--no-tags").root)
    (entry,) = log(clone.book, clone.git, ("shop",)).entries
    assert entry.tagged is None
