"""The answer of a resolution: one release per dataset, and what spoke against every other one.

In: what `tdv.resolve` chose. Out: frozen values and the JSON ``tdv.resolution/v1``. Always holds: where reasons
were asked for, every release of a chosen dataset is either chosen or rejected, the newest first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from tdv.frozen import dataclass
from tdv.model.release import Release

FORMAT: Final = "tdv.resolution/v1"


@dataclass(frozen=True, slots=True)
class Asked:
    """One range that holds for a dataset, and who asks for it: ``tdv.yaml``, ``movies@v1.1.0``."""

    range: str
    by: str


@dataclass(frozen=True, slots=True)
class Rejected:
    """A release that was not chosen, and why, as the end of a sentence."""

    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The release of one dataset; `kept` is True where a newer one fits but the lock holds this one."""

    release: Release
    asked: tuple[Asked, ...]
    rejected: tuple[Rejected, ...] = ()
    kept: bool = False

    @property
    def range(self) -> str:
        """All ranges that hold, with commas; ``*`` says nothing beside others."""
        texts = list(dict.fromkeys(item.range for item in self.asked))
        telling = [text for text in texts if text not in ("*", "latest")]
        if len(telling) > 1 and any("||" in text for text in telling):
            return " and ".join(telling)
        return ", ".join(telling or texts[:1])

    def to_plain(self) -> dict[str, Any]:
        record = self.release.record
        return {
            "version": record.version,
            "digest": record.digest,
            "range": self.range,
            "asked": [{"range": item.range, "by": item.by} for item in self.asked],
            "kept": self.kept,
            "rejected": [{"version": item.version, "reason": item.reason} for item in self.rejected],
        }


@dataclass(frozen=True, slots=True)
class Resolution:
    """One choice per dataset, required ones included, by name; `notes` are sentences that the user should read."""

    app: str | None
    migration: str | None
    datasets: Mapping[str, Choice] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "app": self.app,
            "migration": self.migration,
            "datasets": {name: choice.to_plain() for name, choice in self.datasets.items()},
            "notes": list(self.notes),
        }
