"""A repository with one dataset whose rows are a JSON file, and the steps that verbs need to release it.

Everything is real (Git, DVC's files and cache, snapshots) except the generation of rows.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tdv.content.snapshot import Snapshot, dump_manifest
from tdv.diff import compare
from tdv.model.diff import DatasetChange
from tdv.model.manifest import Manifest
from tdv.model.release import Artifact, Record
from tdv.model.schema import TableSchema
from tdv.release import Candidate, Pushed, Released, ReleaseOptions, Steps, release
from tdv.snapshot import SnapshotOptions, SourceFile, TableRows, write
from tdv.store import pipeline
from tdv.store.artifacts import Landing, data_path, land, open_artifact, summary_path
from tdv.store.cache import Cache
from tdv.store.fingerprint import Fingerprints
from tdv.store.git import Git
from tdv.store.records import ReleaseBook
from tests.repository import Repository
from tests.snapshots import column, table

USERS = TableSchema("users", (column("id", "int64"), column("name", "string", nullable=True)), key=("id",))
SOURCE = "datasets/shop/dataset.yaml"
NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
LATER = datetime(2026, 12, 24, 18, 0, tzinfo=UTC)


@dataclass
class Shelf:
    """The repository at `root` with the dataset ``shop``."""

    root: Path
    published: set[str] = field(default_factory=set)
    pushed: list[Artifact] = field(default_factory=list)
    remote: str | None = "store"
    schema: TableSchema = USERS

    @classmethod
    def create(cls, root: Path) -> Shelf:
        """A repository prepared for DVC, whose first commit holds the source with one row."""
        repository = Repository.create(root)
        repository.write(
            {
                ".dvc/config": "",
                ".dvc/.gitignore": "/cache\n/tmp\n/config.local\n",
                ".gitignore": "/.tdv/\n",
                SOURCE: '{"1": "ada"}\n',
            }
        )
        repository.commit("Start")
        return cls(root)

    @property
    def repository(self) -> Repository:
        """The repository as the builder of tests sees it."""
        return Repository(self.root)

    @property
    def git(self) -> Git:
        """The Git port."""
        return Git(self.root, os.environ)

    @property
    def cache(self) -> Cache:
        """DVC's cache."""
        return Cache(self.root / ".dvc/cache")

    @property
    def book(self) -> ReleaseBook:
        """The releases in the work tree."""
        return ReleaseBook(self.root)

    def source(self, rows: Mapping[int, str | None]) -> Shelf:
        """Writes and commits other rows."""
        (self.root / SOURCE).write_text(json.dumps(rows) + "\n")
        self.repository.git("add", SOURCE)
        self.repository.git("commit", "--quiet", "--allow-empty", "--message", "Change the rows")
        return self

    def write(self, out: Path) -> tuple[Manifest, str]:
        """Writes the snapshot of the source into `out`."""
        rows = json.loads((self.root / SOURCE).read_text())
        data = table(self.schema, id=[int(key) for key in rows], name=list(rows.values()))
        options = SnapshotOptions(
            "shop",
            seed=1,
            as_of="2026-01-01T00:00:00Z",
            sources=(SourceFile(SOURCE, self.root / SOURCE, kept=True),),
            toolchain={"tdv": "0.1.0"},
        )
        written = write([TableRows(self.schema, [data])], options, out)
        return written.manifest, written.summary

    def build(self) -> Candidate:
        """Builds into cache, work tree and dvc.lock, as `tdv build` does."""
        scratch = self.root / ".tdv/build"
        shutil.rmtree(scratch, ignore_errors=True)
        manifest, summary = self.write(scratch)
        spec = pipeline.StageSpec(
            "shop", "tdv build shop", (SOURCE,), data_path("shop"), plain_outs=(summary_path("shop"),)
        )
        pipeline.ensure_stage(self.root, spec)
        deps = Fingerprints(self.root).entries((SOURCE,))
        artifact = land(self.root, self.cache, Landing("shop", "tdv build shop", scratch, summary, deps))
        digest = "sha256:" + hashlib.sha256(dump_manifest(manifest)).hexdigest()
        files = ("dvc.yaml", "dvc.lock", summary_path("shop"), "datasets/shop/.gitignore")
        return Candidate(manifest, artifact, digest, files)

    def rebuild(self) -> Manifest:
        """Builds a second time."""
        return self.write(self.root / ".tdv" / f"again-{len(self.pushed)}-{os.urandom(4).hex()}")[0]

    def open(self, record: Record) -> Snapshot:
        """The snapshot of a release."""
        return open_artifact(self.cache, record.artifact.md5, record.manifest)

    def compare(self, before: Record, candidate: Candidate) -> DatasetChange:
        """Compares a release with what was built."""
        return compare(self.open(before), open_artifact(self.cache, candidate.artifact.md5))

    def push(self, artifact: Artifact) -> Pushed:
        """Remembers what was pushed."""
        self.pushed.append(artifact)
        return Pushed(self.remote)

    def steps(self, **changes: Any) -> Steps:
        """The steps of a release; `changes` replaces some."""
        steps = {
            "git": self.git,
            "book": self.book,
            "build": self.build,
            "rebuild": self.rebuild,
            "compare": self.compare,
            "push": self.push,
            "published": self.published.__contains__,
        }
        return Steps(**{**steps, **changes})

    def release(self, version: str = "auto", steps: Steps | None = None, **options: Any) -> Released:
        """Releases the committed source."""
        given = {"now": NOW, "author": "Ada <ada@example.test>", "sources": (SOURCE,), **options}
        return release(steps or self.steps(), ReleaseOptions("shop", version=version, **given))

    def releases(self, *states: tuple[str, Mapping[int, str | None]]) -> Sequence[Released]:
        """Releases several states, each as (version, rows)."""
        return [self.source(rows).release(version) for version, rows in states]
