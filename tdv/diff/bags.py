"""Tables whose rows have no comparable key: counted by content, as often as they stand.

In: both states of a table. Out: `Piece`s of rows added and removed, none changed. Always holds: rows are equal when
all columns that are compared are; of equal rows, those with equal values in columns of another type are kept on either
side, then the first ones in canonical order; memory is that of a word per row and of one piece.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import one_chunk
from tdv.content.hashing import SECOND, Hashes, row_hash
from tdv.diff.alignment import Stretch
from tdv.diff.matching import Positions, rest
from tdv.diff.pair import Pair, Side
from tdv.diff.pieces import Piece
from tdv.model.manifest import Part
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType

_TOGETHER: Final = 65_536
"""Rows of each kind in one piece."""


def compare_bags(pair: Pair, compares: Callable[[str], bool], limit: int | None, *, whole: bool) -> Iterator[Piece]:
    """Compares rows by a 64-bit hash over the columns that are compared."""
    old_parts, new_parts = pair.old.manifest.parts, pair.new.manifest.parts
    if not (pair.lost or pair.gained):
        old_parts, new_parts = without_equal(old_parts, new_parts)
    old_at, new_at = same_rows(pair, Stretch(tuple(old_parts), tuple(new_parts)), compares)
    gone, come = rest(_rows(old_parts), old_at), rest(_rows(new_parts), new_at)
    piece = Piece(len(come), len(gone))
    if whole and (pair.lost or pair.gained):
        piece.lost, piece.gained = pair.old.rows(old_parts, np.sort(old_at)), pair.new.rows(new_parts, np.sort(new_at))
    yield piece
    gone, come = gone[:limit], come[:limit]
    for start in range(0, max(len(gone), len(come)), _TOGETHER):
        removed, added = (at[start : start + _TOGETHER] for at in (gone, come))
        yield Piece(removed_rows=pair.old.rows(old_parts, removed), added_rows=pair.new.rows(new_parts, added))


def same_rows(pair: Pair, stretch: Stretch, compares: Callable[[str], bool]) -> tuple[Positions, Positions]:
    """Which rows of both states are the same by the columns that are compared: first those whose values of another type
    are equal, too. Without a column that both states have in comparable types, those alone."""
    names = [name for name in pair.common.column_names if compares(name)]
    old, new = words(pair.old, stretch.old, names), words(pair.new, stretch.new, names)
    retyped = [name for name in pair.gained if name in pair.lost and compares(name)]
    old_at, new_at = _with_retyped(pair, stretch, retyped, (old, new)) if retyped else _pairs(old[:0], new[:0])
    if pair.common.columns:
        old_left, new_left = rest(len(old), old_at), rest(len(new), new_at)
        old_more, new_more = _pairs(old[old_left], new[new_left])
        old_at, new_at = np.append(old_at, old_left[old_more]), np.append(new_at, new_left[new_more])
    order = np.argsort(new_at)
    return old_at[order], new_at[order]


def _pairs(old: Hashes, new: Hashes) -> tuple[Positions, Positions]:
    """The first of equal words are the same."""
    old_at, new_at = rest(len(old), surplus(old, new)), rest(len(new), surplus(new, old))
    return old_at[np.argsort(old[old_at], kind="stable")], new_at[np.argsort(new[new_at], kind="stable")]


def _with_retyped(
    pair: Pair, stretch: Stretch, retyped: Sequence[str], known: tuple[Hashes, Hashes]
) -> tuple[Positions, Positions]:
    """Those that are the same by their words and by their values of another type, where such can be equal."""
    # Most tables keep the types of their columns.
    from tdv.diff.across import forms

    def told(parts: Sequence[Part], found: Hashes, *, side: Side, other: Side) -> Hashes:
        rows = side.rows(parts, np.arange(len(found)), retyped)
        texts = {}
        for name in retyped:
            kinds = side.schema.column(name).type, other.schema.column(name).type
            if (text := forms(one_chunk(rows.column(name)), kinds)) is not None:
                texts[name] = text
        columns = tuple(Column(name, LogicalType("string")) for name in texts)
        # Another seed: what one column holds and the other one does must not be the other way round.
        return found ^ row_hash(pa.table(texts), TableSchema("", columns), SECOND) if texts else found[:0]

    old = told(stretch.old, known[0], side=pair.old, other=pair.new)
    return _pairs(old, told(stretch.new, known[1], side=pair.new, other=pair.old))


def without_equal(old: Sequence[Part], new: Sequence[Part]) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
    """Both lists without what they share, part for part (equal parts may stand several times)."""
    shared = Counter(part.digest for part in old) & Counter(part.digest for part in new)
    return _minus(old, shared), _minus(new, shared)


def _rows(parts: Sequence[Part]) -> int:
    return sum(part.rows for part in parts)


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
        return np.zeros(_rows(parts), np.uint64)
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
