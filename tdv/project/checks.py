"""Wires the gate: where rows, cold builds and the answers of the remote come from.

In: the base to compare with. Out: a `Checked`. Always holds: nothing of the work tree changes; a dataset is built
cold at most once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import cache, partial
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tdv import check as verb
from tdv.errors import NotFound, StoreError, UsageError
from tdv.model.diff import DatasetChange
from tdv.model.release import Artifact, Record
from tdv.project import making, obtain, states, validations
from tdv.project import sources as build_sources
from tdv.project.builds import scratch
from tdv.project.rebuild import again
from tdv.store import dvc
from tdv.store.cache import parse_dir
from tdv.store.fingerprint import Fingerprints, stage_status

if TYPE_CHECKING:
    from tdv.content.snapshot import Snapshot
    from tdv.model.report import Report
    from tdv.project.ports import Ports


def check(ports: Ports, base: str | None, *, rebuild: bool) -> verb.Checked:
    """Looks at what a merge into `base` would break; without a name that is the remote's main branch."""
    prints = Fingerprints(ports.root)
    asked = verb.CheckPorts(
        git=ports.git,
        book=ports.book,
        spec=ports.spec,
        sources=lambda spec: build_sources.find(ports, spec).deps,
        stage=lambda dataset: stage_status(ports.root, dataset, prints),
        validate=partial(_validate, ports, prints),
        rebuild=cache(lambda dataset: again(ports, dataset).digest),
        compare=partial(_compare, ports),
        missing=partial(_missing, ports),
        lock=partial(_stale, ports),
    )
    options = verb.CheckOptions(base or _default_base(ports), rebuild, ports.settings.policy.merge)
    checked = verb.check(asked, options)
    prints.save()
    return replace(
        checked, place=ports.git.answer("rev-parse", "--show-prefix").decode("utf-8", "surrogateescape").strip()
    )


def _default_base(ports: Ports) -> str:
    branch = ports.git.default_remote_branch()
    if branch is None:
        raise UsageError("There is no remote branch to compare with", hint="Name one: tdv check --base main")
    return branch


def _stale(ports: Ports) -> str:
    from tdv.project import locks

    return "; ".join(f"{item.dataset}: {item.message}" for item in locks.check(ports, locks.LockWish()).stale)


def _validate(ports: Ports, prints: Fingerprints, dataset: str) -> Report:
    """The report on the built rows, or on rows built in a scratch directory where those are not at hand."""
    snapshot = _built(ports, dataset) if stage_status(ports.root, dataset, prints).sources_unchanged else None
    if snapshot is None:
        return validations.sources(ports, dataset, reveal=False)
    spec = ports.spec(dataset)
    with scratch(ports) as directory:
        inputs = making.inputs_of(ports, spec, build_sources.find(ports, spec), directory)
        return making.validated(spec, inputs, snapshot, reveal=False)


def _built(ports: Ports, dataset: str) -> Snapshot | None:
    try:
        return obtain.open_state(ports, states.workspace(ports, dataset))
    except (StoreError, NotFound):
        return None


def _compare(ports: Ports, before: Record, record: Record) -> DatasetChange:
    """What a release changes in an earlier one; a pending one whose data is nowhere is built from the work tree."""
    from tdv import diff
    from tdv.project.rebuild import build_elsewhere
    from tdv.release import compat_findings

    levels = {**ports.settings.levels, **ports.spec(record.dataset).levels}
    compat = compat_findings(before, (record.compat, record.requires), levels)
    if before.digest == record.digest:
        return DatasetChange(compat, {})
    old = obtain.open_release(ports, before)
    with scratch(ports) as directory:
        try:
            new = obtain.open_release(ports, record)
        except StoreError:
            new = build_elsewhere(ports, record.dataset, directory)
            if new.manifest.digest != record.digest:
                raise
        change = diff.compare(old, new, levels)
    return DatasetChange((*change.findings, *compat), change.tables)


def _missing(ports: Ports, artifacts: Sequence[Artifact]) -> frozenset[str] | None:
    """The artifacts that the default remote lacks, wholly or in part; None without a remote."""
    if ports.dvc.default_remote is None:
        return None
    inside = ports.dvc.inside()
    if inside is not None:
        return frozenset(_not_committed(ports, inside, (artifact.md5 for artifact in artifacts)))
    absent = dvc.missing(ports.dvc, [artifact.md5 for artifact in artifacts])
    return frozenset(artifact.md5 for artifact in artifacts if _lacks(ports, artifact.md5, absent))


def _lacks(ports: Ports, md5: str, absent: frozenset[str]) -> bool:
    if md5 in absent or not ports.cache.has(md5):
        return True
    return any(entry.md5 in absent for entry in ports.cache.read_dir(md5))


def _not_committed(ports: Ports, inside: str, md5s: Iterable[str]) -> Iterable[str]:
    """The artifacts of which HEAD does not hold every object of a remote that lives in the repository."""
    there = set(ports.git.ls_tree("HEAD", inside))
    for md5 in md5s:
        path = _object(inside, md5)
        if path not in there:
            yield md5
            continue
        entries = parse_dir(ports.git.show("HEAD", path), md5)
        if any(_object(inside, entry.md5) not in there for entry in entries):
            yield md5


def _object(inside: str, md5: str) -> str:
    return str(PurePosixPath(inside, "files", "md5", md5[:2], md5[2:]))
