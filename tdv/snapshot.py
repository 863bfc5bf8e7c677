"""Rows into a snapshot: canonical values, canonical order, parts, digests, Parquet files, one manifest.

In: the tables' rows in any order and chunk layout, what else the manifest says, and the snapshot before.
Out: a new directory with ``manifest.json`` and the part files, not flushed to the disk. Always holds: equal
rows and options give an equal digest; a part whose digest the snapshot before has is copied from it and not
encoded again; memory is bounded by the size of the parts, not of the tables.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from tdv.content import parquet
from tdv.content.arrow import canonical
from tdv.content.digest import leaves
from tdv.content.disk import writing
from tdv.content.keys import boundary
from tdv.content.names import directory_of
from tdv.content.order import ordered_stream
from tdv.content.parts import cut
from tdv.content.snapshot import Snapshot, dump_manifest
from tdv.content.summary import TableFacts, TableStatistics, summary
from tdv.content.tree import content_digest, dataset_digest, part_digest, schema_digest, sources_digest, table_digest
from tdv.errors import NotFound
from tdv.model.manifest import FILE, Manifest, Part, ScenarioManifest, Source, TableManifest
from tdv.model.schema import TableSchema

SOURCES: Final = "sources"
_NAME_DIGITS: Final = 16
_MEMORY: Final = 256 << 20


@dataclass(frozen=True, slots=True)
class TableRows:
    """A table and its rows, in any order and in chunks of any size; read once."""

    schema: TableSchema
    batches: Iterable[pa.Table]


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file that the build read: its path in the manifest, its place, and whether a copy is kept."""

    path: str
    file: Path
    kept: bool


@dataclass(frozen=True, slots=True)
class SnapshotOptions:
    """What a manifest says besides its tables.

    `as_of` is RFC 3339; `scenarios` reads what it needs back from the tables just written; `workers` is the
    number of threads; `memory` is how many bytes of rows are kept for the next reader.
    """

    dataset: str
    seed: int
    as_of: str
    locale: str = "en_US"
    invariants: tuple[str, ...] = ()
    sources: tuple[SourceFile, ...] = ()
    scenarios: Callable[[Snapshot], Sequence[ScenarioManifest]] | None = None
    toolchain: Mapping[str, str] = field(default_factory=dict)
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    memory: int = _MEMORY


