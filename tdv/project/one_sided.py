"""The datasets that one side of a branch has only.

In: the branch's base. Out: what is said of each, and, of one that is new, its rows against no table at all. Always
holds: what a branch adds or takes away as a whole needs no bump.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Final

from tdv.model.diff_report import DiffReport, SchemaChange
from tdv.project import obtain, states
from tdv.project.pairs import SHORT, DiffWish, fork
from tdv.project.states import State
from tdv.store import pipeline
from tdv.store.records import DATASETS, SPEC

if TYPE_CHECKING:
    from tdv.content.snapshot import Snapshot
    from tdv.project.ports import Ports
    from tdv.store.pipeline import StageLock

_OF_A_SPEC: Final = 3
"""Names in the path of a spec: ``datasets/movies/dataset.yaml``."""


@dataclass(frozen=True, slots=True)
class OneSided:
    """A dataset that came or went: what is said of it without its rows, and what a new one holds."""

    report: DiffReport
    state: State | None


def one_sided(ports: Ports, wish: DiffWish) -> Iterator[OneSided]:
    """Those that have nothing to compare with, none where tables or columns are named."""
    if wish.base is None or wish.shown.names_something:
        return
    found = fork(ports, wish.base)
    data = ports.git.read_many(found.fork, (pipeline.DVC_LOCK,)).get(pipeline.DVC_LOCK)
    had, has = _specs(ports, found.fork), set(ports.sourced())
    before = had & _built(pipeline.parse_lock(data) if data else {})
    after = has & _built(pipeline.read_lock(ports.root))
    gone = (before - after) | (had - has)
    for name in sorted(gone | (after - before)):
        kind, old, new = ("dataset-removed", name, None) if name in gone else ("dataset-added", None, name)
        change = SchemaChange(kind, "", before=old, after=new)
        names = f"{name}@git:{found.fork[:SHORT]}", f"{name}@workspace"
        notes = (f"The releases of {name} stay.",) if name in gone and ports.book.versions(name) else ()
        report = DiffReport(name, *names, schema=(change,), notes=notes, about=found.name)
        yield OneSided(report, None if name in gone else states.workspace(ports, name))


@contextmanager
def from_nothing(ports: Ports, state: State) -> Iterator[tuple[Snapshot, Snapshot]]:
    """A snapshot of the dataset without a table, for as long as the block, and that of `state`."""
    from tdv.content.snapshot import Snapshot
    from tdv.project.builds import scratch
    from tdv.snapshot import SnapshotOptions, write

    found = obtain.open_state(ports, state)
    manifest = found.manifest
    with scratch(ports) as directory:
        options = SnapshotOptions(manifest.dataset, manifest.seed, manifest.as_of, invariants=manifest.invariants)
        write((), options, directory / "nothing")
        yield Snapshot.open(directory / "nothing"), found


def _specs(ports: Ports, commit: str) -> set[str]:
    """The datasets that have a spec in a commit."""
    paths = map(PurePosixPath, ports.git.ls_tree(commit, DATASETS))
    return {path.parent.name for path in paths if path.name == SPEC and len(path.parts) == _OF_A_SPEC}


def _built(stages: Mapping[str, StageLock]) -> set[str]:
    """The datasets among the stages."""
    from tdv.store.artifacts import data_path

    return {name for name, stage in stages.items() if stage.out(data_path(name))}
