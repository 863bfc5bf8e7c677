"""Which two states a comparison means.

In: two references, or one, or none, or a branch. Out: pairs, the older state first. Always holds: no rows are read.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tdv.config.address import is_path, is_url
from tdv.errors import NotFound, UsageError
from tdv.model.diff_report import ReportOptions
from tdv.model.reference import DATASET
from tdv.project import obtain, states
from tdv.project.states import State
from tdv.store import pipeline

if TYPE_CHECKING:
    from tdv.project.live import Live
    from tdv.project.ports import Ports
    from tdv.store.base import Base

SHORT: Final = 10
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


def chosen(ports: Ports, wish: DiffWish) -> list[Pair]:
    """What is compared, without datasets that have none of the tables that are asked for."""
    if not isfinite(wish.shown.tolerance):
        raise UsageError("--tolerance takes a number", hint="Write it as in --tolerance 1e-9.")
    pairs, shown = _pairs(ports, wish), wish.shown
    if not shown.names_something:
        return pairs
    states = [state for pair in pairs for state in pair if isinstance(state, State)]
    if len(states) == 2 * len(pairs):
        from tdv.diff.report import check_names

        check_names([obtain.manifest_of(ports, state).schema for state in states], shown)
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
    asked = text
    if text.startswith("git:"):
        text = f"@{text}"
    elif _is_target(ports, text):
        from tdv.project.live import Live
        from tdv.targets.registry import open_target

        return Live(open_target(ports.settings.target(text, wish.directory), ports.state))
    try:
        if dataset is not None and states.parse(text).dataset is None:
            text = f"{dataset}@{text.removeprefix('@')}"
        return states.find(ports, text)
    except (NotFound, UsageError) as exc:
        if not ((wish.directory or ports.root) / asked).is_dir():
            raise
        hint = f"For the directory of that name write {asked}/ with a slash."
        raise type(exc)(exc.message, hint=hint, **exc.facts) from exc


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
    found = fork(ports, base)
    pairs: list[Pair] = []
    for dataset in ports.sourced():
        old = _or_none(partial(_at, ports, dataset, found))
        new = _or_none(partial(states.workspace, ports, dataset))
        if old is not None and new is not None:
            pairs.append((old, new))
    return pairs


def fork(ports: Ports, base: str) -> Base:
    """The commit where this branch left `base`; raises `NotFound` where no commit is known to be in both."""
    from tdv.store.base import find_base

    found = find_base(ports.git, base)
    if not found.known:
        raise NotFound(
            f"HEAD and {base} have no commit in common",
            hint="In a shallow clone, `git fetch --unshallow` or `git fetch --deepen 100` brings the history.",
        )
    return found


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
            return replace(known, seen=f"git:{commit[:SHORT]}", about=f"{base.name}, v{known.version}")
    known = states.at_revision(ports, dataset, commit)
    return replace(known, seen=f"git:{commit[:SHORT]}", about=base.name)


def _or_none(find: Callable[[], State]) -> State | None:
    try:
        return find()
    except NotFound:
        return None
