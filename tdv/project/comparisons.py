"""Wires a comparison: where the rows of two states come from, and what is told of them.

In: what to compare. Out: one `DiffReport` per dataset. Always holds: states of equal digests are
not opened; nothing of the repository changes but what is fetched into the cache.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tdv.errors import DocumentError, NotFound, RemoteError, TdvError, UsageError
from tdv.model.compat import Compat
from tdv.model.diff import Finding, TableChange
from tdv.model.diff_report import DiffReport, ReportOptions, RowChange, TableReport
from tdv.project import obtain
from tdv.project.levels import levels_of
from tdv.project.one_sided import OneSided, from_nothing, one_sided
from tdv.project.pairs import DiffWish, Pair, chosen
from tdv.project.states import State

if TYPE_CHECKING:
    from tdv.content.snapshot import Snapshot
    from tdv.project.live import Live
    from tdv.project.ports import Ports
    from tdv.targets.dialect import Dialect

_FEW: Final = 10
"""Rows of each kind from which a streamed report tells what made a rule fire."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Both states; `notes` are about the target among them, `rounding` its columns that alter some values."""

    old: Snapshot
    new: Snapshot
    notes: tuple[str, ...] = ()
    rounding: frozenset[tuple[str, str]] = frozenset()


@dataclass(frozen=True, slots=True)
class DiffStream:
    """One dataset: its report with a few rows, and all rows one by one, each with its table."""

    report: DiffReport
    rows: Iterator[tuple[str, RowChange]]


def diff(ports: Ports, wish: DiffWish) -> tuple[DiffReport, ...]:
    """One report per dataset that is compared."""
    return (*(_report(ports, pair, wish.shown) for pair in chosen(ports, wish)), *_alone(ports, wish))


def stream(ports: Ports, wish: DiffWish) -> Iterator[DiffStream]:
    """The same with rows that are not held; read those of a dataset before the next one."""
    few = _FEW if wish.shown.limit is None else min(_FEW, wish.shown.limit)
    for pair in chosen(ports, wish):
        if _same(pair):
            yield DiffStream(_report(ports, pair, wish.shown), iter(()))
            continue
        with _opened(ports, pair, wish.shown) as opened:
            from tdv.diff.report import stream_rows

            found = _told(ports, pair, opened, replace(wish.shown, limit=few))
            yield DiffStream(found, stream_rows(opened.old, opened.new, wish.shown))
    yield from _alone_in_rows(ports, wish, few)


def _alone_in_rows(ports: Ports, wish: DiffWish, few: int) -> Iterator[DiffStream]:
    for item in one_sided(ports, wish):
        if item.state is None:
            yield DiffStream(item.report, iter(()))
            continue
        try:
            with from_nothing(ports, item.state) as both:
                from tdv.diff.report import stream_rows

                found = _begun(ports, item, both, replace(wish.shown, limit=few))
                yield DiffStream(found, stream_rows(*both, wish.shown))
        except RemoteError as problem:
            yield DiffStream(replace(item.report, notes=(problem.message,)), iter(()))


def statements(ports: Ports, wish: DiffWish) -> Iterator[str]:
    """The SQL that turns the older states into the newer ones, line by line."""
    pairs = chosen(ports, wish)
    dialect = _dialect(ports, wish, pairs)
    for pair in pairs:
        if _same(pair):
            continue
        own = _of_tables(dialect, pair[0])
        with _opened(ports, pair, wish.shown, own) as opened:
            from tdv.diff.sql import ScriptOptions
            from tdv.diff.sql import statements as lines

            names = (pair[0].reference, pair[1].reference)
            options = ScriptOptions(names, wish.shown.reveal, wish.shown.tables, opened.rounding)
            yield from lines(opened.old, opened.new, own, options)


