"""One Arrow array into the canonical array of a logical type, without changing a value.

In: an array of any related Arrow type. Out: an array of the exact canonical type and canonical values:
-0.0 is 0.0, there is one NaN, uuid is lower-case with hyphens, JSON is canonical text, dates and times lie
in the years 1 to 9999, text is valid UTF-8. Always holds: what cannot be converted exactly raises `BadValue`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.types as pt

from tdv.content import compute as pc
from tdv.model.canonical import Recoder
from tdv.model.types import LogicalType

_DAYS: Final = (-719_162, 2_932_896)
_MICROSECONDS_PER_DAY: Final = 86_400_000_000
_MOMENTS: Final = (_DAYS[0] * _MICROSECONDS_PER_DAY, (_DAYS[1] + 1) * _MICROSECONDS_PER_DAY - 1)
_TIMES: Final = (0, _MICROSECONDS_PER_DAY - 1)
_YEARS: Final = "lies outside the years 1 to 9999"
_HEX: Final = np.isin(np.arange(256), np.frombuffer(b"0123456789abcdef", np.uint8))
_HYPHENS: Final = (8, 13, 18, 23)
_UUID: Final = re.compile(r"([0-9a-f]{8})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{4})-?([0-9a-f]{12})", re.IGNORECASE)


class BadValue(Exception):
    """`reason` completes a sentence about the value in `row` of the array, or about the whole column."""

    def __init__(self, reason: str, row: int | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.row = row


class NullInKey(BadValue):
    """NULL where a key has none."""


def convert(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    """`array` as the canonical array of `kind`, whose Arrow type is `to`; raises `BadValue`."""
    array = _decoded(array)
    if pt.is_null(array.type):
        return pa.nulls(len(array), to)
    accepts, finish = _CONVERSIONS[kind.name]
    if not accepts(array.type):
        raise BadValue(f"{array.type} is no {kind}")
    return finish(array, kind, to)


def _decoded(array: pa.Array) -> pa.Array:
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pt.is_dictionary(array.type):
        return _decoded(array.dictionary_decode())
    if pt.is_run_end_encoded(array.type):
        return _decoded(pc.run_end_decode(array))
    return array


def _is_text(kind: pa.DataType) -> bool:
    return bool(pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind))


def _is_bytes(kind: pa.DataType) -> bool:
    variable = pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind)
    return bool(variable or pt.is_fixed_size_binary(kind))


def _is_list(kind: pa.DataType) -> bool:
    plain = pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind)
    return bool(plain or pt.is_list_view(kind) or pt.is_large_list_view(kind))


def _cast(array: pa.Array, to: pa.DataType) -> pa.Array:
    """A cast that loses nothing; the first value that does not fit is found by bisection."""
    if array.type == to:
        return array
    try:
        return array.cast(to, safe=True)
    except pa.ArrowInvalid:
        row = _first_failing(array, lambda part: part.cast(to, safe=True))
        raise BadValue(f"does not fit {to}", row) from None
    except pa.ArrowNotImplementedError:
        raise BadValue(f"{array.type} cannot become {to}") from None


def _first_failing(array: pa.Array, step: Callable[[pa.Array], object]) -> int:
    low, high = 0, len(array)
    while high - low > 1:
        middle = (low + high) // 2
        try:
            step(array.slice(low, middle - low))
        except pa.ArrowInvalid:
            high = middle
        else:
            low = middle
    return low


def _validated(array: pa.Array) -> pa.Array:
    """Refuses text that is no UTF-8 and decimals with too many digits, which untrusted files may hold."""
    try:
        array.validate(full=True)
    except pa.ArrowInvalid as exc:
        row = _first_failing(array, lambda part: part.validate(full=True))
        reason = "is no valid UTF-8" if _is_text(array.type) else f"is damaged ({exc})"
        raise BadValue(reason, row) from None
    return array


def _simple(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    return _cast(array, to)


def _checked(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    return _cast(_validated(array), to)


def _decimal(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    if pt.is_integer(array.type):
        array = _cast(_cast(array, pa.int64()), pa.decimal128(19, 0))
    return _cast(_validated(array), to)


def _float(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    array = _cast(array, to)
    values = np.frombuffer(array.buffers()[1] or b"", np.float64)[array.offset : array.offset + len(array)]
    normal = values + 0.0
    not_a_number = np.isnan(normal)
    if not_a_number.any():
        normal[not_a_number] = np.nan
    if np.array_equal(normal.view(np.int64), values.view(np.int64)):
        return array
    mask = array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None
    return pa.array(normal, type=to, mask=mask, from_pandas=False)


def _within(array: pa.Array, bounds: tuple[int, int], reason: str) -> pa.Array:
    width = pa.int32() if pt.is_date32(array.type) else pa.int64()
    numbers = array.view(width)
    extremes = pc.min_max(numbers)
    low, high = extremes["min"].as_py(), extremes["max"].as_py()
    if low is not None and (low < bounds[0] or high > bounds[1]):
        outside = pc.or_(pc.less(numbers, bounds[0]), pc.greater(numbers, bounds[1]))
        raise BadValue(reason, pc.index(outside, True).as_py())
    return array


def _date(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    if pt.is_date64(array.type):
        milliseconds = array.view(pa.int64())
        whole = pc.equal(pc.multiply(pc.divide(milliseconds, 86_400_000), 86_400_000), milliseconds)
        if pc.all(whole).as_py() is False:
            raise BadValue("is no whole day", pc.index(whole, False).as_py())
    return _within(_cast(array, to), _DAYS, _YEARS)


def _time(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    return _within(_cast(array, to), _TIMES, "is no time of a day")


def _moment(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    return _within(_cast(array, to), _MOMENTS, _YEARS)


def _uuid(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    if pt.is_fixed_size_binary(array.type):
        texts = [None if value is None else value.hex() for value in array.to_pylist()]
        return _uuid(pa.array(texts, to), kind, to)
    array = _cast(_validated(array), to)
    if _are_uuids(array):
        return array
    lower = pc.ascii_lower(array)
    return lower if _are_uuids(lower) else _mapped(array, _uuid_text, to)


def _are_uuids(array: pa.Array) -> bool:
    present = array.drop_null()
    if not len(present):
        return True
    offsets = np.frombuffer(present.buffers()[1], np.int32)[present.offset : present.offset + len(present) + 1]
    if not (np.diff(offsets) == 36).all():
        return False
    text = np.frombuffer(present.buffers()[2], np.uint8)[offsets[0] : offsets[-1]].reshape(-1, 36)
    hyphens = np.zeros(36, bool)
    hyphens[list(_HYPHENS)] = True
    return bool((text[:, hyphens] == ord("-")).all() and _HEX[text[:, ~hyphens]].all())


def _uuid_text(text: str) -> str:
    match = _UUID.fullmatch(text)
    if match is None:
        raise ValueError("is no UUID")
    return "-".join(match.groups()).lower()


def _json(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    recode = Recoder()

    def one(text: str) -> str:
        try:
            return recode(text)
        except ValueError as exc:
            raise ValueError(f"is no JSON that can be stored: {exc}") from None

    return _mapped(_cast(_validated(array), to), one, to)


def _mapped(array: pa.Array, function: Callable[[str], str], to: pa.DataType) -> pa.Array:
    """`function` applied to each different text once; its `ValueError` becomes a `BadValue`."""
    encoded = array.dictionary_encode()
    made: list[str] = []
    for position, text in enumerate(encoded.dictionary.to_pylist()):
        try:
            made.append(function(text))
        except ValueError as exc:
            raise BadValue(str(exc), pc.index(encoded.indices, position).as_py()) from None
    return pa.array(made, to).take(encoded.indices)


def _list(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    assert kind.element is not None
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(array) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    try:
        elements = convert(pc.list_flatten(array), kind.element, to.value_type)
    except BadValue as exc:
        row = None if exc.row is None else int(np.searchsorted(offsets, exc.row, side="right")) - 1
        raise BadValue(f"holds an element that {exc.reason}" if row is not None else exc.reason, row) from None
    mask = array.is_null() if array.null_count else None
    return pa.ListArray.from_arrays(pa.array(offsets), elements, type=to, mask=mask)


def _struct(array: pa.Array, kind: LogicalType, to: pa.DataType) -> pa.Array:
    given = [field.name for field in array.type]
    if sorted(given) != sorted(name for name, _ in kind.fields):
        raise BadValue(f"{array.type} is no {kind}")
    children = array.flatten()
    made = []
    for name, field in kind.fields:
        try:
            made.append(convert(children[given.index(name)], field, to.field(name).type))
        except BadValue as exc:
            raise BadValue(f"has a field {name!r} that {exc.reason}", exc.row) from None
    mask = array.is_null() if array.null_count else None
    return pa.StructArray.from_arrays(made, fields=list(to), mask=mask)


def _is_timestamp(zoned: bool) -> Callable[[pa.DataType], bool]:
    return lambda kind: pt.is_timestamp(kind) and (kind.tz is not None) == zoned


def _is_exact(kind: pa.DataType) -> bool:
    return bool(pt.is_integer(kind) or pt.is_decimal(kind))


_CONVERSIONS: Final[
    dict[str, tuple[Callable[[pa.DataType], bool], Callable[[pa.Array, LogicalType, Any], pa.Array]]]
] = {
    "bool": (pt.is_boolean, _simple),
    "int16": (_is_exact, _checked),
    "int32": (_is_exact, _checked),
    "int64": (_is_exact, _checked),
    "float64": (lambda kind: pt.is_floating(kind) or pt.is_integer(kind), _float),
    "decimal": (_is_exact, _decimal),
    "string": (_is_text, _checked),
    "binary": (_is_bytes, _simple),
    "date": (pt.is_date, _date),
    "time": (pt.is_time, _time),
    "timestamp": (_is_timestamp(zoned=False), _moment),
    "timestamptz": (_is_timestamp(zoned=True), _moment),
    "uuid": (lambda kind: _is_text(kind) or kind == pa.binary(16), _uuid),
    "json": (_is_text, _json),
    "list": (_is_list, _list),
    "struct": (pt.is_struct, _struct),
}
