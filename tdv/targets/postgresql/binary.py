"""Rows as PostgreSQL's binary ``COPY`` writes them, decoded column by column without a step per row.

In: whole rows as bytes, and where each begins. Out: canonical Arrow tables. Always holds: a value that is none of its
column's type is `Unreadable`, never bent into one. The format is that of the documentation of ``COPY``: a count of
fields, then for each its length, -1 for NULL, and the bytes that the type's send function makes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import arrow_type
from tdv.model.types import LogicalType

HEADER: Final = 19
"""Bytes before the first row."""
TRAILER: Final = 2
"""Bytes after the last row."""
_OIDS: Final[Mapping[str, tuple[int, ...]]] = {
    "bool": (16,),
    "int16": (21,),
    "int32": (23,),
    "int64": (20,),
    "float64": (701,),
    "decimal": (1700,),
    "string": (25, 1043),
    "binary": (17,),
    "date": (1082,),
    "time": (1083,),
    "timestamp": (1114,),
    "timestamptz": (1184,),
    "uuid": (2950,),
}
_WIDTHS: Final = {"bool": "u1", "int16": ">i2", "int32": ">i4", "int64": ">i8", "float64": ">f8", "date": ">i4"}
_MOMENTS: Final = frozenset({"time", "timestamp", "timestamptz"})
_SMALL_DECIMAL: Final = 18
_EPOCH_DAYS: Final = 10_957
_EPOCH: Final = 946_684_800_000_000
"""2000-01-01, from which the server counts, in days and microseconds since 1970."""
_MOST: Final = 1 << 62
_SIGNS: Final = {0x0000: 1, 0x4000: -1}
_DIGIT: Final = 4
_POWERS: Final = 10 ** np.arange(19, dtype=np.int64)
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
_UUID_PLACES: Final = np.delete(np.arange(36), [8, 13, 18, 23])


class Unreadable(Exception):
    """A stored value is none of its column's type."""


@dataclass(frozen=True, slots=True)
class _Fields:
    """One column of a block: where each value begins in `data`, how long it is, and which are NULL."""

    data: np.ndarray[Any, np.dtype[np.uint8]]
    start: np.ndarray[Any, np.dtype[np.int64]]
    length: np.ndarray[Any, np.dtype[np.int64]]
    null: np.ndarray[Any, np.dtype[np.bool_]]
    has_null: bool

    def numbers(self, kind: str, offset: int = 0) -> np.ndarray[Any, Any]:
        """The numbers of one width that stand `offset` bytes into each value; for NULL any."""
        least = np.dtype(kind).itemsize + offset
        if not self.has_null:
            if self.length.min(initial=least) < least:
                raise Unreadable
            whole: np.ndarray[Any, Any] = _at(self.data, kind)[self.start + offset]
            return whole
        if np.any((self.length < least) & ~self.null):
            raise Unreadable
        found: np.ndarray[Any, Any] = _at(self.data, kind)[np.where(self.null, 0, self.start + offset)]
        return found

    @property
    def validity(self) -> pa.Buffer | None:
        """The bitmap of Arrow, None without NULL."""
        return pa.py_buffer(np.packbits(~self.null, bitorder="little")) if self.has_null else None


def is_binary(kind: LogicalType, oid: int) -> bool:
    """True for a column that `decode` reads: of exactly the type that tdv declares, and decimals that fit 64 bits."""
    if kind.name == "decimal" and kind.precision > _SMALL_DECIMAL:
        return False
    return oid in _OIDS.get(kind.name, ())


def decode(data: bytes, lengths: list[int], kinds: list[LogicalType | None]) -> list[pa.Array]:
    """The columns of rows that are `lengths` bytes long; None stands for text. Raises `Unreadable`."""
    # Numbers are gathered at any offset, and for NULL at the first.
    array = np.frombuffer(data + bytes(8), np.uint8)
    sizes = _at(array, ">i4")
    place = np.zeros(len(lengths), np.int64)
    np.cumsum(lengths[:-1], out=place[1:])
    place += 2
    columns = []
    for kind in kinds:
        length = sizes[place].astype(np.int64)
        null = length < 0
        has_null = bool(null.any())
        if has_null:
            length[null] = 0
        columns.append(_column(_Fields(array, place + 4, length, null, has_null), kind))
        place += length + 4
    return columns


def _at(data: np.ndarray[Any, Any], kind: str) -> np.ndarray[Any, Any]:
    """A view in which element n is the number that begins at byte n."""
    width = np.dtype(kind).itemsize
    return np.ndarray((len(data) - width + 1,), kind, data.data, 0, (1,))


def _column(fields: _Fields, kind: LogicalType | None) -> pa.Array:
    if kind is None or kind.name in ("string", "binary"):
        return _variable(fields, pa.binary() if kind is not None and kind.name == "binary" else pa.string())
    if kind.name in _MOMENTS:
        return _moments(fields, kind)
    special = _SPECIAL.get(kind.name)
    if special is not None:
        return special(fields, kind)
    values = fields.numbers(_WIDTHS[kind.name]).astype(_WIDTHS[kind.name].replace(">", "<"))
    return _array(fields, values, arrow_type(kind))


