"""Tags of the app, and the locks that they hold: which release the code at each tag was pinned to.

In: the Git repository. Out: `AppTag`s. Always holds: tags of data releases and of stages are left out; the locks of
all tags are read by one process, each content once; a lock that cannot be read is told from one that is not there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from tdv.errors import TdvError
from tdv.model.lock import FILE, Lock
from tdv.store import tags
from tdv.store.git import Git
from tdv.store.locks import parse_lock


@dataclass(frozen=True, slots=True)
class AppTag:
    """One tag. `date` is RFC 3339; `lock` is None where the commit has none, or one that is `damaged`."""

    name: str
    commit: str
    date: str
    lock: Lock | None = None
    damaged: bool = False


def app_tags(git: Git) -> tuple[AppTag, ...]:
    """All tags that are no data release, newest first, with their locks."""
    listed = list(_listed(git))
    read: dict[bytes, tuple[Lock | None, bool]] = {}
    found = []
    texts = git.objects([f"{commit}:./{FILE}" for _, commit, _ in listed]) if listed else iter(())
    for (name, commit, date), text in zip(listed, texts, strict=True):
        if text is not None and text not in read:
            read[text] = _lock(text)
        lock, damaged = read[text] if text is not None else (None, False)
        found.append(AppTag(name, commit, date, lock, damaged))
    return tuple(found)


def _listed(git: Git) -> Iterator[tuple[str, str, str]]:
    fields = "%00".join(
        f"%({name})" for name in ("refname:lstrip=2", "*objectname", "objectname", "creatordate:iso-strict")
    )
    output = git.answer("for-each-ref", "--sort=-creatordate", f"--format={fields}", "refs/tags")
    for line in output.decode("utf-8", "replace").splitlines():
        name, peeled, own, date = line.split("\0")
        if not tags.is_data(name):
            # An annotated tag has the commit in its first field, a lightweight one in its second.
            yield name, peeled or own, date


def _lock(text: bytes) -> tuple[Lock | None, bool]:
    try:
        return parse_lock(text), False
    except (TdvError, KeyError, TypeError):
        return None, True
