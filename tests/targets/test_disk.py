"""Copies of files."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tdv.targets import disk

_ROOM = 1_200_000


@contextmanager
def little_room() -> Iterator[None]:
    """A file takes so many bytes; of what would go beyond, a part is written, and then an error comes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (_ROOM, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_copy_leaves_a_file_alone_that_is_there(tmp_path: Path) -> None:
    (tmp_path / "new").write_text("new")
    (tmp_path / "mine").write_text("mine")
    with pytest.raises(FileExistsError):
        disk.copy(tmp_path / "new", tmp_path / "mine")
    assert (tmp_path / "mine").read_text() == "mine"


@pytest.mark.parametrize("in_kernel", [True, False])
def test_copy_without_room_is_an_error_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, in_kernel: bool
) -> None:
    if not in_kernel:
        monkeypatch.delattr(os, "copy_file_range")
    (tmp_path / "source").write_bytes(bytes(_ROOM + 100_000))
    with little_room(), pytest.raises(OSError, match=os.strerror(errno.EFBIG)):
        disk.copy(tmp_path / "source", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
