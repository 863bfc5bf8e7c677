"""Tables written as pages of SQLite's file format, a batch of rows at a time.

In: a database file that nobody has open, with empty tables; rows as `tdv.targets.sqlite.codec` encodes them, rowids
ascending. Out: the file with the rows in it; its indexes on that table are still empty. Always holds: a row that
does not fit into one page ends the writing with `TooLarge`, and the file is as it was.

The format is https://www.sqlite.org/fileformat2.html, sections 1.3 (header), 1.6 (b-tree pages) and 2.1 (records).
Writing it directly is several times as fast as inserting, since rows become bytes by column.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from io import BufferedRandom
from itertools import pairwise
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Bytes = np.ndarray[Any, np.dtype[np.uint8]]
Longs = np.ndarray[Any, np.dtype[np.int64]]

_LEAF: Final = 0x0D
_INTERIOR: Final = 0x05
_LEAF_HEADER: Final = 8
_INTERIOR_HEADER: Final = 12
_PAGE_COUNT_AT: Final = 28
_LOCK_BYTE: Final = 1 << 30
_WIDTHS: Final = ((1, 1), (2, 2), (3, 3), (4, 4), (6, 5), (8, 6))
"""Bytes of an integer, and the serial type that says so."""
_REAL: Final = 7
_TEXT: Final = 13
_BLOB: Final = 12
_SMALL: Final = 1 << 14


class TooLarge(Exception):
    """A row needs more than one page."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of one table: rowids, and the columns of the record; None stands for the rowid's own column."""

    rowids: Longs
    columns: Sequence[pa.Array | None]
    numbers: Sequence[bool]


def write_table(file: BufferedRandom, root: int, batches: Iterable[Rows]) -> None:
    """Fills the empty table whose root page is `root`."""
    before = os.fstat(file.fileno()).st_size
    writer = _Writer(file, before)
    try:
        for rows in batches:
            writer.leaves(rows)
        writer.finish(root)
    except TooLarge:
        file.truncate(before)
        raise


def _varints() -> pa.Array:
    """The varint of every number below 2**14."""
    small = [bytes((number,)) for number in range(128)]
    return pa.array(small + [bytes((0x80 | number >> 7, number & 0x7F)) for number in range(128, _SMALL)], pa.binary())


_VARINT: Final = _varints()


@dataclass(frozen=True, slots=True)
class _Field:
    """One column of a batch: serial type per row, and the bytes of the values."""

    types: Longs
    lengths: Longs
    body: pa.Array


