"""Which runs of tdv are at work on this machine, so that nobody removes their databases.

In: execution ids. Out: whether a run is alive. Always holds: the kernel ends the claim of a process that dies, and a
copy of a claim, in a copied work tree or a restored cache, says nothing, since nobody can lock it.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def at_work(work: Path, execution_id: str) -> Iterator[None]:
    """Says that the run is alive while the block runs; its processes may all say so. `work` is ``.tdv``."""
    path = _path(work, execution_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH)
        os.pwrite(descriptor, identity(descriptor).encode(), 0)
        yield
    finally:
        os.close(descriptor)


def is_at_work(work: Path, execution_id: str) -> bool | None:
    """Whether any process of the run is alive; None for a run that this machine knows nothing of."""
    try:
        descriptor = os.open(_path(work, execution_id), os.O_RDWR)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return False if os.pread(descriptor, 32, 0).decode(errors="replace") == identity(descriptor) else None
    except OSError:
        return True
    finally:
        os.close(descriptor)


def identity(descriptor: int) -> str:
    """What a file says of itself, so that a copy of it is known for one."""
    return str(os.fstat(descriptor).st_ino)


def forget(work: Path, execution_id: str) -> None:
    """Removes the trace of a run that has ended and left nothing."""
    with suppress(OSError):
        _path(work, execution_id).unlink()


def _path(work: Path, execution_id: str) -> Path:
    return work / "runs" / f"{execution_id}.lock"
