"""Snapshots as DVC artifacts: opened straight from the cache, landed in cache, work tree and ``dvc.lock``.

In: a finished snapshot directory, or the md5 of a directory object. Out: an `Artifact`, or a `Snapshot` that
reads the cache's own files. Always holds: the directory object is written after the files that it lists, and
``dvc.lock`` after everything else, so that a crash leaves the old state with some unused objects beside it.
"""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tdv import durable
from tdv.content.snapshot import Snapshot, parse_manifest
from tdv.errors import IntegrityError
from tdv.model import manifest as manifests
from tdv.model.manifest import Manifest
from tdv.model.release import Artifact, Record, TableSummary
from tdv.store import pipeline
from tdv.store.cache import Cache
from tdv.store.dvc_files import load
from tdv.store.pipeline import Entry, StageLock

SUMMARY: Final = "snapshot.yaml"


def data_path(dataset: str) -> str:
    """``datasets/movies/data``"""
    return f"datasets/{dataset}/data"


def summary_path(dataset: str) -> str:
    """``datasets/movies/snapshot.yaml``"""
    return f"datasets/{dataset}/{SUMMARY}"


def summary_digest(root: Path, dataset: str) -> str:
    """The digest that the work tree's snapshot.yaml says was built, "" without one; raises `DocumentError`."""
    path = root / summary_path(dataset)
    return str(load(path.read_bytes(), summary_path(dataset)).get("digest", "")) if path.is_file() else ""


def open_artifact(cache: Cache, md5: str, manifest: str | None = None) -> Snapshot:
    """The snapshot of a directory object that is in the cache; no file is copied.

    `manifest` is the ``sha256:<hex>`` that a record promises. Raises `NotFound` for an object that is not
    there, `IntegrityError` for a manifest that is not the promised one.
    """
    files = {entry.relpath: entry.md5 for entry in cache.read_dir(md5)}
    if manifests.FILE not in files:
        raise IntegrityError(
            f"The artifact {md5} has no {manifests.FILE}", hint="It was not built by tdv: `tdv verify` says more."
        )
    data = cache.read(files[manifests.FILE])
    found = "sha256:" + hashlib.sha256(data).hexdigest()
    if manifest is not None and found != manifest:
        raise IntegrityError(
            f"The manifest of the artifact {md5} is {found}, the record promises {manifest}",
            hint="`tdv pull --verify` fetches the artifact anew; `tdv verify` names what differs.",
        )

    def locate(file: str) -> Path:
        if file not in files:
            raise IntegrityError(
                f"The artifact {md5} does not hold {file}, which its manifest names",
                hint="`tdv verify` names what differs.",
                file=file,
            )
        return cache.path(files[file])

    return Snapshot(parse_manifest(data), locate)


def open_release(cache: Cache, record: Record, md5: str) -> Snapshot:
    """The snapshot of a release that is in the cache as `md5`: the record's artifact, or a rebuild of it.

    Raises `NotFound` as `open_artifact` does, `IntegrityError` for a manifest that is not the promised one, or that
    describes other data than the record.
    """
    promised = record.manifest if md5 == record.artifact.md5 else None
    snapshot = open_artifact(cache, md5, promised)
    wrong = contradictions(record, snapshot.manifest)
    if wrong:
        raise IntegrityError(
            f"The data of {record.reference} is not what its record says: {'; '.join(wrong)}",
            hint=f"`git log -p -- datasets/{record.dataset}/releases` shows who changed the record; "
            f"`tdv verify {record.reference}` says more.",
            dataset=record.dataset,
            version=record.version,
        )
    return snapshot


def contradictions(record: Record, manifest: Manifest) -> list[str]:
    """Where a manifest is not that of the record; the sha256 of the manifest says nothing of the record's lines."""
    said = {
        "dataset": (record.dataset, manifest.dataset),
        "digest": (record.digest, manifest.digest),
        "content": (record.content, manifest.content),
        "schema": (record.schema, manifest.schema_digest),
        "sources": (record.sources, manifest.sources_digest),
        "tables": (dict(record.tables), {t.name: TableSummary(t.rows, t.digest) for t in manifest.tables}),
    }
    return [f"its {name} is not the record's" for name, (ours, theirs) in said.items() if ours != theirs]


@dataclass(frozen=True, slots=True)
class Landing:
    """What a build made: the finished snapshot in `built`, the text of its summary, and the sources read."""

    dataset: str
    command: str
    built: Path
    summary: str
    deps: tuple[Entry, ...]


def land(root: Path, cache: Cache, landing: Landing) -> Artifact:
    """Stores a snapshot in the cache and makes work tree and ``dvc.lock`` say so; `landing.built` is used up."""
    md5, size, nfiles = cache.add_tree(landing.built, move=True)
    artifact = Artifact(md5, size, nfiles)
    point(root, cache, landing, artifact)
    return artifact


def point(root: Path, cache: Cache, landing: Landing, artifact: Artifact) -> None:
    """Makes work tree and ``dvc.lock`` hold an artifact of the cache."""
    cache.materialise(artifact.md5, root / data_path(landing.dataset))
    summary = root / summary_path(landing.dataset)
    durable.write_text(summary, landing.summary)
    pipeline.write_stage(
        root,
        StageLock(
            name=landing.dataset,
            cmd=landing.command,
            deps=landing.deps,
            outs=(
                Entry(data_path(landing.dataset), artifact.md5, artifact.size, artifact.nfiles),
                plain_out(root, summary_path(landing.dataset)),
            ),
        ),
    )


def put(root: Path, landing: Landing) -> None:
    """Puts a snapshot into the work tree only: DVC, which runs this build as a stage, does the rest."""
    durable.replace_directory(landing.built, root / data_path(landing.dataset))
    durable.write_text(root / summary_path(landing.dataset), landing.summary)


def plain_out(root: Path, path: str) -> Entry:
    """What ``dvc.lock`` says of an output that Git keeps."""
    data = (root / path).read_bytes()
    executable = bool(os.stat(root / path).st_mode & 0o111)
    return Entry(path, hashlib.md5(data, usedforsecurity=False).hexdigest(), len(data), executable=executable)
