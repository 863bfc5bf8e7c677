"""What a reference means: a release, the work tree, or a Git revision, as a `State` that can be opened.

In: ``movies@^1.1``, ``v1.1.0``, ``movies@git:main``, ``movies@workspace``, ``movies#staging``. Out: a `State`.
Always holds: naming a state reads text files only; its snapshot is opened when somebody asks for rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from tdv.documents.words import did_you_mean
from tdv.errors import Incompatible, IntegrityError, NotFound, RemoteError, UsageError
from tdv.frozen import dataclass
from tdv.model.ranges import Range
from tdv.model.reference import Ref, qualified, repository_of
from tdv.model.release import Artifact, Origin, Record, Release

if TYPE_CHECKING:
    from tdv.project.ports import Ports
    from tdv.store.pipeline import StageLock


@dataclass(frozen=True, slots=True)
class State:
    """One state of a dataset. `version` is ``1.1.0``, ``workspace`` or ``git:<rev>``; `record` is None for what
    is no release; `tables` maps each table to its rows; `origin` is where a release of another repository was read.
    `seen` is how a state is called that was looked for elsewhere than in its release, `about` what else is known."""

    dataset: str
    version: str
    digest: str
    tables: Mapping[str, int]
    artifact: Artifact
    record: Record | None = None
    origin: Origin | None = None
    seen: str = ""
    about: str = ""

    @property
    def name(self) -> str:
        """``movies``, or ``catalog:movies`` in another repository; `dataset` is what a target calls it."""
        return qualified(self.origin.repository if self.origin else None, self.dataset)

    @property
    def reference(self) -> str:
        """``movies@v1.1.0``, ``catalog:movies@v1.1.0`` or ``movies@workspace``"""
        return f"{self.name}@{self.seen or (f'v{self.version}' if self.record else self.version)}"

    @property
    def requires(self) -> Mapping[str, str]:
        """Dataset, as `name` has it, → range."""
        repository = self.origin.repository if self.origin else None
        required = self.record.requires if self.record else {}
        return {qualified(repository, name): text for name, text in required.items()}


def parse(text: str) -> Ref:
    """The reference that `text` is; raises `UsageError`."""
    try:
        return Ref.parse(text)
    except ValueError as exc:
        raise UsageError(
            f"{exc}", hint="A reference is v1.1.0, movies@v1.1.0, movies@^1.1, movies@latest or movies@workspace."
        ) from exc


def find(ports: Ports, text: str) -> State:
    """The state that a reference means; raises `NotFound`, `Incompatible` or `UsageError`."""
    ref = parse(text)
    if ref.kind == "range":
        return of_release(release(ports, named(ports, ref), ref.value))
    dataset = own(ports, ref)
    if ref.kind == "workspace":
        return workspace(ports, dataset)
    if ref.kind == "git":
        return at_revision(ports, dataset, ref.value)
    return of_release(promoted(ports, dataset, ref.value))


def named(ports: Ports, ref: Ref) -> str:
    """The dataset of a reference, ``catalog:movies`` in another repository; raises `NotFound`."""
    if ref.repository is None:
        return ports.dataset(ref.dataset)
    return ports.library.dataset(qualified(ref.repository, ref.dataset or ""))


def own(ports: Ports, ref: Ref) -> str:
    """The dataset of a reference to this repository; raises `NotFound`, `UsageError` for another repository."""
    if ref.repository is not None:
        raise UsageError(
            f"{ref} is in another repository, of which only releases can be read",
            hint=f"Name a release of it, such as {qualified(ref.repository, ref.dataset or '')}@^1.1; "
            "what changes it is done there.",
        )
    return ports.dataset(ref.dataset)


def release(ports: Ports, dataset: str, wanted: str) -> Release:
    """The newest release in a range; one that is yanked or a pre-release only when it is named exactly."""
    try:
        allowed = Range.parse(wanted)
    except ValueError as exc:
        raise UsageError(
            f"{wanted!r} is neither a version nor a range: {exc}",
            hint=f"`tdv log {dataset}` shows the versions; ranges are written ^1.1, ~1.1.2, >=1.2,<3 or 1.x.",
        ) from exc
    # Newest first, and no record is read that the version alone rules out: there may be thousands.
    versions = ports.library.versions(dataset)
    fitting = [version for version in reversed(versions) if allowed.allows(version)]
    for version in fitting:
        found = ports.library.release(dataset, version)
        if allowed.exact or not found.yanked:
            return found
    refuse_unadopted(ports, dataset, wanted)
    raise _nothing(dataset, wanted, versions, fitting)


def refuse_unadopted(ports: Ports, dataset: str, wanted: str) -> None:
    """Raises `NotFound` where `wanted` is one version of this repository that has a tag and no record here."""
    try:
        version = Range.parse(wanted).exact
    except ValueError:
        return
    if version is None or repository_of(dataset) is not None or str(version) in ports.book.versions(dataset):
        return
    if str(version) in tagged(ports, dataset):
        name = f"{dataset}@v{version}"
        hint = f"It has a tag: `tdv adopt {name}` brings its record in."
        raise NotFound(f"There is no release {name} on this branch", hint=hint, dataset=dataset, version=str(version))


def tagged(ports: Ports, dataset: str) -> tuple[str, ...]:
    """The versions of a dataset that have a tag in this clone."""
    return tuple(tag.version for tag in ports.git.tags(dataset) if tag.kind == "version")


def adoptable(ports: Ports, text: str) -> tuple[str, str]:
    """Dataset and version of a reference that names one version, of a dataset that may be known by its tags alone."""
    ref = parse(text)
    if ref.repository is None and ref.dataset and tagged(ports, ref.dataset):
        return ref.dataset, _version(ref, text)
    return exact(ports, text)


def exact(ports: Ports, text: str) -> tuple[str, str]:
    """Dataset and version of a reference that names one version here; raises `UsageError` for any other."""
    ref = parse(text)
    return own(ports, ref), _version(ref, text)


def pinned(ports: Ports, text: str) -> tuple[str, str]:
    """Dataset, here or in another repository, and version of a reference that names one version."""
    ref = parse(text)
    return named(ports, ref), _version(ref, text)


def _version(ref: Ref, text: str) -> str:
    if ref.kind == "range" and (version := Range.parse(ref.value).exact) is not None:
        return str(version)
    raise UsageError(
        f"{text!r} names no single version", hint=f"Write the version, as in {ref.dataset or 'movies'}@v1.1.0."
    )


def _nothing(dataset: str, wanted: str, versions: Sequence[str], fitting: Sequence[str]) -> NotFound | Incompatible:
    known = ", ".join(f"v{version}" for version in versions[-8:]) or "none"
    if fitting:
        return Incompatible(
            f"Every release of {dataset} in {wanted} is yanked",
            hint=f"Name one exactly to use it all the same: {dataset}@v{fitting[0]}.",
        )
    hint = f"Releases of {dataset}: {known}." if versions else f"Release it with `tdv release {dataset} 1.0.0`."
    exact = Range.parse(wanted).exact
    if exact or not versions:
        name = f"{dataset}@v{wanted.removeprefix('v')}" if exact else f"{dataset}@{wanted}"
        return NotFound(f"There is no release {name}", hint=hint, dataset=dataset, version=wanted)
    return Incompatible(f"No release of {dataset} is in the range {wanted}", hint=hint, dataset=dataset, range=wanted)


def promoted(ports: Ports, dataset: str, stage: str) -> Release:
    """The release that stands in `stage`; raises `NotFound`, `Incompatible` for one that was yanked since, and
    `IntegrityError` for a tag that promises another digest."""
    from tdv.store.stages import current

    standing = current(ports.git.tags(dataset))
    found = standing.get((dataset, stage))
    if found is None:
        raise _not_promoted(ports, dataset, stage, [name for _, name in standing])
    if not found.version:
        raise NotFound(f"The tag {found.tag.name} names no version", hint=_fetch(ports, f"{dataset}@"))
    if found.version not in ports.book.versions(dataset):
        hint = f"`tdv adopt {dataset}@v{found.version}` brings it in, or merge the branch that has it."
        raise NotFound(f"{dataset}#{stage} is v{found.version}, which has no record here", hint=hint)
    release = ports.book.release(dataset, found.version)
    if found.digest and found.digest != release.record.digest:
        raise IntegrityError(
            f"The tag {found.tag.name} promises {found.digest}, the record {release.record.digest}",
            hint=f"One of them was altered: `tdv verify {release.record.reference}` says more.",
            tag=found.tag.name,
        )
    if release.yanked:
        hint = f"Promote another release, or name this one exactly: {release.record.reference}."
        raise Incompatible(f"{dataset}#{stage} is v{found.version}, which is yanked", hint=hint)
    return release


def _not_promoted(ports: Ports, dataset: str, stage: str, known: Sequence[str]) -> NotFound:
    near = did_you_mean(stage, known)
    hint = f"`tdv promote {dataset}@v1.0.0 {stage}` promotes one. {_fetch(ports, f'{dataset}#')}"
    return NotFound(f"No release of {dataset} is in the stage {stage!r}{near}", hint=hint, dataset=dataset, stage=stage)


def _fetch(ports: Ports, prefix: str) -> str:
    """How to get tags that may be missing in this clone."""
    if not ports.git.is_shallow():
        return "`git fetch --tags` brings the tags of the remote."
    prefix = ports.git.tag_name(prefix)
    return f"This clone is shallow: git fetch --depth=1 origin 'refs/tags/{prefix}*:refs/tags/{prefix}*'"


def of_release(found: Release) -> State:
    """The state of a release."""
    return of_record(found.record, found.origin)


def of_record(record: Record, origin: Origin | None = None) -> State:
    """The state that a record promises."""
    rows = {name: table.rows for name, table in record.tables.items()}
    return State(record.dataset, record.version, record.digest, rows, record.artifact, record, origin)


def workspace(ports: Ports, dataset: str) -> State:
    """What the work tree's ``dvc.lock`` says was built last; raises `NotFound` before the first build."""
    from tdv.store import pipeline

    lock = pipeline.read_lock(ports.root)
    return _of_lock(ports, dataset, "workspace", lock, f"Build it with `tdv build {dataset}`.")


