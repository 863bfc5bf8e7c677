"""``tdv.lock``: made from a resolution, and compared with what holds now.

In: a `Resolution`, or a `Lock`. Out: a `Lock`, or why it is stale. Always holds: a lock is stale when a range, the app,
a migration, a requirement or a digest no longer holds, or a release was yanked since, and never because something
newer exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from tdv.model.fit import Need, faults, range_of, version_of
from tdv.model.lock import FILE, Lock, Pin
from tdv.model.release import Release
from tdv.model.resolution import Asked, Resolution


class Releases(Protocol):
    """Where releases are found."""

    def versions(self, dataset: str) -> Sequence[str]:
        """The versions of a dataset, () for an unknown one."""

    def release(self, dataset: str, version: str) -> Release:
        """One release with its amendments applied."""


@dataclass(frozen=True, slots=True)
class Stale:
    """Why one dataset of a lock no longer holds, as a sentence; `kind` is what to tell apart by program."""

    dataset: str
    kind: str
    message: str

    def to_plain(self) -> dict[str, Any]:
        return {"dataset": self.dataset, "kind": self.kind, "message": self.message}


def pinned(resolution: Resolution) -> Lock:
    """The lock that holds exactly this answer."""
    pins = {}
    for name, choice in sorted(resolution.datasets.items()):
        record = choice.release.record
        wanted = "" if "||" in choice.range and len(choice.asked) > 1 else choice.range
        pins[name] = Pin(record.version, record.digest, record.artifact, wanted)
    return Lock(resolution.app, resolution.migration, pins)


def stale(lock: Lock, asked: Mapping[str, Sequence[Asked]], need: Need, book: Releases) -> tuple[Stale, ...]:
    """Everything in `lock` that no longer holds; only the records of locked releases are read."""
    found: list[Stale] = []
    needed = {name: list(items) for name, items in asked.items()}
    releases: dict[str, Release] = {}
    for name, pin in lock.datasets.items():
        if pin.version not in book.versions(name):
            found.append(Stale(name, "record", f"{name}@v{pin.version} has no record here"))
            continue
        releases[name] = book.release(name, pin.version)
        record = releases[name].record
        for other, text in record.requires.items():
            needed.setdefault(other, []).append(Asked(text, record.reference))
    for name, release in releases.items():
        found += _misfits(release, lock.datasets[name], needed.get(name, ()), need)
    for name, items in sorted(needed.items()):
        if name not in lock.datasets:
            found.append(Stale(name, "missing", f"{items[0].by} asks for {name} {items[0].range}"))
    return tuple(found)


def _misfits(release: Release, pin: Pin, asked: Sequence[Asked], need: Need) -> Iterator[Stale]:
    record = release.record
    if not asked:
        yield Stale(record.dataset, "unwanted", f"nobody asks for {record.dataset} any more")
    if record.digest != pin.digest:
        yield Stale(record.dataset, "digest", f"the digest of {record.reference} is not the one in {FILE}")
    elif record.artifact != pin.artifact:
        yield Stale(record.dataset, "artifact", f"{record.reference} is stored as another artifact than {FILE} says")
    version = version_of(record.version)
    for item in asked:
        if not range_of(item.range).allows(version):
            yield Stale(record.dataset, "range", f"{record.reference} is not in {item.range}, which {item.by} asks for")
    exactly = [range_of(item.range) for item in asked if range_of(item.range).exact == version]
    for fault in faults(release, exactly, need):
        yield Stale(record.dataset, fault.kind, f"{record.reference} {fault.reason}")
