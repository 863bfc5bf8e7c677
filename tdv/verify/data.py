"""The stored data of a release: cache objects, manifest, part files, kept sources, digests.

In: a record, the cache. Out: promises. Always holds: every byte of every file is hashed, and every digest from the
leaves of the columns up to the record's is computed again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from tdv.content.digest import leaves
from tdv.content.snapshot import Snapshot
from tdv.content.tree import content_digest, dataset_digest, part_digest, schema_digest, sources_digest, table_digest
from tdv.errors import TdvError
from tdv.model.manifest import FILE, Manifest, Part, TableManifest
from tdv.model.release import Record
from tdv.model.report import Promise
from tdv.seeds import scenario_rows
from tdv.store.artifacts import contradictions, open_artifact
from tdv.store.cache import DirEntry
from tdv.verify.ports import Sources, Subject

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class _File:
    """One file of the artifact as it is in the cache."""

    entry: DirEntry
    problem: str
    sha256: str = ""
    size: int = 0


class DataPromises:
    """The data of one release; `snapshot` is None until `look` found a manifest that can be read."""

    def __init__(self, sources: Sources, record: Record) -> None:
        self._sources = sources
        self._cache = sources.cache
        self._record = record
        self._subject = Subject(record.dataset, record.version)
        self.snapshot: Snapshot | None = None

    def look(self) -> Iterator[Promise]:
        """All promises of the data; what cannot be reached after a broken one is left out."""
        try:
            md5 = self._sources.obtain(self._record)
            files = self._files(md5)
        except TdvError as exc:
            yield self._subject.failed("artifact", exc)
            return
        yield self._artifact(md5, files)
        try:
            promised = self._record.manifest if md5 == self._record.artifact.md5 else None
            self.snapshot = open_artifact(self._cache, md5, promised)
        except TdvError as exc:
            yield self._subject.failed("manifest", exc)
            return
        manifest = self.snapshot.manifest
        yield self._answer("manifest", _wrong_digests(self._record, manifest))
        yield self._answer("files", list(_misplaced(manifest, {file.entry.relpath: file for file in files})))
        yield self._answer("rows", self._wrong_rows(self.snapshot))
        if manifest.scenarios:
            yield self._answer("scenarios", list(_wrong_scenarios(self.snapshot)))

    def _answer(self, promise: str, problems: list[str]) -> Promise:
        if not problems:
            return self._subject.kept(promise)
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        return self._subject.broken(promise, "; ".join(problems[:_SHOWN]) + more)

    def _files(self, md5: str) -> list[_File]:
        entries = self._cache.read_dir(md5)
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            return list(pool.map(self._file, entries))

    def _file(self, entry: DirEntry) -> _File:
        path = self._cache.path(entry.md5)
        md5, sha256 = hashlib.md5(usedforsecurity=False), hashlib.sha256()
        try:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    md5.update(block)
                    sha256.update(block)
                size = file.tell()
        except OSError as exc:
            return _File(entry, f"the cache object {entry.md5} of {entry.relpath} cannot be read: {exc.strerror}")
        problem = ""
        if md5.hexdigest() != entry.md5:
            problem = f"the cache object {entry.md5} of {entry.relpath} holds other bytes"
        return _File(entry, problem, sha256.hexdigest(), size)

    def _artifact(self, md5: str, files: list[_File]) -> Promise:
        problems = [file.problem for file in files if file.problem]
        artifact = self._record.artifact
        if md5 != artifact.md5:
            return self._answer("artifact", problems)
        if len(files) != artifact.nfiles:
            problems.append(f"the artifact has {len(files)} files, the record says {artifact.nfiles}")
        size = sum(file.size for file in files)
        if not problems and size != artifact.size:
            problems.append(f"the artifact has {size} bytes, the record says {artifact.size}")
        return self._answer("artifact", problems)

    def _wrong_rows(self, snapshot: Snapshot) -> list[str]:
        """Parts whose rows do not have the digests that the manifest names."""
        parts = [(table, part) for table in snapshot.manifest.tables for part in table.parts]
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            return list(filter(None, pool.map(lambda item: _wrong_part(snapshot, *item), parts)))


def _wrong_part(snapshot: Snapshot, table: TableManifest, part: Part) -> str:
    try:
        found = leaves(snapshot.part(table.name, part), table.schema)
    except TdvError as exc:
        return exc.message
    wrong = [name for name, digest in part.columns.items() if found.get(name) != digest]
    return f"{part.file} holds other values in {', '.join(wrong)}" if wrong else ""


def _wrong_digests(record: Record, manifest: Manifest) -> list[str]:
    """Where the manifest contradicts the record, or itself."""
    problems = contradictions(record, manifest)
    computed = {
        "digest": (manifest.digest, dataset_digest(manifest.content, manifest.schema_digest)),
        "content": (manifest.content, content_digest({table.name: table.digest for table in manifest.tables})),
        "schema": (manifest.schema_digest, schema_digest(manifest.schema, [s.name for s in manifest.scenarios])),
        "sources": (manifest.sources_digest, sources_digest(manifest.sources)),
    }
    problems += [f"its {name} is not what it computes to" for name, (is_, must) in computed.items() if is_ != must]
    for table in manifest.tables:
        if any(part.digest != part_digest(part.columns) for part in table.parts):
            problems.append(f"a part of {table.name} has a digest that its columns do not give")
        if table.digest != table_digest(table.rows, [part.digest for part in table.parts]):
            problems.append(f"the digest of {table.name} is not that of its parts")
        if table.rows != sum(part.rows for part in table.parts):
            problems.append(f"the rows of {table.name} are not those of its parts")
    return problems


def _misplaced(manifest: Manifest, files: dict[str, _File]) -> Iterator[str]:
    """Files that are missing, too many, or not the ones that the manifest names."""
    expected = {part.file: part.sha256 for table in manifest.tables for part in table.parts}
    expected |= {f"sources/{source.sha256}": source.sha256 for source in manifest.sources if source.kept}
    for name, sha256 in expected.items():
        if name not in files:
            yield f"{name} is missing"
        elif files[name].sha256 != sha256:
            yield f"{name} has other bytes than the manifest says"
    for name in files.keys() - expected.keys() - {FILE}:
        yield f"{name} is not in the manifest"


def _wrong_scenarios(snapshot: Snapshot) -> Iterator[str]:
    for scenario in snapshot.manifest.scenarios:
        try:
            scenario_rows(scenario, snapshot)
        except TdvError as exc:
            yield f"{scenario.name}: {exc.message}"
