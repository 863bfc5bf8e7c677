"""Targets that are files: whether one was touched, whether somebody has it open, and fast copies.

In: paths. Out: proofs (JSON values), copies. Always holds: nothing here opens a file that a database library of
this process may have locked, except where it says so, since closing any descriptor drops POSIX locks.
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from tdv.durable import write_text

_BACK: Final = 2_000_000_000
"""Nanoseconds by which `settle` sets a file's time back: coarser than the clock of any file system."""
_CLONE: Final = 0x40049409  # FICLONE of linux/fs.h
_CHUNK: Final = 1 << 30
_BOOT: Final = Path("/proc/sys/kernel/random/boot_id")


def boot() -> str:
    """The identity of the running kernel, "" where there is none.

    What was written under it and not flushed is still what readers see; after another boot it may not be.
    """
    try:
        return _BOOT.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def proof(paths: Iterable[Path]) -> list[Any]:
    """The running kernel, and what `stat` says of each path, None for one that is not there."""
    found: list[Any] = [boot()]
    for path in paths:
        try:
            status = os.stat(path)
        except FileNotFoundError:
            found.append(None)
            continue
        found.append([status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns])
    return found


def settle(path: Path) -> None:
    """Sets the time of a file back, so that a write within the same tick of the clock is seen too.

    Git calls an entry that lacks this racily clean. Without a boot identity it also flushes, so that a proof
    is never about bytes that a power cut could have taken.
    """
    then = os.stat(path).st_mtime_ns - _BACK
    os.utime(path, ns=(then, then))
    if not boot():
        flush(path)


def write(path: Path, text: str) -> None:
    """Replaces a file that holds a proof, in one step.

    It is not flushed where the proof names the running kernel: a flush would first wait for all that was copied
    just before, and a file that a power cut took is no proof.
    """
    if not boot():
        write_text(path, text)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        beside.write_text(text, encoding="utf-8")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Waits until the bytes of a file are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def copy(source: Path, destination: Path, mode: int = 0o644) -> None:
    """Copies a file into a new one: shares its blocks where the file system can, else within the kernel.

    Raises `OSError`, also where `destination` is there already; what was written until then is removed.
    """
    with open(source, "rb") as read:
        descriptor = os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        try:
            with open(descriptor, "wb") as write:
                if not _cloned(read.fileno(), write.fileno()):
                    _copied(read.fileno(), write.fileno())
        except OSError:
            destination.unlink(missing_ok=True)
            raise


def _cloned(source: int, destination: int) -> bool:
    if sys.platform != "linux":
        return False
    try:
        fcntl.ioctl(destination, _CLONE, source)
    except OSError:
        return False
    return True


def _copied(source: int, destination: int) -> None:
    left = os.fstat(source).st_size
    if not hasattr(os, "copy_file_range"):
        while data := os.read(source, 1 << 20):
            # On a disk that is nearly full, less is written than was asked for.
            while data:
                data = data[os.write(destination, data) :]
        return
    while left:
        try:
            done = os.copy_file_range(source, destination, min(left, _CHUNK))
        except OSError as exc:
            if exc.errno not in (errno.EXDEV, errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP):
                raise
            done = os.sendfile(destination, source, None, min(left, _CHUNK))
        if not done:
            raise OSError(errno.EIO, "the file became shorter while it was copied")
        left -= done


@contextmanager
def alone(path: Path) -> Iterator[bool]:
    """Whether nobody else, not even this process, has the file open; others wait at `open` while the block runs.

    A write lease of Linux tells it; False where leases do not exist or the file is not ours to lease. Opens and
    closes the file: call it only when no connection of this process is in a transaction on it.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        yield False
        return
    descriptor = os.open(path, os.O_RDWR)
    try:
        yield _leased(descriptor)
    finally:
        os.close(descriptor)


def _leased(descriptor: int) -> bool:
    try:
        # Somebody who opens the file meanwhile sends us a signal; this one is ignored unless handled.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_WRLCK)
    except OSError:
        return False
    return True
