"""The difference between two snapshots of a dataset, and the rules that turn it into a bump.

Always holds: a rule's level is `DEFAULT_LEVELS[rule]` unless tdv.yaml or the spec sets another; the bump is
the highest level among the findings.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final, Literal

from tdv.frozen import dataclass

Level = Literal["major", "minor", "patch", "none"]
FORMAT: Final = "tdv.diff/v1"
LEVELS: Final[tuple[Level, ...]] = ("none", "patch", "minor", "major")

DEFAULT_LEVELS: Final[Mapping[str, Level]] = {
    "table-removed": "major",
    "column-removed": "major",
    "type-incompatible": "major",
    "key-changed": "major",
    "unique-dropped": "major",
    "reference-removed": "major",
    "nullability-loosened": "major",
    "row-removed": "major",
    "scenario-removed": "major",
    "enum-value-removed": "major",
    "table-added": "minor",
    "column-added": "minor",
    "type-widened": "minor",
    "row-added": "minor",
    "scenario-added": "minor",
    "constraint-changed": "minor",
    "cell-changed": "patch",
    "compat-changed": "patch",
    "rows-replaced": "patch",
    "scenario-changed": "patch",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule that fired, where, and why. `table` and `column` are "" where the rule has none."""

    rule: str
    level: Level
    table: str
    column: str
    message: str

    def to_plain(self) -> dict[str, Any]:
        return {
            "rule": self.rule,
            "level": self.level,
            "table": self.table,
            "column": self.column,
            "message": self.message,
        }


@dataclass(frozen=True, slots=True)
class TableChange:
    """Rows added, removed and changed in one table; `cells` counts changed cells per column."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    cells: Mapping[str, int] = field(default_factory=dict)

    def beyond(self, limit: int | None) -> int:
        """How many rows are left out where at most `limit` of each kind are shown."""
        if limit is None:
            return 0
        return sum(max(0, count - limit) for count in (self.added, self.removed, self.changed))

    def to_plain(self) -> dict[str, Any]:
        return {"added": self.added, "removed": self.removed, "changed": self.changed, "cells": dict(self.cells)}


@dataclass(frozen=True, slots=True)
class DatasetChange:
    """What the release rules need to know: findings and the counts per table."""

    findings: tuple[Finding, ...]
    tables: Mapping[str, TableChange]

    @property
    def bump(self) -> Level:
        """The highest level that fired."""
        return max((finding.level for finding in self.findings), key=LEVELS.index, default="none")

    def to_plain(self, old: str, new: str) -> dict[str, Any]:
        """The JSON form; `old` and `new` name the states, as in ``movies@v1.0.0``."""
        return {
            "format": FORMAT,
            "from": old,
            "to": new,
            "bump": self.bump,
            "rules": [finding.to_plain() for finding in self.findings],
            "tables": {name: table.to_plain() for name, table in self.tables.items()},
        }
