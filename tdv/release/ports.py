"""What a release needs from outside, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from tdv.model.compat import Compat
from tdv.model.diff import DatasetChange, Level
from tdv.model.manifest import Manifest
from tdv.model.release import Artifact, Record
from tdv.store.git import Git
from tdv.store.records import ReleaseBook

FORMAT: Final = "tdv.released/v1"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A built and valid snapshot that could become a release.

    `manifest_digest` is ``sha256:<hex>`` of manifest.json; `files` are the paths that the build wrote and
    that belong to Git: dvc.yaml, dvc.lock, snapshot.yaml, ignore files.
    """

    manifest: Manifest
    artifact: Artifact
    manifest_digest: str
    files: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Pushed:
    """Where the data went: `remote` is None without a configured one; `paths` are new files of a remote that
    lives inside the repository and belong to the commit; `made` is the directory that was made for it, "" where it was
    there."""

    remote: str | None
    paths: tuple[str, ...] = ()
    made: str = ""


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a release that other verbs do, bound to one dataset.

    `build` builds, validates and stores (`DataError` when invalid); `rebuild` builds again in a clean process
    and stores nothing; `compare` compares the release before with the candidate; `push` returns when every
    object is seen on the remote; `published` says whether a version is on the remote's default branch or
    tagged there.
    """

    git: Git
    book: ReleaseBook
    build: Callable[[], Candidate]
    rebuild: Callable[[], Manifest]
    compare: Callable[[Record, Candidate], DatasetChange]
    push: Callable[[Artifact], Pushed]
    published: Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class ReleaseOptions:
    """`version` is auto, major, minor, patch or a version; `sources` are the paths that must be committed;
    `now` is in UTC; `levels` overrides levels of rules; `amend` replaces a pending release."""

    dataset: str
    now: datetime
    author: str
    sources: tuple[str, ...]
    version: str = "auto"
    notes: str = ""
    compat: Compat = field(default_factory=Compat)
    requires: Mapping[str, str] = field(default_factory=dict)
    levels: Mapping[str, Level] = field(default_factory=dict)
    amend: bool = False
    commit: bool = True


@dataclass(frozen=True, slots=True)
class Released:
    """A release that was made. `commit` is None under --no-commit; `files` are the paths that belong to it; it is not
    `taggable` where Git takes no tag with the directory's name."""

    record: Record
    change: DatasetChange
    files: tuple[str, ...]
    commit: str | None
    pushed: Pushed
    warnings: tuple[str, ...] = ()
    taggable: bool = True

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "dataset": self.record.dataset,
            "version": self.record.version,
            "digest": self.record.digest,
            "bump": self.record.change.bump,
            "since": self.record.change.since,
            "rules": [finding.to_plain() for finding in self.change.findings],
            "rows": self.record.change.to_plain()["rows"],
            "files": list(self.files),
            "commit": self.commit,
            "remote": self.pushed.remote,
            "warnings": list(self.warnings),
        }
