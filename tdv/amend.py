"""What is learnt about a release after it was published: a yank, or another range or span.

In: the book of releases, a version, a reason. Out: an `Amended`. Always holds: the record stays as it is; one
entry is appended to ``amendments.yaml``, for review and commit by the user; what says nothing new is not
appended.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final

from tdv.errors import UsageError
from tdv.model.compat import Compat, Span
from tdv.model.history import History, serves_nothing
from tdv.model.ranges import Range
from tdv.model.release import Amendment, Release
from tdv.store.records import ReleaseBook, amendments_path

FORMAT: Final = "tdv.amended/v1"


@dataclass(frozen=True, slots=True)
class Amended:
    """A release as it was before and is now; `path` is the file to commit, "" where nothing was written."""

    before: Release
    after: Release
    path: str

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "dataset": self.after.record.dataset,
            "version": self.after.version,
            "yanked": self.after.yanked,
            "compat": self.after.compat.to_plain(),
            "changed": bool(self.path),
            "path": self.path,
        }


@dataclass(frozen=True, slots=True)
class Reason:
    """Why, and when (UTC)."""

    text: str
    now: datetime


@dataclass(frozen=True, slots=True)
class CompatChange:
    """What to set: a range of app versions, the first migration, the migration that ends the span.

    None leaves a side as it is; "" opens it. `history` tells which migration comes first, where it is known.
    """

    app: str | None = None
    start: str | None = None
    until: str | None = None
    history: History | None = None


def yank(book: ReleaseBook, dataset: str, version: str, reason: Reason, *, undo: bool = False) -> Amended:
    """Marks a release as not to be used any more, or with `undo` as usable again.

    Raises `NotFound` for a release that does not exist, `UsageError` without a reason.
    """
    _require_reason(reason)
    before = book.release(dataset, version)
    if before.yanked is not undo:
        return Amended(before, before, "")
    return _append(book, before, replace(before, yanked=not undo), _amendment(version, reason, yanked=not undo))


def amend_compat(book: ReleaseBook, dataset: str, version: str, change: CompatChange, reason: Reason) -> Amended:
    """Sets the range of app versions or the span of migrations that a release serves.

    Raises `NotFound` for a release that does not exist, `UsageError` for a bad range, a span that ends before it
    begins, or without a reason.
    """
    _require_reason(reason)
    before = book.release(dataset, version)
    compat = _changed(before.compat, change)
    if compat == before.compat:
        return Amended(before, before, "")
    return _append(book, before, replace(before, compat=compat), _amendment(version, reason, compat=compat))


def _changed(before: Compat, change: CompatChange) -> Compat:
    app = before.app if change.app is None else (change.app or None)
    if app is not None:
        try:
            Range.parse(app)
        except ValueError as exc:
            raise UsageError(str(exc), hint='Write a range such as ">=1.2,<3".') from exc
    span = before.migration or Span()
    start = span.start if change.start is None else (change.start or None)
    until = span.until if change.until is None else (change.until or None)
    changed = Span(start, until)
    if serves_nothing(changed, change.history):
        raise UsageError(
            f"A span from {start} until {until} holds no migration",
            hint='Move or open the other side too, as in --until "".',
        )
    return Compat(app, changed if start or until else None)


def _require_reason(reason: Reason) -> None:
    if not reason.text.strip():
        raise UsageError("An amendment needs a reason", hint='Add -m "why".')


def _amendment(version: str, reason: Reason, **said: Any) -> Amendment:
    return Amendment(version, reason.now.strftime("%Y-%m-%dT%H:%M:%SZ"), reason.text.strip(), **said)


def _append(book: ReleaseBook, before: Release, after: Release, amendment: Amendment) -> Amended:
    book.append_amendment(before.record.dataset, amendment)
    return Amended(before, after, amendments_path(before.record.dataset))
