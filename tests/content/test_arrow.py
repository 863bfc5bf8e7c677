from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.content.arrow import arrow_schema, arrow_type, canonical, empty_table
from tdv.errors import DataError
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tests.content.values import Sample, disguised, every_type, samples

BERLIN = dt.timezone(dt.timedelta(hours=2))


def schema(kind: str, **options: Any) -> TableSchema:
    return TableSchema("t", (Column("c", LogicalType.parse(kind), **options),))


def converted(array: pa.Array, kind: str) -> pa.Array:
    return canonical(pa.table({"c": array}), schema(kind)).column("c").combine_chunks()


@given(samples(), st.integers(0, 2**32))
def test_canonical_form_is_reached_once_and_for_all(sample: Sample, seed: int) -> None:
    once = canonical(disguised(sample.table(), seed), sample.schema)
    again = canonical(once, sample.schema)
    assert once.schema.equals(arrow_schema(sample.schema))
    assert [str(row) for row in again.to_pylist()] == [str(row) for row in once.to_pylist()]
    again.validate(full=True)


def test_values_of_every_type_stay_as_they_are() -> None:
    sample = every_type()
    assert canonical(sample.table(), sample.schema).to_pylist() == sample.rows


@pytest.mark.parametrize(
    ("array", "kind", "expected"),
    [
        (pa.array([1, None], pa.uint8()), "int16", [1, None]),
        (pa.array([Decimal("7.00")]), "int64", [7]),
        (pa.array([2**62], pa.uint64()), "int64", [2**62]),
        (pa.array([1.5], pa.float32()), "float64", [1.5]),
        (pa.array([2**53]), "float64", [2.0**53]),
        (pa.array([-0.0, None, 0.0]), "float64", [0.0, None, 0.0]),
        (pa.array([5], pa.int16()), "decimal(3,2)", [Decimal("5.00")]),
        (pa.array([Decimal("1.500")]), "decimal(4,2)", [Decimal("1.50")]),
        (pa.array(["b", "a", "b"]).dictionary_encode(), "string", ["b", "a", "b"]),
        (pa.array(["a", None], pa.large_string()), "string", ["a", None]),
        (pa.array([b"ab"], pa.binary(2)), "binary", [b"ab"]),
        (pa.array([dt.date(2020, 1, 1)], pa.date64()), "date", [dt.date(2020, 1, 1)]),
        (pa.array([1], pa.time32("s")), "time", [dt.time(0, 0, 1)]),
        (pa.array([1], pa.timestamp("s")), "timestamp", [dt.datetime(1970, 1, 1, 0, 0, 1)]),
        (
            pa.array([dt.datetime(2020, 1, 1, 2, tzinfo=BERLIN)], pa.timestamp("ms", "Europe/Berlin")),
            "timestamptz",
            [dt.datetime(2020, 1, 1, tzinfo=dt.UTC)],
        ),
        (
            pa.array(["123E4567-E89B-12D3-A456-426614174000", None, "123e4567e89b12d3a456426614174000"]),
            "uuid",
            ["123e4567-e89b-12d3-a456-426614174000", None, "123e4567-e89b-12d3-a456-426614174000"],
        ),
        (pa.array([bytes(16)], pa.binary(16)), "uuid", ["00000000-0000-0000-0000-000000000000"]),
        (pa.array([bytes(16)], pa.uuid()), "uuid", ["00000000-0000-0000-0000-000000000000"]),
        (pa.array(['{"b":1.0, "a":[]}', None]), "json", ['{"a":[],"b":1}', None]),
        (pa.array([[1, None], None, []], pa.large_list(pa.int8())), "list<int32>", [[1, None], None, []]),
        (pa.array([[1, 2], None], pa.list_(pa.int64(), 2)), "list<int64>", [[1, 2], None]),
        (pa.array([{"b": 1, "a": -0.0}, None]), "struct<a: float64, b: int64>", [{"a": 0.0, "b": 1}, None]),
        (pa.nulls(2), "list<int32>", [None, None]),
        (pa.RunEndEncodedArray.from_arrays([2, 3], ["a", "b"]), "string", ["a", "a", "b"]),
    ],
)
def test_what_loses_nothing_is_converted(array: pa.Array, kind: str, expected: list[Any]) -> None:
    found = converted(array, kind)
    assert found.type == arrow_type(LogicalType.parse(kind))
    assert found.to_pylist() == expected
    assert [str(value) for value in found.to_pylist()] == [str(value) for value in expected]


def test_there_is_one_nan_and_one_zero() -> None:
    strange = np.array([0x7FF8000000000001, 0xFFF8000000000000, 0x8000000000000000, 0x7FF0000000000000], np.uint64)
    bits = converted(pa.array(strange.view(np.float64)), "float64").to_numpy().view(np.uint64)
    assert [hex(value) for value in bits.tolist()] == ["0x7ff8000000000000"] * 2 + ["0x0", "0x7ff0000000000000"]


