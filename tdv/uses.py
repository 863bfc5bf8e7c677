"""Which tags of the app pin a release: whoever wants to yank it, or to drop its data, asks that first.

In: the Git repository, a release. Out: a `Uses`. Always holds: only what the lock at a tag says counts; tags of data
releases are left out; a lock that cannot be read is named, not passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tdv.store.app_tags import app_tags
from tdv.store.git import Git

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
    """The tags that pin one release."""
    listed = app_tags(git)
    found = (tag for tag in listed if tag.lock is not None and tag.lock.versions.get(dataset) == version)
    unread = tuple(tag.name for tag in listed if tag.damaged)
    return Uses(dataset, version, tuple(Use(tag.name, tag.commit, tag.date) for tag in found), unread)
