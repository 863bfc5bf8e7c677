"""Wires a verification: releases, where their data comes from, and the targets that hold them.

In: references and a target. Out: a `Verification`. Always holds: a rebuild happens in a scratch directory and is
compared there; nothing of the repository changes but what is fetched into the cache.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tdv import verify as verb
from tdv.errors import UsageError
from tdv.project import obtain, states
from tdv.project.builds import scratch
from tdv.project.rebuild import rebuild_into
from tdv.targets.registry import open_target

if TYPE_CHECKING:
    from tdv.content.snapshot import Snapshot
    from tdv.model.release import Record
    from tdv.model.report import Verification
    from tdv.project.ports import Ports


def verify(ports: Ports, refs: tuple[str, ...], target: str | None, directory: Path, *, rebuild: bool) -> Verification:
    """Looks at the promises of the releases named, or of all, and at what the target holds of them."""
    releases = [_release(ports, ref) for ref in refs] if refs else _all(ports)
    with ExitStack() as stack:
        base = stack.enter_context(scratch(ports)) if rebuild else None
        sources = verb.Sources(
            git=ports.git,
            book=ports.book,
            cache=ports.cache,
            obtain=partial(obtain.obtain, ports),
            rebuild=_rebuilder(ports, base),
        )
        held = tuple(_held(ports, target, directory))
        return verb.verify(sources, releases, verb.VerifyOptions(rebuild, held))


def _rebuilder(ports: Ports, base: Path | None) -> Callable[[Record], Snapshot]:
    numbers = itertools.count()

    def rebuild(record: Record) -> Snapshot:
        assert base is not None
        place = base / str(next(numbers))
        place.mkdir()
        return rebuild_into(ports, record, place)

    return rebuild


def _release(ports: Ports, ref: str) -> tuple[str, str]:
    state = states.find(ports, ref)
    if state.record is None:
        raise UsageError(f"{ref} is no release", hint="Name a release, such as movies@v1.1.0; `tdv log` lists them.")
    return state.dataset, state.version


def _all(ports: Ports) -> list[tuple[str, str]]:
    return [(name, version) for name in ports.book.datasets() for version in ports.book.versions(name)]


def _held(ports: Ports, target: str | None, directory: Path) -> Iterator[verb.HeldRows]:
    """What the target says it holds; the default target is left out where it does not exist yet."""
    place = open_target(ports.settings.target(target, directory), ports.state)
    for held in place.held():
        yield verb.HeldRows(place.shown, held.dataset, held.digest, place.read)
