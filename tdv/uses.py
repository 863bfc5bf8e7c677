"""Which tags of the app pin a release: whoever wants to yank it, or to drop its data, asks that first.

In: the Git repository, a release. Out: a `Uses`. Always holds: only what the lock at a tag says counts; tags of data
releases are left out; a lock that cannot be read is named, not passed over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tdv.errors import TdvError
from tdv.model.lock import FILE
from tdv.store import tags
from tdv.store.git import Git
from tdv.store.locks import parse_lock

FORMAT: Final = "tdv.uses/v1"


@dataclass(frozen=True, slots=True)
class Use:
    """One tag whose lock holds the release; `date` is that of the commit, RFC 3339."""

    tag: str
    commit: str
    date: str

    def to_plain(self) -> dict[str, Any]:
        return {"tag": self.tag, "commit": self.commit, "date": self.date}


@dataclass(frozen=True, slots=True)
class Uses:
    """The tags that pin a release, newest commit first; `unread` are tags whose lock is damaged."""

    dataset: str
    version: str
    tags: tuple[Use, ...]
    unread: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "version": self.version,
            "tags": [use.to_plain() for use in self.tags],
            "unread": list(self.unread),
        }


def uses(git: Git, dataset: str, version: str) -> Uses:
    """The tags that pin one release; the locks of all tags are read by one process."""
    listed = _app_tags(git)
    found: list[Use] = []
    unread: list[str] = []
    known: dict[bytes, str | None] = {}
    locks = git.objects([f"{use.commit}:./{FILE}" for use in listed]) if listed else ()
    for use, data in zip(listed, locks, strict=True):
        if data is None:
            continue
        if data not in known:
            known[data] = _pinned(data, dataset)
        if known[data] == version:
            found.append(use)
        elif known[data] is None:
            unread.append(use.tag)
    return Uses(dataset, version, tuple(found), tuple(unread))


def _app_tags(git: Git) -> Sequence[Use]:
    """All tags that are no data release, newest commit first."""
    fields = "%00".join(
        f"%({name})" for name in ("refname:lstrip=2", "*objectname", "objectname", "creatordate:iso-strict")
    )
    output = git.answer("for-each-ref", "--sort=-creatordate", f"--format={fields}", "refs/tags")
    lines = [line.split("\0") for line in output.decode("utf-8", "replace").splitlines()]
    # An annotated tag has the commit in its first field, a lightweight one in its second.
    return [Use(name, peeled or own, date) for name, peeled, own, date in lines if not tags.is_data(name)]


def _pinned(data: bytes, dataset: str) -> str | None:
    """The version that a lock holds, "" for none, None when it cannot be read."""
    try:
        pin = parse_lock(data).datasets.get(dataset)
    except (TdvError, KeyError, TypeError):
        return None
    return pin.version if pin is not None else ""
