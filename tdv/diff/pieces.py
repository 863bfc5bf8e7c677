"""Puts what was found stretch by stretch together into one `TableDiff`.

In: pieces in the order of keys. Out: a `TableDiff`. Always holds: no more than `limit` rows of each kind are kept.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from tdv.content.arrow import arrow_type
from tdv.diff.matching import Positions, as_array
from tdv.diff.pair import Pair
from tdv.diff.value import CellChanges, TableDiff, empty_rows
from tdv.model.diff import TableChange
from tdv.model.schema import TableSchema


@dataclass(frozen=True, slots=True)
class Values:
    """Changed cells of one column: positions among the changed rows of the piece, and both values."""

    rows: Positions
    before: pa.Array
    after: pa.Array


@dataclass(slots=True)
class Piece:
    """What differs in one stretch: all counts, and the rows that are kept."""

    added: int = 0
    removed: int = 0
    changed: int = 0
    cells: Mapping[str, int] = field(default_factory=dict)
    added_rows: pa.Table | None = None
    removed_rows: pa.Table | None = None
    keys: pa.Table | None = None
    values: Mapping[str, Values] = field(default_factory=dict)
    lost: pa.Table | None = None
    gained: pa.Table | None = None


def table_diff(pair: Pair, change: TableChange, pieces: Sequence[Piece], limit: int | None = None) -> TableDiff:
    """The pieces as one value."""
    key = _key_schema(pair.common)
    keys = _joined(key, (piece.keys for piece in pieces), limit)
    return TableDiff(
        pair.new.schema.name,
        pair.old.schema,
        pair.new.schema,
        change,
        _joined(empty_rows(pair.old.schema).schema, (piece.removed_rows for piece in pieces), limit),
        _joined(empty_rows(pair.new.schema).schema, (piece.added_rows for piece in pieces), limit),
        keys,
        {name: _cells(pair.common, name, pieces, keys.num_rows) for name in change.cells} if keys.num_rows else {},
        _own(piece.lost for piece in pieces),
        _own(piece.gained for piece in pieces),
    )


def _key_schema(common: TableSchema) -> pa.Schema:
    return pa.schema([pa.field(name, arrow_type(common.column(name).type)) for name in common.key])


def _joined(schema: pa.Schema, tables: Iterable[pa.Table | None], limit: int | None) -> pa.Table:
    found = [schema.empty_table(), *(table for table in tables if table is not None)]
    return pa.concat_tables(found).slice(0, limit).combine_chunks()


def _own(tables: Iterable[pa.Table | None]) -> pa.Table | None:
    found = [table for table in tables if table is not None]
    return pa.concat_tables(found).combine_chunks() if found else None


def _cells(common: TableSchema, name: str, pieces: Sequence[Piece], rows: int) -> CellChanges:
    kind = arrow_type(common.column(name).type)
    at: list[Positions] = [np.empty(0, np.int64)]
    before, after = [pa.array([], kind)], [pa.array([], kind)]
    start = 0
    for piece in pieces:
        if piece.keys is not None:
            if (found := piece.values.get(name)) is not None:
                at.append(found.rows + start)
                before.append(found.before)
                after.append(found.after)
            start += piece.keys.num_rows
    positions = np.concatenate(at)
    kept = int(np.searchsorted(positions, rows))
    cut = pa.concat_arrays(before).slice(0, kept), pa.concat_arrays(after).slice(0, kept)
    return CellChanges(as_array(positions[:kept]), *cut)
