"""Whatever stands in a seed or scenario, the answer is rows or an error of tdv, never a crash."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.content.text import from_plain, from_text, parse_json
from tdv.errors import TdvError
from tdv.model.schema import TableSchema
from tdv.model.types import LogicalType
from tdv.seeds import load_scenarios, load_seeds
from tests.seeds.builders import columns, dataset

SCHEMA = TableSchema(
    "t", columns(id="int64", name="string?", at="timestamp?", doc="json?", tags="list<int16>?"), key=("id",)
)
NAMES = ["id", "name", "at", "doc", "tags", "rows", "t", "null", "$a", "as_of", ".nan", "&x", "*x", "!t", "é"]
WORDS = [*NAMES, "+", "1", "9" * 20, "1e999", ",", "{", "}", "[", "]", ":"]
PIECES = st.sampled_from([*WORDS, "scenario: one\n", '"', "\n", "\r", " ", "- ", "\0", "\\ud800"])
TEXTS = st.lists(PIECES, max_size=12).map("".join)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just("\ud800"),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=4,
)
KINDS = st.sampled_from(
    ["bool", "int16", "float64", "decimal(5,2)", "string", "binary", "date", "time", "timestamp", "timestamptz", "uuid",
     "json", "list<string>", "struct<a: json, b: list<bool>>"]
).map(LogicalType.parse)  # fmt: skip


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "yaml", "parquet"])
@given(text=TEXTS, header=st.booleans())
def test_seeds(suffix: str, text: str, header: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("dataset")
    (directory / "seeds").mkdir()
    (directory / f"seeds/t.{suffix}").write_bytes((("id,name\n" if header else "") + text).encode())
    answers(lambda: load_seeds(dataset(SCHEMA), directory))


@given(rows=TEXTS, expect=TEXTS)
def test_scenarios(rows: str, expect: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    directory = tmp_path_factory.mktemp("dataset")
    (directory / "scenarios").mkdir()
    text = f"scenario: one\ntitle: x\nrows: {{t: {{a: {{id: 1, doc: {rows}}}}}}}\nexpect: ['{expect}']\n"
    (directory / "scenarios/one.yaml").write_bytes(text.encode())
    answers(lambda: load_scenarios(dataset(SCHEMA), directory))


@given(values=st.lists(VALUES, max_size=3), kind=KINDS)
def test_plain_values(values: list[Any], kind: LogicalType) -> None:
    assert len(from_plain(values, kind).array) == len(values)


@given(texts=st.lists(st.none() | TEXTS, max_size=3), kind=KINDS)
def test_texts(texts: list[str | None], kind: LogicalType) -> None:
    import pyarrow as pa

    assert len(from_text(pa.array(texts, pa.string()), kind).array) == len(texts)


@pytest.mark.parametrize("kind", ["string", "json", "uuid", "decimal(5,2)"])
def test_half_of_a_surrogate_pair_is_no_value(kind: str) -> None:
    assert from_plain(["\ud800"], LogicalType.parse(kind)).misfits


@pytest.mark.parametrize("text", ["[" * 100_000, "1" * 5000, '{"a": NaN}', '{"a": 1, "a": 2}', ""])
def test_json_that_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_json(text)


def answers(work: Any) -> None:
    with suppress(TdvError):
        work()


def test_huge_files_of_nothing_are_read_quickly(tmp_path: Path) -> None:
    (tmp_path / "seeds").mkdir()
    (tmp_path / "seeds/t.csv").write_bytes(b"id,name\n" + b"\n" * 1_000_000)
    assert load_seeds(dataset(SCHEMA), tmp_path)["t"].num_rows == 0
