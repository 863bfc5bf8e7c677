"""Values between canonical Arrow columns and what SQLite stores: integers, reals, text and blobs.

In: canonical columns, or columns as SQLite gives them. Out: the other. Always holds: decoding what was encoded
gives the same values; a stored value that is none of its type is a `Misread`, never rounded or bent into one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.arrow import arrow_type
from tdv.content.text import from_text, to_text
from tdv.model.schema import Column
from tdv.model.types import LogicalType
from tdv.targets.losses import refuse_inner_null, refused_value
from tdv.targets.sqlite.ddl import is_number

Storage = Literal["integer", "real", "number", "text", "blob"]
"""How a column is stored; "number" is an integer where the value is whole, else a real."""

ARROW: Final[Mapping[Storage, pa.DataType]] = {
    "integer": pa.int64(),
    "real": pa.float64(),
    "number": pa.float64(),
    "text": pa.string(),
    "blob": pa.binary(),
}
SQLITE: Final = "SQLite"
_SECOND: Final = 1_000_000
_FIRST_DAY: Final = -719_162  # 0001-01-01 in days from 1970
_LAST_DAY: Final = 2_932_896  # 9999-12-31
_RANGES: Final = {"int16": 1 << 15, "int32": 1 << 31, "int64": 1 << 63}


class Misread(Exception):
    """A stored value is none of its column's type; `row` counts from 0 within the chunk."""

    def __init__(self, row: int, value: Any) -> None:
        super().__init__(f"{value!r} at {row}")
        self.row = row
        self.value = value


def storage(kind: LogicalType) -> Storage:
    """How SQLite stores a type."""
    if kind.name in _RANGES or kind.name == "bool":
        return "integer"
    if kind.name == "float64":
        return "real"
    if is_number(kind):
        return "number"
    return "blob" if kind.name == "binary" else "text"


def encode(array: pa.Array, column: Column, table: str, engine: str = SQLITE) -> pa.Array:
    """The values as SQLite stores them, of the type `ARROW` says; raises `DataError` for one that it cannot hold, which
    says that `engine` cannot."""
    kind = column.type
    if kind.name == "float64" and pc.any(pc.is_nan(array)).as_py():
        raise refused_value(table, column.name, "NaN: it would come back as NULL", engine)
    if kind.name in _DAYS:
        _refuse_years(array, column, table, engine)
    refuse_inner_null(array, column, table, engine)
    encoder = _ENCODERS.get(kind.name)
    if is_number(kind):
        return _number(array, kind)
    if encoder is not None:
        return encoder(array)
    how = storage(kind)
    if how in ("text", "blob") and array.type == ARROW[how]:
        return array
    return to_text(array, kind) if how == "text" else array.cast(ARROW[how])


def decode(array: pa.Array, kind: LogicalType) -> pa.Array:
    """The canonical values of a column as SQLite gave it, of the type `ARROW` says; raises `Misread`."""
    how = storage(kind)
    if how == "integer":
        return _integers(array, kind)
    if how == "number":
        return _decimals(array, kind)
    if how in ("real", "blob") or kind.name == "string":
        return array
    parsed = from_text(array, kind)
    if parsed.misfits:
        raise Misread(parsed.misfits[0].row, parsed.misfits[0].value)
    return parsed.array


def _number(array: pa.Array, kind: LogicalType) -> pa.Array:
    """Both operands are exact in a double, so that IEEE division gives the double nearest to the decimal."""
    words = np.frombuffer(array.buffers()[1], "<i8").reshape(-1, 2)[array.offset : array.offset + len(array), 0]
    values = words.astype(np.float64) / float(10**kind.scale)
    return pa.array(values, mask=array.is_null().to_numpy(zero_copy_only=False) if array.null_count else None)


def _decimals(array: pa.Array, kind: LogicalType) -> pa.Array:
    valid = array.is_valid().to_numpy(zero_copy_only=False)
    values = np.where(valid, array.to_numpy(zero_copy_only=False), 0.0)
    scaled = np.rint(values * float(10**kind.scale))
    wrong = valid & ~((scaled / float(10**kind.scale) == values) & (np.abs(scaled) < 10**kind.precision))
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise Misread(row, float(values[row]))
    words = np.zeros((len(scaled), 2), "<i8")
    words[:, 0] = scaled
    words[:, 1] = np.where(scaled < 0, -1, 0)
    bitmap = np.packbits(valid, bitorder="little")
    buffers = [pa.py_buffer(bitmap) if array.null_count else None, pa.py_buffer(words)]
    return pa.Array.from_buffers(arrow_type(kind), len(words), buffers)


def _integers(array: pa.Array, kind: LogicalType) -> pa.Array:
    if kind.name == "int64":
        return array
    low, high = (0, 1) if kind.name == "bool" else (-_RANGES[kind.name], _RANGES[kind.name] - 1)
    outside = pc.or_(pc.less(array, low), pc.greater(array, high))
    row = pc.index(outside, True).as_py()
    if row >= 0:
        raise Misread(row, array[row].as_py())
    return array.cast(arrow_type(kind))


def _moments(array: pa.Array) -> pa.Array:
    """``2026-01-31 12:30:00``, with six more digits where there are microseconds, as Python writes it."""
    naive = array.cast(pa.timestamp("us"))
    whole = _whole_seconds(naive)
    if pc.all(whole, min_count=0).as_py():
        texts = naive.cast(pa.timestamp("s")).cast(pa.string())
    else:
        full = naive.cast(pa.string())
        texts = pc.if_else(whole, pc.utf8_slice_codeunits(full, 0, 19), full)
    return texts if array.type.tz is None else pc.binary_join_element_wise(texts, "+00:00", "")


def _whole_seconds(array: pa.Array) -> pa.Array:
    ticks = array.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
    return pa.array(ticks % _SECOND == 0)


def _times(array: pa.Array) -> pa.Array:
    full = array.cast(pa.string())
    return pc.if_else(_whole_seconds(array), pc.utf8_slice_codeunits(full, 0, 8), full)


def _refuse_years(array: pa.Array, column: Column, table: str, engine: str) -> None:
    per_day = 86_400 * _SECOND if column.type.name != "date" else 1
    range_of = pc.min_max(array.cast(pa.int32() if per_day == 1 else pa.int64()))
    low, high = range_of["min"].as_py(), range_of["max"].as_py()
    if low is not None and (low < _FIRST_DAY * per_day or high >= (_LAST_DAY + 1) * per_day):
        raise refused_value(table, column.name, "years before 1 or after 9999", engine)


_DAYS: Final = frozenset({"date", "timestamp", "timestamptz"})
_ENCODERS: Final[Mapping[str, Callable[[pa.Array], pa.Array]]] = {
    "timestamp": _moments,
    "timestamptz": _moments,
    "time": _times,
}