def at_revision(ports: Ports, dataset: str, revision: str) -> State:
    """What ``dvc.lock`` of a commit says; raises `NotFound`."""
    from tdv.store import pipeline

    lock = pipeline.parse_lock(ports.git.show(revision, pipeline.DVC_LOCK), f"{revision}:{pipeline.DVC_LOCK}")
    return _of_lock(ports, dataset, f"git:{revision}", lock, f"Name a commit after the first build of {dataset}.")


def _of_lock(ports: Ports, dataset: str, version: str, lock: Mapping[str, StageLock], hint: str) -> State:
    from tdv.project.obtain import nowhere, read_manifest

    stage = lock.get(dataset)
    entry = stage.out(f"datasets/{dataset}/data") if stage else None
    if entry is None or entry.nfiles is None:
        raise NotFound(f"{dataset} was not built yet ({version})", hint=hint)
    artifact = Artifact(entry.md5, entry.size, entry.nfiles)
    try:
        plain = json.loads(read_manifest(ports, artifact))
    except RemoteError as problem:
        # The record of a release says as much of the same data, which is enough where nothing differs.
        records = (found.record for found in ports.book.releases(dataset))
        known = next((record for record in records if record.artifact.md5 == entry.md5), None)
        if known is None:
            raise nowhere(dataset, version, problem) from problem
        return State(dataset, version, known.digest, of_record(known).tables, artifact)
    rows = {name: table["rows"] for name, table in plain["tables"].items()}
    return State(dataset, version, plain["digest"], rows, artifact)
