"""A table of the spec as the checks look at it.

In: what of a table conforms to the schema. Out: `Sheet` and `Notes`. Always holds: a name that the file mentions is
known, even where what stands under it could not be read, so that one mistake does not bring about others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tdv.documents import Mistakes, Path
from tdv.model.types import LogicalType
from tdv.spec.layers import Layers


@dataclass(frozen=True, slots=True)
class Notes:
    """Takes down mistakes with their place in the right file."""

    layers: Layers
    mistakes: Mistakes

    def add(self, path: Path, message: str, hint: str | None = None) -> None:
        """Notes a mistake at `path`."""
        self.mistakes.add(self.layers.problem(path, message), hint)

    def has(self, path: Path) -> bool:
        """True if a mistake was noted at `path` or below, so that what follows from it need not be said."""
        return self.mistakes.has(path)


@dataclass(frozen=True, slots=True)
class Sheet:
    """One table: `data` is its mapping, `names` all its columns, `types` those whose type could be read."""

    name: str
    data: Mapping[str, Any]
    names: tuple[str, ...]
    types: Mapping[str, LogicalType]

    @property
    def path(self) -> Path:
        """Where the table stands in the file."""
        return ("tables", self.name)

    @property
    def columns(self) -> Mapping[str, Mapping[str, Any]]:
        """The columns that conform to the schema."""
        found: Mapping[str, Mapping[str, Any]] = self.data.get("columns", {})
        return found

    @property
    def key(self) -> tuple[str, ...]:
        """The primary key, () for none."""
        return tuple(self.data.get("key", ()))

    @property
    def uniques(self) -> tuple[tuple[str, ...], ...]:
        """The unique sets besides the key: those of single columns first, each once, in declared order."""
        single = [(name,) for name, column in self.columns.items() if column.get("unique")]
        several = [tuple(columns) for columns in self.data.get("unique", ())]
        return tuple(unique for unique in dict.fromkeys([*single, *several]) if unique != self.key)
