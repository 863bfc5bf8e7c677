"""The history of a schema as a graph of migrations, and where in it a database stands.

In: migrations with the ones that must be applied before them. Out: a `History`; from a revision a `Place`.
Always holds: a place is the set of migrations that are applied there, closed under what they depend on, so that
"does this release fit here" is a question about two sets and never about the order of numbers or dates: the
first migrations of a span are applied, and the one that ends it is not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Final, Protocol

from tdv.errors import ConfigError, NotFound, UsageError
from tdv.model.compat import Span

SEPARATOR: Final = re.compile(r"[\s,+]+")
"""Several revisions in one text, for a database or a span that stands on several branches."""

BASE: Final = "base"
"""Where no migration is applied yet."""

_NUMBER: Final = re.compile(r"0*([0-9]+)(?![0-9A-Za-z.])", re.ASCII)
_SHORTEST_PREFIX: Final = 4
_SHOWN: Final = 3
_DATE: Final = len("20260131")


@dataclass(frozen=True, slots=True)
class Migration:
    """One step. `revision` is the tool's own name for it, `parents` the revisions that it comes after.

    `aliases` are other names that mean it: a file's stem, a label, a number without zeros.
    """

    revision: str
    parents: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    file: str = ""


class Place(Protocol):
    """Where a schema stands; `text` names it."""

    @property
    def text(self) -> str:
        """The revision, or several with commas."""

    def fits(self, span: Span) -> bool:
        """Whether a release with this span fits here."""

    def misfit(self, span: Span) -> str:
        """Why a release with this span does not fit here, as the end of a sentence; "" when it fits."""


@dataclass(frozen=True)
class History:
    """All migrations of a project. `source` says where they were read, for errors.

    Raises `ConfigError` when a migration comes after one that does not exist, two have one name, or they go
    round in a circle.
    """

    source: str
    migrations: Mapping[str, Migration]

    @classmethod
    def of(cls, source: str, migrations: Iterable[Migration]) -> History:
        """A history, checked."""
        found: dict[str, Migration] = {}
        for migration in migrations:
            if (twin := found.get(migration.revision)) is not None:
                raise ConfigError(
                    f"Two migrations in {source} are called {migration.revision}: {twin.file} and {migration.file}",
                    hint="Rename one of them; your migration tool would refuse them, too.",
                )
            found[migration.revision] = migration
        history = cls(source, found)
        history._check()
        return history

    @classmethod
    def chain(cls, source: str, migrations: Iterable[Migration]) -> History:
        """A history in which each migration comes after the one before it."""
        linked: list[Migration] = []
        for migration in migrations:
            before = (linked[-1].revision,) if linked else ()
            linked.append(replace(migration, parents=before))
        return cls.of(source, linked)

    @cached_property
    def heads(self) -> tuple[str, ...]:
        """The migrations that nothing comes after, in the order of the history."""
        parents = {parent for migration in self.migrations.values() for parent in migration.parents}
        return tuple(revision for revision in self.migrations if revision not in parents)

    @property
    def head(self) -> Position:
        """The place where everything is applied."""
        return Position(", ".join(self.heads) or BASE, frozenset(self.migrations), self)

    def ancestors(self, revisions: Iterable[str]) -> frozenset[str]:
        """`revisions` and all that they come after."""
        seen: set[str] = set()
        ahead = list(revisions)
        while ahead:
            revision = ahead.pop()
            if revision not in seen:
                seen.add(revision)
                ahead.extend(self.migrations[revision].parents)
        return frozenset(seen)

    def named(self, text: str) -> str:
        """The revision that `text` means: its name, an alias, its number, or the beginning of one name.

        Raises `NotFound` for none, `UsageError` for several.
        """
        found = self.find(text)
        if len(found) == 1:
            return found[0]
        if found:
            raise UsageError(
                f"{text!r} is the beginning of several migrations: {_listed(found)}", hint="Write more of its name."
            )
        raise NotFound(
            f"There is no migration {text!r} in {self.source}",
            hint=f"It ends at {_listed(self.heads)}." if self.heads else "There is no migration at all.",
            revision=text,
        )

    def find(self, text: str) -> tuple[str, ...]:
        """Every revision that `text` may mean; an exact name wins."""
        text = text.strip()
        if text in self.migrations:
            return (text,)
        if found := self._names.get(text):
            return found
        if text.isdigit() and (found := self._numbers.get(int(text))):
            return found
        if len(text) < _SHORTEST_PREFIX:
            return ()
        return tuple(revision for revision in self.migrations if revision.startswith(text))

    def at(self, text: str) -> Position:
        """The place of a database whose applied migrations end at the revisions in `text`; "head" is all of them,
        "base" none, unless a migration is called so.

        Raises `NotFound` or `UsageError`.
        """
        if text in ("head", "heads") and text not in self.migrations:
            return self.head
        if text == BASE and text not in self.migrations:
            return Position(BASE, frozenset(), self)
        revisions = tuple(dict.fromkeys(self.named(word) for word in _words(text)))
        return Position(", ".join(revisions), self.ancestors(revisions), self)

    def exactly(self, names: Iterable[str]) -> Position:
        """The place of a database that names each migration that was applied, whatever lies between them; names
        that the history does not have are left out."""
        applied = frozenset(revision for name in names for revision in self.find(name)[:1])
        parents = {parent for revision in applied for parent in self.migrations[revision].parents}
        ends = [revision for revision in self.migrations if revision in applied and revision not in parents]
        return Position(", ".join(ends) or BASE, applied, self)

    def between(self, span: Span) -> Iterator[str]:
        """The migrations at which a release with this span fits, in the order of the history."""
        for revision in self.migrations:
            if Position(revision, self.ancestors((revision,)), self).fits(span):
                yield revision

    @cached_property
    def _names(self) -> dict[str, tuple[str, ...]]:
        names: dict[str, tuple[str, ...]] = {}
        for migration in self.migrations.values():
            for alias in dict.fromkeys(migration.aliases):
                names[alias] = (*names.get(alias, ()), migration.revision)
        return names

    @cached_property
    def _numbers(self) -> dict[int, tuple[str, ...]]:
        numbers: dict[int, tuple[str, ...]] = {}
        for revision in self.migrations:
            if match := _NUMBER.match(revision):
                numbers[int(match[1])] = (*numbers.get(int(match[1]), ()), revision)
        return numbers

    def _check(self) -> None:
        for migration in self.migrations.values():
            for parent in migration.parents:
                if parent not in self.migrations:
                    raise ConfigError(
                        f"{migration.file or migration.revision} comes after the migration {parent!r}, "
                        f"which is not in {self.source}",
                        hint="Restore the missing file, or correct the revision that it comes after.",
                    )
        circle = self._circle()
        if circle:
            raise ConfigError(
                f"The migrations in {self.source} go round in a circle: {' → '.join(circle)}",
                hint="Correct the revision that one of them comes after.",
            )

    def _circle(self) -> tuple[str, ...]:
        """Migrations that depend on each other, () when there are none."""
        waiting = {revision: set(migration.parents) for revision, migration in self.migrations.items()}
        children: dict[str, list[str]] = {}
        for revision, parents in waiting.items():
            for parent in parents:
                children.setdefault(parent, []).append(revision)
        free = [revision for revision, parents in waiting.items() if not parents]
        while free:
            done = free.pop()
            del waiting[done]
            for child in children.get(done, ()):
                waiting[child].discard(done)
                if not waiting[child]:
                    free.append(child)
        if not waiting:
            return ()
        path = [next(iter(waiting))]
        while path[-1] not in path[:-1]:
            path.append(next(parent for parent in self.migrations[path[-1]].parents if parent in waiting))
        return tuple(reversed(path[path.index(path[-1]) :]))


@dataclass(frozen=True)
class Position:
    """A place in a known history: all that is applied there."""

    text: str
    applied: frozenset[str] = field(repr=False)
    history: History = field(repr=False, compare=False)

    @property
    def revisions(self) -> tuple[str, ...]:
        """The revisions at which it ends; () where nothing is applied."""
        return _words(self.text) if self.applied else ()

    def fits(self, span: Span) -> bool:
        return all(map(self._has, _words(span.start or ""))) and not any(map(self._has, _words(span.until or "")))

    def _has(self, text: str) -> bool:
        return any(revision in self.applied for revision in self.history.find(text))

    def misfit(self, span: Span) -> str:
        for text in _words(span.start or ""):
            if reason := self._before(text):
                return reason
        for text in _words(span.until or ""):
            if self._has(text):
                ends = self.history.find(text) == self.revisions or text == self.text
                return _past(span, self.text, text, ends=ends)
        return ""

    def _before(self, text: str) -> str:
        if self._has(text):
            return ""
        found = self.history.find(text)
        if not found:
            return f"serves migrations from {text}, which is not in {self.history.source}"
        after = self.history.ancestors(found)
        if all(revision in after for revision in self.revisions):
            return f"serves migrations from {text}, and {self.text} is before it"
        return f"serves migrations from {text}, and {self.text} is on a branch without it"


@dataclass(frozen=True, slots=True)
class Unplaced:
    """A revision without a history: only the numbers that names begin with can be compared."""

    text: str

    def fits(self, span: Span) -> bool:
        return not self.misfit(span)

    def misfit(self, span: Span) -> str:
        if span.start == self.text or (span.start is None and span.until is None):
            return ""
        here, start, until = map(_number, (self.text, span.start, span.until))
        if not _comparable(self.text, *filter(None, (span.start, span.until))) or here is None:
            return f"serves {span}, and nothing tells where {self.text} is: tdv.yaml names no migrations"
        if start is not None and here < start:
            return f"serves migrations from {span.start}, and {self.text} is before it"
        if until is not None and here >= until:
            return _past(span, self.text, str(span.until), ends=here == until)
        return ""


def _past(span: Span, here: str, until: str, *, ends: bool) -> str:
    """Why a place that is not before the end of a span is outside; the end itself is the first that is not served."""
    return f"serves {span}, which ends before {here}" if ends else f"serves {span}, and {here} is not before {until}"


def serves_nothing(span: Span, history: History | None) -> bool:
    """Whether the span ends where it begins or before, as far as its two revisions can be compared: in the history,
    or by the numbers that they begin with."""
    if span.start is None or span.until is None:
        return False
    starts = [history.find(word) for word in _words(span.start)] if history is not None else []
    ends = [history.find(word) for word in _words(span.until)] if history is not None else []
    if history is not None and all(starts) and all(ends):
        applied = history.ancestors(revision for found in starts for revision in found)
        return any(revision in applied for found in ends for revision in found)
    start, until = _number(span.start), _number(span.until)
    if start is None or until is None or not _comparable(span.start, span.until):
        return span.start == span.until
    return until <= start


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in SEPARATOR.split(text) if word)


def _number(text: str | None) -> int | None:
    match = _NUMBER.match(text) if text is not None else None
    return int(match[1]) if match else None


def _comparable(*names: str) -> bool:
    """Whether all begin with numbers that count the same thing: a date and a date with a time do not."""
    numbers = [match[1] for match in map(_NUMBER.match, names) if match]
    lengths = {len(number) for number in numbers}
    return len(numbers) == len(names) and (len(lengths) == 1 or max(lengths) < _DATE)


def _listed(revisions: Iterable[str]) -> str:
    listed = list(revisions)
    rest = f" and {len(listed) - _SHOWN} more" if len(listed) > _SHOWN else ""
    return ", ".join(listed[:_SHOWN]) + rest
