"""What the writer writes, the readers read back: every type, every awkward value, every format."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.content.arrow import arrow_schema, canonical
from tdv.content.order import ordered
from tdv.content.text import from_plain, from_text, to_plain, to_text
from tdv.model.schema import TableSchema
from tdv.model.types import LogicalType
from tdv.seeds.files import load_seeds
from tdv.seeds.writer import seed_text
from tests.seeds.builders import columns, dataset

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
AWKWARD = st.sampled_from(
    ["", " ", "NULL", "null", '"', '""', ",", "\n", "\r\n", "\r", "a\tb", "é", "😀", "$x", "0x1F"]
)
DECIMALS = st.integers(-(10**10 - 1), 10**10 - 1).map(lambda digits: Decimal(digits).scaleb(-8))
MOMENTS = st.datetimes(datetime(1, 1, 2), datetime(9999, 12, 30))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bool": st.booleans(),
    "int16": st.integers(-(2**15), 2**15 - 1),
    "int64": st.integers(-(2**63), 2**63 - 1),
    "float64": st.floats(),
    "decimal(10,8)": DECIMALS,
    "string": TEXT | AWKWARD,
    "binary": st.binary(max_size=6),
    "date": st.dates(),
    "time": st.times(),
    "timestamp": MOMENTS,
    "timestamptz": MOMENTS.map(lambda moment: moment.replace(tzinfo=UTC)),
    "uuid": st.uuids().map(str),
    "list<decimal(10,8)>": st.lists(st.none() | DECIMALS, max_size=3),
    "struct<a: date, b: list<string>>": st.fixed_dictionaries(
        {"a": st.none() | st.dates(), "b": st.none() | st.lists(st.none() | TEXT | AWKWARD, max_size=3)}
    ),
}


@st.composite
def tables(draw: st.DrawFn) -> tuple[pa.Table, TableSchema]:
    kinds = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4))
    rows = draw(st.integers(0, 5))
    schema = TableSchema("t", columns(**{f"c{index}": f"{kind}?" for index, kind in enumerate(kinds)}))
    values = [draw(st.lists(st.none() | VALUES[kind], min_size=rows, max_size=rows)) for kind in kinds]
    arrays = [pa.array(column, field.type) for column, field in zip(values, arrow_schema(schema), strict=True)]
    return canonical(pa.Table.from_arrays(arrays, schema=arrow_schema(schema)), schema), schema


def same(left: pa.Table, right: pa.Table, schema: TableSchema) -> bool:
    """Equality in canonical order, where NaN equals NaN."""
    return repr(ordered(left, schema).to_pylist()) == repr(ordered(right, schema).to_pylist())


@given(case=tables())
def test_seed_file_reads_back_as_written(case: tuple[pa.Table, TableSchema], tmp_path_factory: Any) -> None:
    table, schema = case
    written = seed_text(table, schema)
    assert written is not None
    directory: Path = tmp_path_factory.mktemp("dataset")
    (directory / "seeds").mkdir()
    (directory / f"seeds/t{written.suffix}").write_bytes(written.data)
    assert same(load_seeds(dataset(schema), directory)["t"], table, schema)


@given(case=tables())
def test_text_and_json_values_read_back_as_written(case: tuple[pa.Table, TableSchema]) -> None:
    table, schema = case
    for column in schema.columns:
        array = table.column(column.name)
        for parsed in (
            from_text(to_text(array, column.type), column.type),
            from_plain(to_plain(array, column.type), column.type),
        ):
            assert not parsed.misfits
            assert repr(parsed.array.to_pylist()) == repr(array.to_pylist())


@given(values=st.lists(JSON.map(lambda value: value if value is not None else 0), max_size=4))
def test_json_columns_read_back_as_written(values: list[Any]) -> None:
    kind = LogicalType("json")
    first = from_plain(values, kind).array
    assert from_text(to_text(first, kind), kind).array.equals(first)
    assert from_plain(to_plain(first, kind), kind).array.equals(first)


def test_null_json_is_told_from_null_in_csv() -> None:
    schema = TableSchema("t", columns(id="int64", doc="json?"), key=("id",))
    written = seed_text(pa.table({"id": [1, 2], "doc": ["null", None]}), schema)
    assert written is not None
    assert (written.suffix, written.data) == (".csv", b"id,doc\n1,null\n2,\n")


def test_writer_refuses_what_no_text_tells_apart() -> None:
    schema = TableSchema("t", columns(id="int64", name="string", doc="json?"), key=("id",))
    assert seed_text(pa.table({"id": [1], "name": ["a\r"], "doc": ["null"]}), schema) is None


def test_writer_sorts_by_key_and_quotes_only_what_needs_it() -> None:
    schema = TableSchema("t", columns(id="int64", name="string?", note="string"), key=("id",))
    rows = pa.table({"id": [2, 1, 3], "name": ["", None, "Ann, B."], "note": ["x", 'say "hi"', " y"]})
    written = seed_text(rows, schema)
    assert written is not None
    assert written.data == b'id,name,note\n1,,"say ""hi"""\n2,"",x\n3,"Ann, B."," y"\n'


@pytest.mark.parametrize("text", ["a\r\nb", "a\rb", "\0", "\x1b[31m"])
def test_text_that_git_would_change_goes_to_json_lines(text: str) -> None:
    schema = TableSchema("t", columns(id="int64", name="string"), key=("id",))
    written = seed_text(pa.table({"id": [1], "name": [text]}), schema)
    assert written is not None
    assert written.suffix == ".jsonl"
    assert not any(byte < 32 and byte != 10 for byte in written.data)


@pytest.mark.parametrize(
    ("kind", "value", "text"),
    [
        ("decimal(38,10)", Decimal("0.0000000001"), "0.0000000001"),
        ("decimal(10,2)", Decimal("5"), "5.00"),
        ("timestamp", datetime(2026, 1, 31, 12), "2026-01-31T12:00:00"),
        ("timestamp", datetime(2026, 1, 31, 12, 0, 0, 120000), "2026-01-31T12:00:00.12"),
        ("timestamptz", datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00Z"),
        ("time", time(1, 2, 3), "01:02:03"),
        ("date", date(1, 1, 1), "0001-01-01"),
        ("binary", b"\x00\xff", "00ff"),
        ("binary", b"", ""),
        ("float64", math.inf, "Infinity"),
        ("float64", 0.1, "0.1"),
        ("bool", True, "true"),
        ("list<int64>", [1, None], "[1,null]"),
    ],
)
def test_forms_of_values(kind: str, value: Any, text: str) -> None:
    schema = TableSchema("t", columns(c=kind))
    array = pa.array([value], arrow_schema(schema).field(0).type)
    assert to_text(array, schema.columns[0].type).to_pylist() == [text]