class _Writer:
    """Appends the pages of one b-tree; the children of the level above are page numbers with their last rowid."""

    def __init__(self, file: BufferedRandom, size: int) -> None:
        file.seek(0)
        header = file.read(100)
        self._file = file
        self._page = int.from_bytes(header[16:18], "big")
        if self._page == 1:
            self._page = 65_536
        self._usable = self._page - header[20]
        self._next = size // self._page + 1
        self._children: list[tuple[int, int]] = []

    def leaves(self, rows: Rows) -> None:
        """Appends the leaf pages of a batch."""
        if not len(rows.rowids):
            return
        cells, ends = _cells(rows, self._usable - 35)
        first = self._paged(ends)
        pages = self._leaf_pages(cells, ends, first)
        numbers = self._append(pages)
        last = rows.rowids[np.append(first[1:], len(ends)) - 1]
        self._children += zip(numbers, last.tolist(), strict=True)

    def finish(self, root: int) -> None:
        """Writes the levels above the leaves, the topmost at `root`, and the new page count."""
        if not self._children:
            return
        while len(self._children) > 1:
            groups = list(_grouped(self._children, (self._usable - _INTERIOR_HEADER) // 15))
            pages = np.zeros((len(groups), self._page), np.uint8)
            for page, group in zip(pages, groups, strict=True):
                self._interior(page, group)
            self._children = list(zip(self._append(pages), [group[-1][1] for group in groups], strict=True))
        # The topmost page was written last: it moves to the place that the schema knows.
        top = self._children[0][0]
        self._file.seek((top - 1) * self._page)
        data = self._file.read(self._page)
        self._file.truncate((top - 1) * self._page)
        self._file.seek((root - 1) * self._page)
        self._file.write(data)
        self._file.seek(_PAGE_COUNT_AT)
        self._file.write((top - 1).to_bytes(4, "big"))
        self._file.flush()

    def _paged(self, ends: Longs) -> Longs:
        """The first row of each page: as many cells as fit, each with its pointer of two bytes."""
        taken = ends + 2 * np.arange(1, len(ends) + 1)
        room = self._usable - _LEAF_HEADER
        before = np.concatenate(([0], taken[:-1]))
        following = np.searchsorted(taken, before + room, side="right").tolist()
        first = [0]
        while following[first[-1]] < len(ends):
            first.append(following[first[-1]])
        return np.array(first)

    def _leaf_pages(self, cells: memoryview, ends: Longs, first: Longs) -> Bytes:
        """Header and pointers from the front, the cells of the page in one piece at its end."""
        pages = np.zeros((len(first), self._page), np.uint8)
        starts = np.concatenate(([0], ends[:-1]))
        counts = np.diff(np.append(first, len(ends)))
        page_start = starts[first]
        page_end = ends[np.append(first[1:], len(ends)) - 1]
        content = self._usable - (page_end - page_start)
        pages[:, 0] = _LEAF
        words = pages.view(">u2")
        pages[:, 3:5] = _big_endian(counts, 2)
        pages[:, 5:7] = _big_endian(content, 2)
        page_of = np.repeat(np.arange(len(first)), counts)
        slot = np.arange(len(ends)) - first[page_of]
        words[page_of, _LEAF_HEADER // 2 + slot] = content[page_of] + starts - page_start[page_of]
        out = _view(pages)
        places = np.arange(len(first)) * self._page + content
        for place, start, end in zip(places.tolist(), page_start.tolist(), page_end.tolist(), strict=True):
            out[place : place + end - start] = cells[start:end]
        return pages

    def _interior(self, page: Bytes, group: Sequence[tuple[int, int]]) -> None:
        cells = [number.to_bytes(4, "big") + _varint(rowid) for number, rowid in group[:-1]]
        content = self._usable
        header = bytearray()
        for cell in cells:
            content -= len(cell)
            page[content : content + len(cell)] = np.frombuffer(cell, np.uint8)
            header += content.to_bytes(2, "big")
        front = bytes((_INTERIOR, 0, 0)) + len(cells).to_bytes(2, "big") + (content & 0xFFFF).to_bytes(2, "big")
        front += b"\0" + group[-1][0].to_bytes(4, "big") + bytes(header)
        page[: len(front)] = np.frombuffer(front, np.uint8)

    def _append(self, pages: Bytes) -> list[int]:
        """Writes pages at the end of the file and returns their numbers; the page of the lock byte stays empty."""
        lock = _LOCK_BYTE // self._page + 1
        numbers = list(range(self._next, self._next + len(pages)))
        split = max(0, lock - self._next) if self._next <= lock < self._next + len(pages) else len(pages)
        self._file.seek((self._next - 1) * self._page)
        self._file.write(_view(pages[:split]))
        if split < len(pages):
            self._file.write(bytes(self._page))
            self._file.write(_view(pages[split:]))
            numbers = numbers[:split] + [number + 1 for number in numbers[split:]]
        self._next = numbers[-1] + 1
        return numbers


def _view(pages: Bytes) -> memoryview:
    """The bytes of consecutive pages, without a copy."""
    return memoryview(pages.reshape(-1).data)


def _cells(rows: Rows, most: int) -> tuple[memoryview, Longs]:
    """The cells of all rows in one piece, and where each ends; raises `TooLarge` beyond `most` bytes of payload."""
    count = len(rows.rowids)
    fields = [_field(array, number, count) for array, number in zip(rows.columns, rows.numbers, strict=True)]
    header = sum((_varint_lengths(field.types) for field in fields), np.ones(count, np.int64))
    header += header > 127
    payload = header + sum((field.lengths for field in fields), np.zeros(count, np.int64))
    if payload.max() > most or header.max() >= _SMALL:
        raise TooLarge
    front = [_small_varints(payload), _rowid_varints(rows.rowids), *_header(header, fields)]
    bodies = [field.body for field in fields if len(field.body)]
    joined = pc.binary_join_element_wise(*front, *bodies, b"")
    offsets = np.frombuffer(joined.buffers()[1], np.int32, count + 1)
    return memoryview(joined.buffers()[2]).cast("B"), offsets[1:].astype(np.int64)


def _header(header: Longs, fields: Sequence[_Field]) -> list[pa.Array]:
    """The record's header: one fixed-width piece where all types of all rows take one byte."""
    if header[0] <= 127 and all(field.types.max(initial=0) <= 127 for field in fields):
        matrix = np.empty((len(header), 1 + len(fields)), np.uint8)
        matrix[:, 0] = header
        for index, field in enumerate(fields):
            matrix[:, 1 + index] = field.types
        return [_fixed(matrix)]
    return [_small_varints(header), *(_small_varints(field.types) for field in fields)]


def _field(array: pa.Array | None, number: bool, count: int) -> _Field:
    none = np.zeros(count, np.int64)
    if array is None:
        return _Field(none, none, pa.array([], pa.binary()))
    if pa.types.is_integer(array.type):
        return _integer(array)
    if pa.types.is_floating(array.type):
        return _real(array, number)
    lengths = pc.binary_length(array).fill_null(0).to_numpy().astype(np.int64)
    base = _TEXT if pa.types.is_string(array.type) else _BLOB
    if lengths.max(initial=0) * 2 + base >= _SMALL:
        raise TooLarge
    valid = _valid(array)
    body = array.cast(pa.binary())
    return _Field(np.where(valid, base + 2 * lengths, 0), lengths, body.fill_null(b"") if array.null_count else body)


def _integer(array: pa.Array) -> _Field:
    """All values in as many bytes as the widest of them needs."""
    values = array.fill_null(0).to_numpy(zero_copy_only=False)
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    width, kind = next((w, k) for w, k in _WIDTHS if -(1 << 8 * w - 1) <= low and high < 1 << 8 * w - 1)
    return _fixed_field(_big_endian(values, width), np.full(len(values), kind), _valid(array))


def _real(array: pa.Array, number: bool) -> _Field:
    """Eight bytes each; in a column of numbers a whole one is kept as the integer that SQLite would make of it."""
    values = array.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float64)
    bits = values.view(np.int64)
    types = np.full(len(values), _REAL)
    if number:
        whole = values == np.rint(values)
        bits = np.where(whole, np.where(whole, values, 0).astype(np.int64), bits)
        types = np.where(whole, 6, _REAL)
    return _fixed_field(_big_endian(bits, 8), types, _valid(array))


def _fixed_field(matrix: Bytes, types: Longs, valid: Bytes) -> _Field:
    body = _fixed(matrix)
    lengths = np.full(len(matrix), matrix.shape[1])
    if valid.all():
        return _Field(types, lengths, body)
    return _Field(np.where(valid, types, 0), np.where(valid, lengths, 0), pc.if_else(pa.array(valid), body, b""))


def _valid(array: pa.Array) -> Bytes:
    valid: Bytes = array.is_valid().to_numpy(zero_copy_only=False)
    return valid


def _big_endian(values: Longs, width: int) -> Bytes:
    """The low `width` bytes of each number, the highest first."""
    rows = values.astype(">i8").view(np.uint8).reshape(-1, 8)
    return np.ascontiguousarray(rows[:, 8 - width :])


def _fixed(matrix: Bytes) -> pa.Array:
    """Rows of equal width as a binary array."""
    count, width = matrix.shape
    offsets = np.arange(0, (count + 1) * width, width, dtype=np.int32) if width else np.zeros(count + 1, np.int32)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(matrix))]
    return pa.Array.from_buffers(pa.binary(), count, buffers)


