from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tdv.content.arrow import arrow_type
from tdv.content.facts import described, facts_of, merged
from tdv.content.summary import scalar
from tdv.model.schema import Column
from tdv.model.types import LogicalType


def facts(chunks: list[pa.Array], column: Column, *, is_unique: bool = False) -> dict[str, Any]:
    total = None
    for chunk in chunks:
        found = facts_of(chunk, column, total, is_unique=is_unique)
        total = found if total is None else merged(total, found)
    assert total is not None
    return described(total, column)


def column(kind: str, privacy: str | None = None) -> Column:
    return Column("c", LogicalType.parse(kind), nullable=True, privacy=privacy)


def of(kind: str, *chunks: list[Any], privacy: str | None = None) -> dict[str, Any]:
    found = column(kind, privacy)
    return facts([pa.array(chunk, arrow_type(found.type)) for chunk in chunks], found)


def test_facts_of_numbers() -> None:
    assert of("int16", [1, None, 2], [2, 5]) == {"nulls": 1, "distinct": 3, "min": 1, "max": 5, "mean": 2.5}
    assert of("bool", [True, False, True, True]) == {"nulls": 0, "distinct": 2, "mean": 0.75}
    assert of("float64", [1.5, math.nan], [None, -3.0])["nan"] == 1
    assert of("float64", [math.nan], [math.nan]) == {"nulls": 0, "distinct": 1, "nan": 2}
    assert of("float64", [math.inf, 1.0])["mean"] == "Infinity"


def test_sums_are_exact() -> None:
    assert of("int64", [2**63 - 1] * 3, [-(2**63)] * 3)["mean"] == -0.5
    assert of("decimal(38,2)", [Decimal("9" * 36 + ".99")] * 2, [Decimal("-" + "9" * 36 + ".99")] * 2)["mean"] == 0
    assert of("decimal(10,2)", [Decimal("0.10")] * 3)["mean"] == 0.1
    assert of("float64", [1e308, 1.0], [-1e308])["mean"] == 0.0
    assert of("float64", [0.1] * 10)["mean"] == 0.1


def test_facts_of_dates_and_texts() -> None:
    assert of("string", ["b", "B", "ä"]) == {"nulls": 0, "distinct": 3, "min": "B", "max": "ä"}
    assert of("date", [None]) == {"nulls": 1, "distinct": 0}
    assert of("list<int16>", [[1], [1], [], None]) == {"nulls": 1, "distinct": 2}
    assert of("string", []) == {"nulls": 0, "distinct": 0}


def test_private_column_has_counts_only() -> None:
    assert of("int32", [7, 8, None], privacy="salary") == {"nulls": 1, "distinct": 2}


@given(st.lists(st.lists(st.none() | st.integers(-5, 5)), min_size=1, max_size=4))
def test_pieces_do_not_matter(chunks: list[list[int | None]]) -> None:
    assert of("int64", *chunks) == of("int64", [value for chunk in chunks for value in chunk])


def test_distinct_is_exact_below_its_limit_and_near_above() -> None:
    few = [pa.array(np.arange(start, start + 20_000)) for start in (0, 10_000, 30_000)]
    assert facts(few, column("int64"))["distinct"] == 50_000
    many = [pa.array(np.arange(start, start + 100_000)) for start in range(0, 900_000, 50_000)]
    about = facts(many, column("int64"))["distinct"]
    assert about.startswith("about ")
    assert float(about.removeprefix("about ")) == pytest.approx(950_000, rel=0.02)


def test_unique_column_needs_no_count() -> None:
    assert facts([pa.array([None, *range(70_000)])], column("int64"), is_unique=True)["distinct"] == 70_000


@given(st.text(st.characters(codec="utf-8")))
def test_every_text_is_one_line_that_yaml_reads_back(text: str) -> None:
    line = scalar(text)
    assert "\n" not in line
    assert yaml.safe_load(f"key: {line}") == {"key": text}
