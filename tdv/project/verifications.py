"""Wires a verification: releases, where their data comes from, and the targets that hold them.

In: references and a target. Out: a `Verification`. Always holds: a rebuild happens in a scratch directory and is
compared there; nothing of the repository changes but what is fetched into the cache.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from tdv import verify as verb
from tdv.config.address import FILES, without_credentials
from tdv.errors import IntegrityError, NotFound, StoreError, TdvError, UsageError
from tdv.project import locks, obtain, spans, states
from tdv.project.builds import scratch
from tdv.project.rebuild import rebuild_into
from tdv.targets.protocol import Held
from tdv.targets.registry import open_target

if TYPE_CHECKING:
    from tdv.content.snapshot import Snapshot
    from tdv.model.release import Origin, Record
    from tdv.model.report import Promise, Verification
    from tdv.project.ports import Ports
    from tdv.project.states import State


@dataclass(frozen=True, slots=True)
class VerifyWish:
    """`refs` empty means every release; `target` None looks at the default one if it is there. `rebuild` builds each
    release again; `spans` loads each at every migration that it serves. Relative paths count from `directory`."""

    refs: tuple[str, ...] = ()
    target: str | None = None
    rebuild: bool = False
    spans: bool = False
    directory: Path = Path()


def verify(ports: Ports, wish: VerifyWish, execution_id: str) -> Verification:
    """Looks at the promises of the releases named, or of all, and at what the target holds of them.

    Raises `NotFound` where there is nothing to look at: no release, or no target where one is named.
    """
    refs = wish.refs
    named = [_release(ports, ref) for ref in refs] if refs else _pinned_elsewhere(ports)
    held = _Held(ports, wish.target, wish.directory, [state for state in named if state.origin])
    rows = held.of(named) if refs else held.all()
    releases = [(state.dataset, state.version) for state in named if state.origin is None] if refs else _all(ports)
    if not named and not releases and not rows:
        raise NotFound("There is no release to verify", hint="`tdv release NAME` makes the first one.")
    with ExitStack() as stack:
        base = stack.enter_context(scratch(ports)) if wish.rebuild else None
        trials = stack.enter_context(spans.trials(ports, execution_id)) if wish.spans else None
        sources = verb.Sources(
            git=ports.git,
            book=ports.book,
            cache=ports.cache,
            obtain=partial(obtain.obtain, ports),
            rebuild=_rebuilder(ports, base),
        )
        whole = () if refs else ports.book.datasets()
        found = verb.verify(sources, releases, verb.VerifyOptions(wish.rebuild, rows, whole, trials))
        options = verb.VerifyOptions(wish.rebuild and bool(refs), trials=trials)
        elsewhere = [
            promise for state in named if state.origin for promise in _foreign(ports, state, state.origin, options)
        ]
    return replace(found, subjects=(*found.subjects, *elsewhere), notes=(*held.notes, *ports.library.notes))


def _foreign(ports: Ports, state: State, origin: Origin, options: verb.VerifyOptions) -> Iterator[Promise]:
    """The promises of a release of another repository; nothing of it is built here."""
    foreign = ports.foreign(origin.url)
    sources = verb.Sources(
        git=foreign.mirror.git,
        book=foreign.book(origin.commit),
        cache=ports.cache,
        obtain=lambda record: foreign.obtain(record, origin.commit, ports.cache),
        rebuild=_refuse_to_build,
    )
    if options.trials is not None:
        options = replace(options, trials=_of_origin(options.trials, origin))
    found = verb.verify(sources, [(state.dataset, state.version)], options)
    yield from (replace(promise, dataset=state.name) for promise in found.subjects)


def _of_origin(trials: verb.Trials, origin: Origin) -> verb.Trials:
    """Trials of releases whose own book does not know where it is."""
    return replace(trials, load=lambda release, revision: trials.load(replace(release, origin=origin), revision))


def _refuse_to_build(record: Record) -> Snapshot:
    raise StoreError(f"{record.reference} is built in its own repository only", hint="Verify it in a clone of that.")


def _pinned_elsewhere(ports: Ports) -> list[State]:
    """The releases of other repositories that the lock pins."""
    held = locks.read(ports)
    pins = held.datasets.items() if held else ()
    return [states.of_release(ports.library.release(name, pin.version)) for name, pin in pins if pin.repository]


def _rebuilder(ports: Ports, base: Path | None) -> Callable[[Record], Snapshot]:
    numbers = itertools.count()

    def rebuild(record: Record) -> Snapshot:
        assert base is not None
        place = base / str(next(numbers))
        place.mkdir()
        return rebuild_into(ports, record, place)

    return rebuild


def _release(ports: Ports, ref: str) -> State:
    state = states.find(ports, ref)
    if state.record is None:
        raise UsageError(f"{ref} is no release", hint="Name a release, such as movies@v1.1.0; `tdv log` lists them.")
    return state


def _all(ports: Ports) -> list[tuple[str, str]]:
    return [(name, version) for name in ports.book.datasets() for version in ports.book.versions(name)]


class _Held:
    """What the target says it holds, and the snapshots that this must equal; the default target may be missing.

    `elsewhere` are states of other repositories.
    """

    def __init__(self, ports: Ports, target: str | None, directory: Path, elsewhere: Sequence[State]) -> None:
        settings = ports.settings.target(target, directory)
        self._elsewhere = {state.digest: state for state in elsewhere}
        self._ports = ports
        self._named = target is not None
        self._target = open_target(settings, ports.state)
        restoring = f"tdv checkout REF --target {without_credentials(target or '')}"
        if self._named and not _exists(settings.url):
            raise NotFound(f"There is no {settings.shown}", hint=f"`{restoring}` makes it.")
        self._items = self._target.held()
        self.notes: list[str] = []
        if self._named and not self._items:
            raise IntegrityError(
                f"{settings.shown} does not say that it holds a release: its table or file _tdv_state is missing",
                hint=f"`{restoring}` restores one.",
            )

    def all(self) -> tuple[verb.HeldRows, ...]:
        """All that the target holds. What no state here has is a problem where the target was named, else a note."""
        rows = []
        for item in self._items:
            known = self._open(item)
            problem = f"it holds {item.dataset} with the digest {item.digest}, which no release here has"
            if known is not None or self._named:
                rows.append(self._rows(item, known, "" if known else problem))
            else:
                self.notes.append(f"{self._target.shown} was not looked at: {problem}")
        return tuple(rows)

    def of(self, releases: Sequence[State]) -> tuple[verb.HeldRows, ...]:
        """What the target holds of these releases; one that it lacks is a problem where the target was named."""
        items = {item.dataset: item for item in self._items}
        rows = []
        for state in releases:
            item = items.get(state.dataset)
            if item is not None and item.digest == state.digest:
                known = partial(obtain.open_state, self._ports, state)
                rows.append(self._rows(replace(item, version=state.version), known))
            elif self._named:
                instead = f"{state.dataset}@{item.version} instead" if item else f"no {state.dataset}"
                missing = Held(state.dataset, state.version, state.digest, "", "", {})
                rows.append(self._rows(missing, None, f"the target holds {instead}"))
        return tuple(rows)

    def _rows(self, item: Held, known: Callable[[], Snapshot] | None, problem: str = "") -> verb.HeldRows:
        return verb.HeldRows(
            target=self._target.shown,
            dataset=item.dataset,
            version=item.version,
            open=known,
            read=self._target.read,
            scenarios=item.scenarios,
            problem=problem,
        )

    def _open(self, item: Held) -> Callable[[], Snapshot] | None:
        """How to open the state with the digest that the target names: a release, or what was built."""
        with suppress(TdvError):
            if item.digest in self._elsewhere:
                return partial(obtain.open_state, self._ports, self._elsewhere[item.digest])
            if item.version in self._ports.book.versions(item.dataset):
                state = states.of_record(self._ports.book.record(item.dataset, item.version))
            else:
                state = states.find(self._ports, f"{item.dataset}@{item.version}")
            if state.digest == item.digest:
                return partial(obtain.open_state, self._ports, state)
        return None


def _exists(url: str) -> bool:
    """False for a file or directory that is not there; a server answers for itself."""
    parts = urlsplit(url)
    path = unquote(parts.path)
    return parts.scheme not in FILES or os.path.exists(f"/{path.lstrip('/')}")
