"""Wires a comparison: which two states are meant, and where their rows come from.

In: two references, or one, or none. Out: one `DiffReport` per dataset. Always holds: states of equal digests are
not opened; nothing of the repository changes but what is fetched into the cache.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tdv.config.address import is_path, is_url
from tdv.errors import NotFound, TdvError, UsageError
from tdv.model.compat import Compat
from tdv.model.diff import Finding, TableChange
from tdv.model.diff_report import DiffReport, ReportOptions, RowChange, SchemaChange, TableReport
from tdv.model.reference import DATASET
from tdv.project import obtain, states
from tdv.project.levels import levels_of
from tdv.project.states import State
from tdv.store import pipeline

if TYPE_CHECKING:
    from tdv.content.snapshot import Snapshot
    from tdv.project.live import Live
    from tdv.project.ports import Ports
    from tdv.store.base import Base
    from tdv.store.pipeline import StageLock
    from tdv.targets.dialect import Dialect

_FEW: Final = 10
"""Rows of each kind from which a streamed report tells what made a rule fire."""

_SHORT: Final = 10
"""Digits of a commit that a title shows."""


@dataclass(frozen=True, slots=True)
class DiffWish:
    """What to compare: two references, one with the work tree, or none for every dataset with its last release.

    `base` compares every dataset with the commit where this branch left `base`. `directory` is where relative
    paths of targets count from. `dialect` is the SQL of `statements`, None for that of a target.
    """

    old: str | None = None
    new: str | None = None
    base: str | None = None
    shown: ReportOptions = field(default_factory=ReportOptions)
    directory: Path | None = None
    dialect: str | None = None


Pair = tuple["State | Live", "State | Live"]


@dataclass(frozen=True, slots=True)
class Opened:
    """Both states; `notes` are about the target among them."""

    old: Snapshot
    new: Snapshot
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class DiffStream:
    """One dataset: its report with a few rows, and all rows one by one, each with its table."""

    report: DiffReport
    rows: Iterator[tuple[str, RowChange]]


def diff(ports: Ports, wish: DiffWish) -> tuple[DiffReport, ...]:
    """One report per dataset that is compared."""
    return (*(_report(ports, pair, wish.shown) for pair in _chosen(ports, wish)), *_alone(ports, wish))


def stream(ports: Ports, wish: DiffWish) -> Iterator[DiffStream]:
    """The same with rows that are not held; read those of a dataset before the next one."""
    few = _FEW if wish.shown.limit is None else min(_FEW, wish.shown.limit)
    for pair in _chosen(ports, wish):
        if _same(pair):
            yield DiffStream(_report(ports, pair, wish.shown), iter(()))
            continue
        with _opened(ports, pair, wish.shown) as opened:
            from tdv.diff.report import stream_rows

            found = _told(ports, pair, opened, replace(wish.shown, limit=few))
            yield DiffStream(found, stream_rows(opened.old, opened.new, wish.shown))
    yield from (DiffStream(report, iter(())) for report in _alone(ports, wish))


def statements(ports: Ports, wish: DiffWish) -> Iterator[str]:
    """The SQL that turns the older states into the newer ones, line by line."""
    pairs = _chosen(ports, wish)
    dialect = _dialect(ports, wish, pairs)
    for pair in pairs:
        if _same(pair):
            continue
        with _opened(ports, pair, wish.shown, dialect) as opened:
            from tdv.diff.sql import ScriptOptions
            from tdv.diff.sql import statements as lines

            names = (pair[0].reference, pair[1].reference)
            options = ScriptOptions(names, wish.shown.reveal, wish.shown.tables)
            yield from lines(opened.old, opened.new, dialect, options)


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


def _chosen(ports: Ports, wish: DiffWish) -> list[Pair]:
    """What is compared, without datasets that have none of the tables that are asked for."""
    if not isfinite(wish.shown.tolerance):
        raise UsageError("--tolerance takes a number", hint="Write it as in --tolerance 1e-9.")
    pairs, shown = _pairs(ports, wish), wish.shown
    if not shown.names_something:
        return pairs
    states = [state for pair in pairs for state in pair if isinstance(state, State)]
    if len(states) == 2 * len(pairs):
        from tdv.diff.report import check_names

        check_names([obtain.read_schema(ports, state) for state in states], shown)
    wanted = set(shown.tables)
    return [pair for pair in pairs if len(pairs) == 1 or not wanted or wanted & _tables(pair)]


def _tables(pair: Pair) -> set[str]:
    return {table for state in pair if isinstance(state, State) for table in state.tables}


def _pairs(ports: Ports, wish: DiffWish) -> list[Pair]:
    if wish.base is not None:
        if wish.old is not None:
            raise UsageError("--base compares every dataset and takes no state", hint="Leave out A and B, or --base.")
        return _since(ports, wish.base)
    if wish.old is None:
        return _last_releases(ports)
    first = _find(ports, wish, wish.old, _dataset_of(wish.new))
    if wish.new is None:
        return [_with_default(ports, first)]
    dataset = first.dataset if isinstance(first, State) else None
    return [(first, _find(ports, wish, wish.new, dataset))]


def _find(ports: Ports, wish: DiffWish, text: str, dataset: str | None) -> State | Live:
    """The state or target that `text` means; `dataset` is meant where it names none. ``git:`` needs no ``@``."""
    if text.startswith("git:"):
        text = f"@{text}"
    elif _is_target(ports, text):
        from tdv.project.live import Live
        from tdv.targets.registry import open_target

        return Live(open_target(ports.settings.target(text, wish.directory), ports.state))
    if dataset is not None and states.parse(text).dataset is None:
        text = f"{dataset}@{text.removeprefix('@')}"
    return states.find(ports, text)


def _is_target(ports: Ports, text: str) -> bool:
    if "@" in text.partition("//")[0] or "#" in text.partition("//")[0]:
        return False
    if is_url(text) or is_path(text):
        return True
    return text in ports.settings.targets and text not in ports.book.datasets()


def _dataset_of(text: str | None) -> str | None:
    name = (text or "").partition("@")[0].partition("#")[0]
    is_named = text is not None and DATASET.fullmatch(name) is not None and ("@" in text or "#" in text)
    return name if is_named else None


def _with_default(ports: Ports, first: State | Live) -> Pair:
    """One state is compared with the work tree, a target with what it says it holds."""
    if isinstance(first, State):
        return first, states.workspace(ports, first.dataset)
    held = first.target.held()
    if not held:
        first.require()
    if len(held) != 1:
        known = ", ".join(item.dataset for item in held) or "no dataset"
        example = next(iter([item.dataset for item in held] or ports.book.datasets()), "movies")
        raise UsageError(
            f"{first.reference} holds {known}; with what is it to be compared?",
            hint=f"Name the state, as in `tdv diff {example}@latest {first.reference}`.",
        )
    version = held[0].version
    return states.find(ports, f"{held[0].dataset}@{version}"), first


def _last_releases(ports: Ports) -> list[Pair]:
    pairs: list[Pair] = []
    for dataset in ports.sourced():
        standing = [item for item in ports.book.releases(dataset) if not item.yanked]
        if standing:
            pairs.append((states.of_release(standing[-1]), states.workspace(ports, dataset)))
    if not pairs:
        raise NotFound(
            "There is no release to compare with",
            hint="Name two states, as in `tdv diff movies@git:main movies@workspace`.",
        )
    return pairs


def _since(ports: Ports, base: str) -> list[Pair]:
    """Every dataset at the commit where this branch left `base`, and now; see `_alone` for those of one side."""
    found = _fork(ports, base)
    pairs: list[Pair] = []
    for dataset in ports.book.datasets():
        old = _or_none(partial(_at, ports, dataset, found))
        new = _or_none(partial(states.workspace, ports, dataset))
        if old is not None and new is not None:
            pairs.append((old, new))
    return pairs


def _fork(ports: Ports, base: str) -> Base:
    from tdv.store.base import find_base

    found = find_base(ports.git, base)
    if not found.known:
        raise NotFound(
            f"HEAD and {base} have no commit in common",
            hint="In a shallow clone, `git fetch --unshallow` or `git fetch --deepen 100` brings the history.",
        )
    return found


def _alone(ports: Ports, wish: DiffWish) -> Iterator[DiffReport]:
    """The datasets that were built on one side of a branch only, which have nothing to compare with."""
    if wish.base is None or wish.shown.names_something:
        return
    found = _fork(ports, wish.base)
    data = ports.git.read_many(found.fork, (pipeline.DVC_LOCK,)).get(pipeline.DVC_LOCK)
    before, after = _built(pipeline.parse_lock(data) if data else {}), _built(pipeline.read_lock(ports.root))
    datasets = ports.book.datasets()
    after = {name for name in after if name in datasets}
    for name in sorted(before ^ after):
        kind, old, new = ("dataset-removed", name, None) if name in before else ("dataset-added", None, name)
        change = SchemaChange(kind, "", before=old, after=new)
        names = f"{name}@git:{found.fork[:_SHORT]}", f"{name}@workspace"
        yield DiffReport(name, *names, schema=(change,), about=found.name)


def _built(stages: Mapping[str, StageLock]) -> set[str]:
    """The datasets among the stages."""
    from tdv.store.artifacts import data_path

    return {name for name, stage in stages.items() if stage.out(data_path(name))}


def _at(ports: Ports, dataset: str, base: Base) -> State:
    """The state where the branch forked; as the release that it is, if it is one, since that can be rebuilt where its
    data is not at hand."""
    path, commit = pipeline.DVC_LOCK, base.fork
    stage = pipeline.parse_lock(ports.git.show(commit, path), path).get(dataset)
    entry = stage.out(f"datasets/{dataset}/data") if stage else None
    md5 = entry.md5 if entry else None
    for release in reversed(ports.book.releases(dataset)):
        if release.record.artifact.md5 == md5:
            known = states.of_release(release)
            return replace(known, seen=f"git:{commit[:_SHORT]}", about=f"{base.name}, v{known.version}")
    known = states.at_revision(ports, dataset, commit)
    return replace(known, seen=f"git:{commit[:_SHORT]}", about=base.name)


def _or_none(find: Callable[[], State]) -> State | None:
    try:
        return find()
    except NotFound:
        return None


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
    findings = (*found.findings, *_compat(ports, pair))
    stale = tuple(_stale(ports, pair))
    about = pair[0].about if isinstance(pair[0], State) else ""
    return replace(found, findings=findings, notes=(*stale, *found.notes), stale=bool(stale), about=about)


def _compat(ports: Ports, pair: Pair) -> tuple[Finding, ...]:
    """What releases serve and require is promised, too; of the work tree the spec says it."""
    old, new = pair
    if not (isinstance(old, State) and isinstance(new, State)) or old.record is None or old.dataset != new.dataset:
        return ()
    if new.record is not None:
        serves = new.record.compat, new.record.requires
    elif new.version == "workspace":
        from tdv.project import resolutions

        spec = ports.spec(new.dataset)
        serves = Compat(spec.app, spec.migration or resolutions.default_span(ports)), spec.requires
    else:
        return ()
    if serves == (old.record.compat, old.record.requires):
        return ()
    from tdv.release import compat_findings

    return tuple(compat_findings(old.record, serves, levels_of(ports, new.dataset)))


def _stale(ports: Ports, pair: Pair) -> Iterator[str]:
    """What a reader must know of a work tree that was edited since it was built."""
    for state in pair:
        if isinstance(state, State) and state.version == "workspace":
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
        found = _with_target(ports, pair, directory, dialect)
        check_names([snapshot.manifest.schema for snapshot in (found.old, found.new)], shown)
        yield found


def _with_target(ports: Ports, pair: Pair, directory: Path, dialect: Dialect | None) -> Opened:
    from tdv.project.declared import Declared
    from tdv.project.live import captured
    from tdv.project.narrower import Narrower
    from tdv.targets.dialect import dialect_of

    old, new = pair
    live, state = (old, new) if isinstance(new, State) else (new, old)
    assert isinstance(state, State)
    assert not isinstance(live, State)
    model = obtain.open_state(ports, state)
    narrower = Narrower(dialect_of(live.engine))
    describe = narrower.describe
    if dialect is not None and live is old:
        describe = Declared.of(live.target, dialect).describe
    found = captured(live, model, directory, describe)
    notes = narrower.note(live.reference, state.reference)
    return Opened(found, model, notes) if live is old else Opened(model, found, notes)
