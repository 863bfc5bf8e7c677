"""Which release of each dataset fits: ranges, application version, migration, and what datasets require.

In: a `Wish` and the releases of every dataset. Out: a `Resolution` with one release per dataset and the reason
against every other. Pure: nothing is read or written. Always holds: the highest version wins that satisfies all
ranges, its own range of app versions and its span of migrations; yanked releases and pre-releases only where
they are asked for exactly; datasets that a chosen release requires are chosen with it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tdv.errors import Incompatible, NotFound, UsageError
from tdv.model.compat import Span
from tdv.model.ranges import Range
from tdv.model.release import Release
from tdv.model.version import parse_version

FORMAT: Final = "tdv.resolution/v1"
Releases = Mapping[str, Sequence[Release]]
Serves = Callable[[Span, str], bool]
"""Whether a span holds a migration; the graph of migrations knows."""

_NUMBER: Final = re.compile(r"[0-9]+")


@dataclass(frozen=True, slots=True)
class Wish:
    """`ranges` maps datasets to ranges as text; `app` and `migration` are None where they do not matter."""

    ranges: Mapping[str, str]
    app: str | None = None
    migration: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A release that was not chosen, and why."""

    version: str
    reason: str


@dataclass(frozen=True, slots=True)
class Choice:
    """The release of one dataset. `range` is what was asked for, all of it."""

    release: Release
    range: str
    rejected: tuple[Rejected, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        record = self.release.record
        return {
            "version": record.version,
            "digest": record.digest,
            "range": self.range,
            "rejected": [{"version": item.version, "reason": item.reason} for item in self.rejected],
        }


@dataclass(frozen=True, slots=True)
class Resolution:
    """One choice per dataset, required ones included."""

    app: str | None
    migration: str | None
    datasets: Mapping[str, Choice] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "app": self.app,
            "migration": self.migration,
            "datasets": {name: choice.to_plain() for name, choice in self.datasets.items()},
        }


def by_number(span: Span, revision: str) -> bool:
    """Whether `revision` lies in `span` by the numbers that the revisions begin with; without numbers, only
    the first revision of the span does for certain."""
    if span.start == revision or (span.start is None and span.until is None):
        return True
    here = _leading(revision)
    start, until = (_leading(edge) if edge is not None else None for edge in (span.start, span.until))
    if here is None or (span.start is not None and start is None) or (span.until is not None and until is None):
        return False
    return (start is None or start <= here) and (until is None or here < until)


def resolve(wish: Wish, releases: Releases, serves: Serves = by_number) -> Resolution:
    """Chooses releases.

    Raises `NotFound` for a dataset without releases, `UsageError` for text that is no range or version,
    `Incompatible` with the reasons when nothing fits.
    """
    solver = _Solver(wish, releases, serves)
    wanted = {name: (text,) for name, text in wish.ranges.items()}
    chosen = next(solver.solve(wanted, {}), None)
    if chosen is None:
        raise solver.failure(wanted)
    asked = solver.asked(wanted, chosen)
    return Resolution(
        wish.app,
        wish.migration,
        {
            name: Choice(chosen[name], ", ".join(asked[name]), solver.rejected(name, asked[name], chosen[name]))
            for name in asked
        },
    )


