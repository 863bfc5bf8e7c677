"""Rows as PostgreSQL's CSV, which ``COPY`` reads and writes, and back.

In: canonical Arrow tables, or CSV as the server writes it. Out: the other. Always holds: NULL is an empty field and
the empty text is ``""``; what `decode` gives back is what `encode` was given, or an error names the column.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from tdv.content.arrow import arrow_type, one_chunk
from tdv.content.json_null import documents
from tdv.content.text import from_text, to_text
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.targets import delimited
from tdv.targets.losses import refuse_inner_null, refused_value
from tdv.targets.misread import misread
from tdv.targets.postgresql.types import is_array
from tdv.targets.sql import quote

_ENGINE: Final = "PostgreSQL"
_TEXTS: Final = frozenset({"string", "json", "uuid", "binary", "list", "struct"})
_NUMBER: Final = re.compile(r"-?[0-9]+(?:\.[0-9]+)?[eE]\+[0-9]+")
_STRING: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_WRITE: Final = csv.WriteOptions(include_header=False)


def encode(rows: pa.Table, table: TableSchema) -> pa.Buffer:
    """The rows as CSV; raises `DataError` for a value that PostgreSQL cannot hold."""
    columns = [stored(one_chunk(rows.column(column.name)), column, table.name) for column in table.columns]
    sink = pa.BufferOutputStream()
    csv.write_csv(pa.Table.from_arrays(columns, names=[str(index) for index in range(len(columns))]), sink, _WRITE)
    return sink.getvalue()


def selected(table: TableSchema) -> str:
    """The columns as `decode` expects them, for a ``SELECT``."""
    return ", ".join(
        f"to_json({quote(column.name)})" if is_array(column.type) else quote(column.name) for column in table.columns
    )


def decode(data: bytes | bytearray, table: TableSchema) -> pa.Table:
    """Canonical rows of whole lines of CSV; raises `IntegrityError` for a value that is none of its column's type."""
    return delimited.decode(data, table, _FORM)


def _csv_type(kind: LogicalType) -> pa.DataType:
    return pa.string() if kind.name in _TEXTS else arrow_type(kind)


def stored(array: pa.Array, column: Column, table: str) -> pa.Array:
    """Values as the server reads them: numbers, truths and moments as they are, the others as text; raises `DataError`
    for one that PostgreSQL cannot hold."""
    encoder = _ENCODERS.get(column.type.name)
    return encoder(array, column, table) if encoder else array


def _string(array: pa.Array, column: Column, table: str) -> pa.Array:
    if pc.any(pc.match_substring(array, "\0"), min_count=0).as_py():
        raise refused_value(table, column.name, "the character NUL", _ENGINE)
    return array


def _json(array: pa.Array, column: Column, table: str) -> pa.Array:
    """``jsonb`` writes a number without exponent, so that a large float would come back as an integer."""
    suspects = array.filter(pc.fill_null(pc.match_substring(array, "e+"), False))
    for text in suspects.to_pylist():
        if _NUMBER.search(_STRING.sub('""', text)):
            raise refused_value(table, column.name, "JSON with a float of 1e21 or more", _ENGINE)
    return array


def _binary(array: pa.Array, column: Column, table: str) -> pa.Array:
    return pc.binary_join_element_wise("\\x", delimited.hexadecimal(array), "")


def _nested(array: pa.Array, column: Column, table: str) -> pa.Array:
    kind = column.type
    if not is_array(kind):
        refuse_inner_null(array, column, table, _ENGINE)
        for inner in documents(array, kind):
            _json(inner, column, table)
        return _string(to_text(array, kind), column, table)
    assert kind.element is not None
    flat = array.flatten()
    texts = _binary(flat, column, table) if kind.element.name == "binary" else to_text(flat, kind.element)
    escaped = pc.replace_substring(pc.replace_substring(_string(texts, column, table), "\\", "\\\\"), '"', '\\"')
    items = pc.fill_null(pc.binary_join_element_wise('"', escaped, '"', ""), "NULL")
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False)
    offsets = np.zeros(len(array) + 1, np.int32)
    np.cumsum(lengths, out=offsets[1:])
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(offsets), items), ",")
    whole = pc.binary_join_element_wise("{", joined, "}", "")
    return pc.if_else(array.is_valid(), whole, None) if array.null_count else whole


def _decoded(array: pa.Array, column: Column, table: str) -> pa.Array:
    kind = column.type
    if kind.name == "binary":
        return _bytes(array, column, table)
    if not kind.is_nested:
        return array
    if kind.element is not None and kind.element.name == "binary":
        array = pc.replace_substring(array, '"\\\\x', '"')
    parsed = from_text(array, kind)
    if parsed.misfits:
        raise misread(table, column)
    return parsed.array


def _bytes(array: pa.Array, column: Column, table: str) -> pa.Array:
    """The bytes of ``\\x00ff``, the server's output whatever its ``bytea_output`` is by default."""
    if not pc.all(pc.match_substring_regex(array, r"^\\x([0-9a-f]{2})*$"), min_count=0).as_py():
        raise misread(table, column)
    return delimited.from_hexadecimal(pc.utf8_slice_codeunits(array, 2))


_FORM: Final = delimited.Form("t", "f", "", _csv_type, _decoded)
_ENCODERS: Final[Mapping[str, Callable[[pa.Array, Column, str], pa.Array]]] = {
    "string": _string,
    "json": _json,
    "binary": _binary,
    "list": _nested,
    "struct": _nested,
}
