from pathlib import Path

import pytest

from tdv.adopt import adopt
from tdv.errors import IntegrityError, NotFound, Refused
from tdv.tag import TagOptions, tag
from tests.shelf import Shelf


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """On ``main`` v1.0.0 and v2.0.0; on the branch ``line`` the hotfix v1.0.1, tagged."""
    shelf = Shelf.create(tmp_path / "repo")
    shelf.release()
    git = shelf.repository.git
    git("branch", "line")
    shelf.source({2: "bob"}).release()
    git("switch", "--quiet", "line")
    shelf.source({1: "eve"}).release(notes="Hotfix")
    tag(shelf.git, TagOptions(("shop",)), lambda _: None)
    git("switch", "--quiet", "main")
    return shelf


def test_record_and_section_come_byte_for_byte(shelf: Shelf) -> None:
    done = adopt(shelf.git, shelf.book, "shop", "1.0.1")
    assert done.files == ("datasets/shop/releases/1.0.1.yaml", "CHANGELOG.md")
    assert shelf.book.record_bytes("shop", "1.0.1") == shelf.git.show("line", done.files[0])
    headings = [line for line in shelf.repository.read("CHANGELOG.md").splitlines() if line.startswith("## ")]
    assert [heading.split()[2] for heading in headings] == ["v2.0.0", "v1.0.1", "v1.0.0"]
    assert adopt(shelf.git, shelf.book, "shop", "1.0.1").files == ()


@pytest.mark.parametrize("command", [["checkout"], ["resolve"], ["show"]])
def test_release_with_a_tag_alone_is_told_of_adopt(shelf: Shelf, command: list[str]) -> None:
    shelf.repository.write({"tdv.yaml": ""})
    outcome = shelf.repository.tdv(*command, "shop@v1.0.1", expect=10)
    assert "There is no release shop@v1.0.1 on this branch" in outcome.stderr
    assert "hint: It has a tag: `tdv adopt shop@v1.0.1` brings its record in." in outcome.stderr


def test_dataset_that_is_known_by_its_tag_alone_can_be_adopted(shelf: Shelf) -> None:
    git = shelf.repository.git
    git("switch", "--quiet", "--orphan", "new")
    shelf.repository.write({"tdv.yaml": ""}).commit("Begin anew")
    outcome = shelf.repository.tdv("checkout", "shop@v1.0.1", expect=10)
    assert "hint: It is tagged on another branch: `tdv adopt shop@v1.0.1` brings a release in." in outcome.stderr
    shelf.repository.tdv("adopt", "shop@v1.0.1", expect=0)
    assert shelf.repository.tdv("resolve", "shop@v1.0.1", expect=0).exit_code == 0


def test_another_record_here_is_not_overwritten(shelf: Shelf) -> None:
    shelf.repository.write({"datasets/shop/releases/1.0.1.yaml": "mine\n"})
    with pytest.raises(Refused, match="another record") as caught:
        adopt(shelf.git, shelf.book, "shop", "1.0.1")
    path = "datasets/shop/releases/1.0.1.yaml"
    assert caught.value.hint == f"Compare {path} with `git show 'shop@v1.0.1:./{path}'`."


def test_tag_that_promises_something_else_is_refused(shelf: Shelf) -> None:
    git = shelf.repository.git
    git("tag", "--delete", "shop@v1.0.1")
    git("tag", "--annotate", "--message", "Forged\n\nTdv-Digest: tdv1:00", "shop@v1.0.1", "line")
    with pytest.raises(IntegrityError, match="promises tdv1:00"):
        adopt(shelf.git, shelf.book, "shop", "1.0.1")


def test_tag_without_a_record_and_no_tag_at_all(shelf: Shelf) -> None:
    shelf.repository.git("tag", "--annotate", "--message", "By hand", "shop@v3.0.0")
    with pytest.raises(NotFound, match="holds no datasets"):
        adopt(shelf.git, shelf.book, "shop", "3.0.0")
    with pytest.raises(NotFound, match=r"There is no tag shop@v9\.0\.0"):
        adopt(shelf.git, shelf.book, "shop", "9.0.0")


def test_tag_is_fetched_where_only_the_remote_has_it(shelf: Shelf, tmp_path: Path) -> None:
    clone = Shelf(shelf.repository.clone(tmp_path / "clone", "--no-tags").root)
    assert adopt(clone.git, clone.book, "shop", "1.0.1").record.notes == "Hotfix"


def test_release_without_a_section_brings_its_record_alone(shelf: Shelf) -> None:
    git = shelf.repository.git
    git("switch", "--quiet", "line")
    shelf.source({1: "zoe"}).release(commit=False)
    (shelf.root / "CHANGELOG.md").unlink()
    git("add", "--all")
    git("commit", "--quiet", "--message", "By hand")
    tag(shelf.git, TagOptions(("shop",)), lambda _: None)
    git("switch", "--quiet", "main")
    done = adopt(shelf.git, shelf.book, "shop", "1.0.2")
    assert done.to_plain()["files"] == ["datasets/shop/releases/1.0.2.yaml"]
