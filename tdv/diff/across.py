"""Which values of two arrays of different types differ, where neither type holds every value of the other.

In: canonical arrays of one length, each with its type. Out: a mask. Always holds: numbers are equal by value and never
rounded to be, moments too, whatever is compared with text by its text, lists, structs and JSON by their JSON; all else
differs. NULL equals NULL.
"""

from __future__ import annotations

from decimal import Context, Decimal
from math import isfinite
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tdv.content import compute as pc
from tdv.content.text import to_text
from tdv.diff.cells import NUMBERS, Mask, forgive
from tdv.model.types import LogicalType

_WHOLE: Final = frozenset({"int16", "int32", "int64"})
_MOMENTS: Final = frozenset({"date", "timestamp", "timestamptz"})
_NESTED: Final = frozenset({"json", "list", "struct"})
_EXACT: Final = 10**15
"""Below it, digits and the double next to them stand for each other."""
_POWERS: Final = 22
"""Powers of ten up to this one are doubles."""
_WIDEST: Final = pa.decimal256(76, 38)
"""Holds every whole number and every decimal."""
_EXACTLY: Final = Context(prec=400)
Kinds = tuple[LogicalType, LogicalType]


def unequal_across(old: pa.Array, new: pa.Array, kinds: Kinds, tolerance: float = 0.0) -> Mask:
    """True where the values differ, of numbers by more than `tolerance` times the larger of 1 and their amounts."""
    differs = _values_differ(old, new, kinds)
    old_null, new_null = (array.is_null().to_numpy(zero_copy_only=False) for array in (old, new))
    differs = np.where(old_null | new_null, old_null != new_null, differs)
    if tolerance > 0 and {kind.name for kind in kinds} <= NUMBERS and differs.any():
        forgive(differs, old, new, tolerance)
    return differs


def forms(array: pa.Array, kinds: Kinds) -> pa.Array | None:
    """Texts of values of the first type that are those of values of the second one that `unequal_across` finds equal,
    and of no others; None where it finds none."""
    kind, names = kinds[0], {kind.name for kind in kinds}
    if names <= NUMBERS:
        return pa.array(map(_number_form, array.to_pylist()), pa.string())
    if names <= _MOMENTS:
        return array.cast(pa.timestamp("us")).cast(pa.int64()).cast(pa.string())
    return to_text(array, kind) if "string" in names or names <= _NESTED else None


def _number_form(value: float | Decimal | None) -> str | None:
    """All digits, without zeros at the end."""
    if value is None or not isfinite(value):
        return None if value is None else str(value)
    is_broken = isinstance(value, float) and not value.is_integer()
    return format(Decimal(repr(value) if is_broken else value).normalize(_EXACTLY), "f")


def _values_differ(old: pa.Array, new: pa.Array, kinds: Kinds) -> Mask:
    """What stands in slots of nulls is of no meaning."""
    names = {kind.name for kind in kinds}
    if names <= NUMBERS:
        if "float64" not in names:
            return _not_equal(*(array.cast(_WIDEST) for array in (old, new)))
        floats, others, kind = (old, new, kinds[1]) if kinds[0].name == "float64" else (new, old, kinds[0])
        return ~_floats_equal(floats.fill_null(0).to_numpy(), others.fill_null(0), kind)
    if names <= _MOMENTS:
        return _not_equal(*(array.cast(pa.timestamp("us")).cast(pa.int64()) for array in (old, new)))
    if "string" in names or names <= _NESTED:
        return _not_equal(*(to_text(array, kind) for array, kind in zip((old, new), kinds, strict=True)))
    return np.ones(len(new), np.bool_)


def _not_equal(old: pa.Array, new: pa.Array) -> Mask:
    return np.asarray(pc.coalesce(pc.not_equal(old, new), True).to_numpy(zero_copy_only=False))


def _floats_equal(floats: Any, others: pa.Array, kind: LogicalType) -> Mask:
    """A whole float is the number that it is; one with a fraction the shortest decimal that reads as it."""
    if kind.name in _WHOLE:
        return _whole_equal(floats, others.to_numpy())
    digits = np.frombuffer(others.buffers()[1], np.int64, count=(others.offset + len(others)) * 2)
    low, high = digits[others.offset * 2 :: 2], digits[others.offset * 2 + 1 :: 2]
    is_short = (high == low >> 63) & (np.abs(low) < _EXACT) & (kind.scale <= _POWERS)
    # Both are doubles, so that the quotient is the double next to the decimal.
    equal = is_short & (low / 10.0 ** min(kind.scale, _POWERS) == floats)
    for row in np.flatnonzero(~is_short):
        equal[row] = _is_decimal(float(floats[row]), others[int(row)].as_py())
    return np.asarray(equal)


def _whole_equal(floats: Any, others: Any) -> Mask:
    fits = (floats == np.floor(floats)) & (floats >= -(2.0**63)) & (floats < 2.0**63)
    return np.asarray(fits & (np.where(fits, floats, 0).astype(np.int64) == others))


def _is_decimal(value: float, other: Decimal) -> bool:
    return Decimal(value) == other if value.is_integer() else Decimal(repr(value)) == other
