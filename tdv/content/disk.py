"""Errors of the disk, told in the words of tdv.

In: the place that is being written. Out: nothing. Always holds: a full or read-only disk is a `StoreError`
that names the place, never a trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tdv.errors import StoreError


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turns an `OSError` of the block into a `StoreError`; a half-written file at `place` is removed."""
    try:
        yield
    except OSError as exc:
        if place.is_file():
            place.unlink(missing_ok=True)
        raise StoreError(
            f"cannot write {place}: {exc.strerror or exc}",
            hint="Free some space or mend the permissions there, then run the command again.",
            path=str(place),
        ) from exc
