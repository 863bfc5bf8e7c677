"""The rules of what is released already: records stay as they are, amendments are only appended.

In: the book of the work tree and the books of the base. Out: verdicts. Always holds: records are compared byte for
byte; a branch that lacks what the base released since it forked has removed nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from tdv.check.ports import Subject, Verdict
from tdv.documents.words import nearest
from tdv.errors import TdvError
from tdv.store.amendments import Entries, is_within
from tdv.store.base import Base
from tdv.store.git import Git
from tdv.store.history import book_at
from tdv.store.records import ReleaseBook, amendments_path, parse_amendments, record_path


class History:
    """The books at the tip of the base and at the commit where the branch forked."""

    def __init__(self, git: Git, book: ReleaseBook, base: Base) -> None:
        self.base = base
        self.tip = book_at(git, base.tip)
        self.fork = self.tip if base.fork == base.tip else book_at(git, base.fork)
        self._git = git
        self._book = book

    def datasets(self) -> tuple[str, ...]:
        """Datasets here or in the base."""
        return tuple(sorted({*self._book.datasets(), *self.fork.datasets()}))

    def verdicts(self, dataset: str) -> Iterator[Verdict]:
        """The rules of what the base holds of one dataset."""
        if not self.fork.versions(dataset) and not self.tip.versions(dataset):
            return
        subject = Subject(dataset)
        yield from self._removed(dataset) or [subject.kept("record-kept")]
        yield from self._altered(dataset) or [subject.kept("record-unchanged")]
        yield from self._amendments(dataset)

    def new(self, dataset: str) -> tuple[str, ...]:
        """The versions that this branch adds, lowest first."""
        known = {*self.fork.versions(dataset), *self.tip.versions(dataset)}
        return tuple(version for version in self._book.versions(dataset) if version not in known)

    def _removed(self, dataset: str) -> list[Verdict]:
        here = set(self._book.versions(dataset))
        found = []
        for version in self.fork.versions(dataset):
            if version in here:
                continue
            path = record_path(dataset, version)
            doubt = "" if self.base.known else ", unless this shallow clone is older than the base"
            message = f"{path} is gone, {self.base.name} has it{doubt}"
            hint = f"git checkout {self.base.fork[:12]} -- {path}" if self.base.known else "git fetch --unshallow"
            found.append(Subject(dataset, version, path).broken("record-kept", message, hint))
        return found

    def _altered(self, dataset: str) -> list[Verdict]:
        found = []
        for version in self._book.versions(dataset):
            path = record_path(dataset, version)
            data = b"" if leads_elsewhere(self._book.root, path) else self._book.record_bytes(dataset, version)
            books = [(book, name) for book, name in self._books() if version in book.versions(dataset)]
            other = next((name for book, name in books if book.record_bytes(dataset, version) != data), None)
            if other is None:
                continue
            if version in self.fork.versions(dataset):
                hint = f"git checkout {self.base.fork[:12]} -- {path}"
                message = f"{path} differs from {other}: a released record never changes"
            else:
                hint = f"git merge {self.base.name}; `tdv merge` says how its record stays; then tdv release {dataset}"
                message = f"{self.base.name} released {dataset}@v{version} meanwhile, with other content"
            found.append(Subject(dataset, version, path).broken("record-unchanged", message, hint))
        return found

    def _books(self) -> list[tuple[ReleaseBook, str]]:
        return [(self.tip, self.base.name), (self.fork, f"commit {self.base.fork[:12]}")]

    def _amendments(self, dataset: str) -> Iterator[Verdict]:
        path = amendments_path(dataset)
        subject = Subject(dataset, file=path)
        before = self._git.read_many(self.base.fork, (path,)).get(path, b"")
        place = self._book.root / path
        is_there = place.is_file() and not leads_elsewhere(self._book.root, path)
        after = place.read_bytes() if is_there else b""
        try:
            is_kept = after == before or _keeps(after, before, path)
            strays = self._strays(dataset, before, after) if is_kept and after != before else []
        except TdvError as exc:
            yield subject.failed("amendments-appended", exc)
            return
        if strays:
            yield self._astray(subject, strays)
            return
        if is_kept:
            yield subject.kept("amendments-appended")
            return
        message = f"{path} changes or drops amendments that {self.base.name} has"
        hint = f"git checkout {self.base.fork[:12]} -- {path}, then write the new one with tdv yank or tdv compat"
        yield subject.broken("amendments-appended", message, hint)

    def _strays(self, dataset: str, before: bytes, after: bytes) -> list[str]:
        """The versions without a record that new entries are about; those of the base cannot be taken back."""
        path = amendments_path(dataset)
        old = parse_amendments(before, path) if before else ()
        named = {item.version for item in parse_amendments(after, path)} - {item.version for item in old}
        return sorted(named - self._versions(dataset))

    def _versions(self, dataset: str) -> set[str]:
        """The versions here and in the base: one that this branch removes is told as removed."""
        return {*self._book.versions(dataset), *self.fork.versions(dataset), *self.tip.versions(dataset)}

    def _astray(self, subject: Subject, strays: list[str]) -> Verdict:
        named = ", ".join(f"{subject.dataset}@v{version}" for version in strays)
        known = self._versions(subject.dataset)
        near = {version: found for version in strays if (found := nearest(version, known))}
        each = [f"v{found} for v{version}" if len(strays) > 1 else f"v{found}" for version, found in near.items()]
        meant = f"Did you mean {', '.join(each)}? " if each else "Name a version that has one: "
        hint = f"{meant}`tdv log {subject.dataset}` lists the releases."
        verb = "has" if len(strays) == 1 else "have"
        return subject.broken("amendments-appended", f"{subject.file} amends {named}, which {verb} no record", hint)


def leads_elsewhere(root: Path, path: str) -> bool:
    """True for a file that is reached through a link: Git keeps where the link leads, not what stands there."""
    return os.path.realpath(root / path) != os.path.join(os.path.realpath(root), *path.split("/"))


def _keeps(after: bytes, before: bytes, path: str) -> bool:
    """Whether each entry stays in its order, as it is written and as it is read: a text in quotes that begins above an
    entry and ends below would keep its lines and take its meaning. Raises `DocumentError` for a file that is none."""
    if not Entries.of(after).keeps(Entries.of(before)):
        return False
    return not before or is_within(parse_amendments(before, path), parse_amendments(after, path))