def _small_varints(values: Longs) -> pa.Array:
    return _VARINT.take(pa.array(values))


def _varint_lengths(values: Longs) -> Longs:
    return np.where(values > 127, 2, 1)


def _rowid_varints(rowids: Longs) -> pa.Array:
    """Rowids ascend, so that those of equal varint length stand side by side: negative ones (nine bytes) first."""
    lengths = np.full(len(rowids), 1)
    for size in range(1, 9):
        lengths += rowids >= 1 << 7 * size
    lengths[rowids < 0] = 9
    starts = np.flatnonzero(np.diff(lengths, prepend=0))
    runs = zip(starts, [*starts[1:], len(rowids)], strict=True)
    return pa.concat_arrays([_fixed(_varint_rows(rowids[low:high], int(lengths[low]))) for low, high in runs])


def _varint_rows(values: Longs, length: int) -> Bytes:
    matrix = np.empty((len(values), length), np.uint8)
    bits = values.view(np.uint64)
    groups, shift = (length, 0) if length < 9 else (8, 8)
    for index in range(groups):
        matrix[:, index] = (bits >> np.uint64(shift + 7 * (groups - 1 - index))) & np.uint64(0x7F) | np.uint64(0x80)
    if length == 9:
        matrix[:, 8] = bits & np.uint64(0xFF)
    else:
        matrix[:, -1] &= 0x7F
    return matrix


def _varint(value: int) -> bytes:
    """One number as `_varint_rows` writes it; for the few of them in interior pages."""
    if not 0 <= value < 1 << 56:
        return _varint_rows(np.array([value]), 9).tobytes()
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F | 0x80)
    return bytes(reversed(groups))


def _grouped(children: Sequence[tuple[int, int]], most: int) -> Iterator[Sequence[tuple[int, int]]]:
    """Children of one interior page each, spread evenly, so that none has a single one."""
    pages = -(-len(children) // most)
    bounds = [len(children) * index // pages for index in range(pages + 1)]
    for low, high in pairwise(bounds):
        yield children[low:high]
