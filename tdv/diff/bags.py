"""Tables whose rows have no comparable key: counted by content, as often as they stand.

In: both states of a table. Out: `Piece`s of rows added and removed, none changed. Always holds: rows are equal when
all columns that are compared are; of equal rows, the first ones in canonical order are kept on either side; memory is
that of a word per row and of one piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from tdv.content.hashing import Hashes, row_hash
from tdv.diff.matching import Positions, rest
from tdv.diff.pair import Pair, Side
from tdv.diff.pieces import Piece
from tdv.model.manifest import Part

_TOGETHER: Final = 65_536
"""Rows of each kind in one piece."""


def compare_bags(pair: Pair, compares: Callable[[str], bool], limit: int | None, *, whole: bool) -> Iterator[Piece]:
    """Compares rows by a 64-bit hash over the columns that are compared."""
    old_parts, new_parts = pair.old.manifest.parts, pair.new.manifest.parts
    if not (pair.lost or pair.gained):
        old_parts, new_parts = without_equal(old_parts, new_parts)
    names = [name for name in pair.common.column_names if compares(name)]
    old, new = words(pair.old, old_parts, names), words(pair.new, new_parts, names)
    if pair.common.columns:
        gone, come = surplus(old, new), surplus(new, old)
    else:
        gone, come = np.arange(len(old)), np.arange(len(new))
    piece = Piece(len(come), len(gone))
    if whole and (pair.lost or pair.gained):
        piece.lost = pair.old.rows(old_parts, rest(len(old), gone))
        piece.gained = pair.new.rows(new_parts, rest(len(new), come))
    yield piece
    gone, come = gone[:limit], come[:limit]
    for start in range(0, max(len(gone), len(come)), _TOGETHER):
        removed, added = (at[start : start + _TOGETHER] for at in (gone, come))
        yield Piece(removed_rows=pair.old.rows(old_parts, removed), added_rows=pair.new.rows(new_parts, added))


def without_equal(old: Sequence[Part], new: Sequence[Part]) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Both lists without what they share, part for part (equal parts may stand several times)."""
    shared = Counter(part.digest for part in old) & Counter(part.digest for part in new)
    return _minus(old, shared), _minus(new, shared)


def _minus(parts: Sequence[Part], shared: Counter[str]) -> tuple[Part, ...]:
    left, kept = shared.copy(), []
    for part in parts:
        if left[part.digest]:
            left[part.digest] -= 1
        else:
            kept.append(part)
    return tuple(kept)


def words(side: Side, parts: Sequence[Part], names: Sequence[str]) -> Hashes:
    """The hash of each row over those columns; without columns all rows are equal."""
    if not names:
        return np.zeros(sum(part.rows for part in parts), np.uint64)
    narrow = replace(side.common, columns=tuple(side.common.column(name) for name in names), key=())
    found = [row_hash(side.read((part,), names), narrow) for part in parts]
    return np.concatenate(found) if found else np.empty(0, np.uint64)


def surplus(words: Hashes, others: Hashes) -> Positions:
    """The positions of rows that stand more often here than there, ascending."""
    order = np.argsort(words, kind="stable")
    here, there = words[order], np.sort(others)
    ordinal = np.arange(len(here)) - np.searchsorted(here, here, "left")
    count = np.searchsorted(there, here, "right") - np.searchsorted(there, here, "left")
    return np.sort(order[ordinal >= count])