def _array(fields: _Fields, values: np.ndarray[Any, Any], kind: pa.DataType) -> pa.Array:
    return pa.Array.from_buffers(kind, len(values), [fields.validity, pa.py_buffer(np.ascontiguousarray(values))])


def _variable(fields: _Fields, kind: pa.DataType) -> pa.Array:
    """Every second value of an array over all bytes: the values, and what stands between them."""
    count = len(fields.start)
    offsets = np.empty(2 * count + 1, np.int32)
    offsets[0:-1:2] = fields.start
    offsets[1::2] = fields.start + fields.length
    offsets[-1] = offsets[-2]
    whole = pa.Array.from_buffers(pa.binary(), 2 * count, [None, pa.py_buffer(offsets), pa.py_buffer(fields.data)])
    values = whole.take(pa.array(np.arange(0, 2 * count, 2)))
    _, places, data = values.buffers()
    return pa.Array.from_buffers(kind, count, [fields.validity, places, data])


def _booleans(fields: _Fields, kind: LogicalType) -> pa.Array:
    return pa.array(fields.numbers("u1") != 0, pa.bool_(), mask=fields.null)


def _days(fields: _Fields, kind: LogicalType) -> pa.Array:
    days = fields.numbers(">i4").astype(np.int64) + _EPOCH_DAYS
    if np.any((np.abs(days) >= np.iinfo(np.int32).max - _EPOCH_DAYS) & ~fields.null):
        raise Unreadable
    return _array(fields, days.astype(np.int32), pa.date32())


def _moments(fields: _Fields, kind: LogicalType) -> pa.Array:
    values = fields.numbers(">i8").astype(np.int64)
    if kind.name != "time":
        if np.any((np.abs(values // 2) >= _MOST // 2) & ~fields.null):
            raise Unreadable
        values += _EPOCH
    return _array(fields, values, arrow_type(kind))


def _uuids(fields: _Fields, kind: LogicalType) -> pa.Array:
    count = len(fields.start)
    if np.any((fields.length != 16) & ~fields.null):
        raise Unreadable
    starts = np.where(fields.null, 0, fields.start)
    values = _bytes_at(fields.data, starts, 16)
    text = np.full((count, 36), ord("-"), np.uint8)
    digits = np.empty((count, 32), np.uint8)
    digits[:, 0::2] = _HEX[values >> 4]
    digits[:, 1::2] = _HEX[values & 15]
    text[:, _UUID_PLACES] = digits
    offsets = np.arange(count + 1, dtype=np.int32) * 36
    return pa.Array.from_buffers(pa.string(), count, [fields.validity, pa.py_buffer(offsets), pa.py_buffer(text)])


def _bytes_at(data: np.ndarray[Any, Any], starts: np.ndarray[Any, Any], width: int) -> np.ndarray[Any, Any]:
    places = np.minimum(starts[:, None] + np.arange(width), len(data) - 1)
    found: np.ndarray[Any, Any] = data[places]
    return found


def _decimals(fields: _Fields, kind: LogicalType) -> pa.Array:
    """Digits to the base of 10,000, the first of which counts 10,000^weight."""
    count = np.where(fields.null, 0, fields.numbers(">i2")).astype(np.int64)
    weight = fields.numbers(">i2", 2).astype(np.int64)
    sign = fields.numbers(">u2", 4)
    if np.any(~np.isin(sign, list(_SIGNS)) & ~fields.null):
        raise Unreadable
    total = np.zeros(len(count), np.int64)
    for index in range(int(count.max(initial=0))):
        here = count > index
        places = np.where(here, fields.start + 8 + 2 * index, 0)
        digit = np.where(here, _at(fields.data, ">i2")[places].astype(np.int64), 0)
        total += _scaled(digit, _DIGIT * (weight - index) + kind.scale)
    total = np.where(sign == 0x4000, -total, total)
    if np.any((np.abs(total) >= 10**kind.precision) & ~fields.null):
        raise Unreadable
    words = np.zeros((len(total), 2), np.int64)
    words[:, 0] = total
    words[:, 1] = total >> 63
    return _array(fields, words, arrow_type(kind))


def _scaled(digit: np.ndarray[Any, Any], exponent: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """``digit * 10^exponent``; raises `Unreadable` where that is no whole number of at most 18 digits."""
    present = digit != 0
    if np.any(present & ((exponent > _SMALL_DECIMAL - 1) | (exponent <= -_DIGIT))):
        raise Unreadable
    up = _POWERS[np.clip(exponent, 0, _SMALL_DECIMAL)]
    down = _POWERS[np.clip(-exponent, 0, _DIGIT)]
    if np.any(present & ((digit % down != 0) | (digit // down > np.iinfo(np.int64).max // up))):
        raise Unreadable
    return np.where(present, digit // down * up, 0)


_SPECIAL: Final[Mapping[str, Callable[[_Fields, LogicalType], pa.Array]]] = {
    "bool": _booleans,
    "date": _days,
    "uuid": _uuids,
    "decimal": _decimals,
}
