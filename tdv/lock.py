"""``tdv.lock``: made from a resolution, and compared with what holds now.

In: a `Resolution`, or a `Lock`. Out: a `Lock`, or why it is stale. Always holds: a lock is stale when a range, the app,
a migration, a requirement or a digest no longer holds, or a release was yanked since, and never because something
newer exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from tdv.frozen import dataclass
from tdv.model.fit import Need, faults, range_of, version_of
from tdv.model.lock import FILE, Lock, Pin
from tdv.model.reference import repository_of
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
        record, origin = choice.release.record, choice.release.origin
        wanted = "" if "||" in choice.range and len(choice.asked) > 1 else choice.range
        where = (origin.url, origin.commit) if origin else (None, None)
        pins[name] = Pin(record.version, record.digest, record.artifact, wanted, *where)
    return Lock(resolution.app, resolution.migration, pins)


def stale(
    lock: Lock, asked: Mapping[str, Sequence[Asked]], need: Need, book: Releases, repositories: Mapping[str, str]
) -> tuple[Stale, ...]:
    """Everything in `lock` that no longer holds; only the records of locked releases are read.

    `repositories` maps the names of other repositories, as in ``catalog:movies``, to their URLs.
    """
    found: list[Stale] = []
    needed = {name: list(items) for name, items in asked.items()}
    releases: dict[str, Release] = {}
    for name, pin in lock.datasets.items():
        lost = _elsewhere(name, pin, repositories)
        if not lost and pin.version not in book.versions(name):
            lost = Stale(name, "record", f"{name}@v{pin.version} has no record {'there' if pin.repository else 'here'}")
        if lost:
            found.append(lost)
            continue
        releases[name] = book.release(name, pin.version)
        for other, text in releases[name].requires.items():
            needed.setdefault(other, []).append(Asked(text, releases[name].reference))
    for name, release in releases.items():
        found += _misfits(release, lock.datasets[name], needed.get(name, ()), need)
    for name, items in sorted(needed.items()):
        if name not in lock.datasets:
            found.append(Stale(name, "missing", f"{items[0].by} asks for {name} {items[0].range}"))
    return tuple(found)


def _elsewhere(name: str, pin: Pin, repositories: Mapping[str, str]) -> Stale | None:
    """Why a release is not to be looked for where the lock says."""
    repository = repository_of(name)
    url = repositories.get(repository) if repository else None
    if repository and url is None:
        return Stale(name, "repository", f"tdv.yaml declares no repository {repository!r}")
    if pin.repository != url:
        return Stale(name, "repository", f"{name} is pinned in {pin.repository or 'this repository'}, not in {url}")
    if url is not None and pin.commit is None:
        return Stale(name, "repository", f"{FILE} names no commit for {name}")
    return None


def _misfits(release: Release, pin: Pin, asked: Sequence[Asked], need: Need) -> Iterator[Stale]:
    record, name, reference = release.record, release.dataset, release.reference
    if not asked:
        yield Stale(name, "unwanted", f"nobody asks for {name} any more")
    if record.digest != pin.digest:
        yield Stale(name, "digest", f"the digest of {reference} is not the one in {FILE}")
    elif record.artifact != pin.artifact:
        yield Stale(name, "artifact", f"{reference} is stored as another artifact than {FILE} says")
    version = version_of(record.version)
    for item in asked:
        if not range_of(item.range).allows(version):
            yield Stale(name, "range", f"{reference} is not in {item.range}, which {item.by} asks for")
    exactly = [range_of(item.range) for item in asked if range_of(item.range).exact == version]
    for fault in faults(release, exactly, need):
        yield Stale(name, fault.kind, f"{reference} {fault.reason}")
