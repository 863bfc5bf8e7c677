"""The release record and its amendments.

In: what `tdv.release` computed, or the YAML of ``releases/<version>.yaml``. Always holds:
``Record.from_plain(r.to_plain()) == r``; a record never changes, what is learnt later is an `Amendment`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, NamedTuple

from tdv.frozen import dataclass
from tdv.model.compat import Compat
from tdv.model.diff import DatasetChange
from tdv.model.reference import qualified

FORMAT: Final = "tdv.release/v1"
MANIFEST: Final = "manifest.json"
"""The file of an artifact that says what the others hold; `tdv.model.manifest` reads it."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What DVC fetches: `md5` of the directory object with its ``.dir``, bytes and files in it."""

    md5: str
    size: int
    nfiles: int

    def to_plain(self) -> dict[str, Any]:
        return {"md5": self.md5, "size": self.size, "nfiles": self.nfiles}


@dataclass(frozen=True, slots=True)
class Change:
    """What the release changed: bump, the release before (None for the first), rows by kind."""

    bump: str
    since: str | None
    added: int = 0
    removed: int = 0
    changed: int = 0

    @classmethod
    def of(cls, change: DatasetChange, since: str | None) -> Change:
        """What the record of a release says that changed `change` in the release `since`."""
        tables = change.tables.values()
        added, removed = sum(table.added for table in tables), sum(table.removed for table in tables)
        return cls(change.bump, since, added, removed, sum(table.changed for table in tables))

    def to_plain(self) -> dict[str, Any]:
        rows = {"added": self.added, "removed": self.removed, "changed": self.changed}
        return {"bump": self.bump, "since": self.since, "rows": rows}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Change:
        return cls(plain["bump"], plain.get("since"), **plain["rows"])


@dataclass(frozen=True, slots=True)
class TableSummary:
    """Rows and digest of one table."""

    rows: int
    digest: str

    def to_plain(self) -> dict[str, Any]:
        return {"rows": self.rows, "digest": self.digest}


@dataclass(frozen=True, slots=True)
class Record:
    """One release, as DESIGN 2.4 stores it. `version` is without ``v``; `released` is RFC 3339 in UTC."""

    dataset: str
    version: str
    released: str
    author: str
    digest: str
    content: str
    schema: str
    sources: str
    artifact: Artifact
    manifest: str
    tables: Mapping[str, TableSummary]
    change: Change
    toolchain: Mapping[str, str]
    compat: Compat = field(default_factory=Compat)
    requires: Mapping[str, str] = field(default_factory=dict)
    notes: str = ""

    @property
    def reference(self) -> str:
        """``movies@v1.1.0``"""
        return f"{self.dataset}@v{self.version}"

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "version": self.version,
            "released": self.released,
            "author": self.author,
            "digest": self.digest,
            "content": self.content,
            "schema": self.schema,
            "sources": self.sources,
            "toolchain": dict(self.toolchain),
            "artifact": self.artifact.to_plain(),
            "manifest": self.manifest,
            "compat": self.compat.to_plain(),
            "requires": dict(self.requires),
            "tables": {name: table.to_plain() for name, table in self.tables.items()},
            "change": self.change.to_plain(),
            "notes": self.notes,
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Record:
        """Raises `ValueError` for another format, `KeyError` or `TypeError` for a damaged record."""
        if plain.get("format") != FORMAT:
            raise ValueError(f"format {plain.get('format')!r}, expected {FORMAT!r}")
        return cls(
            dataset=plain["dataset"],
            version=plain["version"],
            released=plain["released"],
            author=plain["author"],
            digest=plain["digest"],
            content=plain["content"],
            schema=plain["schema"],
            sources=plain["sources"],
            artifact=Artifact(**plain["artifact"]),
            manifest=plain["manifest"],
            tables={name: TableSummary(**table) for name, table in plain["tables"].items()},
            change=Change.from_plain(plain["change"]),
            toolchain=dict(plain["toolchain"]),
            compat=Compat.from_plain(plain.get("compat") or {}),
            requires=dict(plain.get("requires") or {}),
            notes=plain.get("notes", ""),
        )


@dataclass(frozen=True, slots=True)
class Amendment:
    """What was learnt after the release: a new range or span, or a yank. Fields that are None say nothing."""

    version: str
    date: str
    reason: str
    yanked: bool | None = None
    compat: Compat | None = None

    def to_plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"version": self.version, "date": self.date, "reason": self.reason}
        if self.yanked is not None:
            plain["yanked"] = self.yanked
        if self.compat is not None:
            plain["compat"] = self.compat.to_plain()
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Amendment:
        compat = plain.get("compat")
        return cls(
            version=plain["version"],
            date=plain["date"],
            reason=plain["reason"],
            yanked=plain.get("yanked"),
            compat=Compat.from_plain(compat) if compat is not None else None,
        )


class Origin(NamedTuple):
    """Where a release of another repository was read: `repository` is its name here, as in ``catalog:movies``."""

    repository: str
    url: str
    commit: str


@dataclass(frozen=True, slots=True)
class Release:
    """A record with its amendments applied: what every decision looks at; `origin` is None in this repository."""

    record: Record
    compat: Compat
    yanked: bool = False
    origin: Origin | None = None

    @property
    def dataset(self) -> str:
        """``movies``, or ``catalog:movies`` in another repository."""
        return self._here(self.record.dataset)

    @property
    def reference(self) -> str:
        """``movies@v1.1.0`` or ``catalog:movies@v1.1.0``"""
        return self._here(self.record.reference)

    @property
    def requires(self) -> Mapping[str, str]:
        """Dataset → range; a release of another repository requires datasets of that repository."""
        if self.origin is None:
            return self.record.requires
        return {self._here(name): text for name, text in self.record.requires.items()}

    def _here(self, name: str) -> str:
        return qualified(self.origin.repository if self.origin else None, name)

    @property
    def version(self) -> str:
        """The version, without ``v``."""
        return self.record.version