@dataclass
class _Solver:
    wish: Wish
    releases: Releases
    serves: Serves

    def solve(
        self, wanted: Mapping[str, tuple[str, ...]], chosen: Mapping[str, Release]
    ) -> Iterator[dict[str, Release]]:
        """All consistent choices, best first: depth first over datasets, highest version first."""
        open_ = next((name for name in wanted if name not in chosen), None)
        if open_ is None:
            yield dict(chosen)
            return
        for release in reversed(self._of(open_)):
            if self.reason(release, wanted[open_]):
                continue
            merged = _merged(wanted, release)
            now = {**chosen, open_: release}
            if all(self.reason(now[name], texts) == "" for name, texts in merged.items() if name in now):
                yield from self.solve(merged, now)

    def reason(self, release: Release, texts: Sequence[str]) -> str:
        """Why `release` does not fit, or ""."""
        ranges = [_range(text) for text in texts]
        version = parse_version(release.version)
        for allowed in ranges:
            if not allowed.allows(version):
                return "is a pre-release" if version.prerelease and not allowed.exact else f"is not in {allowed}"
        if release.yanked and not any(allowed.exact == version for allowed in ranges):
            return "is yanked"
        return self._compat_reason(release)

    def _compat_reason(self, release: Release) -> str:
        app, span = release.compat.app, release.compat.migration
        if (
            self.wish.app is not None
            and app is not None
            and not _range(app).allows(_app(self.wish.app), prereleases=True)
        ):
            return f"serves app {app}, not {self.wish.app}"
        if self.wish.migration is not None and span is not None and not self.serves(span, self.wish.migration):
            return f"serves migrations {_shown(span)}, not {self.wish.migration}"
        return ""

    def rejected(self, name: str, texts: Sequence[str], chosen: Release) -> tuple[Rejected, ...]:
        """Every release of `name` but the chosen one, highest first, with the reason."""
        found = []
        for release in reversed(self._of(name)):
            if release.version == chosen.version:
                continue
            lower = parse_version(release.version) < parse_version(chosen.version)
            fallback = "is older" if lower else "requires datasets that do not fit"
            found.append(Rejected(release.version, self.reason(release, texts) or fallback))
        return tuple(found)

    def asked(self, wanted: Mapping[str, tuple[str, ...]], chosen: Mapping[str, Release]) -> dict[str, tuple[str, ...]]:
        """All ranges that hold for each dataset, those of chosen releases included."""
        merged = dict(wanted)
        for release in chosen.values():
            merged = _merged(merged, release)
        return merged

    def failure(self, wanted: Mapping[str, tuple[str, ...]]) -> Incompatible:
        """The error that says, for the first dataset that has no release by itself, why; else that they clash."""
        for name, texts in wanted.items():
            reasons = [(release.version, self.reason(release, texts)) for release in reversed(self._of(name))]
            if all(reason for _, reason in reasons):
                listed = "; ".join(f"v{version} {reason}" for version, reason in reasons[:4])
                return Incompatible(
                    f"No release of {name} fits {', '.join(texts)}: {listed}",
                    hint=f"`tdv log {name}` shows what each release serves; `tdv compat` amends it.",
                    dataset=name,
                    rejected=[{"version": version, "reason": reason} for version, reason in reasons],
                )
        return Incompatible(
            f"No releases of {', '.join(wanted)} fit together with what they require",
            hint="Widen a range in tdv.yaml, or `requires:` of a dataset.",
        )

    def _of(self, name: str) -> Sequence[Release]:
        found = self.releases.get(name, ())
        if not found:
            raise NotFound(
                f"The dataset {name} has no release",
                hint=f"Release it with `tdv release {name}`, or correct the name.",
                dataset=name,
            )
        return found


def _merged(wanted: Mapping[str, tuple[str, ...]], release: Release) -> dict[str, tuple[str, ...]]:
    merged = dict(wanted)
    for name, text in release.record.requires.items():
        if text not in merged.get(name, ()):
            merged[name] = (*merged.get(name, ()), text)
    return merged


def _range(text: str) -> Range:
    try:
        return Range.parse(text)
    except ValueError as exc:
        raise UsageError(str(exc), hint="Ranges are 1.1.0, ^1.1, ~1.1.2, >=1.2,<3, 1.x, * and latest.") from exc


def _app(text: str) -> Any:
    try:
        return parse_version(text)
    except ValueError as exc:
        raise UsageError(f"The app version {text!r} is no version", hint="Give it as 1.2.3 with --app.") from exc


def _shown(span: Span) -> str:
    start = f"from {span.start}" if span.start is not None else ""
    until = f"until before {span.until}" if span.until is not None else ""
    return " ".join(filter(None, (start, until)))


def _leading(revision: str) -> int | None:
    match = _NUMBER.match(revision)
    return int(match.group()) if match else None
