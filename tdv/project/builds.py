"""From spec to snapshot: finds out whether there is anything to do, builds, validates, and lands the result.

In: the ports and a dataset's name. Out: a `Built`. Always holds: what breaks its own spec is never stored; a build
whose sources and digest are those of ``dvc.lock`` keeps the artifact that is there; a killed build leaves the old
state, and the next one starts afresh.
"""

from __future__ import annotations

import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final, Literal

from tdv import durable
from tdv.errors import ConfigError, DataError, IntegrityError, Refused, StoreError
from tdv.model.release import Artifact
from tdv.project import making, obtain
from tdv.project import sources as build_sources
from tdv.project.making import Made, MakeOptions
from tdv.store import pipeline
from tdv.store.fingerprint import Fingerprints, StageStatus, stage_status
from tdv.store.pipeline import Entry, StageLock, StageSpec

if TYPE_CHECKING:
    from tdv.content.snapshot import Snapshot
    from tdv.model.manifest import Manifest
    from tdv.model.report import Report
    from tdv.model.spec import DatasetSpec
    from tdv.project.ports import Ports
    from tdv.project.sources import Sources

_STAGE: Final = "DVC_STAGE"
Action = Literal["built", "restored", "unchanged"]


@dataclass(frozen=True, slots=True)
class Built:
    """What a build did. `tables` maps each table to its rows; `changed` is whether the digest is another one."""

    dataset: str
    action: Action
    digest: str
    tables: Mapping[str, int]
    changed: bool
    seconds: float

    def to_plain(self) -> dict[str, object]:
        """The JSON form."""
        return {
            "dataset": self.dataset,
            "action": self.action,
            "digest": self.digest,
            "tables": {name: {"rows": rows} for name, rows in self.tables.items()},
            "changed": self.changed,
            "seconds": round(self.seconds, 3),
        }


def in_order(ports: Ports, names: Sequence[str]) -> tuple[str, ...]:
    """The datasets so that each comes after those it requires, as far as these are among them."""
    sorter = TopologicalSorter({name: set(ports.spec(name).requires) & set(names) for name in names})
    try:
        return tuple(sorter.static_order())
    except CycleError as exc:
        raise ConfigError(
            f"Datasets require each other in a circle: {' → '.join(exc.args[1])}",
            hint="Take one of them out of `requires:`, or merge the datasets.",
        ) from exc


def command(dataset: str) -> str:
    """The command of the dataset's stage in ``dvc.yaml``."""
    return f"tdv build {dataset}"


def build(ports: Ports, dataset: str, *, force: bool = False) -> Built:
    """Builds one dataset unless nothing changed. Raises `DataError` when the rows break the spec."""
    begin = time.monotonic()
    with durable.locked(ports.state / "locks" / f"build-{dataset}.lock", f"The build of {dataset}"):
        durable.sweep(ports.directory(dataset))
        spec = ports.spec(dataset)
        sources = build_sources.find(ports, spec)
        in_stage = ports.environ.get(_STAGE) is not None
        if not in_stage:
            pipeline.ensure_stage(ports.root, stage_of(spec, sources))
        work = _Work(ports, spec, sources, in_stage)
        work.fetch()
        action, manifest = work.rebuild() if force or in_stage else work.update()
    before = work.current.manifest.digest if work.current else None
    tables = {table.name: table.rows for table in manifest.tables}
    return Built(dataset, action, manifest.digest, tables, before != manifest.digest, time.monotonic() - begin)


def stage_of(spec: DatasetSpec, sources: Sources) -> StageSpec:
    """The stage and the artifact that ``dvc.yaml`` holds for a dataset."""
    from tdv.store.artifacts import data_path, summary_path

    return StageSpec(
        name=spec.name,
        cmd=command(spec.name),
        deps=sources.deps,
        out=data_path(spec.name),
        plain_outs=(summary_path(spec.name),),
        description=spec.description,
    )