def _of_tables(dialect: Dialect, changed: State | Live) -> Dialect:
    """The same dialect in the form of the tables that a script is to change."""
    from tdv.targets.protocol import Spoken

    if isinstance(changed, State) or not isinstance(changed.target, Spoken):
        return dialect
    own = changed.target.dialect()
    return own if own.name == dialect.name else dialect


def _dialect(ports: Ports, wish: DiffWish, pairs: Sequence[Pair]) -> Dialect:
    """The SQL that is asked for; else that of a target which is compared, else of the default one, else SQLite's."""
    from tdv.targets.dialect import DIALECTS, dialect_of, named_dialect

    if wish.dialect is not None:
        return named_dialect(wish.dialect)
    live = [state.engine for pair in pairs for state in pair if not isinstance(state, State)]
    if live and dialect_of(live[0]) is None:
        raise UsageError(
            f"a target of the kind {live[0]!r} runs no SQL",
            hint=f"Name the engine that is to run it: --dialect {' or '.join(DIALECTS)}.",
        )
    return dialect_of(live[0] if live else _default_engine(ports)) or named_dialect("sqlite")


def _default_engine(ports: Ports) -> str:
    try:
        return ports.settings.target(None).url.partition(":")[0].partition("+")[0].lower()
    except TdvError:
        return ""


def _alone(ports: Ports, wish: DiffWish) -> Iterator[DiffReport]:
    """What is told of the datasets that one side of a branch has only."""
    for item in one_sided(ports, wish):
        if item.state is None:
            yield item.report
            continue
        try:
            with from_nothing(ports, item.state) as both:
                yield _begun(ports, item, both, wish.shown)
        except RemoteError as problem:
            yield replace(item.report, notes=(problem.message,))


def _begun(ports: Ports, item: OneSided, both: tuple[Snapshot, Snapshot], shown: ReportOptions) -> DiffReport:
    """A new dataset with its tables and rows, of which none needs a bump."""
    from tdv.diff.report import report

    bare = item.report
    found = report(*both, (bare.old, bare.new), shown)
    stale = tuple(_stale(ports, item.state))
    schema = (*bare.schema, *found.schema)
    return replace(found, findings=(), schema=schema, notes=stale, stale=bool(stale), about=bare.about)


def _same(pair: Pair) -> bool:
    old, new = pair
    return isinstance(old, State) and isinstance(new, State) and old.digest == new.digest


def _report(ports: Ports, pair: Pair, shown: ReportOptions) -> DiffReport:
    if not _same(pair):
        with _opened(ports, pair, shown) as opened:
            return _told(ports, pair, opened, shown)
    state = pair[1]
    assert isinstance(state, State)
    wanted = {name: rows for name, rows in state.tables.items() if not shown.tables or name in shown.tables}
    tables = tuple(TableReport(name, TableChange(), rows, rows) for name, rows in wanted.items())
    return _completed(ports, pair, DiffReport(state.dataset, pair[0].reference, pair[1].reference, tables=tables))


def _told(ports: Ports, pair: Pair, opened: Opened, shown: ReportOptions) -> DiffReport:
    from tdv.diff.report import report

    levels = levels_of(ports, opened.new.manifest.dataset)
    found = report(opened.old, opened.new, (pair[0].reference, pair[1].reference), replace(shown, levels=levels))
    return _completed(ports, pair, replace(found, notes=opened.notes))


def _completed(ports: Ports, pair: Pair, found: DiffReport) -> DiffReport:
    """With what the rows do not tell."""
    unread: tuple[str, ...] = ()
    try:
        found = replace(found, findings=(*found.findings, *_compat(ports, pair)))
    except _Unread as problem:
        unread = (str(problem),)
    stale = tuple(note for state in pair if isinstance(state, State) for note in _stale(ports, state))
    about = pair[0].about if isinstance(pair[0], State) else ""
    return replace(found, notes=(*unread, *stale, *found.notes), stale=bool(stale), about=about)


class _Unread(Exception):
    """The spec of a work tree cannot be read; its rows were built, and are worth to be seen."""


