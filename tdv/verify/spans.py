"""Whether a release fits each migration of the span that it declares: tried, and not only read.

In: a release, the history of the migrations, a way to load the release into a scratch database at one of them. Out: a
promise ``span``. Always holds: the first migration that the rows do not fit is named with the statement that broke
them, as far as one can be told, and with the amendment that would make the span true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tdv.errors import DataError, Incompatible, IntegrityError, MigrationError, Refused, StoreError, TdvError
from tdv.model.compat import Span
from tdv.model.history import History
from tdv.model.release import Release
from tdv.model.report import Promise
from tdv.verify.ports import Subject

PROMISE: Final = "span"
_MISFITS: Final = (MigrationError, Refused, DataError, IntegrityError, Incompatible, StoreError)
"""What speaks against a span; a server that is not there, or a program that cannot be run, does not."""


@dataclass(frozen=True, slots=True)
class Trials:
    """How spans are tried.

    `load` restores a release and what it requires into a scratch database at a revision, reads the rows back, and
    raises `TdvError` where they do not fit; `statement` finds in the file of a migration what a problem speaks of.
    """

    history: History
    load: Callable[[Release, str], None] = field(repr=False)
    statement: Callable[[str, str], str] = field(repr=False)


def tried(release: Release, trials: Trials) -> Iterator[Promise]:
    """The promise of a release that declares a span and is not yanked."""
    span = release.compat.migration
    if span is None or release.yanked:
        return
    subject = Subject(release.record.dataset, release.record.version)
    revisions = tuple(trials.history.between(span))
    problems = dict(_problems(release, revisions, trials))
    unseen = next((problem for problem in problems.values() if isinstance(problem, StoreError)), None)
    if unseen is not None:
        yield subject.failed(PROMISE, unseen, "it cannot be tried: ")
    elif not revisions:
        nowhere = f"no migration of {trials.history.source} is one of them"
        yield subject.broken(PROMISE, f"it {trials.history.head.misfit(span) or f'serves {span}, and {nowhere}'}")
    elif problems:
        yield subject.broken(PROMISE, _told(release, span, revisions, problems, trials))
    else:
        yield subject.kept(PROMISE, f"tried at {', '.join(revisions)}")


def _problems(release: Release, revisions: Sequence[str], trials: Trials) -> Iterator[tuple[str, TdvError]]:
    for revision in revisions:
        try:
            trials.load(release, revision)
        except _MISFITS as problem:
            yield revision, problem


def _told(
    release: Release, span: Span, revisions: Sequence[str], problems: Mapping[str, TdvError], trials: Trials
) -> str:
    first = next(iter(problems))
    migration = trials.history.migrations[first]
    broke = all(parent not in problems for parent in migration.parents)
    what = _reason(problems[first], trials.statement(first, problems[first].message) if broke else "")
    more = f", nor {len(problems) - 1} more" if len(problems) > 1 else ""
    advice = _advice(release, revisions, problems)
    return f"it serves {span}, and does not fit {first} ({migration.file}){more}: {what}{advice}"


def _reason(problem: TdvError, found: str) -> str:
    if isinstance(problem, MigrationError):
        statement = f" [{problem.statement}]" if problem.statement else ""
        return f"the migration cannot be applied: {problem.reason}{statement}"
    return problem.message + (f" [{found}]" if found else "")


def _advice(release: Release, revisions: Sequence[str], problems: Mapping[str, TdvError]) -> str:
    """The amendment with which only the migrations that the rows fit are left, where one span can say so."""
    fits = [revision for revision in revisions if revision not in problems]
    if not fits:
        return ". It fits none of them"
    reference, first, last = release.record.reference, revisions.index(fits[0]), revisions.index(fits[-1])
    if last - first + 1 != len(fits):
        return f". It fits {', '.join(fits)}"
    start = f" --from {fits[0]}" if first else ""
    until = f" --until {revisions[last + 1]}" if last + 1 < len(revisions) else ""
    return f". `tdv compat {reference}{start}{until} -m WHY` would say so"
