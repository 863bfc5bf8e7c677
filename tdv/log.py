"""The releases of datasets, newest version first.

In: the book of releases and the tags of Git. Out: a `Log`. Always holds: what it says of a release comes from
the record and its amendments, and of stages from their tags; `tagged` is None where this clone cannot know (shallow,
without tags).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tdv.model.release import Release
from tdv.store.git import Git
from tdv.store.records import ReleaseBook
from tdv.store.stages import Promotion, current

FORMAT: Final = "tdv.log/v1"


@dataclass(frozen=True, slots=True)
class LogEntry:
    """One release; `stages` are those that it stands in."""

    release: Release
    tagged: bool | None
    stages: tuple[Promotion, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        record = self.release.record
        return {
            "dataset": self.release.dataset,
            "version": record.version,
            "digest": record.digest,
            "released": record.released,
            "author": record.author,
            "bump": record.change.bump,
            "since": record.change.since,
            "rows": sum(table.rows for table in record.tables.values()),
            "tagged": self.tagged,
            "yanked": self.release.yanked,
            "stages": [promotion.to_plain() for promotion in self.stages],
            "compat": self.release.compat.to_plain(),
            "notes": record.notes,
        }


@dataclass(frozen=True, slots=True)
class Log:
    """Releases by dataset, in each newest version first."""

    entries: tuple[LogEntry, ...]

    def to_plain(self) -> dict[str, Any]:
        return {"format": FORMAT, "releases": [entry.to_plain() for entry in self.entries]}


def log(book: ReleaseBook, git: Git, datasets: Sequence[str]) -> Log:
    """The releases of `datasets`, in that order."""
    found = git.tags()
    tags = {tag.name for tag in found if tag.kind == "version"}
    unknown = not tags and git.is_shallow()
    standing: dict[tuple[str, str], tuple[Promotion, ...]] = {}
    for (dataset, _), promotion in sorted(current(found).items()):
        key = (dataset, promotion.version)
        standing[key] = (*standing.get(key, ()), promotion)
    return Log(
        tuple(
            LogEntry(
                release,
                None if unknown else release.record.reference in tags,
                standing.get((dataset, release.version), ()),
            )
            for dataset in datasets
            for release in reversed(book.releases(dataset))
        )
    )
