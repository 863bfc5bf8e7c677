"""Statistics of columns: nulls, distinct values, smallest, largest, mean.

In: canonical arrays, one per part. Out: facts that can be merged, and what they amount to. Always holds: the
result does not depend on threads or machines; of a private column nothing is kept but counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Context, Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tdv.content import compute as pc
from tdv.content.hashing import Hashes, column_hash
from tdv.content.text import plain_float, to_plain
from tdv.model.schema import Column
from tdv.model.types import LogicalType

_EXACT: Final = 1 << 16
"""Distinct values are counted exactly below this many, from there on estimated from the smallest hashes."""
_SLOTS_PER_HASH: Final = 4
_SPACE: Final = 2.0**64
_DIGITS: Final = Context(prec=12)
_WIDE: Final = Context(prec=60)
_INTEGERS: Final = frozenset({"int16", "int32", "int64"})
_NUMBERS: Final = _INTEGERS | {"float64", "decimal", "bool"}
_ORDERED: Final = _INTEGERS | {"float64", "decimal", "string", "date", "time", "timestamp", "timestamptz"}
_WHOLE: Final = 10**12
_SAFE_TOTAL: Final = 2**63 - 1
_SAFE_PRECISION: Final = 28


Total = int | float


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of one column so far.

    `low` and `high` are canonical scalars; `total` is the exact sum of integers or unscaled decimals, for
    floats that of the exactly rounded sums of the parts; `hashes` are the smallest distinct ones, sorted.
    """

    rows: int
    nulls: int
    nans: int
    low: Any
    high: Any
    total: Total | None
    hashes: Hashes | None


def facts_of(array: pa.Array, column: Column, so_far: Facts | None, *, is_unique: bool) -> Facts:
    """The facts of one part; `is_unique` says that no value occurs twice.

    `so_far`, what is known of other parts, spares work and changes nothing in the merged result.
    """
    kind = column.type
    nans = 0
    present = array
    if kind.name == "float64":
        is_nan = pc.is_nan(array)
        nans = pc.sum(is_nan).as_py() or 0
        present = array.filter(pc.invert(is_nan)) if nans else array
    low = high = total = None
    if not column.privacy:
        if kind.name in _ORDERED:
            extremes = pc.min_max(present)
            low, high = extremes["min"], extremes["max"]
        total = _total(present, kind, low, high)
    hashes = None if is_unique else _smallest(array, kind, so_far)
    return Facts(len(array), array.null_count, nans, low, high, total, hashes)


def merged(first: Facts, second: Facts) -> Facts:
    """The facts of two pieces of one column together."""
    hashes = None
    if first.hashes is not None and second.hashes is not None:
        hashes = _united(first.hashes, second.hashes)
    return Facts(
        first.rows + second.rows,
        first.nulls + second.nulls,
        first.nans + second.nans,
        _extreme(pc.min, first.low, second.low),
        _extreme(pc.max, first.high, second.high),
        _added(first.total, second.total),
        hashes,
    )


def described(facts: Facts, column: Column) -> dict[str, Any]:
    """The facts as JSON values by name, in the order in which they are shown."""
    shown: dict[str, Any] = {"nulls": facts.nulls, "distinct": _distinct(facts)}
    if facts.nans:
        shown["nan"] = facts.nans
    for name, scalar in (("min", facts.low), ("max", facts.high)):
        if scalar is not None and scalar.is_valid:
            shown[name] = to_plain(pa.array([scalar]), column.type)[0]
    count = facts.rows - facts.nulls - facts.nans
    if facts.total is not None and count:
        shown["mean"] = _mean(facts.total, count, column.type.scale)
    return shown


