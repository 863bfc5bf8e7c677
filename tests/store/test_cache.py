"""The cache as DVC lays it out."""

from __future__ import annotations

import hashlib
import json
import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.errors import IntegrityError, NotFound, StoreError
from tdv.store.cache import Cache, DirEntry, dir_bytes, file_md5


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def _md5(data: bytes) -> str:
    return hashlib.md5(data).hexdigest()


def test_objects_are_named_by_md5_and_read_only(cache: Cache, tmp_path: Path) -> None:
    stored = cache.add_bytes(b"hello")
    path = tmp_path / "cache/files/md5" / stored.md5[:2] / stored.md5[2:]
    assert (stored.md5, stored.size) == (_md5(b"hello"), 5)
    assert path == cache.path(stored.md5)
    assert path.read_bytes() == b"hello"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    inode = path.stat().st_ino
    cache.add_bytes(b"hello")
    assert path.stat().st_ino == inode, "an intact object is not written again"


def test_add_file_never_shares_the_inode(cache: Cache, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"data")
    stored = cache.add_file(source)
    assert source.stat().st_ino != cache.path(stored.md5).stat().st_ino
    source.write_bytes(b"other")
    cache.verify(stored.md5)


def test_add_file_by_move_takes_the_file_unless_it_has_other_names(cache: Cache, tmp_path: Path) -> None:
    source, other = tmp_path / "source", tmp_path / "other"
    source.write_bytes(b"data")
    inode = source.stat().st_ino
    stored = cache.add_file(source, move=True)
    assert not source.exists()
    assert cache.path(stored.md5).stat().st_ino == inode
    source.write_bytes(b"linked")
    os.link(source, other)
    linked = cache.add_file(source, move=True)
    assert not source.exists()
    assert cache.path(linked.md5).stat().st_ino != other.stat().st_ino
    source.write_bytes(b"data")
    cache.add_file(source, move=True)
    assert not source.exists()


def test_a_damaged_object_is_replaced_when_its_content_comes_again(cache: Cache) -> None:
    stored = cache.add_bytes(b"hello")
    path = cache.path(stored.md5)
    path.chmod(0o644)
    path.write_bytes(b"HELLO")
    cache.add_bytes(b"hello")
    assert path.read_bytes() == b"hello"
    path.chmod(0o644)
    path.write_bytes(b"short")
    path.chmod(0o444)
    path.chmod(0o644)
    path.write_bytes(b"longer than before")
    path.chmod(0o444)
    cache.add_bytes(b"hello")
    assert path.read_bytes() == b"hello"


def test_directory_objects_have_the_bytes_of_dvc(cache: Cache) -> None:
    from dvc_data.hashfile.hash_info import HashInfo
    from dvc_data.hashfile.meta import Meta
    from dvc_data.hashfile.tree import Tree

    entries = [DirEntry(name, _md5(name.encode())) for name in ("b", "a/ü.txt", "a-b", "a/b", "Z")]
    tree = Tree()
    for entry in entries:
        tree.add(tuple(entry.relpath.split("/")), Meta(), HashInfo("md5", entry.md5))
    assert dir_bytes(entries) == tree.as_bytes()
    md5 = cache.write_dir(entries)
    tree.digest()
    assert md5 == tree.hash_info.value
    assert cache.read_dir(md5) == tuple(sorted(entries))


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="/\0")).filter(
    lambda name: name not in ("", ".", "..")), st.binary(), max_size=8))  # fmt: skip
def test_any_directory_survives_the_round_trip(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, bytes]
) -> None:
    cache = Cache(tmp_path_factory.mktemp("cache"))
    entries = sorted(DirEntry(name, cache.add_bytes(data).md5) for name, data in files.items())
    assert list(cache.read_dir(cache.write_dir(entries))) == entries


def test_materialise_restores_file_and_directory(cache: Cache, tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "deep/er").mkdir(parents=True)
    (source / "deep/er/x").write_bytes(b"x")
    (source / "empty").write_bytes(b"")
    md5, size, nfiles = cache.add_tree(source)
    assert (size, nfiles) == (1, 2)
    place = tmp_path / "w/data"
    cache.materialise(md5, place)
    (place / "deep/er/x").write_bytes(b"changed")
    (place / "more").write_bytes(b"more")
    cache.materialise(md5, place)
    assert sorted(path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()) == [
        "deep/er/x", "empty",
    ]  # fmt: skip
    assert (place / "deep/er/x").read_bytes() == b"x"
    assert os.access(place / "deep/er/x", os.W_OK)
    assert [path.name for path in (tmp_path / "w").iterdir()] == ["data"], "nothing is left beside"
    one = tmp_path / "one"
    one.write_text("old")
    cache.materialise(_md5(b"x"), one)
    assert one.read_bytes() == b"x"


