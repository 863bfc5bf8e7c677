"""`tdv cleanup`: removes throwaway databases and images that nobody uses any more.

In: the throwaways beside a target, and which runs are at work. Out: what was removed and what stayed, and why. Always
holds: only what carries a name that tdv made is looked at, and nothing of a run that is at work in this work tree goes.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tdv.errors import TdvError, UsageError
from tdv.model.moment import duration
from tdv.targets.throwaway import Leaving, Throwaways

FORMAT: Final = "tdv.cleanup/v1"
Alive = Callable[[str], bool | None]
"""Whether a run is at work; None for one of another work tree."""


@dataclass(frozen=True, slots=True)
class CleanupOptions:
    """`older_than` also takes images, and databases of runs of other work trees; `execution_id` takes one run's."""

    now: datetime
    execution_id: str | None = None
    older_than: timedelta | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Cleaned:
    """One thing that tdv had made; `kept` says why it is still there, "" for what is gone (or would be)."""

    target: str
    leaving: Leaving
    kept: str = ""

    def to_plain(self) -> dict[str, Any]:
        return {
            "target": self.target,
            "kind": self.leaving.kind,
            "name": self.leaving.name,
            "execution_id": self.leaving.execution_id,
            "used_at": self.leaving.used_at.isoformat().replace("+00:00", "Z"),
            "size": self.leaving.size,
            "removed": not self.kept,
            "reason": self.kept,
        }


@dataclass(frozen=True, slots=True)
class Cleanup:
    """What a cleanup did, or would do."""

    items: tuple[Cleaned, ...]
    dry_run: bool

    @property
    def removed(self) -> tuple[Cleaned, ...]:
        """What is gone, or would be."""
        return tuple(item for item in self.items if not item.kept)

    def to_plain(self) -> dict[str, Any]:
        return {"format": FORMAT, "dry_run": self.dry_run, "items": [item.to_plain() for item in self.items]}


def age(text: str) -> timedelta:
    """``30m``, ``2h`` or ``7d``; raises `UsageError`."""
    try:
        return duration(text)
    except ValueError as exc:
        raise UsageError(str(exc), hint="Write --older-than 2h.") from exc


def cleanup(shown: str, throwaways: Throwaways, alive: Alive, options: CleanupOptions) -> tuple[Cleaned, ...]:
    """Removes what the options ask for beside the target that is `shown`, but for what cannot be removed, such as a
    database of another user. Raises `TargetError` where the target cannot be reached."""
    done = []
    for leaving in throwaways.found():
        kept = _image(leaving, options) if leaving.kind == "image" else _database(leaving, alive, options)
        if not kept and not options.dry_run:
            kept = _dropped(throwaways, leaving.name)
        done.append(Cleaned(shown, leaving, kept))
    return tuple(done)


def _dropped(throwaways: Throwaways, name: str) -> str:
    """Why it is still there, "" for what is gone."""
    try:
        throwaways.drop(name)
    except TdvError as problem:
        return f"it cannot be removed: {problem.message}"
    return ""


def _image(leaving: Leaving, options: CleanupOptions) -> str:
    if leaving.unfinished:
        return ""
    if options.older_than is None:
        return "images go with --older-than"
    return _young(leaving, options.older_than, options)


def _database(leaving: Leaving, alive: Alive, options: CleanupOptions) -> str:
    """Why a database stays."""
    if options.execution_id not in (None, leaving.execution_id):
        return "of another run"
    living = alive(leaving.execution_id)
    if living:
        return "its run is at work"
    if options.older_than is not None:
        return _young(leaving, options.older_than, options)
    if living is None and options.execution_id is None:
        return "of a run that this work tree knows nothing of; --older-than or --execution takes it"
    return ""


def _young(leaving: Leaving, age: timedelta, options: CleanupOptions) -> str:
    return "" if leaving.used_at <= options.now - age else "used since"
