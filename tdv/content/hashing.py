"""64-bit hashes of cells, keys and rows, computed for whole columns at once.

In: canonical columns. Out: `numpy.uint64` arrays. Always holds: the hash of a value depends on its logical
type's family and its value alone (integers of all widths, dates and times hash as int64), on every platform;
the algorithm is frozen (docs/formats/digest.md), since part boundaries and the order of tables without a
key follow from it. The hashes guard against accident, not against an adversary.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tdv.content import compute as pc
from tdv.content.arrow import one_chunk
from tdv.model.schema import TableSchema
from tdv.model.types import LogicalType

Hashes = np.ndarray[Any, np.dtype[np.uint64]]
Offsets = np.ndarray[Any, np.dtype[np.int64]]

FIRST: Final = 0x243F6A8885A308D3
SECOND: Final = 0x13198A2E03707344
"""Seeds of two independent hashes: digits of pi."""

_GOLDEN: Final = np.uint64(0x9E3779B97F4A7C15)
_BLOCK: Final = 65_536
"""Rows hashed at a time, so that what lies between the steps stays in the processor's cache."""
_FOLD: Final = np.uint64(0x9FB21C651E98DF25)
"""Makes a fold tell its left from its right, also where one fold stands inside another."""
_STRINGS: Final = 16_384
_BLOCK_BYTES: Final = 1 << 22
"""The same for texts."""
_SHORT: Final = 128
"""Texts up to this many bytes are hashed word by word for all of them at once."""
_NULL: Final = np.uint64(0xA4093822299F31D0)
_NARROW: Final = {"int16": np.int16, "int32": np.int32, "date": np.int32}
_WIDE: Final = frozenset({"int64", "time", "timestamp", "timestamptz", "float64"})


def row_hash(table: pa.Table, schema: TableSchema, seed: int = FIRST) -> Hashes:
    """The hash of each row over all columns, whatever their order; shape (rows,)."""
    names = sorted(schema.column_names, key=lambda name: name.encode("utf-8"))
    return _folded(table, schema, names, seed)


def key_hash(table: pa.Table, schema: TableSchema, seed: int = FIRST) -> Hashes:
    """The hash of each row's key, of the whole row where the table has no key; shape (rows,)."""
    if not schema.key:
        return row_hash(table, schema, seed)
    return _folded(table, schema, schema.key, seed)


def column_hash(array: pa.Array, kind: LogicalType, seed: int = FIRST) -> Hashes:
    """The hash of each value of a canonical array; all nulls share one; shape (len(array),)."""
    lane = np.uint64(seed)
    hashes = _KINDS.get(kind.name, _fixed_hash)(array, kind, lane)
    if array.null_count:
        null = array.is_null().to_numpy(zero_copy_only=False)
        hashes[null] = _mix(np.array([lane]) + _NULL)[0]
    return hashes


def _folded(table: pa.Table, schema: TableSchema, names: Sequence[str], seed: int) -> Hashes:
    hashes = np.full(table.num_rows, seed, np.uint64)
    for start in range(0, table.num_rows, _BLOCK):
        block, part = hashes[start : start + _BLOCK], table.slice(start, _BLOCK)
        for name in names:
            block *= _FOLD
            block += column_hash(one_chunk(part.column(name)), schema.column(name).type, seed)
            _mix(block)
    return hashes


def _mix(words: Hashes) -> Hashes:
    """The finaliser of SplitMix64 (Steele, Lea, Flood 2014, with Stafford's variant 13), in place."""
    scratch = words >> np.uint64(30)
    words ^= scratch
    words *= np.uint64(0xBF58476D1CE4E5B9)
    np.right_shift(words, np.uint64(27), out=scratch)
    words ^= scratch
    words *= np.uint64(0x94D049BB133111EB)
    np.right_shift(words, np.uint64(31), out=scratch)
    words ^= scratch
    return words


def _buffer(array: pa.Array, width: Any, per_value: int = 1) -> np.ndarray[Any, Any]:
    if not len(array):
        return np.empty(0, width)
    values = np.frombuffer(array.buffers()[1], width, count=(array.offset + len(array)) * per_value)
    return values[array.offset * per_value :]


def _fixed_hash(array: pa.Array, kind: LogicalType, lane: np.uint64) -> Hashes:
    """One 64-bit word: the value as int64, or the bits of a float."""
    if kind.name == "bool":
        words = array.cast(pa.uint8()).fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
    elif kind.name in _WIDE:
        words = _buffer(array, np.uint64)
    else:
        words = _buffer(array, _NARROW[kind.name]).astype(np.int64).view(np.uint64)
    return _mix(words ^ lane)


def _decimal_hash(array: pa.Array, kind: LogicalType, lane: np.uint64) -> Hashes:
    """Two words of the unscaled value, low first."""
    words = _buffer(array, np.uint64, per_value=2)
    return _mix(_mix(words[0::2] ^ lane) ^ words[1::2])


