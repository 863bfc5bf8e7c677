"""Which rows both states of a table have, for what is asked of them beside the columns that both have, too.

In: both states of a table. Out: `Shared` rows, stretch by stretch. Always holds: rows are the same by key, without one
by the values of all columns that can be compared, as often as they stand in both; without a key, memory is that of a
word per row, else that of the keys of a few parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from tdv.diff.alignment import Stretch, stretches
from tdv.diff.bags import same_rows
from tdv.diff.matching import Positions, matched
from tdv.diff.pair import Pair, Side
from tdv.model.manifest import Part


@dataclass(frozen=True, slots=True)
class Shared:
    """Rows of one stretch: the row at ``old_at[i]`` of its older parts is that at ``new_at[i]`` of its newer ones."""

    stretch: Stretch
    old_at: Positions
    new_at: Positions

    def __len__(self) -> int:
        return len(self.new_at)

    def taken(self, at: Positions) -> Shared:
        """Some of the rows."""
        return Shared(self.stretch, self.old_at[at], self.new_at[at])

    def old(self, pair: Pair, columns: Sequence[str]) -> pa.Table:
        """Columns of the rows as they were."""
        return _rows(pair.old, self.stretch.old, self.old_at, columns)

    def new(self, pair: Pair, columns: Sequence[str]) -> pa.Table:
        """Columns of the rows as they are."""
        return _rows(pair.new, self.stretch.new, self.new_at, columns)


def units(pair: Pair) -> list[Stretch]:
    """What rows are looked for in, one by one."""
    old, new = pair.old.manifest.parts, pair.new.manifest.parts
    return list(stretches(old, new, pair.common.key)) if pair.common.key else [Stretch(tuple(old), tuple(new))]


def shared_rows(pair: Pair, stretch: Stretch) -> Shared:
    """The rows of a stretch that both states have."""
    if stretch.aligned:
        everything = np.arange(stretch.new[0].rows)
        return Shared(stretch, everything, everything)
    if pair.common.key:
        return Shared(stretch, *matched(pair.old.keys(stretch.old), pair.new.keys(stretch.new), pair.common))
    return Shared(stretch, *same_rows(pair, stretch, lambda _: True))


def _rows(side: Side, parts: Sequence[Part], at: Positions, columns: Sequence[str]) -> pa.Table:
    """Rows are read in ascending order, and come in the order of `at`."""
    if np.all(at[1:] > at[:-1]):
        return side.rows(parts, at, columns)
    order = np.argsort(at, kind="stable")
    return side.rows(parts, at[order], columns).take(pa.array(np.argsort(order, kind="stable")))