def _compat(ports: Ports, pair: Pair) -> tuple[Finding, ...]:
    """What releases serve and require is promised, too; of the work tree the spec says it.

    Raises `_Unread` where it does not.
    """
    old, new = pair
    if not (isinstance(old, State) and isinstance(new, State)) or old.record is None or old.dataset != new.dataset:
        return ()
    if new.record is not None:
        serves = new.record.compat, new.record.requires
    elif new.version == "workspace":
        from tdv.project import resolutions

        try:
            spec = ports.spec(new.dataset)
        except (DocumentError, NotFound) as problem:
            raise _Unread(f"What {new.dataset} serves and requires cannot be told: {problem}") from problem
        serves = Compat(spec.app, spec.migration or resolutions.default_span(ports)), spec.requires
    else:
        return ()
    if serves == (old.record.compat, old.record.requires):
        return ()
    from tdv.release import compat_findings

    return tuple(compat_findings(old.record, serves, levels_of(ports, new.dataset)))


def _stale(ports: Ports, state: State | None) -> Iterator[str]:
    """What a reader must know of a work tree that was edited since it was built."""
    if state is None or state.version != "workspace":
        return
    from tdv.store.fingerprint import Fingerprints, stage_status

    prints = Fingerprints(ports.root)
    if not stage_status(ports.root, state.dataset, prints).sources_unchanged:
        yield f"The sources of {state.dataset} changed since it was built: `tdv build {state.dataset}` first."
    prints.save()


@contextmanager
def _opened(ports: Ports, pair: Pair, shown: ReportOptions, dialect: Dialect | None = None) -> Iterator[Opened]:
    """Both states as snapshots; that of a target lives in a scratch directory as long as the block, described as it is
    declared where a `dialect` is to change it."""
    old, new = pair
    if isinstance(old, State) and isinstance(new, State):
        if not set(old.tables) & set(new.tables) and old.dataset != new.dataset:
            raise UsageError(
                f"{old.reference} and {new.reference} have no table in common",
                hint="Compare two states of one dataset, or datasets of which one extends the other.",
            )
        yield Opened(*obtain.open_sparsely(ports, old, new))
        return
    if not (isinstance(old, State) or isinstance(new, State)):
        raise UsageError("Two targets cannot be compared with each other", hint="Compare each with a release.")
    from tdv.diff.report import check_names
    from tdv.project.builds import scratch

    with scratch(ports) as directory:
        found = _with_target(ports, pair, shown, directory, dialect)
        check_names([snapshot.manifest.schema for snapshot in (found.old, found.new)], shown)
        yield found


def _with_target(ports: Ports, pair: Pair, shown: ReportOptions, directory: Path, dialect: Dialect | None) -> Opened:
    from tdv.project.declared import describe_as_found, reading_as_declared
    from tdv.project.live import Reading, captured
    from tdv.project.narrower import Narrower
    from tdv.project.strangers import Strangers
    from tdv.targets.dialect import dialect_of
    from tdv.targets.protocol import Rounding

    old, new = pair
    live, state = (old, new) if isinstance(new, State) else (new, old)
    assert isinstance(state, State)
    assert not isinstance(live, State)
    model = obtain.open_state(ports, state)
    rounding = live.target.rounding() if isinstance(live.target, Rounding) else {}
    narrower = Narrower(dialect_of(live.engine), rounding)
    reading = Reading(live.tables(model), narrower.describe)
    if dialect is not None and live is new:
        reading = replace(reading, describe=partial(describe_as_found, reading.tables))
    elif dialect is not None:
        reading = reading_as_declared(live, model, live.all_tables(model), dialect)
        Strangers(live, reading, model, shown.tables).refuse()
    found = captured(live, model, directory, reading)
    notes = narrower.note(live.reference, state.reference)
    return Opened(found, model, notes, frozenset(rounding)) if live is old else Opened(model, found, notes)
