"""Rows as the CSV that servers write, read into canonical tables; bytes as hexadecimal digits and back.

In: whole lines of CSV. Out: canonical Arrow tables. Always holds: NULL is told from text by having no quotes;
a value that is none of its column's type is an `IntegrityError` that names the column, NULL in a key a `BadKey`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from tdv.content.arrow import canonical, one_chunk
from tdv.errors import BadKey, DataError, IntegrityError
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.misread import OTHERS, misread

_OF_COLUMN: Final = re.compile(r"CSV column #(\d+)")
_HEX: Final = np.frombuffer(b"0123456789abcdef", np.uint8)
_BLOCK: Final = 1 << 30
_PARSE: Final = csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False)


@dataclass(frozen=True, slots=True)
class Form:
    """How a server writes values: its words for truth and NULL, the Arrow type that each field is read as, and what
    makes it a value of the column."""

    true: str
    false: str
    null: str
    read_as: Callable[[LogicalType], pa.DataType]
    finished: Callable[[pa.Array, Column, str], pa.Array]


def decode(data: bytes | bytearray, table: TableSchema, form: Form) -> pa.Table:
    """Canonical rows of whole lines; raises `IntegrityError` for a value that is none of its column's type."""
    names = [str(index) for index in range(len(table.columns))]
    convert = csv.ConvertOptions(
        column_types={name: form.read_as(column.type) for name, column in zip(names, table.columns, strict=True)},
        null_values=[form.null],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        true_values=[form.true],
        false_values=[form.false],
    )
    read = csv.ReadOptions(column_names=names, block_size=min(len(data) + 1, _BLOCK))
    try:
        found = csv.read_csv(pa.BufferReader(data), read, _PARSE, convert)
        columns = [
            form.finished(one_chunk(array), column, table.name)
            for array, column in zip(found.columns, table.columns, strict=True)
        ]
        return canonical(pa.Table.from_arrays(columns, names=list(table.column_names)), table)
    except pa.ArrowInvalid as exc:
        number = _OF_COLUMN.search(str(exc))
        raise misread(table.name, table.columns[int(number[1])] if number else None) from exc
    except BadKey:
        raise
    except DataError as exc:
        raise IntegrityError(exc.message, hint=OTHERS) from exc


def hexadecimal(array: pa.Array) -> pa.Array:
    """Two digits per byte, as a string array."""
    offsets = np.frombuffer(array.buffers()[1], np.int32)[array.offset : array.offset + len(array) + 1]
    data = np.frombuffer(array.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    digits = np.empty((len(data), 2), np.uint8)
    digits[:, 0] = _HEX[data >> 4]
    digits[:, 1] = _HEX[data & 15]
    texts = pa.StringArray.from_buffers(
        len(array), pa.py_buffer(((offsets - offsets[0]) * 2).astype(np.int32)), pa.py_buffer(digits)
    )
    return pc.if_else(array.is_valid(), texts, None) if array.null_count else texts


def from_hexadecimal(digits: pa.Array) -> pa.Array:
    """The bytes of texts that hold pairs of digits in lower case, and nothing else."""
    offsets = np.frombuffer(digits.buffers()[1], np.int32)[digits.offset : digits.offset + len(digits) + 1]
    text = np.frombuffer(digits.buffers()[2] or b"", np.uint8)[offsets[0] : offsets[-1]]
    values = np.where(text > ord("9"), text - ord("a") + 10, text - ord("0")).astype(np.uint8)
    data = (values[0::2] << 4) | values[1::2]
    found = pa.Array.from_buffers(
        pa.binary(),
        len(digits),
        [None, pa.py_buffer(((offsets - offsets[0]) // 2).astype(np.int32)), pa.py_buffer(data)],
    )
    return pc.if_else(digits.is_valid(), found, None) if digits.null_count else found
