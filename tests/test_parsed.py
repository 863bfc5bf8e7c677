"""What was read once is not read as YAML again, and never anything that changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdv.documents.parsed import Parsed
from tdv.errors import TdvError
from tdv.model.release import Amendment
from tdv.store.records import record_path
from tests.shelf import Shelf


def kept(root: Path) -> list[Path]:
    return sorted(path for path in (root / ".tdv/parsed").rglob("*") if path.is_file())


def test_record_is_the_same_from_yaml_and_from_what_was_kept(tmp_path: Path) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.releases(("1.0.0", {1: "a"}), ("1.1.0", {1: "a", 2: "ü"}))
    shelf.book.append_amendment("shop", Amendment("1.0.0", "2026-01-01T00:00:00Z", "wrong", yanked=True))
    first = shelf.book.releases("shop")
    assert len(kept(shelf.root)) == 3
    assert shelf.book.releases("shop") == first
    for path in kept(shelf.root):
        path.write_text("{damaged")
    assert shelf.book.releases("shop") == first
    assert first[0].yanked


@pytest.mark.parametrize("change", [("digest: tdv1:", "digest: tdv1:0"), ("version: 1.0.0", "version: 1.0.1")])
def test_changed_record_is_read_anew(tmp_path: Path, change: tuple[str, str]) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.releases(("1.0.0", {1: "a"}))
    shelf.book.record("shop", "1.0.0")
    path = shelf.root / record_path("shop", "1.0.0")
    path.write_text(path.read_text().replace(*change))
    with pytest.raises(TdvError):
        shelf.book.record("shop", "1.0.0")


def test_record_at_another_place_is_not_taken_for_its_own(tmp_path: Path) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.releases(("1.0.0", {1: "a"}))
    data = shelf.book.record_bytes("shop", "1.0.0")
    shelf.book.record("shop", "1.0.0")
    (shelf.root / record_path("shop", "2.0.0")).write_bytes(data)
    with pytest.raises(TdvError, match=r"says that it is shop@v1\.0\.0"):
        shelf.book.record("shop", "2.0.0")


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    parsed = Parsed(tmp_path / "file")
    parsed.keep("record", b"data", {"a": 1})
    assert parsed.get("record", b"data") is None


def test_kinds_are_kept_apart(tmp_path: Path) -> None:
    parsed = Parsed(tmp_path)
    parsed.keep("record", b"data", {"a": 1})
    assert parsed.get("record", b"data") == {"a": 1}
    assert parsed.get("amendments", b"data") is None
