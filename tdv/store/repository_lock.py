"""DVC's own lock of a repository, so that ``dvc`` and ``tdv`` never write its files at once.

In: the root of a DVC repository. Out: a held lock. Always holds: it is the lock that DVC takes: ``flock`` on
``.dvc/tmp/lock`` (DVC does not see ``lockf``), or a hard link where ``core.hardlink_lock`` asks for one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tdv import durable
from tdv.store import settings

FILE: Final = ".dvc/tmp/lock"


@contextmanager
def repository_lock(root: Path, *, wait: float = durable.LOCK_WAIT) -> Iterator[None]:
    """Holds the lock while the block runs; raises `Refused` when somebody else holds it for `wait` seconds."""
    if _hardlink(root):
        # Imported here: hardly anybody asks for it, and every build takes the lock.
        from tdv.store import dvc

        with dvc.hardlink_lock(root / FILE, wait=wait):
            yield
        return
    with durable.locked(root / FILE, "The DVC repository", wait=wait):
        yield


def _hardlink(root: Path) -> bool:
    """What the files of the repository say; DVC documents this setting for them."""
    found = ""
    for file in (settings.CONFIG, settings.LOCAL_CONFIG):
        found = settings.read(root / file).get("core", {}).get("hardlink_lock", found)
    return found.lower() == "true"
