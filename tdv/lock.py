"""``tdv.lock``: written from a resolution, read back, and compared with what holds now.

In: a `Resolution`, or bytes. Out: a `Lock`, bytes, or why it is stale. Always holds: one choice has one text; a lock
is stale when a range, the app, a migration, a requirement or a digest no longer holds, or a release was yanked since,
and never because something newer exists.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from tdv.errors import ConfigError
from tdv.model.fit import Need, faults, range_of, version_of
from tdv.model.lock import FORMAT, Lock, Pin
from tdv.model.release import Release
from tdv.model.resolution import Asked, Resolution
from tdv.store.yaml_text import flow_lines

FILE: Final = "tdv.lock"
_HEADER: Final = "# Written by `tdv lock`; commit it with the code that uses the data."
_OURS, _BASE, _THEIRS, _END = "<<<<<<<", "|||||||", "=======", ">>>>>>>"


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


def format_lock(lock: Lock) -> bytes:
    """The bytes of a lock: a block per dataset, so that two branches that move two datasets merge."""
    lines = [_HEADER, *flow_lines({"format": FORMAT, "app": lock.app, "migration": lock.migration})]
    lines.append("datasets:" if lock.datasets else "datasets: {}")
    for name, pin in sorted(lock.datasets.items()):
        lines += [f"  {name}:", *(f"    {line}" for line in flow_lines(pin.to_plain()))]
    return ("\n".join(lines) + "\n").encode()


def parse_lock(data: bytes, path: str = FILE) -> Lock:
    """Reads a lock; raises `ConfigError` for one with a merge conflict, `DocumentError` with every mistake."""
    from tdv import documents

    if is_conflicted(data):
        raise ConfigError(
            f"{path} holds a merge conflict",
            hint="`tdv lock` settles it: what your side chose stays where it still fits.",
            path=path,
        )
    document = documents.parse(data, path)
    documents.validate(document, "lock")
    return Lock.from_plain(document.data)


def is_conflicted(data: bytes) -> bool:
    """True for a file that Git left with conflict markers."""
    return any(line.startswith(_OURS.encode()) for line in data.splitlines())


def our_side(data: bytes) -> bytes:
    """A file with conflict markers as our side has it."""
    kept: list[bytes] = []
    ours = True
    for line in data.splitlines(keepends=True):
        word = line[:7].decode("ascii", "replace")
        if word in (_BASE, _THEIRS):
            ours = False
        elif word in (_OURS, _END):
            ours = True
        elif ours:
            kept.append(line)
    return b"".join(kept)


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
