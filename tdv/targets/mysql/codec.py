"""Rows as lines that MySQL reads, and back from the CSV that it is asked for.

In: canonical Arrow tables, or lines of CSV. Out: the other. Always holds: a value that MySQL would alter is refused by
name; NULL and the empty text are told apart in both directions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final, Literal

import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.arrow import arrow_type, one_chunk
from tdv.content.text import from_text, to_text
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.targets import delimited
from tdv.targets.losses import refuse_inner_null, refused_value
from tdv.targets.misread import misread
from tdv.targets.sql import quote

_ENGINE: Final = "MySQL"
_NULL: Final = "NULL"
NUMBERS: Final = frozenset({"bool", "int16", "int32", "int64", "float64", "decimal"})
"""Types whose values need no quotes."""
_OTHERWISE: Final = frozenset({"float64", "json", "list", "struct"})
"""Types whose values the server may write in another way than they were sent in."""
_TEXTS: Final = frozenset({"string", "json", "uuid", "binary", "list", "struct"})
_HYPHENS: Final = (9, 14, 19, 24)
"""Where they stand in a uuid, from 1 on."""
UuidForm = Literal["digits", "bytes"]
"""How an application's table without room for hyphens keeps a uuid."""
UUID_TYPES: Final[Mapping[UuidForm, LogicalType]] = {"digits": LogicalType("string"), "bytes": LogicalType("binary")}
_MOMENTS: Final = (datetime(1, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))  # noqa: DTZ001 - of no zone


@dataclass(frozen=True, slots=True)
class Form:
    """How lines are written: `before` and `after` a line, the quote of all but `bare` types, `before_bytes` of
    hexadecimal digits."""

    before: str
    after: str
    quote: str
    before_bytes: str
    bare: frozenset[str]


CSV: Final = Form("", "\n", '"', "", NUMBERS | {"date", "time", "timestamp", "timestamptz"})
"""For ``LOAD DATA``: as `selected` asks for it."""
VALUES: Final = Form("(", "),", "'", "x", NUMBERS)
"""For ``INSERT``."""


def encode(rows: pa.Table, table: TableSchema, form: Form) -> pa.Array:
    """One text per row; raises `DataError` for a value that MySQL cannot hold."""
    parts: list[str | pa.Array] = []
    between = form.before
    for column in table.columns:
        opening, texts, closing = _field(one_chunk(rows.column(column.name)), column, table.name, form)
        parts += [between + opening, texts]
        between = f"{closing},"
    last = between.removesuffix(",") + form.after
    # All at once: a join for each column's quotes takes half as long again.
    return pc.binary_join_element_wise(*parts, last, "")


def data_of(lines: pa.Array) -> pa.Buffer:
    """All lines one after another, without a copy."""
    offsets = lines.buffers()[1]
    ends = memoryview(offsets).cast("i")
    start, stop = ends[lines.offset], ends[lines.offset + len(lines)]
    data = lines.buffers()[2]
    return data.slice(start, stop - start) if data is not None else pa.py_buffer(b"")


def comes_as_sent(table: TableSchema) -> bool:
    """Whether `selected_of_own` gives the lines that `encode` makes of the rows for ``LOAD DATA``."""
    return not any(column.type.name in _OTHERWISE for column in table.columns)


def selected(table: TableSchema) -> str:
    """A row as one line of CSV, for a ``SELECT``."""
    fields = ", ',', ".join(f"IFNULL({_expression(column)}, '{_NULL}')" for column in table.columns)
    return f"CONCAT({fields}, x'0A')"


def selected_of_own(table: TableSchema) -> str:
    """The same of a table that tdv made, for two thirds of the server's time: text is UTF-8 there, and what takes no
    NULL has none."""
    *fields, last = map(_expression_of_own, table.columns)
    fields.append(f"CONCAT({last}, x'0A')")
    return f"CONCAT_WS(',', {', '.join(fields)})"


def decode(data: bytes | bytearray, table: TableSchema) -> pa.Table:
    """Canonical rows of whole lines of CSV; raises `IntegrityError` for a value that is none of its column's type."""
    return delimited.decode(data, table, _FORM)


def stored(array: pa.Array, column: Column, table: str) -> pa.Array:
    """Values as the text that the server reads, bytes as hexadecimal digits; raises `DataError` for one that MySQL
    cannot hold."""
    encoder = _ENCODERS.get(column.type.name)
    return encoder(array, column, table) if encoder else pc.cast(array, pa.string())


def uuids_as(form: UuidForm, array: pa.Array) -> pa.Array:
    """Canonical uuids as an application's table keeps them: texts, or 16 bytes."""
    digits = pc.replace_substring(array, "-", "")
    return digits if form == "digits" else delimited.from_hexadecimal(digits)


