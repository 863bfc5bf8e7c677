"""Uniqueness and references over whole tables, a part at a time.

In: the columns of a key, part by part. Out: which rows repeat a key, or refer to a row that does not exist.
Always holds: keys are held as 64-bit words, so that memory stays small beside the table: one exact word where
a single integer-like column makes the key, else one hash where its hits are looked at again (uniqueness) and
two independent ones where they are not (references). A key with a null neither repeats nor refers (MATCH
SIMPLE of the SQL standard).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tdv.content.arrow import arrow_type
from tdv.content.hashing import FIRST, SECOND, key_hash
from tdv.model.schema import Column, TableSchema
from tdv.model.types import SIMPLE, LogicalType

Words = npt.NDArray[Any]
Mask = npt.NDArray[np.bool_]

_INT64: Final = frozenset(
    {pa.int16(), pa.int32(), pa.int64(), pa.date32(), pa.time64("us"), pa.timestamp("us"), pa.timestamp("us", "UTC")}
)
_KINDS: Final = {arrow_type(LogicalType(name)): LogicalType(name) for name in reversed(SIMPLE)}
_DENSE: Final = 1 << 26
_SPARSE: Final = 32


def exact_words(keys: pa.Table) -> Words | None:
    """The keys as int64 of shape (rows,), where one integer-like column makes the key; else None.

    Words of rows with a null mean nothing, here and below; `complete` tells them.
    """
    if keys.num_columns != 1 or keys.schema.field(0).type not in _INT64:
        return None
    array = one_chunk(keys.column(0))
    if array.type in (pa.int16(), pa.int32(), pa.date32()):
        array = array.view(pa.int32()) if array.type == pa.date32() else array
    else:
        array = array.view(pa.int64())
    words: Words = array.fill_null(0).to_numpy(zero_copy_only=False)
    return words.astype(np.int64, copy=False)


def unique_words(keys: pa.Table) -> Words:
    """One word a row: exact as int64, or a hash as uint64; shape (rows,)."""
    exact = exact_words(keys)
    return exact if exact is not None else key_hash(keys, _as_key(keys), FIRST)


def reference_words(keys: pa.Table) -> Words:
    """Exact words of shape (rows,), or two hashes of shape (rows, 2)."""
    exact = exact_words(keys)
    if exact is not None:
        return exact
    schema = _as_key(keys)
    return np.stack([key_hash(keys, schema, seed) for seed in (FIRST, SECOND)], axis=1)


def families(types: Sequence[pa.DataType]) -> tuple[str, ...]:
    """What two keys must share to be compared: integers of any width are one family."""
    return tuple("integer" if pa.types.is_integer(kind) else str(kind) for kind in types)


def complete(keys: pa.Table) -> Mask | None:
    """Which rows have no null in any column; None when all have."""
    found: Mask | None = None
    for column in keys.columns:
        if column.null_count:
            valid: Mask = one_chunk(column).is_valid().to_numpy(zero_copy_only=False)
            found = valid if found is None else found & valid
    return found


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array, without a copy where it is one already."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _as_key(keys: pa.Table) -> TableSchema:
    columns = tuple(Column(field.name, _kind(field.type)) for field in keys.schema)
    return TableSchema("", columns, key=tuple(keys.column_names))


def _kind(kind: pa.DataType) -> LogicalType:
    """The logical type whose values hash alike (uuid as string); lists and structs are never in a key."""
    if pa.types.is_decimal(kind):
        return LogicalType("decimal", precision=kind.precision, scale=kind.scale)
    return _KINDS[kind]


class Unique:
    """Collects the keys of a table; exact keys that come in rising order are proved unique at once."""

    def __init__(self) -> None:
        self._kept: list[Words] = []
        self._last: int | None = None
        self._rising = True

    def add(self, keys: Words) -> None:
        """Takes the keys of the next part, those with nulls left out."""
        if len(keys):
            self._rising = self._rising and keys.dtype == np.int64 and self._goes_on(keys)
            self._kept.append(keys)

    def _goes_on(self, keys: Words) -> bool:
        follows = self._last is None or int(keys[0]) > self._last
        self._last = int(keys[-1])
        return follows and bool(np.all(keys[1:] > keys[:-1]))

    def repeated(self) -> Words:
        """The words that occur more than once, sorted; of hashes these are only suspects."""
        if self._rising:
            return np.empty(0, np.int64)
        everything = np.concatenate(self._kept)
        self._kept.clear()
        everything.sort()
        return np.unique(everything[1:][everything[1:] == everything[:-1]])


class ParentKeys:
    """The keys that a reference may point to; built once, then asked for each part of the child.

    `kinds` are the families of their types, None when there are no rows.
    """

    def __init__(self, parts: Sequence[Words], kinds: tuple[str, ...] | None) -> None:
        self.kinds = kinds
        self._dense: Mask | None = None
        self._base = 0
        self._second: Words | None = None
        parts = [part for part in parts if len(part)]
        self._sorted: Words = np.concatenate(parts) if parts else np.empty(0, np.int64)
        if self._sorted.ndim == 2:
            order = np.argsort(self._sorted[:, 0], kind="stable")
            self._sorted, self._second = self._sorted[order, 0], self._sorted[order, 1]
        elif len(self._sorted):
            self._index()

    def _index(self) -> None:
        low, high = int(self._sorted.min()), int(self._sorted.max())
        if high - low < min(_DENSE, max(_SPARSE * len(self._sorted), 1024)):
            self._base = low
            self._dense = np.zeros(high - low + 1, np.bool_)
            self._dense[self._sorted - low] = True
            self._sorted = self._sorted[:0]
        else:
            self._sorted = np.sort(self._sorted)

    def missing(self, keys: Words) -> Mask:
        """Which of `keys` are no key of the parent."""
        if self._dense is not None:
            return self._missing_dense(keys)
        if len(self._sorted) == 0:
            return np.ones(len(keys), np.bool_)
        if keys.ndim == 2:
            return self._missing_pairs(keys)
        at = np.searchsorted(self._sorted, keys)
        at[at == len(self._sorted)] = 0
        missing: Mask = self._sorted[at] != keys
        return missing

    def _missing_dense(self, keys: Words) -> Mask:
        assert self._dense is not None
        if len(keys) == 0:
            return np.zeros(0, np.bool_)
        top = self._base + len(self._dense) - 1
        missing: Mask
        if int(keys.min()) >= self._base and int(keys.max()) <= top:
            missing = ~self._dense[keys - self._base]
        else:
            outside = (keys < self._base) | (keys > top)
            missing = outside | ~self._dense[np.where(outside, 0, keys - self._base)]
        return missing

    def _missing_pairs(self, keys: Words) -> Mask:
        assert self._second is not None
        start = np.searchsorted(self._sorted, keys[:, 0], side="left")
        stop = np.searchsorted(self._sorted, keys[:, 0], side="right")
        missing = np.ones(len(keys), np.bool_)
        step = 0
        while True:  # once per parent that shares its first word with another: in practice a single round
            at = start + step
            open_ = missing & (at < stop)
            if not open_.any():
                return missing
            missing[open_] = self._second[at[open_]] != keys[open_, 1]
            step += 1
