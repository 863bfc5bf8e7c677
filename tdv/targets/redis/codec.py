"""Rows as commands for Redis, and back.

In: canonical Arrow tables, or columns as a script packs them. Out: the other. Always holds: NULL is a field that is
not there, the empty text is an empty field; the commands of a block are made by Arrow for all rows at once, with what
the server answers where it keeps exactly these rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.arrow import arrow_schema, one_chunk
from tdv.content.text import from_text, to_text
from tdv.model.schema import Column, TableSchema
from tdv.targets.losses import refuse_inner_null
from tdv.targets.misread import lacking, misread

_NULL: Final = -1
_LINE: Final = b"\r\n"
_NIL: Final = b"$-1\r\n"


@dataclass(frozen=True, slots=True)
class Block:
    """Commands as Redis reads them, and what it answers where it keeps exactly these rows."""

    data: memoryview
    answer: memoryview


def commands(rows: pa.Table, table: TableSchema, prefix: str, first: int) -> Block:
    """For each row ``HSET``, and ``HMGET`` of it; `first` is the number of the first row of a table without a key."""
    stored = [_stored(one_chunk(rows.column(column.name)), column, table) for column in table.columns]
    values = [_bulk(array) for array in stored]
    asked = [_word(column.name) for column in table.columns]
    fields = [_joined(name, value).fill_null(b"") for name, value in zip(asked, values, strict=True)]
    count = np.full(rows.num_rows, len(stored), np.int64)
    for array in stored:
        if array.null_count:
            count -= array.is_null().to_numpy(zero_copy_only=False)
    names = _names(dict(zip(table.column_names, stored, strict=True)), table, first)
    if not table.key:
        # A row of NULLs alone would be a hash without fields, which Redis does not keep.
        count += 1
        fields.append(pa.scalar(b"$0\r\n\r\n$0\r\n\r\n", pa.binary()))
    key = _bulk(_joined(prefix.encode(), names))
    written = _joined(b"*", _digits(pa.array(2 + 2 * count)), b"\r\n$4\r\nHSET\r\n", key, *fields)
    data = _joined(written, b"*%d\r\n$5\r\nHMGET\r\n" % (2 + len(asked)), key, b"".join(asked))
    kept = (value.fill_null(_NIL) for value in values)
    answer = _joined(b":", _digits(pa.array(count)), b"\r\n*%d\r\n" % len(values), *kept)
    return Block(_bytes(data), _bytes(answer))


def decode(lengths: bytes, values: bytes, table: TableSchema) -> tuple[pa.Array, pa.Table]:
    """The names of the keys, and canonical rows, from the lengths (-1 for NULL) and values of whole rows.

    Raises `IntegrityError` for a value that is none of its column's type.
    """
    cells = _cells(lengths, values)
    width = 1 + len(table.columns)
    names, *columns = (cells.take(pa.array(np.arange(place, len(cells), width))) for place in range(width))
    arrays = [_parsed(found, column, table) for found, column in zip(columns, table.columns, strict=True)]
    return names, pa.Table.from_arrays(arrays, schema=arrow_schema(table))


def _stored(array: pa.Array, column: Column, table: TableSchema) -> pa.Array:
    refuse_inner_null(array, column, table.name, "Redis")
    kind = column.type
    texts = array if kind.name in ("string", "binary", "uuid", "json") else to_text(array, kind)
    return texts if pa.types.is_binary(texts.type) else texts.cast(pa.binary())


def _names(stored: dict[str, pa.Array], table: TableSchema, first: int) -> pa.Array:
    """The part of each row's name that comes after the prefix."""
    if not table.key:
        count = len(next(iter(stored.values())))
        return _digits(pa.array(np.arange(first, first + count)))
    parts = [pc.replace_substring(pc.replace_substring(stored[name], "%", "%25"), ":", "%3A") for name in table.key]
    return pc.binary_join_element_wise(*parts, b":")


def _word(text: str) -> bytes:
    written = text.encode()
    return b"$%d\r\n%s\r\n" % (len(written), written)


def _bulk(values: pa.Array) -> pa.Array:
    return _joined(b"$", _digits(pc.binary_length(values)), _LINE, values, _LINE)


def _digits(numbers: pa.Array) -> pa.Array:
    return numbers.cast(pa.string()).cast(pa.binary())


def _joined(*parts: pa.Array | pa.Scalar | bytes) -> pa.Array:
    return pc.binary_join_element_wise(*parts, b"")


def _bytes(array: pa.Array) -> memoryview:
    """All values one after another, straight from Arrow's buffer."""
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    return memoryview(array.buffers()[2])[offsets[0] : offsets[-1]]


def _cells(lengths: bytes, values: bytes) -> pa.Array:
    sizes = np.frombuffer(lengths, "<i4")
    present = sizes != _NULL
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(np.where(present, sizes, 0), out=offsets[1:])
    validity = None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
    return pa.Array.from_buffers(pa.binary(), len(sizes), [validity, pa.py_buffer(offsets), pa.py_buffer(values)])


def _parsed(found: pa.Array, column: Column, table: TableSchema) -> pa.Array:
    try:
        if column.type.name == "binary":
            array = found
        else:
            texts = found.cast(pa.string())
            parsed = from_text(texts, column.type)
            if parsed.misfits:
                raise misread(table.name, column)
            array = parsed.array
    except pa.ArrowInvalid as exc:
        raise misread(table.name, column) from exc
    if array.null_count and not column.nullable:
        raise lacking(table, column, array.null_count)
    return array
