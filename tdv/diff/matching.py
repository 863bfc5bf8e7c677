"""Finds equal keys in two states.

In: the key columns of both, each without duplicates and in canonical order. Out: the positions of the keys that
both have. Always holds: positions ascend on both sides.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tdv.content import compute as pc
from tdv.content.arrow import one_chunk
from tdv.content.hashing import FIRST, SECOND, key_hash
from tdv.model.schema import TableSchema

Positions = npt.NDArray[np.int64]
_COUNTED: Final = frozenset({"int16", "int32", "int64", "date", "time", "timestamp", "timestamptz"})
"""Types whose canonical order is that of integers."""


def matched(old: pa.Table, new: pa.Table, schema: TableSchema) -> tuple[Positions, Positions]:
    """Where the keys stand that both tables of key columns hold; keys have the types of `schema`."""
    if len(schema.key) == 1 and schema.column(schema.key[0]).type.name in _COUNTED:
        return _by_value(_integers(old), _integers(new))
    return _by_hash(old, new, schema)


def as_array(at: Positions) -> pa.Array:
    """Positions as Arrow has them."""
    # pa.array() would import numpy.ma, 10 ms, to see whether it is given an array with a mask.
    data = pa.py_buffer(np.ascontiguousarray(at, np.int64))
    return pa.Array.from_buffers(pa.int64(), len(at), [None, data])


def picked(values: Any, at: Positions) -> Any:
    """The values of an array, or the rows of a table, at these positions."""
    return pc.take(values, as_array(at))


def rest(rows: int, taken: Positions) -> Positions:
    """The positions below `rows` that are not `taken`."""
    left = np.ones(rows, np.bool_)
    left[taken] = False
    return np.flatnonzero(left)


def _integers(keys: pa.Table) -> npt.NDArray[Any]:
    array = one_chunk(keys.column(0))
    width = np.dtype(f"i{array.type.bit_width // 8}")
    return np.frombuffer(array.buffers()[1], width, count=array.offset + len(array))[array.offset :]


def _by_value(old: npt.NDArray[Any], new: npt.NDArray[Any]) -> tuple[Positions, Positions]:
    if not len(old) or not len(new):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    at = np.minimum(np.searchsorted(new, old), len(new) - 1)
    old_at = np.flatnonzero(new[at] == old)
    return old_at, at[old_at]


def _by_hash(old: pa.Table, new: pa.Table, schema: TableSchema) -> tuple[Positions, Positions]:
    if not old.num_rows or not new.num_rows:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    _, old_at, new_at = np.intersect1d(
        key_hash(old, schema, FIRST), key_hash(new, schema, FIRST), assume_unique=False, return_indices=True
    )
    # A second, independent hash keeps two different keys of one hash apart.
    same = key_hash(old, schema, SECOND)[old_at] == key_hash(new, schema, SECOND)[new_at]
    order = np.argsort(old_at[same], kind="stable")
    return old_at[same][order], new_at[same][order]
