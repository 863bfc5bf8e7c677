"""Values of any Arrow type for a reader, of files that nobody has looked at.

In: an array as a file has it. Out: cells (`tdv.model.cell`). Always holds: values of a type that differ give cells that
differ, also those that Python has no value for (nanoseconds, years above 9999, unknown time zones).
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.types as pt

from tdv.content import compute as pc
from tdv.content.text import decimal_texts, plain_float


def raw_cells(array: pa.Array | pa.ChunkedArray) -> list[Any]:
    """Each value; bytes are hexadecimal, a map is a list of pairs. Raises `ValueError` for text that is no UTF-8."""
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind = array.type
    if pt.is_dictionary(kind):
        return raw_cells(array.dictionary_decode())
    if pt.is_map(kind):
        return raw_cells(array.cast(pa.list_(pa.struct([kind.key_field, kind.item_field]))))
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        items = iter(raw_cells(array.flatten()))
        lengths = pc.if_else(array.is_valid(), pc.list_value_length(array), None).to_pylist()
        return [None if length is None else [next(items) for _ in range(length)] for length in lengths]
    if pt.is_struct(kind):
        return _structs(array)
    return _scalars(array)


def _structs(array: pa.StructArray) -> list[Any]:
    names = [field.name for field in array.type]
    columns = [raw_cells(child) for child in array.flatten()]
    return [
        dict(zip(names, values, strict=True)) if present else None
        for present, *values in zip(array.is_valid().to_pylist(), *columns, strict=True)
    ]


def _scalars(array: pa.Array) -> list[Any]:
    kind = array.type
    if pt.is_floating(kind):
        return [None if value is None else plain_float(value) for value in array.to_pylist()]
    if pt.is_decimal(kind):
        return list(decimal_texts(array).to_pylist())
    if pt.is_temporal(kind):
        return _moments(array)
    found = array.to_pylist()
    return [value.hex() if isinstance(value, bytes) else value for value in found]


def _moments(array: pa.Array) -> list[Any]:
    """As in other faces, those with a time zone as moments of UTC; out of what Arrow itself writes, the number that
    stands for the value."""
    kind = array.type
    if pt.is_interval(kind):
        return [None if value is None else list(value) for value in array.to_pylist()]
    if pt.is_timestamp(kind) and kind.tz is not None:
        # Many a file names a zone that nobody here knows; the moments are those of UTC all the same.
        array = array.cast(pa.timestamp(kind.unit, "UTC"))
    # Not by `to_text`: other units than microseconds have other fractions, and what is out of range is no moment.
    texts = pc.replace_substring_regex(pc.cast(array, pa.string()), r"^([-0-9]+) ", r"\1T")
    whole = pc.replace_substring_regex(texts, r"\.0+(Z?)$", r"\1")
    return list(pc.replace_substring_regex(whole, r"(\.[0-9]*[1-9])0+(Z?)$", r"\1\2").to_pylist())