def _smallest(array: pa.Array, kind: LogicalType, so_far: Facts | None) -> Hashes:
    """The smallest hashes of the values, sorted; those that `so_far` has or makes superfluous are left out."""
    hashes = column_hash(array.drop_null() if array.null_count else array, kind)
    if so_far is not None and so_far.hashes is not None:
        if len(so_far.hashes) == _EXACT:
            hashes = hashes[hashes < so_far.hashes[-1]]
        slots = _slots(so_far.hashes)
        hashes = hashes[slots[hashes & np.uint64(len(slots) - 1)] != hashes]
    hashes.sort()
    return _without_repeats(hashes)[:_EXACT]


def _slots(hashes: Hashes) -> Hashes:
    """A table in which most of `hashes` stand at their low bits: a quick look that need not be complete."""
    slots = np.zeros(1 << (len(hashes) * _SLOTS_PER_HASH).bit_length(), np.uint64)
    slots[0] = ~np.uint64(0)
    slots[hashes & np.uint64(len(slots) - 1)] = hashes
    return slots


def _united(first: Hashes, second: Hashes) -> Hashes:
    """The smallest hashes of both: two sorted runs, which a stable sort merges in linear time."""
    return _without_repeats(np.sort(np.concatenate((first, second)), kind="stable"))[:_EXACT]


def _without_repeats(hashes: Hashes) -> Hashes:
    fresh = np.ones(len(hashes), bool)
    np.not_equal(hashes[1:], hashes[:-1], out=fresh[1:])
    return hashes[fresh]


def _distinct(facts: Facts) -> int | str:
    if facts.hashes is None:
        return facts.rows - facts.nulls
    if len(facts.hashes) < _EXACT:
        return len(facts.hashes)
    estimate = (_EXACT - 1) * _SPACE / float(facts.hashes[-1])
    return f"about {int(Context(prec=3).create_decimal(int(estimate)))}"


def _total(array: pa.Array, kind: LogicalType, low: Any, high: Any) -> Total | None:
    if kind.name not in _NUMBERS or len(array) == array.null_count:
        return None
    if kind.name == "bool":
        return int(pc.sum(array).as_py())
    if kind.name == "float64":
        return _float_total(array)
    if kind.name in _INTEGERS:
        fits = max(abs(low.as_py()), abs(high.as_py())) * len(array) <= _SAFE_TOTAL
        return int(pc.sum(array).as_py() if fits else sum(array.drop_null().to_pylist()))
    return _decimal_total(array, kind)


def _float_total(array: pa.Array) -> float:
    """The exactly rounded sum; infinities give what IEEE 754 gives for them."""
    values = array.drop_null().to_numpy(zero_copy_only=False)
    if np.isinf(values).any():
        with np.errstate(invalid="ignore"):  # both infinities give NaN, which is no cause for a warning
            return float(values[np.isinf(values)].sum())
    try:
        return math.fsum(values)
    except OverflowError:
        return math.nan


def _decimal_total(array: pa.Array, kind: LogicalType) -> int:
    """The sum of the unscaled values."""
    if kind.precision <= _SAFE_PRECISION:
        return _unscaled(pc.sum(array.cast(pa.decimal128(38, kind.scale))).as_py(), kind)
    return sum(_unscaled(value, kind) for value in array.drop_null().to_pylist())


def _unscaled(value: Decimal, kind: LogicalType) -> int:
    return int(value.scaleb(kind.scale, _WIDE))


def _extreme(pick: Any, first: Any, second: Any) -> Any:
    if first is None or not first.is_valid:
        return second
    if second is None or not second.is_valid:
        return first
    return pick(pa.array([first, second]))


def _added(first: Any, second: Any) -> Any:
    return second if first is None else first if second is None else first + second


def _mean(total: Total, count: int, scale: int) -> int | float | str:
    """Twelve significant digits: an integer where it is one, a decimal number otherwise."""
    if isinstance(total, float):
        return plain_float(float(f"{total / count:.12g}"))
    quotient = _DIGITS.divide(Decimal(total), Decimal(count)).scaleb(-scale, _DIGITS)
    is_whole = quotient == quotient.to_integral_value() and abs(quotient) < _WHOLE
    return int(quotient) if is_whole else float(quotient)
