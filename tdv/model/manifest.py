"""The manifest of a snapshot: what it holds, down to the digest of each column of each part.

In: what `tdv.snapshot` computed, or the JSON of `manifest.json`. Out: a frozen value and its canonical
JSON. Always holds: ``Manifest.from_plain(m.to_plain()) == m``, and equal content gives equal bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tdv.model.release import MANIFEST
from tdv.model.schema import DatasetSchema, TableSchema

FORMAT: Final = "tdv.manifest/v1"
FILE: Final = MANIFEST


@dataclass(frozen=True, slots=True)
class Part:
    """One Parquet file of a table.

    `file` is relative to the snapshot's root; `columns` maps each column to the digest of its leaf (hex);
    `first` and `last` are the key of the first and last row as JSON values, () without a key, and
    ``("sha256:…",)`` where a key column is private.
    """

    file: str
    rows: int
    digest: str
    columns: Mapping[str, str]
    first: tuple[Any, ...]
    last: tuple[Any, ...]
    sha256: str
    size: int
    writer: str

    def to_plain(self) -> dict[str, Any]:
        return {
            "file": self.file,
            "rows": self.rows,
            "digest": self.digest,
            "columns": dict(self.columns),
            "first": list(self.first),
            "last": list(self.last),
            "sha256": self.sha256,
            "size": self.size,
            "writer": self.writer,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Part:
        return cls(**{**plain, "first": tuple(plain["first"]), "last": tuple(plain["last"])})


@dataclass(frozen=True, slots=True)
class TableManifest:
    """One table of a snapshot; `digest` is ``tdv1:<hex>``."""

    schema: TableSchema
    rows: int
    digest: str
    parts: tuple[Part, ...]

    @property
    def name(self) -> str:
        """The table's name."""
        return self.schema.name

    def to_plain(self) -> dict[str, Any]:
        return {
            "schema": self.schema.to_plain(),
            "rows": self.rows,
            "digest": self.digest,
            "parts": [part.to_plain() for part in self.parts],
        }

    @classmethod
    def from_plain(cls, name: str, plain: Mapping[str, Any]) -> TableManifest:
        return cls(
            schema=TableSchema.from_plain(name, plain["schema"]),
            rows=plain["rows"],
            digest=plain["digest"],
            parts=tuple(Part.from_plain(part) for part in plain["parts"]),
        )


@dataclass(frozen=True, slots=True)
class ScenarioManifest:
    """A scenario's rows with all that they reference.

    `labels` maps table → label → key of the row; `rows` maps table → keys of every row that a
    ``--scenario`` load brings from the tables; `own` maps table → whole rows that are not found there by key,
    those of a standalone scenario and of tables without a key, as text in the order of the columns;
    `digest` covers exactly all of those rows.
    """

    name: str
    title: str
    digest: str
    labels: Mapping[str, Mapping[str, tuple[Any, ...]]]
    rows: Mapping[str, tuple[tuple[Any, ...], ...]]
    standalone: bool = False
    own: Mapping[str, tuple[tuple[str | None, ...], ...]] = field(default_factory=dict)

    def to_plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = {
            "title": self.title,
            "digest": self.digest,
            "labels": {
                table: {label: list(key) for label, key in labels.items()} for table, labels in self.labels.items()
            },
            "rows": {table: [list(key) for key in keys] for table, keys in self.rows.items()},
            "standalone": self.standalone,
        }
        if self.own:
            plain["own"] = {table: [list(row) for row in rows] for table, rows in self.own.items()}
        return plain

    @classmethod
    def from_plain(cls, name: str, plain: Mapping[str, Any]) -> ScenarioManifest:
        return cls(
            name=name,
            title=plain["title"],
            digest=plain["digest"],
            labels={t: {label: tuple(key) for label, key in m.items()} for t, m in plain["labels"].items()},
            rows={table: tuple(tuple(key) for key in keys) for table, keys in plain["rows"].items()},
            standalone=plain["standalone"],
            own={table: tuple(tuple(row) for row in rows) for table, rows in plain.get("own", {}).items()},
        )


@dataclass(frozen=True, slots=True)
class Source:
    """A file that the build read: path from the repository's root, sha256 (hex), and whether
    ``sources/<sha256>`` in the snapshot keeps a copy of it."""

    path: str
    sha256: str
    kept: bool

    def to_plain(self) -> dict[str, Any]:
        return {"path": self.path, "sha256": self.sha256, "kept": self.kept}


@dataclass(frozen=True, slots=True)
class Manifest:
    """A whole snapshot. `digest` = H(content, schema); `sources_digest` is ``sha256:<hex>`` over path and
    sha256 of each source; `toolchain` maps tdv, python, pyarrow, faker to versions."""

    dataset: str
    seed: int
    as_of: str
    locale: str
    digest: str
    content: str
    schema_digest: str
    sources_digest: str
    tables: tuple[TableManifest, ...]
    invariants: tuple[str, ...] = ()
    scenarios: tuple[ScenarioManifest, ...] = ()
    sources: tuple[Source, ...] = ()
    toolchain: Mapping[str, str] = field(default_factory=dict)

    @property
    def schema(self) -> DatasetSchema:
        """The schema of all tables."""
        return DatasetSchema(tuple(table.schema for table in self.tables), self.invariants)

    def table(self, name: str) -> TableManifest:
        """The table of that name; raises `KeyError`."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "seed": self.seed,
            "as_of": self.as_of,
            "locale": self.locale,
            "digest": self.digest,
            "content": self.content,
            "schema": self.schema_digest,
            "sources_digest": self.sources_digest,
            "tables": {table.name: table.to_plain() for table in self.tables},
            "table_order": [table.name for table in self.tables],
            "invariants": list(self.invariants),
            "scenarios": {scenario.name: scenario.to_plain() for scenario in self.scenarios},
            "sources": [source.to_plain() for source in self.sources],
            "toolchain": dict(self.toolchain),
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Manifest:
        """Raises `ValueError` for another format, `KeyError` or `TypeError` for a damaged manifest."""
        if plain.get("format") != FORMAT:
            raise ValueError(f"format {plain.get('format')!r}, expected {FORMAT!r}")
        return cls(
            dataset=plain["dataset"],
            seed=plain["seed"],
            as_of=plain["as_of"],
            locale=plain["locale"],
            digest=plain["digest"],
            content=plain["content"],
            schema_digest=plain["schema"],
            sources_digest=plain["sources_digest"],
            tables=tuple(TableManifest.from_plain(name, plain["tables"][name]) for name in plain["table_order"]),
            invariants=tuple(plain["invariants"]),
            scenarios=tuple(ScenarioManifest.from_plain(n, s) for n, s in sorted(plain["scenarios"].items())),
            sources=tuple(Source(**source) for source in plain["sources"]),
            toolchain=dict(plain["toolchain"]),
        )
