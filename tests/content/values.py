"""Schemas and rows of every kind for Hypothesis, and the same content in other Arrow clothes."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from functools import cache
from typing import Any

import pyarrow as pa
import pyarrow.types as pt
from hypothesis import strategies as st

from tdv.content.arrow import arrow_schema
from tdv.model.canonical import dumps
from tdv.model.schema import Column, TableSchema
from tdv.model.types import SIMPLE, LogicalType

Row = dict[str, Any]

TEXT = st.text(st.characters(codec="utf-8"), max_size=20) | st.sampled_from(
    ["", "a", "ä", "x" * 200, "\0", "7", "\u2028"]
)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=8) | st.sampled_from(
    ["id", "a.b", "..", "a/b", '"q"', "it's", "Ω", "SELECT", " "]
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)


@dataclass(frozen=True)
class Sample:
    """A schema and rows as Python values, in no order; keys are unique."""

    schema: TableSchema
    rows: list[Row]

    def table(self) -> pa.Table:
        return pa.Table.from_pylist(self.rows, schema=arrow_schema(self.schema))


SIMPLE_TYPES: st.SearchStrategy[LogicalType] = st.sampled_from(
    [*map(LogicalType, SIMPLE), *(LogicalType("decimal", p, s) for p, s in ((1, 0), (1, 1), (10, 2), (28, 0), (38, 9)))]
)


def _nested(inner: st.SearchStrategy[LogicalType]) -> st.SearchStrategy[LogicalType]:
    fields = st.lists(st.tuples(NAMES, inner), min_size=1, max_size=3, unique_by=lambda field: field[0])
    return st.builds(lambda element: LogicalType("list", element=element), inner) | st.builds(
        lambda found: LogicalType("struct", fields=tuple(found)), fields
    )


TYPES = st.recursive(SIMPLE_TYPES, _nested, max_leaves=3)
KEY_TYPES = SIMPLE_TYPES.filter(lambda kind: kind.may_be_key)


@cache
def values(kind: LogicalType) -> st.SearchStrategy[Any]:
    """Values of a type that are no null, canonical or not."""
    if kind.name == "decimal":
        largest = 10**kind.precision - 1
        return st.integers(-largest, largest).map(lambda number: Decimal(number).scaleb(-kind.scale, _WIDE))
    if kind.element is not None:
        return st.lists(st.none() | values(kind.element), max_size=3)
    if kind.fields:
        return st.fixed_dictionaries({name: st.none() | values(field) for name, field in kind.fields})
    return _SIMPLE[kind.name]


def _integers(bits: int) -> st.SearchStrategy[int]:
    return st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


_WIDE = Context(prec=60)
"""`Decimal.scaleb` rounds to the precision of its context."""
_SIMPLE: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int16": _integers(16),
    "int32": _integers(32),
    "int64": _integers(64),
    "float64": st.floats() | st.sampled_from([0.0, -0.0]),
    "string": TEXT,
    "binary": st.binary(max_size=20),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": st.datetimes(),
    "timestamptz": st.datetimes(timezones=st.just(UTC)),
    "uuid": st.uuids().map(str),
    "json": JSON.map(lambda value: dumps(value).decode()),
}


@st.composite
def samples(draw: st.DrawFn, *, keyed: bool | None = None, max_rows: int = 12) -> Sample:
    """Tables with and without a key, with and without rows."""
    names = draw(st.lists(NAMES, min_size=1, max_size=4, unique=True))
    kinds = [draw(TYPES) for _ in names]
    wants_key = draw(st.booleans()) if keyed is None else keyed
    if wants_key:
        kinds[0] = draw(KEY_TYPES)
    possible = [name for name, kind in zip(names, kinds, strict=True) if kind.may_be_key]
    key = tuple(draw(st.lists(st.sampled_from(possible), min_size=1, max_size=2, unique=True))) if wants_key else ()
    columns = tuple(Column(name, kind, nullable=name not in key) for name, kind in zip(names, kinds, strict=True))
    schema = TableSchema(draw(NAMES), columns, key=key)
    row = st.fixed_dictionaries(
        {
            column.name: values(column.type) if column.name in key else st.none() | values(column.type)
            for column in columns
        }
    )
    unique_by = (lambda found: tuple(found[name] for name in key)) if key else None
    return Sample(schema, draw(st.lists(row, max_size=max_rows, unique_by=unique_by)))


def disguised(table: pa.Table, seed: int) -> pa.Table:
    """The same rows in another order, other chunks, columns in another order, and other Arrow types."""
    chance = random.Random(seed)
    order = list(range(table.num_rows))
    chance.shuffle(order)
    table = table.take(pa.array(order, pa.int64()))
    names = list(table.column_names)
    chance.shuffle(names)
    table = table.select(names)
    table = pa.table({name: _dressed(table.column(name).combine_chunks(), chance) for name in names})
    pieces, start = [], 0
    while start < table.num_rows:
        length = chance.randint(1, table.num_rows)
        pieces.append(table.slice(start, length))
        start += length
    return pa.concat_tables([table.slice(0, 0), *pieces])


def _dressed(array: pa.Array, chance: random.Random) -> pa.Array:
    kind = array.type
    dresses = {
        pa.string(): [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())],
        pa.binary(): [pa.large_binary(), pa.binary_view(), pa.dictionary(pa.int8(), pa.binary())],
        pa.int16(): [pa.int32(), pa.int64(), pa.decimal128(20, 2)],
        pa.int32(): [pa.int64()],
        pa.date32(): [pa.date64()],
        pa.time64("us"): [pa.time64("ns")],
        pa.timestamp("us", "UTC"): [pa.timestamp("us", "Europe/Berlin"), pa.timestamp("us", "Etc/UTC")],
    }.get(kind, [])
    if pt.is_decimal(kind) and kind.precision < 30:
        dresses = [pa.decimal128(kind.precision + 4, kind.scale + 2), pa.decimal256(kind.precision, kind.scale)]
    if pt.is_list(kind):
        dresses = [pa.large_list(kind.value_type)]
    if not dresses or chance.random() < 0.3:
        return array
    return array.cast(chance.choice(dresses))


def with_key(schema: TableSchema, *key: str) -> TableSchema:
    return replace(schema, key=key)


EXAMPLES: dict[str, Any] = {
    "bool": True,
    "int16": -2,
    "int32": 70_000,
    "int64": 2**40,
    "float64": 1.5,
    "decimal(10,2)": Decimal("-12.30"),
    "string": "Grüße",
    "binary": b"\x00\xff",
    "date": date(2024, 2, 29),
    "time": time(23, 59, 59, 999_999),
    "timestamp": datetime(2024, 2, 29, 12, 30),
    "timestamptz": datetime(2024, 2, 29, 12, 30, tzinfo=UTC),
    "uuid": "123e4567-e89b-12d3-a456-426614174000",
    "json": '{"a":[1,null,"x"]}',
    "list<int32>": [1, None, 3],
    "struct<b: int16, a: string>": {"b": 1, "a": None},
}
"""One value of every type."""


def every_type(key: tuple[str, ...] = ("id",)) -> Sample:
    """A table with a column of every type: a full row, a row of nulls."""
    columns = (Column("id", LogicalType("int64")), *(Column(name, LogicalType.parse(name), True) for name in EXAMPLES))
    rows: list[Row] = [{"id": 1, **EXAMPLES}, {"id": 2, **dict.fromkeys(EXAMPLES)}]
    return Sample(TableSchema("every type", columns, key=key), rows)
