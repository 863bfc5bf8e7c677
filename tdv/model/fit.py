"""Whether one release fits: its version, the app versions and the migrations that it serves, and no yank.

In: a `Release`, the ranges asked for, and a `Need`. Out: the `Fault`s, none when it fits. Always holds: a yanked
release and a pre-release fit only where a range names them exactly; a fault reads as the end of a sentence that
begins with the release.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, NamedTuple

from tdv.errors import UsageError
from tdv.frozen import dataclass
from tdv.model.ranges import Range
from tdv.model.release import Release
from tdv.model.version import Version, parse_version

if TYPE_CHECKING:
    from tdv.model.app import AppVersion
    from tdv.model.history import Place

FaultKind = Literal["range", "prerelease", "yanked", "app", "migration"]


class Fault(NamedTuple):
    """One reason against a release: ``serves app >=1.2,<3, not 3.1.0``"""

    kind: FaultKind
    reason: str


@dataclass(frozen=True, slots=True)
class Need:
    """What a release has to serve; None where it does not matter."""

    app: AppVersion | None = None
    place: Place | None = None

    @property
    def migration(self) -> str | None:
        """The revisions of the place."""
        return self.place.text if self.place is not None else None


def faults(release: Release, ranges: Sequence[Range], need: Need) -> tuple[Fault, ...]:
    """Everything against `release`, the version first."""
    version = version_of(release.version)
    found = [*version_faults(version, ranges)]
    if release.yanked and not any(allowed.exact == version for allowed in ranges):
        found.append(Fault("yanked", "is yanked"))
    app, span = release.compat.app, release.compat.migration
    if need.app is not None and app is not None and not need.app.within(range_of(app)):
        found.append(Fault("app", f"serves app {app}, not {need.app}"))
    if need.place is not None and span is not None and (misfit := need.place.misfit(span)):
        found.append(Fault("migration", misfit))
    return tuple(found)


def version_faults(version: Version, ranges: Sequence[Range]) -> tuple[Fault, ...]:
    """What the version alone says against a release: the first range that does not hold it."""
    for allowed in ranges:
        if allowed.allows(version):
            continue
        if version.prerelease and allowed.allows(version, prereleases=True):
            return (Fault("prerelease", "is a pre-release"),)
        return (Fault("range", f"is not in {allowed}"),)
    return ()


@lru_cache(maxsize=4096)
def version_of(text: str) -> Version:
    """The version of a release."""
    return parse_version(text)


@lru_cache(maxsize=1024)
def range_of(text: str) -> Range:
    """The range that `text` is; raises `UsageError`."""
    try:
        return Range.parse(text)
    except ValueError as exc:
        raise UsageError(str(exc), hint="Ranges are 1.1.0, ^1.1, ~1.1.2, >=1.2,<3, 1.x, * and latest.") from exc


def app_of(text: str) -> AppVersion:
    """The app version that `text` is; raises `UsageError`."""
    from tdv.model.app import parse_app

    try:
        return parse_app(text)
    except ValueError as exc:
        raise UsageError(
            str(exc), hint="Give it as --app 2.3.1, or correct its source: app.version in tdv.yaml."
        ) from exc