def _bytes_hash(array: pa.Array, kind: LogicalType, lane: np.uint64) -> Hashes:
    """The little-endian 8-byte words of each value, the last one overlapping the one before.

    A value of fewer than 8 bytes is one word, padded with zeros; the length goes into the hash too.
    """
    hashes = np.empty(len(array), np.uint64)
    offsets = _offsets(array) if len(array) else np.zeros(1, np.int64)
    source = (array.buffers()[2] if len(array) else None) or b""
    start = 0
    while start < len(array):
        far = int(np.searchsorted(offsets, offsets[start] + _BLOCK_BYTES))
        end = max(start + 1, min(start + _STRINGS, far, len(array)))
        window = offsets[start : end + 1]
        data = np.zeros(int(window[-1] - window[0]) + 8, np.uint8)
        if len(data) > 8:
            data[:-8] = np.frombuffer(source, np.uint8)[window[0] : window[-1]]
        words = np.ndarray((len(data) - 7,), "<u8", data.data, strides=(1,))
        hashes[start:end] = _strings_hash(words, window - window[0], lane)
        start = end
    return hashes


def _strings_hash(words: Hashes, offsets: Offsets, lane: np.uint64) -> Hashes:
    """The hashes of the values between `offsets`; ``words[i]`` is the word that begins at byte i."""
    starts, lengths = offsets[:-1], np.diff(offsets)
    sums = np.zeros(len(lengths), np.uint64)
    shortest, longest = int(lengths.min()), int(lengths.max())
    for index in range((min(longest, _SHORT) + 7) >> 3):
        if shortest > 8 * index and longest <= _SHORT:
            sums += _mixed(_word(words, starts, lengths, 8 * index), index, lane)
        else:
            at = np.flatnonzero((lengths > 8 * index) & (lengths <= _SHORT))
            sums[at] += _mixed(_word(words, starts[at], lengths[at], 8 * index), index, lane)
    if longest > _SHORT:
        at = np.flatnonzero(lengths > _SHORT)
        sums[at] = _long_sums(words, starts[at], lengths[at], lane)
    sums += _mix(lengths.astype(np.uint64) ^ lane)
    return _mix(sums)


def _word(words: Hashes, starts: Offsets, lengths: Offsets, begin: int | Offsets) -> Hashes:
    """The word at `begin` of each value, or its last 8 bytes where it ends before, or all that it has."""
    last = lengths - 8
    if len(last) and last.min() >= 0:
        np.minimum(last, begin, out=last)
        last += starts
        return words[last]
    found = words[starts + np.maximum(np.minimum(last, begin), 0)]
    surplus = (np.maximum(-last, 0) << 3).astype(np.uint64)
    found <<= surplus
    found >>= surplus
    return found


def _long_sums(words: Hashes, starts: Offsets, lengths: Offsets, lane: np.uint64) -> Hashes:
    counts = (lengths + 7) >> 3
    ends = np.cumsum(counts)
    position = np.arange(int(ends[-1])) - np.repeat(ends - counts, counts)
    found = _word(words, np.repeat(starts, counts), np.repeat(lengths, counts), position << 3)
    return _sums(found, position, ends, lane)


def _mixed(words: Hashes, index: int, lane: np.uint64) -> Hashes:
    words ^= _mix(np.array([index + 1], np.uint64) * _GOLDEN + lane)
    return _mix(words)


def _list_hash(array: pa.Array, kind: LogicalType, lane: np.uint64) -> Hashes:
    """The sequence of the hashes of the elements."""
    assert kind.element is not None
    counts = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    elements = column_hash(pc.list_flatten(array), kind.element, int(lane))
    ends = np.cumsum(counts)
    position = np.arange(len(elements)) - np.repeat(ends - counts, counts)
    sums = _sums(elements, position, ends, lane)
    return _mix(sums + _mix(counts.astype(np.uint64) ^ lane))


def _struct_hash(array: pa.Array, kind: LogicalType, lane: np.uint64) -> Hashes:
    """The hashes of the fields, folded in the order of their names."""
    children = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
    hashes = np.full(len(array), lane, np.uint64)
    for name, field in sorted(kind.fields, key=lambda item: item[0].encode("utf-8")):
        hashes = _mix(hashes * _FOLD + column_hash(children[name], field, int(lane)))
    return hashes


def _sums(words: Hashes, position: Offsets, ends: Offsets, lane: np.uint64) -> Hashes:
    """For each sequence of words, the sum of its words, each mixed with its position in the sequence.

    `position` counts each word within its sequence; `ends` are the ends of the sequences in `words`.
    """
    places = _mix((position.astype(np.uint64) + np.uint64(1)) * _GOLDEN + lane)
    totals = np.zeros(len(words) + 1, np.uint64)
    np.cumsum(_mix(words ^ places), out=totals[1:])
    starts = np.concatenate((np.zeros(1, ends.dtype), ends[:-1])) if len(ends) else ends
    return totals[ends] - totals[starts]


def _offsets(array: pa.Array) -> Offsets:
    window = np.frombuffer(array.buffers()[1], np.int32, count=array.offset + len(array) + 1)
    return window[array.offset :].astype(np.int64)


_KINDS: Final = {
    "decimal": _decimal_hash,
    "string": _bytes_hash,
    "binary": _bytes_hash,
    "uuid": _bytes_hash,
    "json": _bytes_hash,
    "list": _list_hash,
    "struct": _struct_hash,
}
