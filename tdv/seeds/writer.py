"""Rows as the text of a seed file, made to be reviewed.

In: a table of canonical rows. Out: CSV, or JSON Lines where CSV would not survive Git. Always
holds: `tdv.seeds.files` reads back exactly the rows; the same rows give the same bytes; a field has quotation marks
only where it needs them; rows are sorted by key, or by their text where the table has none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.json_null import holds_json_null
from tdv.content.order import ordered
from tdv.content.text import json_text, to_plain, to_text
from tdv.model.schema import TableSchema
from tdv.model.types import LogicalType

# Git turns CRLF into LF and takes a file with other control characters for binary; JSON escapes them.
_UNSAFE: Final = r"[\x00-\x08\x0b-\x1f\x7f]"
_NEEDS_QUOTES: Final = r'^$|[",\n]|^\s|\s$'


@dataclass(frozen=True, slots=True)
class SeedText:
    """A seed file: `suffix` is ``.csv`` or ``.jsonl``, `data` its UTF-8 bytes."""

    suffix: str
    data: bytes


def seed_text(rows: pa.Table, schema: TableSchema) -> SeedText | None:
    """The seed file of `rows`, or None when no text format tells all of its values apart.

    That is so for JSON's ``null`` where it would read as NULL: within lists and structs, and in JSON Lines.
    """
    rows = ordered(rows, schema) if schema.key else rows
    as_lines = any(_is_unsafe(_array(rows, column.name), column.type) for column in schema.columns)
    for column in schema.columns:
        if (as_lines or column.type.is_nested) and holds_json_null(_array(rows, column.name), column.type):
            return None
    if as_lines:
        return SeedText(".jsonl", _json_lines(rows, schema))
    return SeedText(".csv", _csv(rows, schema))


def _array(rows: pa.Table, name: str) -> pa.Array:
    return rows.column(name).combine_chunks()


def _is_unsafe(array: pa.Array, kind: LogicalType) -> bool:
    return kind.name == "string" and not is_safe_in_csv(array)


def csv_lines(names: Sequence[str], columns: Sequence[pa.Array]) -> list[str]:
    """The header and a line for each row; `columns` hold the texts of the fields, NULL where a field is NULL."""
    header = ",".join(_quoted(pa.array(names, pa.string())).to_pylist())
    fields = [_quoted(column) for column in columns]
    lines = pc.binary_join_element_wise(*fields, ",") if len(fields) > 1 else fields[0]
    return [header, *lines.to_pylist()]


def is_safe_in_csv(texts: pa.Array) -> bool:
    """Whether the texts survive Git's line ends within a CSV file."""
    return not pc.any(pc.match_substring_regex(texts, _UNSAFE), min_count=0).as_py()


def _csv(rows: pa.Table, schema: TableSchema) -> bytes:
    columns = [to_text(_array(rows, column.name), column.type) for column in schema.columns]
    header, *lines = csv_lines(schema.column_names, columns)
    return _file([header], lines, schema)


def _quoted(texts: pa.Array) -> pa.Array:
    """Fields as they stand in the file: NULL is empty, what needs quotation marks has them."""
    within = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    return pc.fill_null(pc.if_else(pc.match_substring_regex(texts, _NEEDS_QUOTES), within, texts), "")


def _json_lines(rows: pa.Table, schema: TableSchema) -> bytes:
    names = schema.column_names
    columns = [to_plain(_array(rows, column.name), column.type) for column in schema.columns]
    lines = [json_text(dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]
    return _file([], lines, schema)


def _file(header: list[str], lines: list[str], schema: TableSchema) -> bytes:
    return "".join(f"{line}\n" for line in header + (lines if schema.key else sorted(lines))).encode("utf-8")
