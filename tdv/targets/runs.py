"""Which runs of tdv are at work in this work tree, so that nobody removes their databases.

In: execution ids. Out: whether a run is alive. Always holds: the kernel ends the claim of a process that dies, and a
copy of a claim, in a copied work tree or a restored cache, says nothing, since nobody can lock it. The trace of a run
that kept a database stays until `tdv cleanup` takes the database.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

_KEPT: Final = "kept"
"""Stands behind the identity where a database was left to the user."""


@contextmanager
def at_work(work: Path, execution_id: str) -> Iterator[None]:
    """Says that the run is alive while the block runs; its processes may all say so. `work` is ``.tdv``."""
    path = _path(work, execution_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = _claimed(path)
    try:
        os.pwrite(descriptor, identity(descriptor).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def _claimed(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                return descriptor
        # Somebody took the file, which nobody had locked yet, for that of a run that has ended.
        os.close(descriptor)


def is_at_work(work: Path, execution_id: str) -> bool | None:
    """Whether any process of the run is alive; None for a run that this work tree knows nothing of."""
    try:
        descriptor = os.open(_path(work, execution_id), os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False if _words(descriptor)[:1] == [identity(descriptor)] else None
    except OSError:
        return True
    finally:
        os.close(descriptor)


def identity(descriptor: int) -> str:
    """What a file says of itself, so that a copy of it is known for one."""
    return str(os.fstat(descriptor).st_ino)


def keep(work: Path, execution_id: str) -> None:
    """Says that a database of the run is left to the user."""
    with suppress(OSError), _path(work, execution_id).open("a", encoding="ascii") as file:
        file.write(f" {_KEPT}")


def forget_ended(work: Path, execution_id: str) -> None:
    """Removes the trace of a run of which no process is alive and no database is kept, also one that is a copy."""
    path = _path(work, execution_id)
    with suppress(OSError), path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if _KEPT not in _words(file.fileno()):
            path.unlink()


def forget(work: Path, execution_id: str) -> None:
    """Removes the trace of a run that has ended and left nothing."""
    with suppress(OSError):
        _path(work, execution_id).unlink()


def _words(descriptor: int) -> list[str]:
    return os.pread(descriptor, 256, 0).decode(errors="replace").split()


def _path(work: Path, execution_id: str) -> Path:
    return work / "runs" / f"{execution_id}.lock"