@pytest.mark.parametrize("kind", ["hardlink", "symlink", "reflink,copy", "copy"])
def test_materialise_links_as_cache_type_says(tmp_path: Path, kind: str) -> None:
    cache = Cache(tmp_path / "cache", kind.split(","))
    stored = cache.add_bytes(b"x")
    place = tmp_path / "x"
    cache.materialise(stored.md5, place)
    assert place.read_bytes() == b"x"
    assert place.is_symlink() == (kind == "symlink")
    assert (place.stat().st_ino == cache.path(stored.md5).stat().st_ino) == (kind in ("hardlink", "symlink"))


def test_a_link_type_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "cache", ["hardlink"])
    stored = cache.add_bytes(b"x")
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("needs a second file system")
    place = shared / f"tdv-test-{os.getpid()}"
    with pytest.raises(StoreError, match=r"No link of cache\.type hardlink"):
        cache.materialise(stored.md5, place)
    assert not place.exists()


def test_missing_and_damaged_objects_are_named(cache: Cache, tmp_path: Path) -> None:
    absent = "0" * 32
    stored = cache.add_bytes(b"x")
    md5 = cache.write_dir([DirEntry("x", stored.md5), DirEntry("y", absent), DirEntry("z", absent)])
    assert cache.missing(md5) == (absent,)
    assert not cache.has_all(md5)
    assert cache.missing(absent + ".dir") == (absent + ".dir",)
    with pytest.raises(NotFound, match=absent):
        cache.verify(md5)
    with pytest.raises(NotFound, match=absent):
        cache.materialise(md5, tmp_path / "out")
    assert not list(tmp_path.glob(".out*"))
    path = cache.path(stored.md5)
    path.chmod(0o644)
    path.write_bytes(b"y")
    with pytest.raises(IntegrityError, match=stored.md5):
        cache.verify(stored.md5)
    listing = cache.path(md5)
    listing.chmod(0o644)
    listing.write_bytes(b"[]")
    with pytest.raises(IntegrityError, match="holds other bytes"):
        cache.read_dir(md5)


@pytest.mark.parametrize("relpath", ["../up", "/abs", "a/../../b", "a//b", "", ".", "a/./b", "nul\0"])
def test_a_directory_object_cannot_reach_outside(cache: Cache, relpath: str) -> None:
    listing = json.dumps([{"md5": "0" * 32, "relpath": relpath}]).encode()
    md5 = f"{_md5(listing)}.dir"
    cache.path(md5).parent.mkdir(parents=True)
    cache.path(md5).write_bytes(listing)
    with pytest.raises(IntegrityError, match="lists the path"):
        cache.read_dir(md5)


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[1]", b'[{"md5": 1, "relpath": "a"}]', b'[{"relpath": "a"}]', b"\xff"]
)
def test_a_directory_object_of_another_shape_is_damaged(cache: Cache, content: bytes) -> None:
    md5 = f"{_md5(content)}.dir"
    cache.path(md5).parent.mkdir(parents=True)
    cache.path(md5).write_bytes(content)
    with pytest.raises(IntegrityError):
        cache.read_dir(md5)


@pytest.mark.parametrize("md5", ["../../etc/passwd", "ABC", "", "0" * 31, "0" * 32 + ".dirx", "0" * 32 + "\n"])
def test_what_is_no_md5_is_no_path(cache: Cache, md5: str) -> None:
    with pytest.raises(IntegrityError, match="is no md5"):
        cache.path(md5)


def test_objects_are_listed_and_removed(cache: Cache) -> None:
    first, second = cache.add_bytes(b"1"), cache.add_bytes(b"2")
    assert {md5 for md5, _ in cache.objects()} == {first.md5, second.md5}
    cache.remove(first.md5)
    cache.remove(first.md5)
    assert [md5 for md5, _ in cache.objects()] == [second.md5]
    assert list(Cache(cache.directory / "nowhere").objects()) == []


def test_file_md5_reads_large_files_in_pieces(tmp_path: Path) -> None:
    data = b"0123456789abcdef" * 200_000
    (tmp_path / "f").write_bytes(data)
    assert file_md5(tmp_path / "f") == _md5(data)
