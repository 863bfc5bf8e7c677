"""What is left to do in a repository: edited, unbuilt, altered, unreleased, pending, untagged, not adopted.

In: Git, the book of releases, what the project knows of each dataset's stage. Out: a `Status`. Always holds: each
notice names the command that settles it; nothing is asked of any remote, and nothing is written.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from tdv.model.lock import FILE as TDV_LOCK
from tdv.model.release import Release
from tdv.store import changelog, pipeline
from tdv.store.artifacts import summary_path
from tdv.store.git import Git
from tdv.store.history import faults_of_tags
from tdv.store.line_ends import unlike_committed
from tdv.store.records import ReleaseBook, amendments_path, taken_back
from tdv.store.tags import Tag

FORMAT: Final = "tdv.status/v1"
_SHARED: Final = (pipeline.DVC_YAML, pipeline.DVC_LOCK, TDV_LOCK, changelog.FILE)
Kind = Literal[
    "conflict",
    "edited",
    "unbuilt",
    "altered",
    "unreleased",
    "pending",
    "untagged",
    "moved",
    "unadopted",
    "unlocked",
    "drifted",
    "gone",
]


@dataclass(frozen=True, slots=True)
class Notice:
    """One thing that is left to do; `hint` is the command."""

    kind: Kind
    message: str
    hint: str

    def to_plain(self) -> dict[str, Any]:
        return {"kind": self.kind, "message": self.message, "hint": self.hint}


@dataclass(frozen=True, slots=True)
class StageFacts:
    """What the project knows of a dataset's work tree: the paths of its sources, whether the built snapshot is that
    of the sources, its digest (None before the first build), the files of it that are not as they were built, and those
    that another build made, as Git left them when it went to another commit."""

    sources: tuple[str, ...]
    built: bool
    digest: str | None
    altered: tuple[str, ...] = ()
    former: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class StatusPorts:
    """`stage` looks at a dataset's work tree; `published` says whether a version is on the remote's main branch or
    tagged there, as far as this clone knows, and `rival` names that branch where its release is another one; `more` are
    notices that other parts have about a dataset."""

    git: Git
    book: ReleaseBook
    stage: Callable[[str], StageFacts]
    published: Callable[[str, str], bool]
    more: Mapping[str, Sequence[Notice]] = field(default_factory=dict)
    rival: Callable[[str, str], str | None] = lambda dataset, version: None


@dataclass(frozen=True, slots=True)
class DatasetStatus:
    """One dataset; `latest` is its highest version that is not yanked."""

    dataset: str
    latest: str | None
    notices: tuple[Notice, ...]

    def to_plain(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "latest": self.latest,
            "notices": [notice.to_plain() for notice in self.notices],
        }


@dataclass(frozen=True, slots=True)
class Standing:
    """How far the data in one place is from the code. `place` is "tdv.lock" or an environment, `version` what is there.

    `behind` counts newer releases that fit the code, up to `newest`; `migrations` counts migrations of the code beyond
    `migration`, where the release begins or the environment's schema stands, None where that is not known;
    `promoted` is the version that was promoted to the environment, if another; `problem` says why nothing is known, and
    `hint` what helps; `fits` is False for a release that the lock pins and that no longer fits.
    """

    place: str
    dataset: str = ""
    version: str = ""
    newest: str = ""
    behind: int = 0
    migration: str | None = None
    migrations: int | None = None
    promoted: str = ""
    problem: str = ""
    hint: str = ""
    fits: bool = True

    def to_plain(self) -> dict[str, Any]:
        return {
            "place": self.place,
            "dataset": self.dataset,
            "version": self.version,
            "newest": self.newest,
            "behind": self.behind,
            "migration": self.migration,
            "migrations": self.migrations,
            "promoted": self.promoted,
            "problem": self.problem,
            "hint": self.hint,
            "fits": self.fits,
        }


@dataclass(frozen=True, slots=True)
class Status:
    """All datasets that were asked for; `versions` say how far the data that is in use is from the code, which leaves
    nothing to do by itself; `unmerged` lists the files that commands write and that Git has in conflict, `misnamed` the
    directories that are passed over because of their names."""

    datasets: tuple[DatasetStatus, ...]
    versions: tuple[Standing, ...] = ()
    unmerged: tuple[str, ...] = ()
    misnamed: tuple[str, ...] = ()

    @property
    def clean(self) -> bool:
        """True if nothing is left to do."""
        return not (self.unmerged or self.misnamed) and not any(dataset.notices for dataset in self.datasets)

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "clean": self.clean,
            "datasets": [dataset.to_plain() for dataset in self.datasets],
            "versions": [standing.to_plain() for standing in self.versions],
            "unmerged": list(self.unmerged),
            "misnamed": list(self.misnamed),
        }


def status(ports: StatusPorts, datasets: Sequence[str]) -> Status:
    """Looks at each of `datasets`; raises `GitError`, and `DocumentError` for a damaged record."""
    look = _Look(ports, datasets)
    return Status(tuple(_dataset(look, dataset) for dataset in datasets), unmerged=look.unmerged)


class _Look:
    """What is asked of Git once, for all datasets."""

    def __init__(self, ports: StatusPorts, datasets: Sequence[str]) -> None:
        self.ports = ports
        self.stages = {dataset: ports.stage(dataset) for dataset in datasets}
        self.releases = {dataset: ports.book.releases(dataset) for dataset in datasets}
        self.tags: dict[str, list[Tag]] = {dataset: [] for dataset in datasets}
        tags = ports.git.tags()
        for tag in tags:
            self.tags.setdefault(tag.dataset, []).append(tag)
        # A shallow clone brings no tags along, so that none here says nothing.
        self.blind = not tags and ports.git.is_shallow()
        paths = [path for dataset in datasets for path in self._paths(dataset)]
        self._generated = (*_SHARED, *map(summary_path, datasets))
        changes = ports.git.changes((*self._generated, *paths))
        self._changed = [change.path for change in changes]
        self._unmerged = {change.path for change in changes if change.unmerged}
        self.bent = unlike_committed(ports.git, [path for stage in self.stages.values() for path in stage.sources])

    @property
    def unmerged(self) -> tuple[str, ...]:
        """The files that no person writes and that are in conflict, even where they can be read again."""
        return tuple(path for path in self._generated if path in self._unmerged)

    def tagged(self, dataset: str) -> dict[str, Tag]:
        """Version → its tag."""
        return {tag.version: tag for tag in self.tags[dataset] if tag.kind == "version"}

    def edited(self, dataset: str) -> tuple[list[str], list[str]]:
        """The paths of sources and amendments that are in conflict, and of those that are otherwise not committed."""
        paths = self._paths(dataset)
        below = tuple(f"{path}/" for path in paths)
        found = [path for path in self._changed if path in paths or path.startswith(below)]
        unmerged = [path for path in found if path in self._unmerged]
        return unmerged, [path for path in found if path not in self._unmerged]

    @cached_property
    def faults(self) -> Mapping[str, str]:
        """Tag → what is wrong with it."""
        pairs = [
            (tagged[release.version], release.record)
            for dataset, releases in self.releases.items()
            for tagged in [self.tagged(dataset)]
            for release in releases
            if release.version in tagged
        ]
        found = faults_of_tags(self.ports.git, pairs, self.ports.book)
        return {tag.name: fault for (tag, _), fault in zip(pairs, found, strict=True) if fault}

    def _paths(self, dataset: str) -> tuple[str, ...]:
        return (*self.stages[dataset].sources, amendments_path(dataset))


def _dataset(look: _Look, dataset: str) -> DatasetStatus:
    releases = look.releases[dataset]
    latest = next((release.version for release in reversed(releases) if not release.yanked), None)
    notices = (
        *_work(look, dataset, releases),
        *_records(look, dataset, releases),
        *look.ports.more.get(dataset, ()),
    )
    return DatasetStatus(dataset, latest, notices)


def _work(look: _Look, dataset: str, releases: Sequence[Release]) -> Iterator[Notice]:
    stage = look.stages[dataset]
    unmerged, edited = look.edited(dataset)
    if unmerged:
        yield Notice("conflict", f"in conflict: {_named(unmerged)}", "tdv merge")
    if edited:
        yield Notice("edited", f"not committed: {_named(edited)}", "git add and git commit")
    elif bent := look.bent.among(stage.sources):
        yield Notice("edited", bent.message, bent.hint)
    if not stage.built:
        yield Notice("unbuilt", "the built snapshot is not that of the sources", f"tdv build {dataset}")
    elif stage.altered:
        yield Notice("altered", f"not as it was built: {', '.join(stage.altered)}", f"tdv build {dataset}")
    elif stage.former:
        yield Notice("altered", f"from another build: {', '.join(stage.former)}", "tdv pull")
    if stage.built and stage.digest is not None and all(release.record.digest != stage.digest for release in releases):
        yield Notice("unreleased", "the built snapshot is no release", f"tdv release {dataset}")


def _named(paths: Sequence[str]) -> str:
    return ", ".join(paths[:3]) + (" …" if len(paths) > 3 else "")


def _records(look: _Look, dataset: str, releases: Sequence[Release]) -> Iterator[Notice]:
    tagged = look.tagged(dataset)
    for release in releases:
        version, is_tagged = release.version, release.version in tagged
        if look.blind and not is_tagged:
            continue
        if branch := look.ports.rival(dataset, version):
            message = f"{branch} released v{version} meanwhile, with other content"
            yield Notice("conflict", message, f"git merge {branch}, then tdv merge")
        elif not look.ports.published(dataset, version):
            yield Notice("pending", f"v{version} is not on the main branch of the remote yet", "merge it, then tdv tag")
        elif not is_tagged:
            yield Notice("untagged", f"v{version} has no tag", "tdv tag --push")
    for tag in tagged.values():
        if fault := look.faults.get(tag.name):
            yield Notice(
                "moved",
                f"the tag {tag.name} {fault}",
                f"git tag --delete {look.ports.git.tag_name(tag.name)}, then tdv tag",
            )
    yield from _yanks(look.ports, dataset, releases, look.tags[dataset])
    known = {release.version for release in releases}
    for version in (version for version in tagged if version not in known):
        yield Notice("unadopted", f"v{version} has a tag and no record here", f"tdv adopt {dataset}@v{version}")


def _yanks(ports: StatusPorts, dataset: str, releases: Sequence[Release], tags: Sequence[Tag]) -> Iterator[Notice]:
    """Committed yanks that `tdv tag` has not mirrored yet, or no longer should."""
    tagged = {tag.version for tag in tags if tag.dataset == dataset and tag.kind == "version"}
    mirrored = {tag.version for tag in tags if tag.dataset == dataset and tag.kind == "yank"}
    missing = [release.version for release in releases if release.yanked and release.version in tagged - mirrored]
    over = [version for version in taken_back(ports.book.amendments(dataset)) if version in mirrored]
    if (missing or over) and not ports.git.changes((amendments_path(dataset),)):
        for version in missing:
            yield Notice("untagged", f"the yank of v{version} has no tag", "tdv tag --push")
        for version in over:
            yield Notice("untagged", f"v{version} is yanked no more, and its tag still says so", "tdv tag --push")
