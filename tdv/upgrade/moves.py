"""Which row became which: the rows of a table before the migrations and after.

In: a table after the migrations and its rows before. Out: a `Move`. Always holds: a row is followed by its key where
the key stayed, else by all values that stayed; no row is followed to two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import pyarrow as pa

from tdv.content.arrow import arrow_type, one_chunk
from tdv.content.text import to_plain, to_text
from tdv.model.schema import TableSchema
from tdv.model.types import LogicalType
from tdv.upgrade.capture import Table

Texts = Sequence[str | None]
GONE: Final = -1


@dataclass(frozen=True)
class Move:
    """One table with its rows before and after; rows are named by their places there."""

    before: TableSchema
    rows: pa.Table
    after: Table
    derived: frozenset[str] = frozenset()
    """Columns before that the build fills where they are left out."""

    @cached_property
    def to(self) -> Sequence[int]:
        """The place after of each row before, `GONE` where there is none."""
        pairs = self._followed
        if not pairs:
            return [GONE] * self.rows.num_rows
        there = Index([self._after_texts(new, self.before.column(old).type) for old, new in pairs])
        keys = zip(*(self._before_texts(old) for old, _ in pairs), strict=True)
        return [there.take(key) for key in keys]

    @cached_property
    def added(self) -> tuple[int, ...]:
        """The places after that no row came from."""
        known = set(self.to)
        return tuple(row for row in range(self.after.rows.num_rows) if row not in known)

    @cached_property
    def new_names(self) -> Mapping[str, str]:
        """Old name of each column that stayed → its name now."""
        return {old: new for new, old in self.after.columns.items()}

    def index(self) -> Index:
        """Finds rows before by their key, or by all of their values in a table without one; each once."""
        return Index([self._before_texts(name) for name in self.identity])

    @property
    def identity(self) -> tuple[str, ...]:
        """The columns that tell rows before apart, as they are written by hand."""
        return self.before.key or tuple(name for name in self.before.column_names if name not in self.derived)

    def is_same(self, column: str, row: int) -> bool:
        """Whether a row before holds in the column, named as it is now, what it holds after."""
        return self._same[column][row]

    def text(self, column: str, place: int) -> str | None:
        """The value after, as CSV has it."""
        return self._texts[column][place]

    def plain(self, column: str, place: int) -> Any:
        """The value after, as JSON and YAML have it."""
        return to_plain(self.after.rows.column(column).slice(place, 1), self.after.schema.column(column).type)[0]

    @cached_property
    def _followed(self) -> list[tuple[str, str]]:
        """The columns that rows are followed by: (before, after)."""
        names, key = self.new_names, self.after.schema.key
        if self.before.key and set(self.before.key) <= names.keys():
            return [(name, names[name]) for name in self.before.key]
        if key and set(key) <= self.after.columns.keys():
            return [(self.after.columns[name], name) for name in key]
        return list(names.items())

    @cached_property
    def _texts(self) -> dict[str, list[str | None]]:
        return {
            column.name: to_text(one_chunk(self.after.rows.column(column.name)), column.type).to_pylist()
            for column in self.after.schema.columns
        }

    def _before_texts(self, name: str) -> Texts:
        texts: list[str | None] = to_text(one_chunk(self.rows.column(name)), self.before.column(name).type).to_pylist()
        return texts

    def _after_texts(self, name: str, kind: LogicalType) -> Texts:
        """Values after in the type before, where that can be: 42.000 is 42.00."""
        own = self.after.schema.column(name).type
        return _texts_as(one_chunk(self.after.rows.column(name)), own, kind)

    @cached_property
    def _same(self) -> dict[str, list[bool]]:
        found = {}
        for new, old in self.after.columns.items():
            kind = self.after.schema.column(new).type
            before = _texts_as(one_chunk(self.rows.column(old)), self.before.column(old).type, kind)
            after = self._texts[new]
            found[new] = [place != GONE and before[row] == after[place] for row, place in enumerate(self.to)]
        return found


class Index:
    """Rows by the texts of some columns; a row is given out once."""

    def __init__(self, columns: Sequence[Texts]) -> None:
        self._places: dict[tuple[str | None, ...], list[int]] = {}
        for place, key in enumerate(zip(*columns, strict=True)):
            self._places.setdefault(key, []).append(place)
        for places in self._places.values():
            places.reverse()

    def take(self, key: Iterable[str | None]) -> int:
        """The next row with these values, `GONE` for none."""
        places = self._places.get(tuple(key))
        return places.pop() if places else GONE


def _texts_as(array: pa.Array, kind: LogicalType, wanted: LogicalType) -> Texts:
    """The texts of values in another type, or in their own where they cannot be of that."""
    texts: list[str | None]
    if kind != wanted:
        try:
            texts = to_text(array.cast(arrow_type(wanted)), wanted).to_pylist()
            return texts
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            pass
    texts = to_text(array, kind).to_pylist()
    return texts
