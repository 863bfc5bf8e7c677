"""Generators of nested values: list and struct.

Always holds: an element's values depend on the row and the element's place, so that a longer list begins like a
shorter one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import arrow_type
from tdv.factories.generators.maker import Cells, Maker, Request
from tdv.factories.random import Rows, Stream, bounded
from tdv.model.schema import Column
from tdv.model.types import LogicalType

_LONGEST: Final = 1 << 20


@dataclass(frozen=True)
class _Elements:
    """The elements of the lists of some rows, as rows of their own."""

    cells: Cells
    lengths: Rows

    @cached_property
    def owners(self) -> Rows:
        return np.repeat(np.arange(len(self.lengths), dtype=np.int64), self.lengths)

    @cached_property
    def index(self) -> Rows:
        starts = np.cumsum(self.lengths) - self.lengths
        return np.arange(len(self.owners), dtype=np.int64) - starts[self.owners]

    @cached_property
    def rows(self) -> Rows:
        return self.cells.rows[self.owners] * _LONGEST + self.index

    def column(self, name: str) -> pa.Array:
        return self.cells.column(name).take(pa.array(self.owners))


@dataclass(frozen=True)
class Lists:
    """Lists of `low` to `high` elements."""

    kind: LogicalType
    element: Maker
    stream: Stream
    low: int
    high: int

    @property
    def needs(self) -> frozenset[str]:
        return self.element.needs

    def values(self, cells: Cells) -> pa.Array:
        lengths = bounded(self.stream.words(cells.rows), self.high - self.low + 1) + self.low
        elements = self.element.values(_Elements(cells, lengths))
        offsets = np.zeros(len(lengths) + 1, dtype=np.int32)
        np.cumsum(lengths, out=offsets[1:])
        return pa.ListArray.from_arrays(pa.array(offsets), elements, type=arrow_type(self.kind))


def lists(request: Request) -> Maker:
    """Lists whose elements come from the generator ``of``, between ``min`` and ``max`` of them."""
    request.only("list")
    request.never_unique()
    options = request.options
    given = options.mapping("of", "min", "max")
    low, high = options.integer("min", 0), options.integer("max", 5)
    if not 0 <= low <= high <= _LONGEST:
        raise options.wrong(f"min and max must rise and lie between 0 and {_LONGEST}")
    kind = request.column.type
    if "of" not in given or kind.element is None:
        raise options.wrong("needs 'of', the generator of an element")
    element = request.nested("of", Column(request.column.name, kind.element, nullable=True), given["of"])
    return Lists(kind, element, request.stream.named("length"), low, high)


@dataclass(frozen=True)
class Structs:
    """One value per field, each from a maker of its own."""

    kind: LogicalType
    fields: tuple[Maker, ...]

    @property
    def needs(self) -> frozenset[str]:
        return frozenset().union(*(field.needs for field in self.fields))

    def values(self, cells: Cells) -> pa.Array:
        children = [field.values(cells) for field in self.fields]
        return pa.StructArray.from_arrays(children, fields=list(arrow_type(self.kind)))


def structs(request: Request) -> Maker:
    """A struct whose fields each have a generator."""
    request.only("struct")
    request.never_unique()
    options = request.options
    kind = request.column.type
    names = [name for name, _ in kind.fields]
    given = options.mapping(*names)
    missing = [name for name in names if name not in given]
    if missing or not isinstance(given, Mapping):
        raise options.wrong(f"needs a generator for {', '.join(missing)}")
    makers = (request.nested(name, Column(name, field, nullable=True), given[name]) for name, field in kind.fields)
    return Structs(kind, tuple(makers))