@dataclass(frozen=True)
class _Work:
    """One build under its lock; `in_stage` is whether DVC runs it and will do the storing."""

    ports: Ports
    spec: DatasetSpec
    sources: Sources
    in_stage: bool

    @cached_property
    def locked(self) -> StageLock | None:
        """What ``dvc.lock`` says."""
        return pipeline.read_stage(self.ports.root, self.spec.name)

    @cached_property
    def artifact(self) -> Artifact | None:
        """The artifact that ``dvc.lock`` names, if the cache holds all of it."""
        from tdv.store.artifacts import data_path

        entry = self.locked.out(data_path(self.spec.name)) if self.locked else None
        if entry is None or entry.nfiles is None or not self.ports.cache.has_all(entry.md5):
            return None
        return Artifact(entry.md5, entry.size, entry.nfiles)

    @cached_property
    def current(self) -> Snapshot | None:
        """The snapshot of that artifact."""
        from tdv.store.artifacts import open_artifact

        return open_artifact(self.ports.cache, self.artifact.md5) if self.artifact else None

    @cached_property
    def prints(self) -> Fingerprints:
        """The hashes of the files in the work tree."""
        return Fingerprints(self.ports.root)

    @cached_property
    def status(self) -> StageStatus:
        """What of the stage differs from ``dvc.lock``."""
        return stage_status(self.ports.root, self.spec.name, self.prints)

    def fetch(self) -> None:
        """Brings the artifact that ``dvc.lock`` names into the cache, where its sources are those of the work tree.

        What another toolchain builds from them has other bytes, and DVC would take it for another artifact.
        """
        from tdv.store.artifacts import data_path

        entry = self.locked.out(data_path(self.spec.name)) if self.locked else None
        if entry is not None and not self.ports.cache.has_all(entry.md5) and self.status.sources_unchanged:
            with suppress(StoreError, IntegrityError):
                obtain.fetch(self.ports, entry.md5)

    def update(self) -> tuple[Action, Manifest]:
        """Does as little as the state of sources, lock and work tree allows."""
        from tdv.store.artifacts import data_path

        status = self.status
        self.prints.save()
        if self.current is None or self.artifact is None or not status.sources_unchanged:
            return self.rebuild()
        if status.unchanged:
            return "unchanged", self.current.manifest
        if status.outs != (data_path(self.spec.name),):
            return self.rebuild()
        self.ports.cache.materialise(self.artifact.md5, self.ports.root / data_path(self.spec.name))
        return "restored", self.current.manifest

    def rebuild(self) -> tuple[Action, Manifest]:
        """Builds anew and lands the result, or keeps the artifact that is there when it is the same."""
        deps = self.prints.entries(self.sources.deps)
        with scratch(self.ports) as directory:
            made = making.make(self.ports, self.spec, self.sources, MakeOptions(directory, self.current))
            refuse_invalid(self.spec.name, made.report)
            self._store(made, deps)
        self.prints.save()
        return "built", made.manifest

    def _store(self, made: Made, deps: tuple[Entry, ...]) -> None:
        from tdv.store.artifacts import Landing, land, point, put

        ports = self.ports
        landing = Landing(self.spec.name, command(self.spec.name), made.directory, made.summary, deps)
        known = self.artifact if self.current and _same(self.current.manifest, made.manifest) else None
        if self.in_stage:
            if known is not None:
                ports.cache.materialise(known.md5, made.directory)
            put(ports.root, landing)
        elif known is not None:
            point(ports.root, ports.cache, landing, known)
        else:
            land(ports.root, ports.cache, landing)


def _same(old: Manifest, new: Manifest) -> bool:
    return (old.digest, old.sources_digest) == (new.digest, new.sources_digest)


def refuse_invalid(dataset: str, report: Report) -> None:
    """Raises `DataError` when a check of the report failed."""
    failed = [check for check in report.checks if not check.ok]
    if not failed:
        return
    first = failed[0]
    place = f"{first.table}: " if first.table else ""
    more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
    raise DataError(
        f"{dataset} breaks its own spec and was not stored: {place}{first.rule}: {first.message}{more}",
        hint=f"`tdv validate {dataset}` shows the rows; mend the rows or the rule in dataset.yaml.",
        checks=[check.to_plain() for check in failed],
    )


@contextmanager
def scratch(ports: Ports) -> Iterator[Path]:
    """A directory on the file system of the work tree, gone afterwards; leavings of killed builds go first.

    Where the repository is read-only it is one of the system's, for those who only look.
    """
    base = ports.state / "scratch"
    if not durable.is_writable(base):
        with TemporaryDirectory(prefix="tdv-") as elsewhere:
            yield Path(elsewhere)
        return
    base.mkdir(parents=True, exist_ok=True)
    _sweep(base)
    path = base / uuid.uuid4().hex
    with durable.locked(base / f"{path.name}.lock", "A build"):
        try:
            path.mkdir()
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            (base / f"{path.name}.lock").unlink(missing_ok=True)


def _sweep(base: Path) -> None:
    for lock in base.glob("*.lock"):
        try:
            with durable.locked(lock, "A build", wait=0):
                shutil.rmtree(lock.with_suffix(""), ignore_errors=True)
                lock.unlink(missing_ok=True)
        except Refused:
            continue
