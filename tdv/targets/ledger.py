"""The throwaway databases that a process has or may have, written down before they are made.

In: names of databases, and the server that each is on. Out: which of them nobody dropped. Always holds: the kernel
keeps the file of a process locked as long as the process can make one of its databases, and ends the lock when the
process dies; so what a file names that is not locked is nobody's. A copy of a file, as in a copied work tree, names
nothing: nobody can lock it, and the process that has the original may be alive.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock, get_ident
from typing import Final

from tdv.errors import Refused, TargetError
from tdv.targets import runs
from tdv.targets.runs import identity

FORMAT: Final = "tdv.made/v1"
_ENDING: Final = ".made"
_LINE: Final = re.compile(r"\+(\S+) (.+)|-(\S+)")


class Book:
    """One file: a line for each database that is about to be made, and one for each that is nobody's task any more.

    `names` maps the databases that were not struck to where they are. Whoever has a book has its lock.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self.names = _read(path)

    @classmethod
    def create(cls, path: Path) -> Book:
        """A new book; raises `OSError`."""
        path.parent.mkdir(parents=True, exist_ok=True)
        while True:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(descriptor), os.stat(path)):
                    os.write(descriptor, f"{FORMAT} {identity(descriptor)}\n".encode())
                    return cls(path, descriptor)
            # Somebody took the file, which named nothing yet, for one that was left.
            os.close(descriptor)

    @classmethod
    def found(cls, path: Path) -> Book | None:
        """The book of a process that is no more; None for one that somebody has."""
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_APPEND)
        except OSError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            book = cls(path, descriptor)
        except OSError:
            os.close(descriptor)
            return None
        if not _is_original(path, descriptor):
            book.names.clear()
        return book

    def add(self, name: str, place: str) -> None:
        """Names a database; raises `OSError`."""
        os.write(self._descriptor, f"+{name} {place}\n".encode())
        self.names[name] = place

    def strike(self, name: str) -> None:
        """Takes a name out; one that stays for want of space is dropped a second time, which does no harm."""
        if self.names.pop(name, None) is not None:
            with suppress(OSError):
                os.write(self._descriptor, f"-{name}\n".encode())

    def close(self) -> None:
        """Gives the lock back, and removes a file that names nothing."""
        if not self.names:
            self._path.unlink(missing_ok=True)
        os.close(self._descriptor)


class Ledger:
    """The book of this process for one run; made when the first database is."""

    def __init__(self, work: Path, execution_id: str) -> None:
        self.work = work
        self._path = _directory(work) / f"{execution_id}.{os.urandom(4).hex()}{_ENDING}"
        self._book: Book | None = None
        self._makers: dict[str, int] = {}
        self._lock = Lock()
        self.has_ended = False

    @contextmanager
    def making(self, name: str, place: str) -> Iterator[None]:
        """Names a database; the block makes it. Raises `Refused` once the run has ended."""
        with self._lock:
            if self.has_ended:
                raise Refused("the run has ended", hint="Make databases before `close`.")
            self._add(name, place)
            self._makers[name] = get_ident()
        try:
            yield
        finally:
            self._makers.pop(name, None)
            self._release()

    def strike(self, name: str) -> None:
        """A database is dropped, or somebody is told of it and keeps it."""
        with self._lock:
            if self._book is not None:
                self._book.strike(name)

    def end(self) -> None:
        """No database is begun from now on."""
        with self._lock:
            self.has_ended = True

    def left(self, place: str) -> tuple[str, ...]:
        """The databases of a place that are neither dropped nor kept, nor being made by another thread."""
        with self._lock:
            names = self._book.names.items() if self._book is not None else ()
            return tuple(name for name, where in names if where == place and not self._is_busy(name))

    def close(self) -> None:
        """Leaves what is still named to `abandoned`: at once, or when the threads are done that make databases."""
        self.end()
        self._release()

    def _add(self, name: str, place: str) -> None:
        try:
            if self._book is None:
                self._book = Book.create(self._path)
            self._book.add(name, place)
        except OSError as exc:
            raise TargetError(
                f"cannot write {self._path}: {exc.strerror or exc}", hint="Look at the rights of .tdv, and at its disk."
            ) from exc

    def _is_busy(self, name: str) -> bool:
        """An interrupt may have kept this thread from saying that it is done; the others are never interrupted."""
        return self._makers.get(name, get_ident()) != get_ident()

    def _release(self) -> None:
        with self._lock:
            if self.has_ended and self._book is not None and not any(map(self._is_busy, self._makers)):
                book, self._book = self._book, None
                book.close()


def abandoned(work: Path) -> Iterator[Book]:
    """The books of processes that are no more, one after the other; `work` is ``.tdv``."""
    for path in sorted(_directory(work).glob(f"*{_ENDING}")):
        book = Book.found(path)
        if book is not None:
            try:
                yield book
            finally:
                book.close()


def forget_ended(work: Path) -> None:
    """Removes the traces of runs that are no more and left nothing."""
    for path in _directory(work).glob("*.lock"):
        if not any(_directory(work).glob(f"{path.stem}.*{_ENDING}")):
            runs.forget_ended(work, path.stem)


def places(work: Path, execution_id: str) -> frozenset[str]:
    """Where a run has databases that nobody dropped, whether its processes are alive or not."""
    found: set[str] = set()
    for path in _directory(work).glob(f"{execution_id}.*{_ENDING}"):
        with suppress(OSError):
            found.update(_read(path).values())
    return frozenset(found)


def _read(path: Path) -> dict[str, str]:
    """The databases that a file names and that were not struck, each with its place; raises `OSError`."""
    names: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.fullmatch(line)
        if match is not None and match[1]:
            names[match[1]] = match[2]
        elif match is not None:
            names.pop(match[3], None)
    return names


def _is_original(path: Path, descriptor: int) -> bool:
    with path.open("rb") as file:
        return file.readline() == f"{FORMAT} {identity(descriptor)}\n".encode()


def _directory(work: Path) -> Path:
    return work / "runs"
