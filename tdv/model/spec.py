"""A dataset's spec as a frozen value: schema, and how each table's rows come about.

In: nothing but other values (`tdv.spec` reads the file). Always holds: generator options are plain
JSON values exactly as written; what they mean is decided in `tdv.factories`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tdv.model.compat import Span
from tdv.model.diff import Level
from tdv.model.schema import DatasetSchema, TableSchema


@dataclass(frozen=True, slots=True)
class GeneratorSpec:
    """`generate:` of one column: ``{kind: options}``; `null_share` is in 1/10,000."""

    kind: str
    options: Any = None
    null_share: int = 0


@dataclass(frozen=True, slots=True)
class TableSpec:
    """One table: its schema, how many rows are generated, and by what.

    `factory` names a class in factories.py; a column has a generator, comes from the factory, or is only
    in hand-written rows. `strict` refuses seed columns that the spec does not name.
    """

    schema: TableSchema
    rows: int = 0
    factory: str | None = None
    generators: Mapping[str, GeneratorSpec] = field(default_factory=dict)
    strict: bool = True

    @property
    def name(self) -> str:
        """The table's name."""
        return self.schema.name


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """`dataset.yaml`, read and validated. `app` is a version range as text, `path` the file's place."""

    name: str
    tables: tuple[TableSpec, ...]
    seed: int
    as_of: datetime
    locale: str = "en_US"
    description: str = ""
    app: str | None = None
    migration: Span | None = None
    requires: Mapping[str, str] = field(default_factory=dict)
    extends: str | None = None
    sources: tuple[str, ...] = ()
    invariants: tuple[str, ...] = ()
    levels: Mapping[str, Level] = field(default_factory=dict)
    path: str = ""

    @property
    def schema(self) -> DatasetSchema:
        """The schema of all tables."""
        return DatasetSchema(tuple(table.schema for table in self.tables), self.invariants)

    def table(self, name: str) -> TableSpec:
        """The table of that name; raises `KeyError`."""
        for table in self.tables:
            if table.name == name:
                return table
        raise KeyError(name)