def _field(array: pa.Array, column: Column, table: str, form: Form) -> tuple[str, pa.Array, str]:
    """Texts without NULL, and what stands before and after each of them."""
    name = column.type.name
    texts = stored(array, column, table)
    opening, closing = ("", "") if name in form.bare else (form.quote, form.quote)
    if name == "binary":
        opening = form.before_bytes + opening
    elif closing:
        texts = doubled(texts, form.quote)
    if not texts.null_count:
        return opening, texts, closing
    if closing:
        texts = pc.binary_join_element_wise(opening, texts, closing, "")
    return "", pc.fill_null(texts, _NULL), ""


def doubled(texts: pa.Array, quote: str) -> pa.Array:
    """Texts in which each quote stands twice; few have any, and looking for one takes a tenth of the time."""
    return pc.replace_substring(texts, quote, quote * 2) if quote.encode() in data_of(texts).to_pybytes() else texts


def _expression(column: Column) -> str:
    name = quote(column.name)
    kind = column.type.name
    if kind in ("binary", "uuid"):
        return f"CONCAT('\"', LOWER({f'HEX({name})' if kind == 'binary' else _hyphenated(name)}), '\"')"
    if kind in _TEXTS:
        return _quoted(f"CONVERT({name} USING utf8mb4)")
    return f"{name} + 0" if kind == "bool" else name


def _hyphenated(name: str) -> str:
    """A uuid as tdv writes it, also from a table of an application that keeps its digits or its bytes alone."""
    text = f"IF(CHAR_LENGTH({name}) = 32, {_spread(name)}, {name})"
    return f"IF(CHARSET({name}) = 'binary', {_spread(f'HEX({name})')}, CONVERT({text} USING utf8mb4))"


def _spread(digits: str) -> str:
    for place in _HYPHENS:
        digits = f"INSERT({digits}, {place}, 0, '-')"
    return digits


def _expression_of_own(column: Column) -> str:
    found = _quoted(quote(column.name)) if column.type.name in ("string", "uuid") else _expression(column)
    return f"IFNULL({found}, '{_NULL}')" if column.nullable else found


def _quoted(text: str) -> str:
    return f"CONCAT('\"', REPLACE({text}, '\"', '\"\"'), '\"')"


def _bytes(array: pa.Array, column: Column, table: str) -> pa.Array:
    return delimited.hexadecimal(array)


def _bool(array: pa.Array, column: Column, table: str) -> pa.Array:
    return pc.if_else(array, "1", "0")


def _float(array: pa.Array, column: Column, table: str) -> pa.Array:
    if not pc.all(pc.is_finite(array), min_count=0).as_py():
        raise refused_value(table, column.name, "NaN and infinity", _ENGINE)
    return pc.cast(array, pa.string())


def _moment(array: pa.Array, column: Column, table: str) -> pa.Array:
    local = pc.cast(array, pa.timestamp("us"))
    _refuse_years(local, _MOMENTS, column, table)
    return pc.cast(local, pa.string())


def _date(array: pa.Array, column: Column, table: str) -> pa.Array:
    _refuse_years(array, (date.min, date.max), column, table)
    return pc.cast(array, pa.string())


def _refuse_years(array: pa.Array, limits: tuple[Any, Any], column: Column, table: str) -> None:
    first, last = (pa.scalar(limit, array.type) for limit in limits)
    if pc.any(pc.or_(pc.less(array, first), pc.greater(array, last)), min_count=0).as_py():
        raise refused_value(table, column.name, "years before 1 and after 9999", _ENGINE)


def _text(array: pa.Array, column: Column, table: str) -> pa.Array:
    refuse_inner_null(array, column, table, _ENGINE)
    return to_text(array, column.type)


def _read_as(kind: LogicalType) -> pa.DataType:
    if kind.name in _TEXTS:
        return pa.string()
    # The server writes no time zone: the session's is UTC.
    return pa.timestamp("us") if kind.name == "timestamptz" else arrow_type(kind)


def _finished(array: pa.Array, column: Column, table: str) -> pa.Array:
    kind = column.type
    if kind.name == "timestamptz":
        return pc.assume_timezone(array, "UTC")
    if kind.name == "binary":
        return delimited.from_hexadecimal(array)
    if not kind.is_nested:
        return array
    parsed = from_text(array, kind)
    if parsed.misfits:
        raise misread(table, column)
    return parsed.array


_FORM: Final = delimited.Form("1", "0", _NULL, _read_as, _finished)
_ENCODERS: Final[Mapping[str, Callable[[pa.Array, Column, str], pa.Array]]] = {
    "bool": _bool,
    "binary": _bytes,
    "float64": _float,
    "decimal": _text,
    "date": _date,
    "timestamp": _moment,
    "timestamptz": _moment,
    "list": _text,
    "struct": _text,
}
