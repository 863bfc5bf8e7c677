"""Logical types as Arrow types, and tables in canonical form.

In: tables of any Arrow flavour (dictionaries, large or view types, other time units and widths, any chunk
layout). Out: tables whose columns stand in declared order with one Arrow type per logical type and one bit
pattern per value. Always holds: ``canonical(canonical(t)) == canonical(t)``, and a conversion that would
change a value is a `DataError` that names table, column and first bad row.
"""

from __future__ import annotations

from typing import Any, Final

import pyarrow as pa

from tdv.content.convert import BadValue, NullInKey, convert
from tdv.content.redact import shown
from tdv.errors import BadKey, DataError
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType

_SIMPLE: Final[dict[str, pa.DataType]] = {
    "bool": pa.bool_(),
    "int16": pa.int16(),
    "int32": pa.int32(),
    "int64": pa.int64(),
    "float64": pa.float64(),
    "string": pa.string(),
    "binary": pa.binary(),
    "date": pa.date32(),
    "time": pa.time64("us"),
    "timestamp": pa.timestamp("us"),
    "timestamptz": pa.timestamp("us", "UTC"),
    "uuid": pa.string(),
    "json": pa.string(),
}


def arrow_type(kind: LogicalType) -> pa.DataType:
    """The one Arrow type of a logical type; uuid and json are strings."""
    if kind.name == "decimal":
        return pa.decimal128(kind.precision, kind.scale)
    if kind.name == "list":
        assert kind.element is not None
        return pa.list_(pa.field("element", arrow_type(kind.element)))
    if kind.name == "struct":
        return pa.struct([pa.field(name, arrow_type(field)) for name, field in kind.fields])
    return _SIMPLE[kind.name]


def arrow_schema(schema: TableSchema) -> pa.Schema:
    """Columns in declared order, all nullable: what may be null is a rule for `validate`, not a type."""
    return pa.schema([pa.field(column.name, arrow_type(column.type)) for column in schema.columns])


def empty_table(schema: TableSchema) -> pa.Table:
    """The table without rows."""
    return arrow_schema(schema).empty_table()


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array; copied only if it has several chunks."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def canonical(table: pa.Table, schema: TableSchema) -> pa.Table:
    """`table` in canonical form; row order and chunks stay.

    Raises `DataError` for a missing or unknown column, a value that its type cannot hold exactly, and a
    null in a key. Nulls elsewhere are not looked at.
    """
    _check_names(table, schema)
    columns = [_canonical_column(table.column(column.name), column, schema) for column in schema.columns]
    return pa.Table.from_arrays(columns, schema=arrow_schema(schema))


def _check_names(table: pa.Table, schema: TableSchema) -> None:
    given, wanted = list(table.column_names), schema.column_names
    missing = [name for name in wanted if name not in given]
    unknown = [name for name in given if name not in wanted]
    twice = sorted({name for name in given if given.count(name) > 1})
    for names, problem in ((missing, "lacks the column"), (unknown, "has the unknown column"), (twice, "has twice")):
        if names:
            raise DataError(
                f"table {schema.name!r} {problem} {', '.join(map(repr, names))}",
                hint="Give the rows exactly the columns that the spec declares.",
                table=schema.name,
                columns=names,
            )


def _canonical_column(data: pa.ChunkedArray, column: Column, schema: TableSchema) -> pa.ChunkedArray:
    kind = arrow_type(column.type)
    chunks: list[pa.Array] = []
    start = 0
    for chunk in data.chunks:
        try:
            converted = convert(chunk, column.type, kind)
            if column.name in schema.key and converted.null_count:
                raise NullInKey("is in the key", _first_null(converted))
        except BadValue as exc:
            raise _bad(schema, column, chunk, start, exc) from exc
        chunks.append(converted)
        start += len(chunk)
    return pa.chunked_array(chunks, type=kind)


def _first_null(array: pa.Array) -> int:
    return int(array.is_null().index(pa.scalar(True)).as_py())


def _bad(schema: TableSchema, column: Column, chunk: pa.Array, start: int, bad: BadValue) -> DataError:
    place = f"table {schema.name!r}, column {column.name!r}"
    facts: dict[str, Any] = {"table": schema.name, "column": column.name}
    if bad.row is None:
        return DataError(f"{place}: {bad.reason}", hint=f"The column's type is {column.type}.", **facts)
    value = shown(column, _value(chunk, bad.row))
    kind = BadKey if isinstance(bad, NullInKey) else DataError
    return kind(
        f"{place}, row {start + bad.row + 1}: {value} {bad.reason}",
        hint=f"Mend the value, or change the type {column.type} of the column in the spec.",
        row=start + bad.row,
        **facts,
    )


def _value(chunk: pa.Array, row: int) -> Any:
    """The value as Python has it; bytes or a count of days, microseconds … where Python has none."""
    scalar = chunk[row]
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return bytes(scalar.as_buffer()) if hasattr(scalar, "as_buffer") else scalar.value
