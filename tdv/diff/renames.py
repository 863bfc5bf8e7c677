"""Guesses which columns and tables were renamed, by looking at their values.

In: two snapshots. Out: `TableRename`s and `ColumnRename`s. Always holds: a guess changes nothing of what is counted; a
column is compared in all rows that both states have only with one that a few of them leave as likely, and only until
too many values differ; columns of equal digests are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import one_chunk
from tdv.content.hashing import Hashes, column_hash
from tdv.content.snapshot import Snapshot
from tdv.diff.alignment import Stretch
from tdv.diff.bags import surplus, without_equal, words
from tdv.diff.cells import unequal
from tdv.diff.pair import Pair
from tdv.diff.shared import Shared, shared_rows, units
from tdv.model.schema import Column, TableSchema

_ENOUGH: Final = 0.8
"""The share of equal rows from which on a table counts as renamed, and of a few values a column as likely to be."""
_DIFFER: Final = 0.1
"""The share of values that may differ in a column that counts as renamed."""
_BEYOND_CHANCE: Final = 0.5
"""How much of what chance leaves open has to be equal: two columns that are nearly always NULL are not the same."""
_FEW: Final = 4_096
"""Rows of one stretch that are looked at first."""
_TOGETHER: Final = 4
"""Parts of one stretch in which rows are looked for."""
_MANY: Final = 500
"""Differing values that are kept where all are."""
Guess = tuple[float, str, str]


@dataclass(frozen=True, slots=True)
class ColumnRename:
    """`after` has the values of `before` in all but `differ` of the `rows` that both states have.

    `old` and `new` are the first rows that differ: what tells them apart, and the column; None where all are equal.
    """

    before: str
    after: str
    rows: int
    differ: int
    old: pa.Table | None
    new: pa.Table | None


def table_renames(old: Snapshot, new: Snapshot) -> Iterator[tuple[str, str]]:
    """Tables that look as if they had been renamed: the name before, and after."""
    taken: set[tuple[int, str]] = set()
    for share, before, after in _ordered(_table_guesses(old, new)):
        if share >= _ENOUGH and not taken & {(0, before), (1, after)}:
            taken |= {(0, before), (1, after)}
            yield before, after


def column_renames(pair: Pair, limit: int | None) -> Iterator[ColumnRename]:
    """Columns that look as if they had been renamed, with at most `limit` of the values that differ."""
    before, after = pair.old.schema, pair.new.schema
    gone = [before.column(name) for name in pair.lost if name not in after.column_names]
    come = [after.column(name) for name in pair.gained if name not in before.column_names]
    likely = [(one, other) for one in gone for other in come if one.type == other.type]
    if not likely:
        return
    taken: set[tuple[int, str]] = set()
    for _, one_name, other_name in _ordered(_column_guesses(pair, likely)):
        if taken & {(0, one_name), (1, other_name)}:
            continue
        found = _compared(pair, one_name, other_name, _MANY if limit is None else limit)
        if found is not None:
            taken |= {(0, one_name), (1, other_name)}
            yield found


def _ordered(guesses: Iterator[Guess]) -> list[Guess]:
    """The likeliest first."""
    return sorted(guesses, key=lambda guess: (-guess[0], guess[1], guess[2]))


def _table_guesses(old: Snapshot, new: Snapshot) -> Iterator[Guess]:
    gone = [table for table in old.manifest.tables if table.name not in new.tables]
    come = [table for table in new.manifest.tables if table.name not in old.tables]
    for before in gone:
        for after in come:
            if before.rows and _shape(before.schema) == _shape(after.schema):
                same = before.digest == after.digest
                yield 1.0 if same else _row_share(Pair.of(old, new, before.name, after.name)), before.name, after.name


def _shape(table: TableSchema) -> dict[str, str]:
    return {column.name: str(column.type) for column in table.columns}


def _row_share(pair: Pair) -> float:
    """How much of the smaller table is in the larger one: what equal parts say, and a few of the other stretches.

    Tables that share rows share boundaries of parts, so that nothing is looked for in a long stretch without any.
    """
    old, new = pair.old.manifest.parts, pair.new.manifest.parts
    rest = units(pair) if pair.common.key else [Stretch(*without_equal(old, new))]
    short = [stretch for stretch in rest if max(len(stretch.old), len(stretch.new)) <= _TOGETHER]
    looked_at = [short[index] for index in _some(len(short))]
    among = sum(map(_smaller, looked_at))
    share = sum(_common(pair, stretch) for stretch in looked_at) / among if among else 0.0
    equal = pair.new.manifest.rows - sum(part.rows for stretch in rest for part in stretch.new)
    smaller = min(pair.old.manifest.rows, pair.new.manifest.rows)
    return (equal + share * sum(map(_smaller, short))) / smaller if smaller else 0.0


def _smaller(stretch: Stretch) -> int:
    """The rows that both sides of a stretch can have in common."""
    return min(sum(part.rows for part in side) for side in (stretch.old, stretch.new))


def _common(pair: Pair, stretch: Stretch) -> int:
    """The rows that both sides of a stretch have in common."""
    one, other = (words(*side, pair.common.column_names) for side in ((pair.old, stretch.old), (pair.new, stretch.new)))
    return len(one) - len(surplus(one, other))


def _column_guesses(pair: Pair, likely: Sequence[tuple[Column, Column]]) -> Iterator[Guess]:
    """Pairs that a few rows leave as likely, with the share of equal values among them."""
    few = list(_few(pair))
    if not few:
        return
    before = {column.name: column for column, _ in likely}
    after = {column.name: column for _, column in likely}
    old = _hashes([shared.old(pair, list(before)) for shared in few], before)
    new = _hashes([shared.new(pair, list(after)) for shared in few], after)
    for one, other in likely:
        share = _agreement(old[one.name], new[other.name])
        if share >= _ENOUGH:
            yield share, one.name, other.name


def _few(pair: Pair) -> Iterator[Shared]:
    """The first rows of the first, a middle and the last stretch."""
    all_units = units(pair)
    for index in _some(len(all_units)):
        shared = shared_rows(pair, all_units[index])
        yield shared.taken(np.arange(min(_FEW, len(shared))))


def _some(count: int) -> list[int]:
    """The first, a middle and the last one of so many."""
    return sorted({0, count // 2, count - 1}) if count else []


def _hashes(tables: Sequence[pa.Table], columns: Mapping[str, Column]) -> dict[str, Hashes]:
    return {
        name: np.concatenate([column_hash(one_chunk(table.column(name)), column.type) for table in tables])
        for name, column in columns.items()
    }


def _agreement(one: Hashes, other: Hashes) -> float:
    """The share of equal values, 0 where it is low, or where chance alone would make most of them equal."""
    share = float(np.mean(one == other)) if len(one) else 0.0
    if share < _ENOUGH or len(one) == 1:
        return share
    chance = _chance(one, other)
    return share if chance < 1 and (share - chance) / (1 - chance) >= _BEYOND_CHANCE else 0.0


def _chance(one: Hashes, other: Hashes) -> float:
    """How often a value drawn from the one column equals one drawn from the other."""
    (words, counts), (others, more) = (np.unique(hashes, return_counts=True) for hashes in (one, other))
    _, at, to = np.intersect1d(words, others, assume_unique=True, return_indices=True)
    return float((counts[at] / len(one) * (more[to] / len(other))).sum())


def _compared(pair: Pair, before: str, after: str, limit: int) -> ColumnRename | None:
    """Both columns in all rows that both states have; None where too many values differ."""
    names = pair.common.key or pair.common.column_names
    rows, found = 0, 0
    old, new = [], []
    for stretch in units(pair):
        shared = shared_rows(pair, stretch)
        rows += len(shared)
        if stretch.aligned and stretch.old[0].columns[before] == stretch.new[0].columns[after]:
            continue
        differing = _differing(pair, shared, before, after)
        first = differing.taken(np.arange(len(differing))[: max(0, limit - found)])
        found += len(differing)
        if found > pair.new.manifest.rows * _DIFFER:
            return None
        old.append(first.old(pair, [*names, before]))
        new.append(first.new(pair, [*names, after]))
    if not rows or found > rows * _DIFFER:
        return None
    return ColumnRename(before, after, rows, found, *(pa.concat_tables(side) if side else None for side in (old, new)))


def _differing(pair: Pair, shared: Shared, before: str, after: str) -> Shared:
    old, new = one_chunk(shared.old(pair, [before]).column(0)), one_chunk(shared.new(pair, [after]).column(0))
    return shared.taken(np.flatnonzero(unequal(old, new, pair.new.schema.column(after).type)))
