"""Wires a release: the steps that other verbs do, bound to one dataset.

In: a `ReleaseWish`. Out: a `Released`. Always holds: the order of the steps is `tdv.release`'s own; nothing here
decides whether there may be a release.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from tdv import durable
from tdv import release as verb
from tdv.errors import Refused
from tdv.model.compat import Compat
from tdv.model.release import Artifact, Record
from tdv.project import builds, obtain, resolutions, states
from tdv.project import sources as build_sources
from tdv.project.rebuild import again
from tdv.store import dvc, pipeline
from tdv.store.artifacts import open_artifact, summary_path
from tdv.store.records import record_path
from tdv.store.tags import version_tag

if TYPE_CHECKING:
    from tdv.model.diff import DatasetChange
    from tdv.model.manifest import Manifest
    from tdv.project.ports import Ports
    from tdv.release import Candidate, Pushed, Released


@dataclass(frozen=True, slots=True)
class ReleaseWish:
    """`version` is auto, major, minor, patch or a version; `amend` replaces a release that is still pending."""

    dataset: str
    version: str = "auto"
    notes: str = ""
    amend: bool = False
    commit: bool = True


def release(ports: Ports, wish: ReleaseWish, moment: datetime) -> Released:
    """Makes a release of one dataset."""
    verb.require_settled(ports.git)
    dataset = ports.dataset(wish.dataset)
    refuse_rivals(ports, (dataset,))
    spec = ports.spec(dataset)
    sources = build_sources.find(ports, spec)
    options = verb.ReleaseOptions(
        dataset=dataset,
        now=moment,
        author=ports.git.author(),
        sources=sources.deps,
        version=wish.version,
        notes=wish.notes,
        compat=Compat(spec.app, spec.migration or resolutions.default_span(ports)),
        requires=spec.requires,
        levels={**ports.settings.levels, **spec.levels},
        amend=wish.amend,
        commit=wish.commit,
    )
    with durable.locked(ports.state / "locks" / f"release-{dataset}.lock", f"The release of {dataset}"):
        return verb.release(_Wiring(ports, dataset).steps(), options)


@dataclass(frozen=True)
class _Wiring:
    """The steps of one release."""

    ports: Ports
    dataset: str

    def steps(self) -> verb.Steps:
        """All steps, bound."""
        return verb.Steps(
            git=self.ports.git,
            book=self.ports.book,
            build=self.build,
            rebuild=self.rebuild,
            compare=self.compare,
            push=self.push,
            published=self.published,
        )

    def build(self) -> Candidate:
        """The built snapshot with the files that belong to Git."""
        builds.build(self.ports, self.dataset)
        state = states.workspace(self.ports, self.dataset)
        data = obtain.read_manifest(self.ports, state.artifact)
        snapshot = open_artifact(self.ports.cache, state.artifact.md5)
        files = (
            pipeline.DVC_YAML,
            pipeline.DVC_LOCK,
            summary_path(self.dataset),
            f"datasets/{self.dataset}/.gitignore",
        )
        return verb.Candidate(
            manifest=snapshot.manifest,
            artifact=state.artifact,
            manifest_digest="sha256:" + hashlib.sha256(data).hexdigest(),
            files=tuple(file for file in files if (self.ports.root / file).exists()),
        )

    def rebuild(self) -> Manifest:
        """A cold build in a clean process."""
        return again(self.ports, self.dataset)

    def compare(self, record: Record, candidate: Candidate) -> DatasetChange:
        """What the candidate changes in an earlier release."""
        from tdv import diff

        spec = self.ports.spec(self.dataset)
        old = obtain.open_state(self.ports, _state(record))
        new = open_artifact(self.ports.cache, candidate.artifact.md5)
        return diff.compare(old, new, {**self.ports.settings.levels, **spec.levels})

    def push(self, artifact: Artifact) -> Pushed:
        """Sends the data to the default remote, if there is one."""
        settings = self.ports.dvc
        if settings.default_remote is None:
            return verb.Pushed(None)
        there = settings.remote().directory
        made = str(there) if there is not None and not there.is_dir() else ""
        dvc.push(settings, [artifact.md5])
        inside = settings.inside()
        if inside is None:
            return verb.Pushed(settings.default_remote, made=made)
        changed = self.ports.git.changes([inside])
        return verb.Pushed(settings.default_remote, tuple(change.path for change in changed), made)

    def published(self, version: str) -> bool:
        """True once the record is on the remote's default branch or tagged there."""
        if version in published(self.ports, (self.dataset,)).versions[self.dataset]:
            return True
        return version_tag(self.dataset, version) in self.ports.git.remote_tags(self.dataset)


@dataclass(frozen=True, slots=True)
class Published:
    """Dataset → the versions of which this clone knows that they are on `branch`, the remote's default branch; without
    one, the tagged."""

    branch: str | None
    versions: Mapping[str, set[str]]


def published(ports: Ports, datasets: Sequence[str]) -> Published:
    """What this clone knows to be published of `datasets`."""
    git = ports.git
    found: dict[str, set[str]] = {dataset: set() for dataset in datasets}
    branch = git.default_remote_branch()
    if branch is None:
        for tag in git.tags(datasets[0] if len(datasets) == 1 else None):
            if tag.kind == "version" and tag.dataset in found:
                found[tag.dataset].add(tag.version)
        return Published(branch, found)
    below = f"datasets/{datasets[0]}/releases" if len(datasets) == 1 else "datasets"
    for path in map(PurePosixPath, git.ls_tree(branch, below)):
        if path.suffix == ".yaml" and path.parent.name == "releases" and path.parts[1] in found:
            found[path.parts[1]].add(path.name.removesuffix(".yaml"))
    return Published(branch, found)


def rivals(ports: Ports, known: Published) -> tuple[tuple[str, str], ...]:
    """The releases, as dataset and version, of which the remote's default branch has another record than HEAD: two
    branches released one version, and the other one was merged first."""
    pairs = [(dataset, version) for dataset, versions in known.versions.items() for version in sorted(versions)]
    if known.branch is None or not pairs:
        return ()
    names = [f"{side}:./{record_path(*pair)}" for pair in pairs for side in ("HEAD", known.branch)]
    found = ports.git.blob_names(names)
    sides = zip(pairs, found[::2], found[1::2], strict=True)
    return tuple(pair for pair, here, there in sides if here and there and here != there)


def refuse_rivals(ports: Ports, datasets: Sequence[str]) -> None:
    """Raises `Refused` where somebody published another release of a version that is here."""
    known = published(ports, datasets)
    for dataset, version in rivals(ports, known):
        raise Refused(
            f"{known.branch} released {dataset}@v{version} meanwhile, with other content",
            hint=f"git merge {known.branch}; `tdv merge` says how its record stays; then tdv release {dataset}",
            version=version,
        )


def upload(ports: Ports, artifacts: Sequence[Artifact]) -> None:
    """Sends artifacts to the default DVC remote, if there is one."""
    if ports.dvc.default_remote is not None:
        dvc.push(ports.dvc, [artifact.md5 for artifact in artifacts])


def _state(record: Record) -> states.State:
    rows = {name: table.rows for name, table in record.tables.items()}
    return states.State(record.dataset, record.version, record.digest, rows, record.artifact, record)
