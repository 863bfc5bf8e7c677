"""How far data that is in use is from the code: what ``tdv.lock`` pins, and what the environments hold.

In: the ports. Out: `Standing`s, and notices about a lock that no longer holds. Always holds: nothing is written; a
lock is looked at without any server; an environment that cannot be asked is told with the reason, and ends nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from tdv.errors import Incompatible, TdvError
from tdv.model.fit import Need, faults, range_of, version_of
from tdv.model.history import Position
from tdv.model.lock import Lock
from tdv.project import libraries, locks, resolutions, schemas
from tdv.status import Notice, Standing
from tdv.store.stages import current
from tdv.targets.registry import open_target

if TYPE_CHECKING:
    from tdv.lock import Stale
    from tdv.model.release import Release
    from tdv.model.resolution import Asked
    from tdv.project.libraries import Library
    from tdv.project.ports import Ports


@dataclass(frozen=True, slots=True)
class Locked:
    """The lock, what the code asks of it, and where it does not hold; `problem` says why that cannot be told."""

    lock: Lock
    asked: Mapping[str, tuple[Asked, ...]] = field(default_factory=dict)
    need: Need = Need()  # noqa: RUF009 - a frozen value
    stale: tuple[Stale, ...] = ()
    problem: TdvError | None = None


def locked(ports: Ports) -> Locked | None:
    """The lock of the work tree and what the code asks of it, found out once; None without a lock."""
    try:
        held = locks.read(ports)
        if held is None:
            return None
        asked, need = resolutions.asked(ports), resolutions.need(ports)
        return Locked(held, asked, need, _stale(ports, held, asked, need))
    except TdvError as problem:
        return Locked(Lock(), problem=problem)


def unlocked(ports: Ports, held: Locked | None) -> dict[str, list[Notice]]:
    """Dataset → why ``tdv.lock`` does not hold for it; what keeps the lock from being judged says nothing here."""
    if held is None or not held.stale:
        return {}
    said: dict[str, list[str]] = {}
    for item in held.stale:
        said.setdefault(item.dataset, []).append(item.message)
    hint = _renewal(ports, held)
    return {name: [Notice("unlocked", f"the lock: {'; '.join(messages)}", hint)] for name, messages in said.items()}


def _stale(ports: Ports, held: Lock, asked: Mapping[str, tuple[Asked, ...]], need: Need) -> tuple[Stale, ...]:
    """What keeps the lock from being judged says nothing here."""
    try:
        return tuple(locks.stale(ports, held, asked, need))
    except TdvError:
        return ()


def _renewal(ports: Ports, held: Locked) -> str:
    """What renews a stale lock: `tdv lock`, unless nothing fits, which has to be mended first."""
    try:
        locks.resolve_with(libraries.pinned_by(ports, held.lock), held.asked, held.need, held.lock.versions)
    except Incompatible as problem:
        return problem.hint or problem.message
    except TdvError:
        pass
    return "tdv lock"


def of_lock(ports: Ports, held: Locked | None, names: tuple[str, ...]) -> tuple[Standing, ...]:
    """What the lock pins, of the datasets named or of all."""
    if held is None:
        return ()
    if held.problem is not None:
        return (Standing("tdv.lock", problem=held.problem.message, hint=held.problem.hint or ""),)
    unfit = {item.dataset for item in held.stale}
    pins = held.lock.versions
    try:
        library = libraries.pinned_by(ports, held.lock)
        chosen = [name for name in pins if name in names or not names]
        found = (_pinned(library, name, pins[name], held.asked.get(name, ()), held.need) for name in chosen)
        return tuple(replace(item, fits=item.dataset not in unfit) for item in found)
    except TdvError as problem:
        return (Standing("tdv.lock", problem=problem.message, hint=problem.hint or ""),)


def _pinned(library: Library, name: str, version: str, asked: Sequence[Asked], need: Need) -> Standing:
    fitting = _newer(library, name, version, [item.range for item in asked], need)
    span = library.release(name, version).compat.migration
    start = span.start if span is not None else None
    place = need.place
    more = None
    if isinstance(place, Position) and start is not None and place.history.find(start):
        more = len(place.applied - place.history.ancestors(place.history.find(start)))
    return Standing("tdv.lock", name, version, *_behind(fitting), migration=start, migrations=more)


def of_environments(ports: Ports) -> Iterator[Standing]:
    """What each environment of tdv.yaml holds."""
    promoted = {place: promotion.version for place, promotion in current(ports.git.tags()).items()}
    for name in ports.settings.environments:
        try:
            found = list(_environment(ports, name))
        except TdvError as problem:
            found = [Standing(name, problem=problem.message)]
        for item in found:
            wanted = promoted.get((item.dataset, name), "")
            yield replace(item, promoted=wanted) if wanted not in ("", item.version) else item


def _environment(ports: Ports, name: str) -> Iterator[Standing]:
    settings = ports.settings.target(name)
    held = open_target(settings, ports.state).held()
    here = schemas.standing(ports, settings)
    need = resolutions.need(ports)
    code = need.place
    more = len(code.applied - here.applied) if here is not None and isinstance(code, Position) else None
    text = here.text if here is not None else None
    if not held:
        yield Standing(name, problem="holds no release")
    for item in held:
        at = Need(need.app, here or code)
        known = item.version in ports.book.versions(item.dataset)
        newer = _newer(libraries.newest(ports), item.dataset, item.version, (), at) if known else []
        yield Standing(name, item.dataset, item.version, *_behind(newer), migration=text, migrations=more)


def _newer(library: Library, dataset: str, version: str, ranges: Sequence[str], need: Need) -> list[Release]:
    """The releases above `version` that fit, lowest first."""
    above = [other for other in library.versions(dataset) if version_of(other) > version_of(version)]
    found = (library.release(dataset, other) for other in above)
    allowed = [range_of(text) for text in ranges] or [range_of("*")]
    return [release for release in found if not faults(release, allowed, need)]


def _behind(newer: Sequence[Release]) -> tuple[str, int]:
    return (newer[-1].version if newer else "", len(newer))
