"""The releases of this repository and of those that tdv.yaml names, by one name each: ``movies``, ``catalog:movies``.

In: the ports, a lock. Out: a `Library`, which verbs ask as they ask a book of releases. Always holds: what a lock pins
is read at the commit that it pins, without the network once it was read; nothing else of another repository is asked
for before somebody names a dataset of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from tdv.documents.words import did_you_mean
from tdv.errors import GitError, NotFound
from tdv.model.reference import repository_of
from tdv.model.release import Origin

if TYPE_CHECKING:
    from tdv.model.lock import Lock
    from tdv.model.release import Release
    from tdv.project.ports import Ports
    from tdv.store.records import ReleaseBook


@dataclass
class Library:
    """`pins` says where the releases of a dataset of another repository are read, `newest` where those are that it
    does not name; `open` gives the book there. `notes` are for the user."""

    own: ReleaseBook
    pins: Callable[[], Mapping[str, Origin]]
    newest: Callable[[str], Origin]
    open: Callable[[Origin], ReleaseBook]
    notes: list[str] = field(default_factory=list)
    _origins: dict[str, Origin] = field(default_factory=dict)

    def versions(self, name: str) -> Sequence[str]:
        """The versions of a dataset, lowest first, () for an unknown one."""
        book, dataset, _ = self.place(name)
        return book.versions(dataset)

    def release(self, name: str, version: str) -> Release:
        """One release with its amendments applied; raises `NotFound`."""
        book, dataset, origin = self.place(name)
        found = book.release(dataset, version)
        return replace(found, origin=origin) if origin else found

    def releases(self, name: str) -> Sequence[Release]:
        """Every release of a dataset, lowest version first."""
        book, dataset, origin = self.place(name)
        return [replace(found, origin=origin) if origin else found for found in book.releases(dataset)]

    def dataset(self, name: str) -> str:
        """`name` if another repository has a release of it; raises `NotFound`."""
        book, dataset, _ = self.place(name)
        if not book.versions(dataset):
            known = [other for other in book.datasets() if book.versions(other)]
            repository = repository_of(name)
            hint = f"It has {', '.join(known)}." if known else "`tdv log` there shows what it has."
            raise NotFound(
                f"The repository {repository!r} has no release of {dataset!r}{did_you_mean(dataset, known)}",
                hint=hint,
                dataset=name,
            )
        return name

    def place(self, name: str) -> tuple[ReleaseBook, str, Origin | None]:
        """The book that has a dataset, what it is called there, and where that is, None for this repository."""
        repository = repository_of(name)
        if repository is None:
            return self.own, name, None
        origin = self.pins().get(name)
        if origin is None:
            origin = self._origins.get(repository)
        if origin is None:
            origin = self._origins[repository] = self.newest(repository)
        return self.open(origin), name.rpartition(":")[2], origin


def pinned_by(ports: Ports, lock: Lock | None) -> Library:
    """What a lock pins; of what it does not, the newest that can be had: without the network, what was read last."""
    notes: list[str] = []
    pins = _pins(lock)
    return Library(ports.book, lambda: pins, partial(_reachable, ports, notes), ports.book_of, notes)


def in_use(ports: Ports) -> Library:
    """What the lock of the work tree pins, which is read once a dataset of another repository is named."""
    from functools import cache

    from tdv.project import locks

    notes: list[str] = []

    @cache
    def pins() -> Mapping[str, Origin]:
        urls = {name: repository.git for name, repository in ports.repositories.items()}
        pinned = _pins(locks.read(ports))
        return {name: origin for name, origin in pinned.items() if urls.get(origin.repository) == origin.url}

    return Library(ports.book, pins, partial(_reachable, ports, notes), ports.book_of, notes)


def newest(ports: Ports) -> Library:
    """What the repositories have now; raises `GitError` where one cannot be reached."""
    return Library(ports.book, dict, partial(_newest, ports), ports.book_of)


def reachable(ports: Ports) -> Library:
    """What the repositories have now; of one that cannot be reached, what was read last."""
    return pinned_by(ports, None)


def _pins(lock: Lock | None) -> Mapping[str, Origin]:
    return {
        name: Origin(repository_of(name) or "", pin.repository, pin.commit)
        for name, pin in (lock.datasets.items() if lock else ())
        if pin.repository is not None and pin.commit is not None
    }


def _newest(ports: Ports, name: str) -> Origin:
    repository = ports.repository(name)
    return Origin(name, repository.git, ports.foreign(repository.git).newest(repository.ref))


def _reachable(ports: Ports, notes: list[str], name: str) -> Origin:
    try:
        return _newest(ports, name)
    except GitError as problem:
        repository = ports.repository(name)
        mirror = ports.foreign(repository.git).mirror
        if not mirror.exists:
            raise
        found = Origin(name, repository.git, mirror.commit(repository.ref))
        notes.append(f"{problem.message}. What was read last is used: commit {found.commit[:12]}.")
        return found


def unknown(name: str, known: Sequence[str]) -> NotFound:
    """The error for a repository that tdv.yaml does not declare."""
    return NotFound(
        f"tdv.yaml declares no repository {name!r}{did_you_mean(name, known)}",
        hint=f"Declare it: repositories: {{{name}: {{git: https://host/data.git}}}}.",
        repository=name,
    )
