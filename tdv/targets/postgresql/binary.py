"""Rows as PostgreSQL's binary ``COPY``, which the server reads in two thirds of the time of text.

In: canonical Arrow tables of scalar columns. Out: the bytes that ``COPY … FORMAT binary`` reads. Always holds: there
is one spelling for every value, the one that the server itself writes, so that a table whose rows the server gives
back in the same bytes holds the same rows.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.arrow import one_chunk
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.losses import refused_value

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
_DIGITS: Final = 18
"""Decimals of more digits do not fit into the integers that are reckoned with here."""
_GROUP: Final = 4
"""Decimal digits that PostgreSQL keeps together."""
_BASE: Final = 10**_GROUP
_NEGATIVE: Final = 0x4000
_DAYS: Final = 10_957
"""From 1970 to 2000, where PostgreSQL counts from."""
_MICROSECONDS: Final = _DAYS * 86_400_000_000
_NULL: Final = -1
_LENGTH: Final = 4
"""Bytes that say how long a field is."""
_HEAD: Final = 6
"""Units of two bytes before the digits of a decimal, two of which are its length."""
_UUID: Final = np.array([index for index in range(36) if index not in (8, 13, 18, 23)])

Bytes = np.ndarray[tuple[int, int], np.dtype[np.uint8]]


def has_binary(table: TableSchema) -> bool:
    """True for a table whose columns all have one binary spelling."""
    return bool(table.columns) and all(_is_scalar(column.type) for column in table.columns)


def encode(rows: pa.Table, table: TableSchema) -> memoryview:
    """The rows without header and trailer; raises `DataError` for a value that PostgreSQL cannot hold."""
    joined = pc.binary_join_element_wise(*_arrays(_pieces(rows, table)), b"")
    ends = np.frombuffer(joined.buffers()[1], np.int32)
    return memoryview(joined.buffers()[2])[ends[0] : ends[rows.num_rows]]


def _is_scalar(kind: LogicalType) -> bool:
    if kind.name == "decimal":
        return kind.precision + -kind.scale % _GROUP <= _DIGITS
    return kind.name in _FIXED or kind.name in ("string", "binary")


def _pieces(rows: pa.Table, table: TableSchema) -> Iterator[Bytes | pa.Array]:
    """The fields of the rows from left to right: of one width as matrices, of many as arrays."""
    yield _of_each(rows.num_rows, len(table.columns), ">i2")
    for column in table.columns:
        array = one_chunk(rows.column(column.name))
        if column.type.name in ("string", "binary"):
            yield from _texts(array, column, table.name)
        elif column.type.name == "decimal":
            yield from _decimals(array, column.type)
        else:
            yield _fixed(array, column, table.name)


def _arrays(pieces: Iterable[Bytes | pa.Array]) -> Iterator[pa.Array]:
    """The pieces as arrays; neighbours of one width become one, since every array costs as much as any other."""
    for fixed, group in itertools.groupby(pieces, lambda piece: isinstance(piece, np.ndarray)):
        if fixed:
            yield _as_array(np.hstack(list(group)))
        else:
            yield from group


def _as_array(matrix: Bytes) -> pa.Array:
    count, width = matrix.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32)
    return pa.Array.from_buffers(pa.binary(), count, [None, pa.py_buffer(offsets), pa.py_buffer(matrix)])


def _ragged(matrix: np.ndarray[Any, Any], keep: np.ndarray[Any, np.dtype[np.bool_]]) -> pa.Array:
    """Of each row of the matrix only the items to keep."""
    offsets = np.zeros(len(matrix) + 1, np.int32)
    np.cumsum(np.count_nonzero(keep, axis=1) * matrix.itemsize, out=offsets[1:])
    kept = matrix[keep].view(np.uint8)
    return pa.Array.from_buffers(pa.binary(), len(matrix), [None, pa.py_buffer(offsets), pa.py_buffer(kept)])


def _of_each(count: int, value: Any, dtype: str) -> Bytes:
    """One number, for each row the same."""
    return _as_bytes(np.full(count, value, dtype))


def _as_bytes(values: np.ndarray[Any, Any]) -> Bytes:
    return np.ascontiguousarray(values).view(np.uint8).reshape(len(values), -1)


def _valid(array: pa.Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
    valid: np.ndarray[Any, np.dtype[np.bool_]] = array.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _texts(array: pa.Array, column: Column, table: str) -> Iterator[Bytes | pa.Array]:
    if column.type.name == "string" and _has_nul(array):
        raise refused_value(table, column.name, "the character NUL", "PostgreSQL")
    lengths = pc.fill_null(pc.binary_length(array), _NULL)
    yield _as_bytes(lengths.to_numpy(zero_copy_only=False).astype(">i4"))
    yield pc.fill_null(array.cast(pa.binary()), b"")


def _has_nul(array: pa.Array) -> bool:
    """Whether a text holds the character NUL; one look at all its bytes nearly always tells."""
    _, ends, data = array.buffers()
    if data is None:
        return False
    first, last = np.frombuffer(ends, np.int32)[[array.offset, array.offset + len(array)]]
    if np.frombuffer(data, np.uint8)[first:last].all():
        return False
    return bool(pc.any(pc.match_substring(array, "\0"), min_count=0).as_py())


def _fixed(array: pa.Array, column: Column, table: str) -> Bytes | pa.Array:
    """Fields that have one width unless they are NULL."""
    values, dtype = _FIXED[column.type.name]
    try:
        body = _as_bytes(values(array).astype(dtype))
    except OverflowError as exc:
        raise refused_value(table, column.name, f"a {column.type} so far away", "PostgreSQL") from exc
    return _nullable(np.hstack((_of_each(len(array), body.shape[1], ">i4"), body)), array)


def _nullable(fields: Bytes, array: pa.Array) -> Bytes | pa.Array:
    """The fields, each of which begins with its length; NULL is a length and nothing else."""
    if not array.null_count:
        return fields
    valid = _valid(array)
    fields[~valid, :_LENGTH] = 255
    keep = np.repeat(valid[:, None], fields.shape[1], axis=1)
    keep[:, :_LENGTH] = True
    return _ragged(fields, keep)


def _decimals(array: pa.Array, kind: LogicalType) -> Iterator[Bytes | pa.Array]:
    """Digits to the base of 10,000 around the point, without zeros at either end."""
    unscaled = np.frombuffer(array.buffers()[1], "<i8")[2 * array.offset :: 2][: len(array)]
    values = (np.where(_valid(array), unscaled, 0) if array.null_count else unscaled) * 10 ** (-kind.scale % _GROUP)
    fraction = -(-kind.scale // _GROUP)
    digits = _digits(np.abs(values), fraction)
    before, after = _zeros(digits), _zeros(digits[::-1])
    count = np.maximum(len(digits) - before - after, 0)
    weight = np.where(count > 0, len(digits) - fraction - 1 - before, 0)
    units = np.empty((len(array), _HEAD + len(digits)), ">i2")
    head = (0, 2 * (count + _HEAD) - _LENGTH, count, weight, np.where(values < 0, _NEGATIVE, 0), kind.scale)
    for place, unit in enumerate((*head, *digits)):
        units[:, place] = unit
    keep = np.ones(units.shape, np.bool_)
    for place in range(len(digits)):
        keep[:, _HEAD + place] = (place >= before) & (place < before + count)
    if array.null_count:
        null = ~_valid(array)
        units[null, : _LENGTH // 2] = _NULL
        keep[null, _LENGTH // 2 :] = False
    yield _ragged(units, keep)


def _digits(values: np.ndarray[Any, Any], fraction: int) -> list[np.ndarray[Any, Any]]:
    """The values by powers of the base, as many as any needs, at least `fraction` and one, the highest first."""
    groups: list[np.ndarray[Any, Any]] = []
    while len(groups) <= fraction or values.any():
        rest = values // _BASE
        groups.append((values - rest * _BASE).astype(np.int16))
        values = rest
    return groups[::-1]


def _zeros(digits: Sequence[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """How many zeros each value begins with."""
    count = np.zeros(len(digits[0]), np.int16)
    only = np.ones(len(digits[0]), np.bool_)
    for group in digits:
        only &= group == 0
        count += only
    return count


def _numbers(array: pa.Array) -> np.ndarray[Any, Any]:
    found: np.ndarray[Any, Any] = pc.fill_null(array, 0).to_numpy(zero_copy_only=False)
    return found


def _flags(array: pa.Array) -> np.ndarray[Any, Any]:
    return _numbers(array.cast(pa.uint8()))


def _dates(array: pa.Array) -> np.ndarray[Any, Any]:
    return _moved(_numbers(array.cast(pa.int32())).astype(np.int64), _DAYS, 32)


def _times(array: pa.Array) -> np.ndarray[Any, Any]:
    return _numbers(array.cast(pa.int64()))


def _timestamps(array: pa.Array) -> np.ndarray[Any, Any]:
    return _moved(_times(array), _MICROSECONDS, 64)


def _moved(values: np.ndarray[Any, Any], zero: int, bits: int) -> np.ndarray[Any, Any]:
    """The values counted from `zero`; raises `OverflowError` where that is no such number, or means infinity."""
    if len(values) and int(values.min()) - zero <= -(1 << bits - 1):
        raise OverflowError
    return values - zero


def _uuids(array: pa.Array) -> np.ndarray[Any, Any]:
    texts = pc.fill_null(array, "0" * 8 + "-0000-0000-0000-" + "0" * 12).cast(pa.binary(36))
    start = texts.offset * 36
    signs = np.frombuffer(texts.buffers()[1], np.uint8)[start : start + 36 * len(texts)].reshape(-1, 36)[:, _UUID]
    values = np.where(signs > ord("9"), signs - ord("a") + 10, signs - ord("0")).astype(np.uint8)
    return np.ascontiguousarray((values[:, 0::2] << 4) | values[:, 1::2])


_FIXED: Final[Mapping[str, tuple[Callable[[pa.Array], np.ndarray[Any, Any]], str]]] = {
    "bool": (_flags, "u1"),
    "int16": (_numbers, ">i2"),
    "int32": (_numbers, ">i4"),
    "int64": (_numbers, ">i8"),
    "float64": (_numbers, ">f8"),
    "date": (_dates, ">i4"),
    "time": (_times, ">i8"),
    "timestamp": (_timestamps, ">i8"),
    "timestamptz": (_timestamps, ">i8"),
    "uuid": (_uuids, "u1"),
}
