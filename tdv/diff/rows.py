"""Rows added, removed and changed between two states of a table, counted without a join engine.

In: two snapshots, a table's name, the columns to compare. Out: a `TableChange`. Always holds: parts of equal
digest are left out on both sides, since equal parts hold equal keys; parts with the same keys are compared
column by column where leaves differ; all other rows are matched by 64-bit words of their keys, one column at
a time, so that memory is a few words a row of what differs. NULL equals NULL and NaN equals NaN.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tdv.content.arrow import arrow_type
from tdv.content.hashing import FIRST, SECOND, column_hash, key_hash, row_hash
from tdv.content.snapshot import Snapshot
from tdv.model.diff import TableChange
from tdv.model.manifest import Part
from tdv.model.schema import TableSchema

Words = npt.NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class _Side:
    """One state of the table: how to read a part of it in the types of the newer state, on the threads of `pool`."""

    snapshot: Snapshot
    schema: TableSchema
    parts: tuple[Part, ...]
    pool: Executor

    def read(self, part: Part, columns: Sequence[str]) -> pa.Table:
        """Those columns of `part`, cast to the types of `schema`."""
        found = self.snapshot.part(self.schema.name, part, columns)
        wanted = pa.schema([pa.field(name, arrow_type(self.schema.column(name).type)) for name in columns])
        return found if found.schema == wanted else found.cast(wanted)

    def column(self, name: str) -> Words:
        """A hash of each value of one column, over all parts."""
        kind = self.schema.column(name).type
        return self._over(lambda part: column_hash(_one_chunk(self.read(part, [name]).column(0)), kind))

    def keys(self, seed: int) -> Words:
        """A hash of each key, over all parts."""
        return self._over(lambda part: key_hash(self.read(part, self.schema.key), self.schema, seed))

    def rows(self, columns: Sequence[str]) -> Words:
        """A hash of each row over `columns`, over all parts."""
        narrow = replace(self.schema, columns=tuple(self.schema.column(name) for name in columns))
        return self._over(lambda part: row_hash(self.read(part, columns), narrow))

    def _over(self, work: Callable[[Part], Any]) -> Words:
        found = list(self.pool.map(work, self.parts))
        return np.concatenate(found) if found else np.empty(0, np.uint64)


def compare_rows(old: Snapshot, new: Snapshot, table: str, columns: Sequence[str]) -> TableChange:
    """Compares the rows of `table` over `columns`, which both states have in comparable types."""
    before, after = old.manifest.table(table), new.manifest.table(table)
    if before.digest == after.digest:
        return TableChange()
    schema = after.schema
    old_parts, new_parts = _without_equal(before.parts, after.parts)
    with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
        left, right = _Side(old, schema, old_parts, pool), _Side(new, schema, new_parts, pool)
        if not schema.key or before.schema.key != schema.key or not set(schema.key) <= set(columns):
            return _compare_bags(left, right, columns)
        return _compare_keyed(left, right, [name for name in columns if name not in schema.key])


def _without_equal(old: Sequence[Part], new: Sequence[Part]) -> tuple[tuple[Part, ...], tuple[Part, ...]]:
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


def _compare_bags(left: _Side, right: _Side, columns: Sequence[str]) -> TableChange:
    """Counts rows by their hash, as often as they stand, for tables whose rows have no comparable key."""
    if not columns:
        rows = sum(part.rows for part in left.parts), sum(part.rows for part in right.parts)
        return TableChange(added=rows[1], removed=rows[0])
    old, new = np.sort(left.rows(columns)), np.sort(right.rows(columns))
    words, counts = np.unique(old, return_counts=True)
    kept = np.minimum(counts, np.searchsorted(new, words, "right") - np.searchsorted(new, words, "left"))
    same = int(kept.sum())
    return TableChange(added=len(new) - same, removed=len(old) - same)


def _compare_keyed(left: _Side, right: _Side, values: Sequence[str]) -> TableChange:
    pairs, old_rest, new_rest = _aligned(left, right)
    cells: Counter[str] = Counter()
    changed = 0
    for old_part, new_part in pairs:
        changed += _compare_aligned(left, right, (old_part, new_part), values, cells)
    added, removed, also_changed = _compare_matched(
        replace(left, parts=old_rest), replace(right, parts=new_rest), values, cells
    )
    found = {name: cells[name] for name in values if cells[name]}
    return TableChange(added, removed, changed + also_changed, found)


def _aligned(left: _Side, right: _Side) -> tuple[list[tuple[Part, Part]], tuple[Part, ...], tuple[Part, ...]]:
    """Pairs of parts that hold the same keys, and the parts of either side that have no partner."""
    key = left.schema.key
    partners = {tuple(part.columns[name] for name in key): part for part in left.parts}
    pairs, rest = [], []
    for part in right.parts:
        partner = partners.pop(tuple(part.columns[name] for name in key), None)
        if partner is None:
            rest.append(part)
        else:
            pairs.append((partner, part))
    paired = {id(old) for old, _ in pairs}
    return pairs, tuple(part for part in left.parts if id(part) not in paired), tuple(rest)


def _compare_aligned(
    left: _Side, right: _Side, pair: tuple[Part, Part], values: Sequence[str], cells: Counter[str]
) -> int:
    """Compares two parts with the same keys row by row; returns how many rows changed."""
    old_part, new_part = pair
    differing = [name for name in values if old_part.columns[name] != new_part.columns[name]]
    if not differing:
        return 0
    old, new = left.read(old_part, differing), right.read(new_part, differing)
    changed = np.zeros(new_part.rows, np.bool_)
    for name in differing:
        kind = right.schema.column(name).type
        unequal = column_hash(_one_chunk(old.column(name)), kind) != column_hash(_one_chunk(new.column(name)), kind)
        cells[name] += int(np.count_nonzero(unequal))
        changed |= unequal
    return int(np.count_nonzero(changed))


def _compare_matched(left: _Side, right: _Side, values: Sequence[str], cells: Counter[str]) -> tuple[int, int, int]:
    """Matches rows by key over all parts of both sides; returns rows added, removed and changed."""
    old_at, new_at, old_rows, new_rows = _matched(left, right)
    changed = np.zeros(len(old_at), np.bool_)
    if len(old_at):
        for name, unequal in _unequal(left, right, values, (old_at, new_at)):
            cells[name] += int(np.count_nonzero(unequal))
            changed |= unequal
    return new_rows - len(new_at), old_rows - len(old_at), int(np.count_nonzero(changed))


def _matched(left: _Side, right: _Side) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], int, int]:
    """The positions of equal keys in both sides, and the number of rows of each side."""
    old, new = left.keys(FIRST), right.keys(FIRST)
    if not len(old) or not len(new):
        return np.empty(0, np.int64), np.empty(0, np.int64), len(old), len(new)
    _, old_at, new_at = np.intersect1d(old, new, return_indices=True)
    # A second, independent hash keeps two different keys of one hash apart.
    same = left.keys(SECOND)[old_at] == right.keys(SECOND)[new_at]
    return old_at[same], new_at[same], len(old), len(new)


def _unequal(
    left: _Side, right: _Side, values: Sequence[str], at: tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]
) -> Iterator[tuple[str, npt.NDArray[np.bool_]]]:
    for name in values:
        yield name, left.column(name)[at[0]] != right.column(name)[at[1]]


def _one_chunk(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()
