from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.content import order
from tdv.content.arrow import canonical
from tdv.content.digest import TableDigester
from tdv.content.order import in_order, ordered, ordered_stream
from tdv.errors import DataError, StoreError
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tests.content.values import Sample, disguised, samples


def table_schema(key: str, *, private: bool = False, **columns: str) -> TableSchema:
    found = tuple(
        Column(name, LogicalType.parse(kind), privacy="secret" if private else None) for name, kind in columns.items()
    )
    return TableSchema("t", found, key=tuple(key.split()))


def pieces(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    return (table.slice(start, rows) for start in range(0, table.num_rows, rows))


def digest(tables: Iterator[pa.Table], schema: TableSchema) -> str:
    digester = TableDigester(schema)
    for table in tables:
        digester.update(table)
    return digester.finish()


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sends every table of more than 100 rows through the disk, in small batches and buckets."""
    for name, value in {"IN_MEMORY_ROWS": 100, "_BATCH": 64, "_SAMPLED": 4, "_BUCKET": 200}.items():
        monkeypatch.setattr(order, name, value)


@given(samples(), st.integers(0, 2**32))
def test_order_depends_on_content_alone(sample: Sample, seed: int) -> None:
    one = ordered(canonical(sample.table(), sample.schema), sample.schema)
    other = ordered(canonical(disguised(sample.table(), seed), sample.schema), sample.schema)
    assert in_order(one, sample.schema)
    assert [repr(row) for row in one.to_pylist()] == [repr(row) for row in other.to_pylist()]


def test_strings_are_ordered_by_their_bytes() -> None:
    schema = table_schema("k", k="string")
    words = ["b", "B", "", "ä", "a\0", "a", "\U0001f600", "\uffee", "Z"]
    found = ordered(pa.table({"k": words}), schema).column("k").to_pylist()
    assert found == sorted(words, key=str.encode)


def test_composite_key_is_ordered_column_by_column() -> None:
    schema = table_schema("b a", a="int16", b="bool")
    table = pa.table({"a": pa.array([2, 1, 1], pa.int16()), "b": [False, True, False]})
    assert not in_order(table, schema)
    assert [tuple(row.values()) for row in ordered(table, schema).to_pylist()] == [(1, False), (2, False), (1, True)]


def test_key_that_stands_twice_is_named() -> None:
    schema = table_schema("a b", a="int64", b="string")
    table = pa.table({"a": [2, 1, 2, 1], "b": ["x", "y", "x", "y"]})
    with pytest.raises(DataError, match=r"table 't': the key a=1, b='y' stands twice \(and 1 more\)"):
        ordered(table, schema)
    assert not in_order(pa.table({"a": [1, 1], "b": ["x", "x"]}), schema)


def test_private_key_that_stands_twice_is_not_shown() -> None:
    with pytest.raises(DataError, match="the key a=<private: secret> stands twice"):
        ordered(pa.table({"a": [77, 77]}), table_schema("a", private=True, a="int64"))


def test_rows_without_a_key_may_repeat() -> None:
    schema = table_schema("", a="int64")
    found = ordered(pa.table({"a": [1, 2, 1, 2, 1]}), schema)
    assert in_order(found, schema)
    assert sorted(found.column("a").to_pylist()) == [1, 1, 1, 2, 2]
    values = found.column("a").to_pylist()
    assert sum(one != other for one, other in pairwise(values)) == 1


@pytest.mark.parametrize("key", ["k", "s", "s k", ""])
@pytest.mark.parametrize("shuffled", [True, False])
def test_large_table_is_ordered_on_the_disk(on_disk: None, tmp_path: Path, key: str, shuffled: bool) -> None:
    schema = table_schema(key, k="int64", s="string", v="float64")
    numbers = list(range(3000))
    random.Random(1).shuffle(numbers)
    table = pa.table({"k": numbers, "s": [f"s{number}" for number in numbers], "v": [n / 7 for n in numbers]})
    expected = ordered(table, schema)
    source = table if shuffled else expected
    found = list(ordered_stream(pieces(source, 70), schema, tmp_path / "scratch"))
    assert pa.concat_tables(found).equals(expected)
    assert max(piece.num_rows for piece in found) < 1000
    assert not (tmp_path / "scratch").exists()


def test_many_equal_rows_without_a_key_are_ordered_on_the_disk(on_disk: None, tmp_path: Path) -> None:
    schema = table_schema("", a="int64")
    table = pa.table({"a": np.arange(1000) % 3})
    found = list(ordered_stream(pieces(table, 99), schema, tmp_path / "scratch"))
    assert digest(iter(found), schema) == digest(iter([ordered(table, schema)]), schema)


def test_key_that_stands_twice_is_found_on_the_disk(on_disk: None, tmp_path: Path) -> None:
    schema = table_schema("k", k="int64")
    numbers = np.concatenate((np.arange(1000), [500]))
    with pytest.raises(DataError, match="the key k=500 stands twice"):
        list(ordered_stream(pieces(pa.table({"k": numbers}), 70), schema, tmp_path / "scratch"))
    assert not (tmp_path / "scratch").exists()


def test_small_table_needs_no_disk(tmp_path: Path) -> None:
    schema = table_schema("k", k="int64")
    found = list(ordered_stream(pieces(pa.table({"k": [3, 1, 2]}), 1), schema, tmp_path / "scratch"))
    assert pa.concat_tables(found).column("k").to_pylist() == [1, 2, 3]
    assert next(ordered_stream([], schema, tmp_path / "scratch")).num_rows == 0
    assert not (tmp_path / "scratch").exists()


def test_disk_that_takes_nothing_is_named(on_disk: None, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    schema = table_schema("k", k="int64")
    with pytest.raises(StoreError, match="cannot write"):
        list(ordered_stream([pa.table({"k": np.arange(200)})], schema, tmp_path / "file" / "scratch"))
