"""Files that survive a crash, and locks that say who holds them.

In: bytes and paths. Out: files that are either the old ones or the new ones, never half of one. Always
holds: a file is written beside its place, flushed to the disk and renamed; a lock dies with its process.
"""

from __future__ import annotations

import errno
import fcntl
import glob
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tdv.errors import Refused

LOCK_WAIT: Final = 60.0
_POLL: Final = 0.02
_NO_LOCKS: Final = frozenset({errno.EBADF, errno.EINVAL, errno.ENOLCK, errno.ENOTSUP})
_LEAVING: Final = re.compile(r"\..+\.[0-9a-f]{12}\.(tmp|old)")


def write_bytes(path: Path, data: bytes, *, mode: int = 0o644) -> None:
    """Replaces `path` by a file of `data`, durably: a reader sees the old bytes or the new ones.

    What a killed run left beside `path` is removed; that of a run at work is locked, and stays.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leavings(path)
    beside = path.with_name(f".{path.name}.{os.urandom(6).hex()}.tmp")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with open(descriptor, "wb") as file:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            file.write(data)
            file.flush()
            os.fsync(descriptor)
            os.replace(beside, path)
    except BaseException:
        # Where nothing can be written nothing can be removed either, and the first error is the one to tell.
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise
    sync_directory(path.parent)


def _remove_leavings(path: Path) -> None:
    for leaving in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        with suppress(OSError), open(leaving, "rb") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            leaving.unlink()


def write_text(path: Path, text: str) -> None:
    """Replaces `path` by UTF-8 `text` with the line ends as given, durably."""
    write_bytes(path, text.encode("utf-8"))


def is_writable(path: Path) -> bool:
    """Whether something can be written at `path`, or made there where it does not exist yet."""
    return refusal(path) is None


def refusal(path: Path) -> OSError | None:
    """What keeps something from being written at `path`, or made there where it does not exist yet; it names the file
    or directory that is in the way. None where it is allowed, whatever else may then fail."""
    existing = next(place for place in (path, *path.parents) if os.path.lexists(place))
    reason = errno.ENOTDIR if existing != path and not existing.is_dir() else 0
    if not reason and not os.access(existing, os.W_OK):
        is_read_only = bool(os.statvfs(existing).f_flag & os.ST_RDONLY)
        reason = errno.EROFS if is_read_only else errno.EACCES
    return OSError(reason, os.strerror(reason), str(existing)) if reason else None


def sync_file(path: Path) -> None:
    """Flushes a file that somebody else wrote."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_directory(path: Path) -> None:
    """Flushes the names in a directory, so that a rename survives a power cut."""
    sync_file(path)


def replace_directory(new: Path, path: Path) -> None:
    """Puts the finished directory `new` in the place of `path`; what was there is removed afterwards.

    Both must be on one file system. A crash leaves either directory in place, or `path` missing and
    `new` still complete beside it, which the next run writes anew.
    """
    old = path.with_name(f".{path.name}.{os.urandom(6).hex()}.old")
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists():
        os.rename(path, old)
    os.rename(new, path)
    sync_directory(path.parent)
    shutil.rmtree(old, ignore_errors=True)


def sweep(directory: Path) -> None:
    """Removes directories that killed runs left beside their places; call it only under the lock of `directory`."""
    if not directory.is_dir():
        return
    for entry in directory.iterdir():
        if _LEAVING.fullmatch(entry.name) and entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry, ignore_errors=True)


@contextmanager
def locked(path: Path, what: str, *, wait: float = LOCK_WAIT) -> Iterator[None]:
    """Holds the exclusive lock file `path` (flock, as DVC takes it) while the block runs.

    `what` says in the error what is being waited for. Raises `Refused` with the holder's process
    after `wait` seconds. The lock file stays; the kernel drops the lock when the process dies.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        _acquire(descriptor, path, what, wait)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def locked_directory(path: Path, what: str, *, wait: float = LOCK_WAIT) -> Iterator[None]:
    """Holds a lock on the directory `path`, made where it is not there, while the block runs; it leaves no file behind.

    Raises `Refused` after `wait` seconds. It holds nothing where directories cannot be locked, as on some file systems
    of a network, and where this one may not be read.
    """
    path.mkdir(parents=True, exist_ok=True)
    if not os.access(path, os.R_OK):
        yield
        return
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        deadline = time.monotonic() + wait
        while not _has_locked(descriptor):
            if time.monotonic() >= deadline:
                raise Refused(
                    f"{what} is in use by another process",
                    hint="Wait for it to end, then run the command again.",
                    path=str(path),
                )
            time.sleep(_POLL)
        yield
    finally:
        os.close(descriptor)


def _has_locked(descriptor: int) -> bool:
    """False while another process holds the lock, True also where there can be none."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as exc:
        if exc.errno not in _NO_LOCKS:
            raise
    return True


def _acquire(descriptor: int, path: Path, what: str, wait: float) -> None:
    deadline = time.monotonic() + wait
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            if time.monotonic() >= deadline:
                holder = os.pread(descriptor, 64, 0).decode(errors="replace").strip() or "unknown"
                raise Refused(
                    f"{what} is in use by process {holder}",
                    hint="Wait for it to end, then run the command again.",
                    path=str(path),
                    holder=holder,
                ) from None
        time.sleep(_POLL)
