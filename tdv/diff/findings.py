"""Makes findings with the level that holds in this project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tdv.model.diff import DEFAULT_LEVELS, Finding, Level

_OF_ROWS: Final = frozenset({"row-removed", "row-added", "rows-replaced", "cell-changed", "scenario-changed"})


@dataclass(frozen=True, slots=True)
class Levels:
    """The level of each rule: what the project set, else the default."""

    overrides: Mapping[str, Level]

    def of(self, rule: str) -> Level:
        """The level of `rule`."""
        return self.overrides.get(rule, DEFAULT_LEVELS[rule])


@dataclass(frozen=True, slots=True)
class Rules:
    """Writes findings down."""

    levels: Levels

    def found(self, rule: str, message: str, table: str = "", column: str = "") -> Finding:
        """A finding of `rule` at its level."""
        return Finding(rule, self.levels.of(rule), table, column, message)

    @staticmethod
    def is_of_schema(rule: str) -> bool:
        """True for rules that look at the schema and the names of scenarios."""
        return rule not in _OF_ROWS
