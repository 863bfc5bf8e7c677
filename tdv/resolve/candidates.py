"""The releases that may be chosen, newest first, each read only when its turn comes.

In: a book of releases, what they must serve, what a lock holds. Out: versions that fit, and reasons against the
others. Always holds: a record is read at most once, and never when its version alone decides.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from tdv.model.fit import Fault, Need, faults, range_of, version_faults, version_of
from tdv.model.release import Release


class Releases(Protocol):
    """Where releases are found; `tdv.store.records.ReleaseBook` is one."""

    def versions(self, dataset: str) -> Sequence[str]:
        """The versions of a dataset, lowest first, () for an unknown one."""

    def release(self, dataset: str, version: str) -> Release:
        """One release with its amendments applied."""


@dataclass
class Candidates:
    """What a solver asks for. `keep` maps a dataset to the version that comes first while it fits."""

    book: Releases
    need: Need
    keep: Mapping[str, str] = field(default_factory=dict)
    _versions: dict[str, tuple[str, ...]] = field(default_factory=dict)
    _releases: dict[tuple[str, str], Release] = field(default_factory=dict)
    _own: dict[tuple[str, str], tuple[Fault, ...]] = field(default_factory=dict)
    _inside: dict[tuple[str, str], bool] = field(default_factory=dict)

    def versions(self, dataset: str) -> tuple[str, ...]:
        """All versions, newest first, () for a dataset without releases."""
        found = self._versions.get(dataset)
        if found is None:
            found = self._versions[dataset] = tuple(reversed(self.book.versions(dataset)))
        return found

    def release(self, dataset: str, version: str) -> Release:
        """One release."""
        found = self._releases.get((dataset, version))
        if found is None:
            found = self._releases[dataset, version] = self.book.release(dataset, version)
        return found

    def fitting(self, dataset: str, ranges: Iterable[str], without: Iterable[str] = ()) -> Iterator[str]:
        """The versions that fit, the kept one first, then the newest."""
        texts, excluded = tuple(dict.fromkeys(ranges)), frozenset(without)
        versions = self.versions(dataset)
        kept = self.keep.get(dataset)
        if kept in versions:
            versions = (kept, *(version for version in versions if version != kept))
        for version in versions:
            if version not in excluded and self.fits(dataset, version, texts):
                yield version

    def fits(self, dataset: str, version: str, ranges: Sequence[str]) -> bool:
        """True if nothing speaks against this release."""
        if not all(self.inside(version, text) for text in ranges):
            return False
        own = self._own.get((dataset, version))
        if own is None:
            own = self._own[dataset, version] = faults(self.release(dataset, version), (), self.need)
        return not own or (all(fault.kind == "yanked" for fault in own) and self._is_exact(version, ranges))

    def inside(self, version: str, text: str) -> bool:
        """True if the range `text` holds the version."""
        found = self._inside.get((version, text))
        if found is None:
            found = self._inside[version, text] = range_of(text).allows(version_of(version))
        return found

    def faults(self, dataset: str, version: str, ranges: Iterable[str]) -> tuple[Fault, ...]:
        """Everything against a release; its record is read."""
        return faults(self.release(dataset, version), tuple(map(range_of, dict.fromkeys(ranges))), self.need)

    def version_faults(self, version: str, ranges: Iterable[str]) -> tuple[Fault, ...]:
        """What its version alone says against a release; nothing is read."""
        return version_faults(version_of(version), tuple(map(range_of, dict.fromkeys(ranges))))

    def _is_exact(self, version: str, ranges: Sequence[str]) -> bool:
        return any(range_of(text).exact == version_of(version) for text in ranges)
