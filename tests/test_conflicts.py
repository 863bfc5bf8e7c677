"""Files that a merge left in conflict: each is named with its lines and with what settles it, by whatever reads it."""

from __future__ import annotations

import pytest

from tdv.documents.markers import clashes, our_side, refuse
from tdv.errors import DocumentError
from tests.conftest import RepositoryBuilder
from tests.repository import Repository

SPEC = """
dataset: shop
tables:
  users:
    key: [id]
    columns: {id: {type: int64}, name: {type: string, privacy: none}}
  orders:
    key: [id]
    columns: {id: {type: int64}}
  notes:
    key: [id]
    columns: {id: {type: int64}}
"""
FILES = {
    "datasets/shop/dataset.yaml": SPEC,
    "datasets/shop/seeds/users.csv": "id,name\n1,ada\n",
    "datasets/shop/seeds/orders.jsonl": '{"id": 1}\n',
    "datasets/shop/seeds/notes.yaml": "- {id: 1}\n",
    "datasets/shop/scenarios/one.yaml": "scenario: one\ntitle: One\nrows:\n  users:\n    eve: {id: 2, name: eve}\n",
}
BOTH = "<<<<<<< HEAD\nleft\n=======\nright\n>>>>>>> other\n"


@pytest.fixture
def shop(repo: RepositoryBuilder) -> Repository:
    made = repo().prepared().write(FILES)
    made.tdv("build", expect=0)
    made.commit("Shop")
    made.tdv("release", "shop", "1.0.0", "-m", "First", expect=0)
    made.tdv("yank", "shop@v1.0.0", "-m", "wrong", expect=0)
    made.tdv("yank", "shop@v1.0.0", "--undo", "-m", "right", expect=0)
    made.write({"tdv.yaml": "datasets: {shop: 1.0.0}\n"}).tdv("lock", expect=0)
    return made.commit("Pinned")


@pytest.mark.parametrize(
    ("path", "command", "hint"),
    [
        *((path, "build", "tdv merge") for path in (*FILES, "dvc.yaml")),
        ("dvc.lock", "status", "tdv merge"),
        ("tdv.yaml", "status", "tdv merge"),
        ("tdv.lock", "checkout", "`tdv lock` settles it"),
        ("datasets/shop/amendments.yaml", "log", "tdv merge"),
    ],
)
def test_file_in_conflict_is_named_with_its_lines(shop: Repository, path: str, command: str, hint: str) -> None:
    before = shop.read(path)
    lines = before.count("\n")
    shop.write({path: before + BOTH})
    said = shop.tdv(command, expect=3).stderr
    assert f"{path}:{lines + 1}: in conflict, lines {lines + 1}-{lines + 5}: HEAD or other" in said
    assert hint in said
    assert shop.read(path) == before + BOTH


def test_record_in_conflict_is_named_as_a_release_of_both_sides(shop: Repository) -> None:
    path = "datasets/shop/releases/1.0.0.yaml"
    shop.write({path: shop.read(path) + BOTH})
    said = shop.tdv("log", expect=3).stderr
    assert "shop@v1.0.0 is in conflict: HEAD and other both released it" in said
    assert "`tdv release shop` makes the other release the next version" in said


def test_clashes_have_their_lines_and_sides() -> None:
    inner = b"a\n<<<<<<<<< x\n1\n||||||||| base\n0\n=========\n2\n>>>>>>>>> y\nb\n"
    first, second = clashes(inner + BOTH.encode())
    assert (first.lines, first.ours, first.theirs) == ("lines 2-8", "x", "y")
    assert (second.lines, second.ours, second.theirs) == ("lines 10-14", "HEAD", "other")
    assert our_side(inner) == b"a\n1\nb\n"
    with pytest.raises(DocumentError) as caught:
        refuse(inner + BOTH.encode(), "f")
    assert [problem.line for problem in caught.value.problems] == [2, 10]


@pytest.mark.parametrize("text", ["<<<<<<< HEAD\na\n", "a <<<<<<< b\n=======\n>>>>>>> c\n", "=======\n>>>>>>> c\n"])
def test_other_text_is_no_clash(text: str) -> None:
    assert clashes(text.encode()) == ()


def test_what_tdv_marked_is_said_once() -> None:
    text = b"<<<<<<< ours: users id=2, name\r\n=======\r\n>>>>>>> theirs: users id=2, name\r\n"
    with pytest.raises(DocumentError, match=r"^f:1: in conflict, lines 1-3: users id=2, name$"):
        refuse(text, "f")
