"""Wires the lock: reads ``tdv.lock``, resolves what it does not hold any more, writes it.

In: a `LockWish`. Out: a `Locked`. Always holds: a choice stays while it fits, unless it is to be upgraded; checking
writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from tdv import durable
from tdv import lock as verb
from tdv.documents.markers import our_side
from tdv.errors import NotFound, UsageError
from tdv.frozen import dataclass
from tdv.model.lock import FILE, Lock
from tdv.project import libraries, resolutions, states
from tdv.store import locks as files

if TYPE_CHECKING:
    from tdv.lock import Stale
    from tdv.model.fit import Need
    from tdv.model.resolution import Asked, Resolution
    from tdv.project.libraries import Library
    from tdv.project.ports import Ports

FORMAT: Final = "tdv.locked/v1"


@dataclass(frozen=True, slots=True)
class LockWish:
    """`upgrade` moves the datasets in `names`, or all, to the newest release that fits."""

    names: tuple[str, ...] = ()
    upgrade: bool = False
    app: str | None = None
    migration: str | None = None


@dataclass(frozen=True, slots=True)
class Locked:
    """The lock as it is now and was `before`; `stale` says why it had to change, or would have to."""

    lock: Lock
    before: Lock
    stale: tuple[Stale, ...] = ()
    written: bool = False

    def to_plain(self) -> dict[str, Any]:
        before = self.before.versions
        return {
            "format": FORMAT,
            "app": self.lock.app,
            "migration": self.lock.migration,
            "datasets": {
                name: {"version": pin.version, "digest": pin.digest, "before": before.get(name)}
                for name, pin in self.lock.datasets.items()
            },
            "written": self.written,
            "stale": [item.to_plain() for item in self.stale],
        }


def lock(ports: Ports, wish: LockWish) -> Locked:
    """Writes the lock; raises what resolving raises."""
    if wish.names and not wish.upgrade:
        raise UsageError(
            "The lock holds all datasets together", hint=f"Move one of them with --upgrade {' '.join(wish.names)}."
        )
    for name in wish.names:
        states.named(ports, states.parse(name))
    asked, needed = resolutions.asked(ports), resolutions.need(ports, wish.app, wish.migration)
    held = _read(ports, settle=True)
    before = held or Lock()
    names = set(wish.names) or set(before.datasets)
    keep = {name: pin for name, pin in before.versions.items() if not (wish.upgrade and name in names)}
    pinned = libraries.pinned_by(ports, held)
    why = stale(ports, held, asked, needed, pinned) if held is not None else ()
    holds = held is not None and not why and not wish.upgrade
    after = verb.pinned(resolve_with(pinned if holds else libraries.newest(ports), asked, needed, keep))
    _check_tags(ports, after, before)
    data = files.format_lock(after)
    path = ports.root / FILE
    if path.is_file() and path.read_bytes() == data:
        return Locked(after, before, why)
    durable.write_bytes(path, data)
    return Locked(after, before, why, written=True)


def check(ports: Ports, wish: LockWish) -> Locked:
    """Whether the lock still holds; raises `NotFound` when there is none."""
    held = required(ports)
    needed = resolutions.need(ports, wish.app, wish.migration)
    return Locked(held, held, stale(ports, held, resolutions.asked(ports), needed))


def stale(
    ports: Ports, held: Lock, asked: Mapping[str, Sequence[Asked]], need: Need, library: Library | None = None
) -> tuple[Stale, ...]:
    """Everything in a lock that no longer holds; the releases of other repositories are read where it pins them."""
    urls = {name: repository.git for name, repository in ports.repositories.items()}
    return verb.stale(held, asked, need, library or libraries.pinned_by(ports, held), urls)


def _check_tags(ports: Ports, after: Lock, before: Lock) -> None:
    """Before a release of another repository is pinned, its tag there has to agree with its record."""
    for name, pin in after.datasets.items():
        if pin.repository is not None and pin.commit is not None and pin != before.datasets.get(name):
            foreign = ports.foreign(pin.repository)
            foreign.check_tag(foreign.book(pin.commit).record(name.rpartition(":")[2], pin.version), pin.commit)


def read(ports: Ports) -> Lock | None:
    """The lock of the work tree, None without one."""
    return _read(ports, settle=False)


def required(ports: Ports) -> Lock:
    """The lock of the work tree; raises `NotFound`."""
    held = read(ports)
    if held is None:
        raise NotFound(f"There is no {FILE}", hint="Write it with `tdv lock`, and commit it.")
    return held


def resolve_with(
    library: Library, asked: Mapping[str, tuple[Asked, ...]], need: Need, keep: Mapping[str, str]
) -> Resolution:
    """The answer that keeps what it can."""
    from tdv import resolve

    return resolve.resolve(resolve.Wish(asked, need, keep, reasons="none"), library)


def _read(ports: Ports, *, settle: bool) -> Lock | None:
    try:
        data = (ports.root / FILE).read_bytes()
    except FileNotFoundError:
        return None
    return files.parse_lock(our_side(data) if settle else data)
