"""The leaves of the digest: the identity of content, whatever file, engine, row order or chunks it comes from.

In: canonical arrays and tables. Out: SHA-256 in hex for leaves, ``tdv1:<hex>`` for a table that streams by.
Always holds: null slots, padding, chunks, column order and part files contribute nothing. The algorithm is
frozen (docs/formats/digest.md); known answers in the tests hold it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tdv.content import compute as pc
from tdv.content.arrow import one_chunk
from tdv.content.parts import Cutter
from tdv.content.tree import by_name, hash_bytes, hash_number, hash_text, part_digest, table_digest
from tdv.model.schema import TableSchema
from tdv.model.types import LogicalType

_WIDTHS: Final = {
    "int16": "<i2",
    "int32": "<i4",
    "int64": "<i8",
    "float64": "<f8",
    "date": "<i4",
    "time": "<i8",
    "timestamp": "<i8",
    "timestamptz": "<i8",
}


def leaf(array: pa.Array | pa.ChunkedArray, kind: LogicalType) -> str:
    """The digest (hex) of one column of one part, whose values are canonical for `kind`."""
    if isinstance(array, pa.ChunkedArray):
        array = one_chunk(array)
    hasher = hashlib.sha256()
    hash_text(hasher, "tdv1 leaf")
    hash_text(hasher, tag(kind))
    _values(hasher, array, kind)
    return hasher.hexdigest()


def tag(kind: LogicalType) -> str:
    """The type as it enters the digest: its canonical spelling with the fields of structs sorted by name."""
    return str(_sorted(kind))


def _sorted(kind: LogicalType) -> LogicalType:
    if kind.element is not None:
        return LogicalType(kind.name, element=_sorted(kind.element))
    if kind.fields:
        fields = sorted(((name, _sorted(field)) for name, field in kind.fields), key=by_name)
        return LogicalType(kind.name, fields=tuple(fields))
    return kind


def leaves(part: pa.Table, schema: TableSchema) -> dict[str, str]:
    """The leaf of each column of a canonical part."""
    return {column.name: leaf(part.column(column.name), column.type) for column in schema.columns}


class TableDigester:
    """The digest of a table that streams by, in memory bounded by the part size.

    Feed it canonical rows in canonical order, in chunks of any size, then `finish`.
    """

    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self._cutter = Cutter(schema)
        self._parts: list[str] = []
        self._rows = 0

    def update(self, table: pa.Table) -> None:
        """Takes the next rows."""
        self._rows += table.num_rows
        self._digest(self._cutter.push(table))

    def finish(self) -> str:
        """``tdv1:<hex>`` of all rows."""
        self._digest(self._cutter.finish())
        return table_digest(self._rows, self._parts)

    def _digest(self, parts: Iterable[pa.Table]) -> None:
        self._parts.extend(part_digest(leaves(part, self._schema)) for part in parts)


def _array(hasher: Any, values: np.ndarray[Any, Any]) -> None:
    hash_bytes(hasher, np.ascontiguousarray(values).view(np.uint8).data)


def _values(hasher: Any, array: pa.Array, kind: LogicalType) -> None:
    """Length, validity, then the values of the slots that are not null."""
    hash_number(hasher, len(array))
    if array.null_count:
        valid = array.is_valid().cast(pa.uint8()).to_numpy(zero_copy_only=False)
        _array(hasher, np.packbits(valid, bitorder="little"))
        array = array.drop_null()
    else:
        hash_bytes(hasher, b"")
    if kind.name in _WIDTHS:
        _array(hasher, _fixed(array, np.dtype(_WIDTHS[kind.name])))
    elif kind.name == "decimal":
        _array(hasher, _fixed(array, np.dtype("V16")))
    elif kind.name == "bool":
        _array(hasher, array.cast(pa.uint8()).to_numpy(zero_copy_only=False))
    elif kind.is_nested:
        _nested(hasher, array, kind)
    else:
        _variable(hasher, array)


def _fixed(array: pa.Array, width: np.dtype[Any]) -> np.ndarray[Any, Any]:
    if not len(array):
        return np.empty(0, width)
    values = np.frombuffer(array.buffers()[1], width, count=array.offset + len(array))
    return values[array.offset :]


def _variable(hasher: Any, array: pa.Array) -> None:
    """Lengths as int64, then the bytes of all values in a row."""
    if not len(array):
        hash_bytes(hasher, b"")
        hash_bytes(hasher, b"")
        return
    offsets = np.frombuffer(array.buffers()[1], np.int32, count=array.offset + len(array) + 1)[array.offset :]
    _array(hasher, np.diff(offsets).astype("<i8"))
    data = array.buffers()[2]
    hash_bytes(hasher, memoryview(data)[offsets[0] : offsets[-1]] if data is not None else b"")


def _nested(hasher: Any, array: pa.Array, kind: LogicalType) -> None:
    if kind.element is not None:
        _array(hasher, pc.list_value_length(array).to_numpy(zero_copy_only=False).astype("<i8"))
        _values(hasher, pc.list_flatten(array), kind.element)
        return
    children = dict(zip((field.name for field in array.type), array.flatten(), strict=True))
    for name, field in sorted(kind.fields, key=by_name):
        hash_text(hasher, name)
        _values(hasher, children[name], field)
