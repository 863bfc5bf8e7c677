"""Rows as documents, and back.

In: canonical Arrow tables, or documents. Out: the other. Always holds: NULL is a field that is not there, so that null
inside a JSON column is JSON's own; every column is a field, and ``_id`` repeats the key.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final
from uuid import UUID

import pyarrow as pa
import pyarrow.compute as pc
from bson import Binary, Decimal128, Int64
from bson.datetime_ms import DatetimeMS
from bson.dbref import DBRef

from tdv.content.arrow import arrow_schema, arrow_type, one_chunk
from tdv.content.text import from_plain, from_text, json_text, to_plain, to_text
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.losses import refuse_inner_null, refused_value
from tdv.targets.misread import lacking, misread
from tdv.targets.mongodb.losses import DECIMAL_DIGITS
from tdv.targets.mongodb.names import ID, REST

Document = dict[str, Any]
_ABSENT: Final = object()
_DAY: Final = 86_400_000
_MOMENTS: Final = frozenset({"timestamp", "timestamptz"})
_LONG: Final = 1 << 63
_UUID: Final = 4


def documents(rows: pa.Table, table: TableSchema, first: int) -> list[Document]:
    """One document per row; `first` is the number of the first row of a table without a key."""
    arrays = {column.name: one_chunk(rows.column(column.name)) for column in table.columns}
    values = {column.name: _encoded(arrays[column.name], column, table) for column in table.columns}
    names = list(values)
    ids = _ids(arrays, values, table, first)
    made = []
    for own, row in zip(ids, zip(*values.values(), strict=True), strict=True):
        made.append({ID: own, **{name: value for name, value in zip(names, row, strict=True) if value is not _ABSENT}})
    for name in (column.name for column in table.columns if column.type.name in _MOMENTS):
        _add_rest(made, name, arrays[name])
    return made


def decode(found: Sequence[Document], table: TableSchema) -> pa.Table:
    """Canonical rows; raises `IntegrityError` for a value that is none of its column's type."""
    arrays = []
    for column in table.columns:
        try:
            array = _decoded(found, column)
        except (ValueError, TypeError, ArithmeticError, AttributeError, pa.ArrowException) as exc:
            raise misread(table.name, column) from exc
        if array.null_count and not column.nullable:
            raise lacking(table, column, array.null_count)
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=arrow_schema(table))


def _ids(
    arrays: Mapping[str, pa.Array], values: Mapping[str, list[Any]], table: TableSchema, first: int
) -> Sequence[Any]:
    """The ``_id`` of each row: the key, a document of its columns, or a number."""
    if not table.key:
        return range(first, first + len(next(iter(values.values()))))
    parts = []
    for name in table.key:
        kind = table.column(name).type
        # A date would be cut, and two keys could be one.
        parts.append(to_text(arrays[name], kind).to_pylist() if kind.name in _MOMENTS else values[name])
    if len(parts) == 1:
        return parts[0]
    return [dict(zip(table.key, row, strict=True)) for row in zip(*parts, strict=True)]


def _add_rest(made: list[Document], name: str, array: pa.Array) -> None:
    rests = [None if value is None else value % 1000 for value in pc.cast(array, pa.int64()).to_pylist()]
    for document, rest in zip(made, rests, strict=True):
        if rest:
            document.setdefault(REST, {})[name] = rest


def _encoded(array: pa.Array, column: Column, table: TableSchema) -> list[Any]:
    kind = column.type
    if kind.name == "json":
        return [_ABSENT if text is None else _of_json(json.loads(text), column, table) for text in array.to_pylist()]
    make = _MAKERS.get(kind.name)
    refuse_inner_null(array, column, table.name, "MongoDB")
    if kind.is_nested or kind.name == "time" or _is_text(kind):
        values, make = to_plain(array, kind), None
        if _holds_json(kind):
            values = [_of_json(value, column, table) for value in values]
    elif kind.name in _MOMENTS:
        values = pc.cast(array, pa.int64()).to_pylist()
    else:
        values = (pc.cast(array, pa.int32()) if kind.name == "date" else array).to_pylist()
    return [_ABSENT if value is None else (make(value) if make else value) for value in values]


_MAKERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "int64": Int64,
    "decimal": Decimal128,
    "date": lambda days: DatetimeMS(days * _DAY),
    "timestamp": lambda moment: DatetimeMS(moment // 1000),
    "timestamptz": lambda moment: DatetimeMS(moment // 1000),
    "uuid": lambda text: Binary(UUID(text).bytes, _UUID),
}


def _is_text(kind: LogicalType) -> bool:
    """True for decimals that decimal128 cannot hold."""
    return kind.name == "decimal" and kind.precision > DECIMAL_DIGITS


def _holds_json(kind: LogicalType) -> bool:
    """True where documents are parts of the values."""
    inner = [kind.element] if kind.element is not None else [field for _, field in kind.fields]
    return kind.name == "json" or any(map(_holds_json, inner))


def _of_json(value: Any, column: Column, table: TableSchema) -> Any:
    """A JSON value with its large integers as decimals; raises `DataError` for one of too many digits."""
    if isinstance(value, dict):
        return {name: _of_json(inner, column, table) for name, inner in value.items()}
    if isinstance(value, list):
        return [_of_json(inner, column, table) for inner in value]
    if isinstance(value, int) and not -_LONG <= value < _LONG:
        if len(str(abs(value))) > DECIMAL_DIGITS:
            raise refused_value(table.name, column.name, "JSON with an integer of more than 34 digits", "MongoDB")
        return Decimal128(Decimal(value))
    return value


def _to_json(value: Any) -> Any:
    if isinstance(value, DBRef):
        # What the driver makes of a document with the names $ref and $id, as JSON Schema has them, too.
        value = value.as_doc()
    if isinstance(value, dict):
        return {name: _to_json(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_to_json(inner) for inner in value]
    if isinstance(value, Decimal128):
        number = value.to_decimal()
        if number != number.to_integral_value():
            raise ValueError("a decimal")
        return int(number)
    if value is None or isinstance(value, str | bool | int | float):
        return value
    raise ValueError("no JSON value")


def _decoded(found: Sequence[Document], column: Column) -> pa.Array:
    name, kind = column.name, column.type
    if kind.name == "json":
        texts = [json_text(_to_json(document[name])) if name in document else None for document in found]
        return _accepted(from_text(pa.array(texts, pa.string()), kind))
    values = [document.get(name) for document in found]
    if kind.is_nested or kind.name == "time" or _is_text(kind):
        return _accepted(from_plain([_to_json(value) for value in values] if _holds_json(kind) else values, kind))
    if kind.name in _MOMENTS:
        rests = [document.get(REST, {}).get(name, 0) for document in found]
        moments = [
            None if value is None else _milliseconds(value) * 1000 + rest
            for value, rest in zip(values, rests, strict=True)
        ]
        return pa.array(moments, pa.int64()).cast(arrow_type(kind))
    read = _READERS[kind.name]
    plain = [None if value is None else read(value) for value in values]
    return pa.array(plain, pa.int32()).cast(pa.date32()) if kind.name == "date" else pa.array(plain, arrow_type(kind))


def _accepted(parsed: Any) -> pa.Array:
    if parsed.misfits:
        raise ValueError("no value of the type")
    return parsed.array


def _of_type(*types: type) -> Callable[[Any], Any]:
    def checked(value: Any) -> Any:
        if type(value) not in types:
            raise TypeError(type(value).__name__)
        return value

    return checked


def _milliseconds(value: Any) -> int:
    return int(_of_type(DatetimeMS)(value))


def _days(value: Any) -> int:
    days, rest = divmod(_milliseconds(value), _DAY)
    if rest:
        raise ValueError("no midnight")
    return days


def _number(value: Any) -> Decimal:
    found: Decimal = _of_type(Decimal128)(value).to_decimal()
    if not found.is_finite():
        raise InvalidOperation
    return found


def _uuid(value: Any) -> str:
    if _of_type(Binary)(value).subtype != _UUID:
        raise ValueError("no uuid")
    return str(UUID(bytes=bytes(value)))


_READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "bool": _of_type(bool),
    "int16": _of_type(int, Int64),
    "int32": _of_type(int, Int64),
    "int64": _of_type(int, Int64),
    "float64": _of_type(float),
    "string": _of_type(str),
    "binary": _of_type(bytes),
    "decimal": _number,
    "date": _days,
    "uuid": _uuid,
}