@pytest.mark.parametrize(
    ("array", "kind", "row", "reason"),
    [
        (pa.array([1, None, 40_000]), "int16", 2, "40000 does not fit int16"),
        (pa.array([Decimal("1.5")]), "int64", 0, "does not fit int64"),
        (pa.array([2**53 + 1]), "float64", 0, "does not fit double"),
        (pa.array([Decimal("1.005")]), "decimal(10,2)", 0, "does not fit"),
        (pa.array([100]), "decimal(2,0)", 0, "does not fit"),
        (pa.array(["2020"]), "date", None, "string is no date"),
        (pa.array([1.0]), "int64", None, "double is no int64"),
        (pa.array([1]), "bool", None, "int64 is no bool"),
        (pa.array([1]), "string", None, "int64 is no string"),
        (pa.array([dt.datetime(2020, 1, 1)]), "timestamptz", None, "is no timestamptz"),
        (pa.array([dt.datetime(2020, 1, 1, tzinfo=dt.UTC)]), "timestamp", None, "is no timestamp"),
        (pa.array([1], pa.timestamp("ns")), "timestamp", 0, "does not fit"),
        (pa.array([0, 2**62], pa.timestamp("us")), "timestamp", 1, "outside the years 1 to 9999"),
        (pa.array([-(2**31)], pa.date32()), "date", 0, "outside the years 1 to 9999"),
        (pa.array([1], pa.int64()).view(pa.date64()), "date", 0, "is no whole day"),
        (pa.array([86_400_000_000], pa.time64("us")), "time", 0, "is no time of a day"),
        (pa.array(["x" * 36]), "uuid", 0, "is no UUID"),
        (pa.array(["{}", '{"a":1,"a":1}']), "json", 1, "the key 'a' stands twice"),
        (pa.array([["x"], ["a", "\u00ff"]]), "list<int32>", None, "string is no int32"),
        (pa.array([[1], [], [2, 70_000]]), "list<int16>", 2, "holds an element that does not fit int16"),
        (pa.array([{"a": 1}, {"a": 70_000}]), "struct<a: int16>", 1, "has a field 'a' that does not fit int16"),
        (pa.array([{"a": 1}]), "struct<b: int16>", None, "is no struct<b: int16>"),
    ],
)
def test_what_would_lose_something_is_named(array: pa.Array, kind: str, row: int | None, reason: str) -> None:
    with pytest.raises(DataError) as caught:
        converted(array, kind)
    assert reason in caught.value.message
    assert "table 't', column 'c'" in caught.value.message
    assert caught.value.facts.get("row") == row
    assert caught.value.hint


def test_text_that_is_no_utf8_is_named() -> None:
    broken = pa.Array.from_buffers(pa.string(), 3, pa.array([b"a", b"\xff", b"c"]).buffers())
    with pytest.raises(DataError, match=r"row 2: .* is no valid UTF-8"):
        converted(broken, "string")


def test_row_is_counted_across_chunks() -> None:
    chunks = pa.chunked_array([pa.array([1, 2]), pa.array([3, 40_000])])
    with pytest.raises(DataError, match="row 4: 40000"):
        canonical(pa.table({"c": chunks}), schema("int16"))


def test_private_value_is_not_shown() -> None:
    with pytest.raises(DataError, match="row 1: <private: salary> does not fit") as caught:
        canonical(pa.table({"c": [40_000]}), schema("int16", privacy="salary"))
    assert "40000" not in str(caught.value.facts) + caught.value.message


def test_control_characters_do_not_reach_the_message() -> None:
    with pytest.raises(DataError) as caught:
        canonical(pa.table({"c": ["\x1b[31m\u202e"]}), schema("uuid"))
    assert "\x1b" not in caught.value.message
    assert "\u202e" not in caught.value.message


def test_key_has_no_null() -> None:
    keyed = TableSchema("t", (Column("c", LogicalType("int64")),), key=("c",))
    with pytest.raises(DataError, match="row 2: NULL is in the key"):
        canonical(pa.table({"c": [1, None]}), keyed)


@pytest.mark.parametrize(
    ("columns", "message"),
    [({}, "lacks the column 'c'"), ({"c": [1], "d": [1]}, "has the unknown column 'd'")],
)
def test_columns_are_exactly_the_declared_ones(columns: dict[str, list[int]], message: str) -> None:
    with pytest.raises(DataError, match=message):
        canonical(pa.table(columns), schema("int64"))


def test_column_that_stands_twice_is_refused() -> None:
    with pytest.raises(DataError, match="has twice 'c'"):
        canonical(pa.table([[1], [2]], names=["c", "c"]), schema("int64"))


def test_columns_come_in_declared_order() -> None:
    pair = TableSchema("t", (Column("b", LogicalType("bool")), Column("a", LogicalType("int16"))))
    found = canonical(pa.table({"a": [1], "b": [True]}), pair)
    assert found.column_names == ["b", "a"]
    assert empty_table(pair).schema == found.schema
