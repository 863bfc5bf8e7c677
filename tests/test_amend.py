from pathlib import Path

import pytest

from tdv.amend import CompatChange, Reason, amend_compat, yank
from tdv.errors import NotFound, UsageError
from tdv.model.compat import Compat, Span
from tdv.model.history import History, Migration
from tests.shelf import LATER, Shelf

WHY = Reason("0008 drops users.age", LATER)


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.release(compat=Compat(">=1", Span("0003")))
    return shelf


def test_yank_is_appended_and_the_record_stays(shelf: Shelf) -> None:
    before = shelf.book.record_bytes("shop", "1.0.0")
    done = yank(shelf.book, "shop", "1.0.0", WHY)
    assert (done.before.yanked, done.after.yanked, done.path) == (False, True, "datasets/shop/amendments.yaml")
    assert shelf.book.release("shop", "1.0.0").yanked
    assert shelf.book.record_bytes("shop", "1.0.0") == before
    assert shelf.book.amendments("shop")[0].date == "2026-12-24T18:00:00Z"


def test_yank_twice_writes_once_and_can_be_taken_back(shelf: Shelf) -> None:
    yank(shelf.book, "shop", "1.0.0", WHY)
    assert yank(shelf.book, "shop", "1.0.0", WHY).path == ""
    yank(shelf.book, "shop", "1.0.0", WHY, undo=True)
    assert not shelf.book.release("shop", "1.0.0").yanked
    assert len(shelf.book.amendments("shop")) == 2


@pytest.mark.parametrize(
    ("change", "compat"),
    [
        (CompatChange(until="0007"), Compat(">=1", Span("0003", "0007"))),
        (CompatChange(app=">=1,<2"), Compat(">=1,<2", Span("0003"))),
        (CompatChange(app=""), Compat(None, Span("0003"))),
        (CompatChange(start=""), Compat(">=1", None)),
    ],
)
def test_compat_is_amended(shelf: Shelf, change: CompatChange, compat: Compat) -> None:
    done = amend_compat(shelf.book, "shop", "1.0.0", change, WHY)
    assert done.after.compat == compat
    assert shelf.book.release("shop", "1.0.0").compat == compat
    assert amend_compat(shelf.book, "shop", "1.0.0", change, WHY).to_plain()["changed"] is False


def test_bad_amendments_are_refused(shelf: Shelf) -> None:
    with pytest.raises(NotFound):
        yank(shelf.book, "shop", "9.0.0", WHY)
    with pytest.raises(UsageError, match="needs a reason"):
        yank(shelf.book, "shop", "1.0.0", Reason(" ", LATER))
    with pytest.raises(UsageError, match="range"):
        amend_compat(shelf.book, "shop", "1.0.0", CompatChange(app="what"), WHY)
    assert shelf.book.amendments("shop") == ()


CHAIN = History.chain("migrations", (Migration(name) for name in ("add", "drop", "rename")))


@pytest.mark.parametrize(
    ("change", "is_refused"),
    [
        (CompatChange(until="0007"), False),
        (CompatChange(until="0003"), True),
        (CompatChange(until="0002"), True),
        (CompatChange(start="0009", until="0007"), True),
        (CompatChange(start="add", until="rename"), False),
        (CompatChange(start="same", until="same"), True),
        (CompatChange(start="add", until="rename", history=CHAIN), False),
        (CompatChange(start="rename", until="add", history=CHAIN), True),
        (CompatChange(start="drop", until="drop", history=CHAIN), True),
        (CompatChange(start="rename", until="elsewhere", history=CHAIN), False),
    ],
)
def test_span_that_serves_nothing_is_refused(shelf: Shelf, change: CompatChange, is_refused: bool) -> None:
    if is_refused:
        with pytest.raises(UsageError, match="holds no migration"):
            amend_compat(shelf.book, "shop", "1.0.0", change, WHY)
        assert shelf.book.amendments("shop") == ()
    else:
        assert amend_compat(shelf.book, "shop", "1.0.0", change, WHY).path
