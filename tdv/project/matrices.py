"""Wires `tdv matrix`: the app's tags with their locks, the work tree, the migrations, the book.

In: datasets, of this repository or of others. Out: a `Matrix`. Always holds: a tag whose name is no app version, a lock
that cannot be read and migrations that are gone from the history are told, not passed over.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from tdv import matrix as verb
from tdv.model.app import AppVersion, parse_app
from tdv.model.reference import repository_of
from tdv.project import libraries, locks, past, resolutions
from tdv.store.app_tags import AppTag, app_tags

if TYPE_CHECKING:
    from tdv.matrix.value import Matrix
    from tdv.model.history import History
    from tdv.project.libraries import Library
    from tdv.project.ports import Ports

_SHOWN: Final = 3


def matrix(ports: Ports, names: tuple[str, ...]) -> Matrix:
    """The matrix of the datasets named, or of all; raises what reading the app's version and the migrations raises."""
    history = resolutions.history(ports) if ports.settings.migrations is not None else None
    notes: list[str] = []
    codes = [_work_tree(ports), *_of_tags(ports, history, notes)]
    library = libraries.in_use(ports)
    releases = {name: library.releases(name) for name in _chosen(ports, library, names)}
    found = verb.matrix(releases, verb.Landscape(codes, history))
    return replace(found, notes=(*library.notes, *notes))


def _chosen(ports: Ports, library: Library, names: tuple[str, ...]) -> tuple[str, ...]:
    """The datasets named, else those of this repository and those that the code wants of others."""
    if names:
        return tuple(ports.dataset(name) if repository_of(name) is None else library.dataset(name) for name in names)
    wanted = ports.settings.wanted or {}
    return (*ports.book.datasets(), *(name for name in wanted if repository_of(name) is not None))


def _work_tree(ports: Ports) -> verb.Code:
    need = resolutions.need(ports)
    lock = locks.read(ports)
    return verb.Code(verb.WORK_TREE, need.app, need.place, lock.versions if lock is not None else {})


def _of_tags(ports: Ports, history: History | None, notes: list[str]) -> Iterator[verb.Code]:
    """The code at each tag, highest app version first."""
    found: list[tuple[AppVersion, AppTag]] = []
    others = []
    for tag in app_tags(ports.git):
        try:
            found.append((parse_app(tag.name), tag))
        except ValueError:
            others.append(tag.name)
    if others:
        listed = ", ".join(others[:_SHOWN]) + (" …" if len(others) > _SHOWN else "")
        notes.append(f"Tags that are no app versions were left out: {listed}")
    found.sort(key=lambda item: (item[0].version.order(), item[0].later, item[1].date), reverse=True)
    stood = past.places(ports, [tag.commit for _, tag in found], history) if history is not None and found else {}
    for app, tag in found:
        if tag.damaged:
            notes.append(f"The tdv.lock at {tag.name} cannot be read")
        place = stood.get(tag.commit)
        if isinstance(place, str):
            notes.append(f"{tag.name} {place}")
            place = None
        yield verb.Code(tag.name, app, place, tag.lock.versions if tag.lock else {})
