"""Guesses which columns and tables were renamed, by looking at their values.

In: two snapshots. Out: `SchemaChange`s marked as guesses. Always holds: a guess changes nothing of what is counted;
at most the first part of each candidate is read, and only where something went and something of its type came.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from tdv.content.arrow import one_chunk
from tdv.content.hashing import Hashes, column_hash, row_hash
from tdv.content.snapshot import Snapshot
from tdv.diff.matching import matched
from tdv.diff.pair import Pair
from tdv.model.diff_report import SchemaChange
from tdv.model.schema import Column, TableSchema

_ENOUGH: Final = 0.8
"""The share of equal values from which on a rename is guessed."""
Guess = tuple[float, str, str]


def renames(old: Snapshot, new: Snapshot) -> Iterator[SchemaChange]:
    """Tables, then columns, that look as if they had been renamed."""
    for before, after in _best(_table_guesses(old, new)):
        yield SchemaChange("table-renamed", after, before=before, after=after, guess=True)
    for name in new.tables:
        if name in old.tables:
            for before, after in _best(_column_guesses(Pair.of(old, new, name))):
                yield SchemaChange("column-renamed", name, after, before, after, guess=True)


def _best(guesses: Iterator[Guess]) -> Iterator[tuple[str, str]]:
    """The likeliest pairs, each name once."""
    taken: set[tuple[int, str]] = set()
    for share, before, after in sorted(guesses, key=lambda guess: (-guess[0], guess[1], guess[2])):
        if share >= _ENOUGH and not taken & {(0, before), (1, after)}:
            taken |= {(0, before), (1, after)}
            yield before, after


def _table_guesses(old: Snapshot, new: Snapshot) -> Iterator[Guess]:
    gone = [table for table in old.manifest.tables if table.name not in new.tables]
    come = [table for table in new.manifest.tables if table.name not in old.tables]
    for before in gone:
        for after in come:
            if before.rows and _shape(before.schema) == _shape(after.schema):
                same = before.digest == after.digest
                yield 1.0 if same else _row_share(old, new, before.name, after.name), before.name, after.name


def _shape(table: TableSchema) -> dict[str, str]:
    return {column.name: str(column.type) for column in table.columns}


def _row_share(old: Snapshot, new: Snapshot, before: str, after: str) -> float:
    one, other = (
        row_hash(next(snapshot.batches(name)), snapshot.manifest.table(name).schema)
        for snapshot, name in ((old, before), (new, after))
    )
    return _share(one, other)


def _column_guesses(pair: Pair) -> Iterator[Guess]:
    before, after = pair.old.schema, pair.new.schema
    gone = [before.column(name) for name in pair.lost if name not in after.column_names]
    come = [after.column(name) for name in pair.gained if name not in before.column_names]
    for column in gone:
        for other in come:
            if column.type == other.type:
                yield _column_share(pair, column, other), column.name, other.name


def _column_share(pair: Pair, before: Column, after: Column) -> float:
    """The share of rows with equal values, among those of the first parts that both have."""
    old_part, new_part = pair.old.manifest.parts[:1], pair.new.manifest.parts[:1]
    hashes = []
    for side, parts, column in ((pair.old, old_part, before), (pair.new, new_part, after)):
        table = side.snapshot.part(side.schema.name, parts[0], [column.name])
        hashes.append(column_hash(one_chunk(table.column(0)), column.type))
    one, other = hashes
    if len(np.unique(one)) < min(2, len(one)):
        return 0.0
    if not pair.common.key:
        return _share(one, other)
    at, to = matched(pair.old.keys(old_part), pair.new.keys(new_part), pair.common)
    return float(np.mean(one[at] == other[to])) if len(at) else 0.0


def _share(one: Hashes, other: Hashes) -> float:
    """How much of the smaller bag is in the larger one."""
    words, counts = np.unique(one, return_counts=True)
    others = np.sort(other)
    there = np.searchsorted(others, words, "right") - np.searchsorted(others, words, "left")
    smaller = min(len(one), len(other))
    return float(np.minimum(counts, there).sum()) / smaller if smaller else 0.0
