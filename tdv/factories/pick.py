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
_DENSE: Final = 64
_PER_OCTAVE: Final = 64

Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Jump:
    """Draws the ordinals of `size` parents; with `skew` s, parent r (from 1) has weight r**-s."""

    stream: Stream
    size: int
    skew: str = "0"

    def ordinals(self, rows: Rows) -> Rows:
        sums = _sums(self.size, self.skew)
        starts = _blocks(self.size, self.skew)
        chosen = np.zeros(len(rows), dtype=np.int64)
        unsettled = np.arange(len(rows))
        for block in range(len(starts) - 1, -1, -1):
            end = starts[block + 1] if block + 1 < len(starts) else self.size
            place = _walk(rows[unsettled], self.stream.named(f"block {block}"), sums, (starts[block], end))
            settled = place >= starts[block]
            chosen[unsettled[settled]] = place[settled]
            unsettled = unsettled[~settled]
            if not len(unsettled):
                break
        return chosen


def _walk(rows: Rows, stream: Stream, sums: Numbers | None, block: tuple[int, int]) -> Rows:
    """Where each row stands after the block: a parent of it, or ``start - 1`` if it did not move."""
    start, end = block
    place = np.full(len(rows), start - 1, dtype=np.int64)
    moving = np.arange(len(rows))
    step = 0
    while len(moving):
        chance = unit(stream.named(f"step {step}").words(rows[moving]))
        at = place[moving]
        weight = (at + 1).astype(np.float64) if sums is None else sums[at]
        aim = weight / chance
        inside = aim < (float(end) if sums is None else sums[end - 1])
        moving, aim = moving[inside], aim[inside]
        if sums is None:
            place[moving] = aim.astype(np.int64)
        else:
            place[moving] = start + np.searchsorted(sums[start:end], aim, side="right")
        step += 1
    return place


def _blocks(size: int, skew: str) -> tuple[int, ...]:
    """The first parents of the blocks from the second parent on; the first parent is where every row begins."""
    sums = _sums(size, skew)
    starts, at = [], 1
    while at < size:
        starts.append(at)
        if sums is None:
            at *= 2
        else:
            at = max(int(np.searchsorted(sums, 2.0 * sums[at - 1], side="right")), at + 1)
    return tuple(starts)


@lru_cache(maxsize=32)
def _sums(size: int, skew: str) -> Numbers | None:
    """Running sums of the weights as float64 (whole numbers, exact below 2**53); None for equal weights."""
    if Decimal(skew) == 0:
        return None
    return np.cumsum(_weights(size, skew), dtype=np.int64).astype(np.float64)


def _weights(size: int, skew: str) -> Rows:
    """``max(1, 2**36 * rank**-skew)``: exact at anchors, by decimal arithmetic, and linear between them."""
    ranks = [*range(1, _DENSE)]
    octave = _DENSE
    while octave <= size:
        ranks.extend(octave + octave * part // _PER_OCTAVE for part in range(_PER_OCTAVE))
        octave *= 2
    ranks.append(octave)
    with localcontext() as context:
        context.prec = 40
        values = [int(_SCALE * Decimal(rank) ** -Decimal(skew)) for rank in ranks]
    anchors, exact = np.array(ranks, dtype=np.int64), np.array(values, dtype=np.int64)
    wanted = np.arange(1, size + 1, dtype=np.int64)
    left = np.searchsorted(anchors, wanted, side="right") - 1
    right = np.minimum(left + 1, len(anchors) - 1)
    width = np.maximum(anchors[right] - anchors[left], 1)
    between = exact[left] + (exact[right] - exact[left]) * (wanted - anchors[left]) // width
    weights: Rows = np.maximum(between, 1)
    return weights
