"""Choosing a parent row so that the choice is stable when parents are added.

In: row numbers and the number of parents. Out: the ordinal of a parent per row. Always holds: parent j is
chosen with probability w_j / W, where w are the weights and W their sum; when parents are appended, a row keeps
its parent or moves to an added one, and only the added parents' share of the weight moves.

The algorithm generalises jump consistent hashing (Lamping and Veach, A Fast, Minimal Memory, Consistent Hash
Algorithm, 2014) to weights. A row that sits at parent b moves on to the first parent j with W_j > W_b / u, where
u is uniform in (0, 1] and W_n = w_0 + … + w_n. Parents are grouped into blocks at whose ends W has doubled; the
walk inside a block has its own words, so that it can be followed from the last block backwards: half of all rows
move in each block, and about four steps settle a row whatever the number of parents.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tdv.factories.random import Rows, Stream, unit

_SCALE: Final = 1 << 36
_DENSE: Final = 32
_PER_OCTAVE: Final = 32
_MOST_SLICES: Final = 1 << 16

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Jump:
    """Draws the ordinals of `size` parents; with `skew` s, parent r (from 1) has weight r**-s."""

    stream: Stream
    size: int
    skew: str = "0"

    def ordinals(self, rows: Rows) -> Rows:
        chosen = np.zeros(len(rows), dtype=np.int64)
        unsettled = np.arange(len(rows))
        for number, block in reversed(list(enumerate(_blocks(self.size, self.skew)))):
            place = _walk(rows[unsettled], self.stream.named(f"block {number}"), block)
            chosen[unsettled] = place
            unsettled = unsettled[np.flatnonzero(place < block.start)]
            if not len(unsettled):
                break
        return chosen


def _walk(rows: Rows, stream: Stream, block: _Equal | _Weighted) -> Rows:
    """Where each row stands after the block: a parent of it, or ``start - 1`` if it did not move."""
    place = np.full(len(rows), block.start - 1, dtype=np.int64)
    moving = np.arange(len(rows))
    weights: Numbers | float = block.before
    step = 0
    while len(moving):
        chance = unit(stream.named(f"step {step}").words(rows if step == 0 else rows[moving]))
        aim = weights / chance
        inside = np.flatnonzero(aim < block.limit)
        moving = moving[inside]
        place[moving], weights = block.reached(aim[inside])
        step += 1
    return place


@dataclass(frozen=True)
class _Equal:
    """Parents `start` to `end` (excluded), all of weight 1."""

    start: int
    end: int

    @property
    def before(self) -> float:
        """The sum of the weights before the block."""
        return float(self.start)

    @property
    def limit(self) -> float:
        """The sum of the weights up to the block's end."""
        return float(self.end)

    def reached(self, aim: Numbers) -> tuple[Rows, Numbers]:
        """The first parents whose sums are above `aim`, and those sums."""
        place = aim.astype(np.int64)
        return place, (place + 1).astype(np.float64)


@dataclass(frozen=True)
class _Weighted:
    """Parents from `start` on, whose weights sum up to `sums`; `before` is the sum in front of them.

    `guide` says for each of equal slices of the sums which parents lie before it, so that a search has only
    `rounds` halvings to do.
    """

    start: int
    before: float
    sums: Numbers
    slices: float
    guide: Rows
    rounds: int

    @classmethod
    def of(cls, start: int, before: float, sums: Numbers) -> _Weighted:
        """The block with its guide."""
        count = min(1 << (8 * len(sums) - 1).bit_length(), _MOST_SLICES)
        slices = count / (float(sums[-1]) - before)
        slice_of = ((sums - before) * slices).astype(np.int64)
        guide = np.searchsorted(slice_of, np.arange(count + 2), side="left")
        return cls(start, before, sums, slices, guide, int(np.diff(guide).max()).bit_length())

    @property
    def limit(self) -> float:
        """The sum of the weights up to the block's end."""
        return float(self.sums[-1])

    def reached(self, aim: Numbers) -> tuple[Rows, Numbers]:
        """The first parents whose sums are above `aim`, and those sums."""
        slice_of = ((aim - self.before) * self.slices).astype(np.int64)
        low, high = self.guide[slice_of], self.guide[slice_of + 1]
        for _ in range(self.rounds):
            middle = (low + high) >> 1
            above = self.sums[np.minimum(middle, len(self.sums) - 1)] > aim
            high = np.where(above, middle, high)
            low = np.where(above, low, np.minimum(middle + 1, high))
        return self.start + low, self.sums[low]


@lru_cache(maxsize=32)
def _blocks(size: int, skew: str) -> tuple[_Equal | _Weighted, ...]:
    """The blocks from the second parent on; the first parent is where every row begins."""
    if Decimal(skew) == 0:
        starts = [1 << octave for octave in range(max(size - 1, 0).bit_length())]
        return tuple(_Equal(start, min(2 * start, size)) for start in starts)
    sums = np.cumsum(_weights(size, skew), dtype=np.int64).astype(np.float64)
    found: list[_Equal | _Weighted] = []
    start = 1
    while start < size:
        before = float(sums[start - 1])
        end = min(max(int(np.searchsorted(sums, 2.0 * before, side="right")), start + 1), size)
        found.append(_Weighted.of(start, before, sums[start:end]))
        start = end
    return tuple(found)


def _weights(size: int, skew: str) -> Rows:
    """``max(1, 2**36 * rank**-skew)``: exact at anchors, by decimal arithmetic, and linear between them."""
    ranks = [*range(1, _DENSE)]
    octave = _DENSE
    while octave <= size:
        ranks.extend(octave + octave * part // _PER_OCTAVE for part in range(_PER_OCTAVE))
        octave *= 2
    ranks.append(octave)
    with localcontext() as context:
        context.prec = 25
        values = [int(_SCALE * Decimal(rank) ** -Decimal(skew)) for rank in ranks]
    anchors, exact = np.array(ranks, dtype=np.int64), np.array(values, dtype=np.int64)
    wanted = np.arange(1, size + 1, dtype=np.int64)
    left = np.searchsorted(anchors, wanted, side="right") - 1
    right = np.minimum(left + 1, len(anchors) - 1)
    width = np.maximum(anchors[right] - anchors[left], 1)
    between = exact[left] + (exact[right] - exact[left]) * (wanted - anchors[left]) // width
    weights: Rows = np.maximum(between, 1)
    return weights