@dataclass(frozen=True, slots=True)
class RecentRows:
    """The rows just written: from memory as far as they were kept there, else from their files."""

    snapshot: Snapshot
    kept: Mapping[str, Sequence[pa.Table]]

    def batches(self, name: str, columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
        """The table part by part, or only `columns` of it."""
        if name not in self.kept:
            return self.snapshot.batches(name, columns)
        return (part if columns is None else part.select(list(columns)) for part in self.kept[name])


@dataclass(frozen=True, slots=True)
class Written:
    """The manifest of the snapshot, the text of ``snapshot.yaml``, and the rows for those who look at them next."""

    manifest: Manifest
    summary: str
    rows: RecentRows = field(compare=False, repr=False)


def write(
    tables: Iterable[TableRows], options: SnapshotOptions, out: Path, previous: Snapshot | None = None
) -> Written:
    """Writes the snapshot into the new or empty directory `out`.

    Raises `DataError` for values, keys and columns that do not fit the schema, `StoreError` when the disk
    does not take the files.
    """
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(options.workers) as pool:
        recent = _Recent(options.memory)
        writer = _Writer(out, pool, options.workers + 1, _Known(previous), recent)
        written = [writer.table(rows) for rows in tables]
    manifest = _manifest(tuple(table for table, _ in written), options, _keep(options.sources, out))
    if options.scenarios is not None:
        manifest = _with_scenarios(manifest, options.scenarios(Snapshot(manifest, lambda file: out / file)))
    with writing(out / FILE):
        (out / FILE).write_bytes(dump_manifest(manifest))
    rows = RecentRows(Snapshot(manifest, lambda file: out / file), recent.tables)
    return Written(manifest, summary(manifest, {table.name: facts for table, facts in written}), rows)


def _manifest(tables: tuple[TableManifest, ...], options: SnapshotOptions, sources: tuple[Source, ...]) -> Manifest:
    manifest = Manifest(
        dataset=options.dataset,
        seed=options.seed,
        as_of=options.as_of,
        locale=options.locale,
        digest="",
        content=content_digest({table.name: table.digest for table in tables}),
        schema_digest="",
        sources_digest=sources_digest(sources),
        tables=tables,
        invariants=options.invariants,
        sources=sources,
        toolchain=dict(options.toolchain),
    )
    return _with_scenarios(manifest, ())


def _with_scenarios(manifest: Manifest, scenarios: Sequence[ScenarioManifest]) -> Manifest:
    scenarios = tuple(sorted(scenarios, key=lambda scenario: scenario.name))
    schema = schema_digest(manifest.schema, [scenario.name for scenario in scenarios])
    digest = dataset_digest(manifest.content, schema)
    return replace(manifest, scenarios=scenarios, schema_digest=schema, digest=digest)


def _keep(sources: Iterable[SourceFile], out: Path) -> tuple[Source, ...]:
    """Hashes the sources, and copies those to be kept under their hashes."""
    found = []
    for source in sorted(sources, key=lambda source: source.path):
        data = _read(source)
        sha256 = hashlib.sha256(data).hexdigest()
        if source.kept:
            place = out / SOURCES / sha256
            with writing(place):
                place.parent.mkdir(exist_ok=True)
                place.write_bytes(data)
        found.append(Source(source.path, sha256, source.kept))
    return tuple(found)


def _read(source: SourceFile) -> bytes:
    try:
        return source.file.read_bytes()
    except OSError as exc:
        raise NotFound(
            f"the source {source.path} cannot be read: {exc.strerror}",
            hint="Put the file back, or take its path out of `sources:` in dataset.yaml.",
            path=source.path,
        ) from exc


class _Known:
    """Parts of the snapshot before, by digest."""

    def __init__(self, previous: Snapshot | None) -> None:
        self._snapshot = previous
        tables = previous.manifest.tables if previous else ()
        self._parts = {part.digest: part for table in tables for part in table.parts}

    def copy(self, digest: str, to: Path) -> Part | None:
        """Copies the file of the part with this digest, if there is one and its bytes are sound."""
        part = self._parts.get(digest)
        if part is None or self._snapshot is None:
            return None
        try:
            data = self._snapshot.locate(part.file).read_bytes()
        except OSError:
            return None
        if hashlib.sha256(data).hexdigest() != part.sha256:
            return None
        with writing(to):
            to.write_bytes(data)
        return part


class _Recent:
    """The parts of the tables written last, as far as they fit into `budget` bytes."""

    def __init__(self, budget: int) -> None:
        self._left = budget
        self._dropped: set[str] = set()
        self.tables: dict[str, list[pa.Table]] = {}

    def keep(self, table: str, part: pa.Table) -> None:
        """Keeps a part, or gives up the whole table when it does not fit."""
        if table in self._dropped:
            return
        self._left -= part.nbytes
        self.tables.setdefault(table, []).append(part)
        if self._left < 0:
            self._left += sum(kept.nbytes for kept in self.tables.pop(table))
            self._dropped.add(table)


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes tables: the calling thread makes rows canonical and cuts, the pool digests and encodes."""

    out: Path
    pool: ThreadPoolExecutor
    ahead: int
    known: _Known
    recent: _Recent

    def table(self, rows: TableRows) -> tuple[TableManifest, TableFacts]:
        """Writes all parts of one table."""
        schema = rows.schema
        name = directory_of(schema.name)
        with writing(self.out / name):
            (self.out / name).mkdir()
        batches = (canonical(batch, schema) for batch in rows.batches)
        parts = cut(ordered_stream(batches, schema, self.out / f".{name}"), schema)
        numbered = ((part, self.out / name / f"{index}.tmp") for index, part in enumerate(parts))
        statistics = TableStatistics(schema)

        def step(item: tuple[pa.Table, Path]) -> tuple[Part, Path, TableFacts, pa.Table]:
            part = item[0].combine_chunks()
            return self._part(part, item[1], schema), item[1], statistics.of_part(part), part

        named: list[Part] = []
        used: dict[str, int] = {}
        for part, place, found, rows_of_part in _in_order(self.pool, step, numbered, self.ahead):
            self.recent.keep(schema.name, rows_of_part)
            used[part.digest] = used.get(part.digest, 0) + 1
            file = f"{name}/{_file(part.digest, used[part.digest])}"
            place.rename(self.out / file)
            named.append(replace(part, file=file))
            statistics.add(found)
        total = sum(part.rows for part in named)
        digest = table_digest(total, [part.digest for part in named])
        return TableManifest(schema, total, digest, tuple(named)), statistics.facts

    def _part(self, part: pa.Table, place: Path, schema: TableSchema) -> Part:
        columns = leaves(part, schema)
        digest = part_digest(columns)
        old = self.known.copy(digest, place)
        sha256, size = (old.sha256, old.size) if old else parquet.write(part, place)
        return Part(
            file="",
            rows=part.num_rows,
            digest=digest,
            columns=columns,
            first=boundary(part, schema, 0),
            last=boundary(part, schema, part.num_rows - 1),
            sha256=sha256,
            size=size,
            writer=old.writer if old else parquet.WRITER,
        )


def _file(digest: str, ordinal: int) -> str:
    suffix = f"-{ordinal}" if ordinal > 1 else ""
    return f"{digest[:_NAME_DIGITS]}{suffix}.parquet"


def _in_order(pool: ThreadPoolExecutor, step: Callable[[Any], Any], items: Iterable[Any], ahead: int) -> Iterator[Any]:
    """The results of `step` for each item in the order of the items, with at most `ahead` under way."""
    running: deque[Future[Any]] = deque()
    try:
        for item in items:
            running.append(pool.submit(step, item))
            if len(running) >= ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
