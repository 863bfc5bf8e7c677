"""How a row chooses among a finite number of values.

In: row numbers. Out: ordinals ``0 … size-1``. Always holds: an ordinal is a function of stream and row number;
`Permuted` and `Digit` never give two rows the same ordinal (or combination of ordinals).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np

from tdv.factories.random import Rows, Stream, Words, bounded, permuted

_FEW: Final = 12
"""Up to so many borders, comparing with each of them is quicker than a search."""


class Draw(Protocol):
    """Chooses one ordinal per row."""

    def ordinals(self, rows: Rows) -> Rows:
        """One ordinal for each row number."""
        ...


@dataclass(frozen=True)
class Even:
    """Every ordinal is as likely as any other."""

    stream: Stream
    size: int

    def ordinals(self, rows: Rows) -> Rows:
        return bounded(self.stream.words(rows), self.size)


@dataclass(frozen=True)
class Weighted:
    """Ordinal n is drawn with probability ``weights[n] / sum(weights)``; `bounds` come from `thresholds`."""

    stream: Stream
    bounds: Words

    def ordinals(self, rows: Rows) -> Rows:
        words = self.stream.words(rows)
        if len(self.bounds) > _FEW:
            return np.searchsorted(self.bounds, words, side="right").astype(np.int64, copy=False)
        ordinals = np.zeros(len(rows), dtype=np.uint8)
        for bound in self.bounds:
            ordinals += (words >= bound).view(np.uint8)
        return ordinals.astype(np.int64)


def thresholds(weights: Sequence[int]) -> Words:
    """The inner borders of the ordinals in the range of 64-bit words, exact to one word."""
    total, running = sum(weights), 0
    bounds = []
    for weight in weights[:-1]:
        running += weight
        bounds.append(min((running << 64) // total, (1 << 64) - 1))
    return np.array(bounds, dtype=np.uint64)


@dataclass(frozen=True)
class Permuted:
    """Every row gets another ordinal; rows must be fewer than `size`."""

    stream: Stream
    size: int

    def ordinals(self, rows: Rows) -> Rows:
        return permuted(rows, self.size, self.stream)


@dataclass(frozen=True)
class Digit:
    """One place of a permuted number in mixed radix: no two rows share the digits of all places."""

    stream: Stream
    sizes: tuple[int, ...]
    place: int

    def ordinals(self, rows: Rows) -> Rows:
        product = below = 1
        for place, size in enumerate(self.sizes):
            product *= size
            below *= size if place < self.place else 1
        return (permuted(rows, product, self.stream) // below) % self.sizes[self.place]
