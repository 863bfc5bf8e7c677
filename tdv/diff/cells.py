"""Which values of two arrays differ, exactly.

In: canonical arrays of one type and length. Out: a mask. Always holds: NULL equals NULL, NaN equals NaN, NaN is
not NULL, texts compare by their bytes; a tolerance lets numbers differ, never a number and NULL.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tdv.content import compute as pc
from tdv.content.hashing import column_hash
from tdv.diff.matching import picked
from tdv.model.types import LogicalType

Mask = npt.NDArray[np.bool_]

_WIDTHS: Final[dict[str, Any]] = {
    "int16": np.int16,
    "int32": np.int32,
    "int64": np.int64,
    "float64": np.int64,  # the bits: canonical values have one zero and one NaN
    "date": np.int32,
    "time": np.int64,
    "timestamp": np.int64,
    "timestamptz": np.int64,
}
_TEXTS: Final = frozenset({"string", "binary", "uuid", "json"})
NUMBERS: Final = frozenset({"float64", "decimal", "int16", "int32", "int64"})


def unequal(old: pa.Array, new: pa.Array, kind: LogicalType, tolerance: float = 0.0) -> Mask:
    """True where the values differ, by more than `tolerance` times the larger of 1 and their absolute values."""
    differs = _values_differ(old, new, kind)
    if old.null_count or new.null_count:
        old_null, new_null = (array.is_null().to_numpy(zero_copy_only=False) for array in (old, new))
        differs = np.where(old_null | new_null, old_null != new_null, differs)
    if tolerance > 0 and kind.name in NUMBERS and differs.any():
        forgive(differs, old, new, tolerance)
    return differs


def _values_differ(old: pa.Array, new: pa.Array, kind: LogicalType) -> Mask:
    """What stands in slots of nulls is of no meaning."""
    if kind.name in _WIDTHS:
        width = _WIDTHS[kind.name]
        return np.asarray(_slots(old, width) != _slots(new, width))
    if kind.name == "decimal":
        pairs = _slots(old, np.int64, 2) != _slots(new, np.int64, 2)
        return np.asarray(pairs[0::2] | pairs[1::2])
    if kind.name == "bool" or kind.name in _TEXTS:
        return np.asarray(pc.coalesce(pc.not_equal(old, new), True).to_numpy(zero_copy_only=False))
    return np.asarray(column_hash(old, kind) != column_hash(new, kind))


def _slots(array: pa.Array, width: Any, per_value: int = 1) -> npt.NDArray[Any]:
    if not len(array):
        return np.empty(0, width)
    values = np.frombuffer(array.buffers()[1], width, count=(array.offset + len(array)) * per_value)
    return values[array.offset * per_value :]


def forgive(differs: Mask, old: pa.Array, new: pa.Array, tolerance: float) -> None:
    """Takes back, in place, the differences of numbers that lie within the tolerance."""
    at = np.flatnonzero(differs)
    one, other = (_floats(picked(array, at)) for array in (old, new))
    with np.errstate(invalid="ignore"):
        near = np.abs(one - other) <= tolerance * np.maximum(1.0, np.maximum(np.abs(one), np.abs(other)))
    differs[at[near]] = False


def _floats(array: pa.Array) -> npt.NDArray[np.float64]:
    """NULL becomes NaN, which is near to nothing."""
    return np.asarray(array.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))
