"""Finite sets of values that can be counted: the value of an ordinal.

In: ordinals ``0 … size-1``. Out: Arrow arrays of the column's type. Always holds: distinct ordinals give
distinct values (`Choices` and `Parents` as far as the listed values are distinct), which is what makes columns
unique by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.arrow import arrow_type
from tdv.factories.random import Rows
from tdv.model.types import LogicalType

MOST: Final = 1 << 62
_DAY: Final = 86_400_000_000
TICKS: Final = {"date": _DAY, "time": 1_000_000, "timestamp": 1_000_000, "timestamptz": 1_000_000}


class Domain(Protocol):
    """A finite set of values."""

    @property
    def size(self) -> int:
        """How many values there are, at most 2**62."""
        ...

    def at(self, ordinals: Rows) -> pa.Array:
        """The values of these ordinals."""
        ...


@dataclass(frozen=True)
class Integers:
    """``start + step * n`` as an integer, or as a decimal in units of its scale."""

    start: int
    size: int
    kind: LogicalType
    step: int = 1

    def at(self, ordinals: Rows) -> pa.Array:
        numbers = ordinals if self.step == 1 else ordinals * self.step
        return whole(numbers + self.start if self.start else numbers, self.kind)


def whole(numbers: Rows, kind: LogicalType) -> pa.Array:
    """Whole numbers as values of an integer or decimal type; decimals count in units of their scale."""
    if kind.name == "decimal":
        words = np.empty((len(numbers), 2), dtype=np.int64)
        words[:, 0] = numbers
        words[:, 1] = numbers >> 63
        return pa.Array.from_buffers(arrow_type(kind), len(numbers), [None, pa.py_buffer(words)])
    if kind.name == "int64":
        return pa.array(numbers)
    if kind.name == "string":
        return pa.array(numbers).cast(pa.string())
    return pa.array(numbers.astype({"int16": np.int16, "int32": np.int32}[kind.name]))


@dataclass(frozen=True)
class Moments:
    """Dates, times or timestamps: `size` ticks from `start`, which counts microseconds since 1970 or midnight."""

    start: int
    size: int
    kind: LogicalType

    def at(self, ordinals: Rows) -> pa.Array:
        if self.kind.name == "date":
            days = (ordinals + self.start // _DAY).astype(np.int32)
            return pa.Array.from_buffers(pa.date32(), len(days), [None, pa.py_buffer(days)])
        ticks = ordinals * TICKS[self.kind.name]
        ticks += self.start
        return pa.Array.from_buffers(arrow_type(self.kind), len(ticks), [None, pa.py_buffer(ticks)])


@dataclass(frozen=True)
class Choices:
    """The listed values."""

    values: pa.Array

    @property
    def size(self) -> int:
        return len(self.values)

    def at(self, ordinals: Rows) -> pa.Array:
        return pc.take(self.values, pa.array(ordinals), boundscheck=False)
