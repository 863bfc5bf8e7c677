"""Seed files: where rows come from, and how each mistake is named."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdv.errors import ConfigError, DocumentError
from tdv.model.schema import Column, TableSchema
from tdv.model.spec import GeneratorSpec, TableSpec
from tdv.model.types import LogicalType
from tdv.seeds.files import load_seeds
from tdv.seeds.places import file_stem, table_of
from tests.seeds.builders import columns, dataset


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """The directory of an empty dataset."""
    directory = tmp_path / "datasets" / "shop"
    directory.mkdir(parents=True)
    return directory


ITEMS = TableSchema("items", columns(id="int64", name="string?", price="decimal(8,2)?", ok="bool?"), key=("id",))


def load(directory: Path, files: Mapping[str, str | bytes], table: TableSchema | TableSpec = ITEMS) -> pa.Table:
    (directory / "seeds").mkdir(exist_ok=True)
    for name, text in files.items():
        data = text.encode() if isinstance(text, str) else text
        (directory / "seeds" / name).write_bytes(data)
    return load_seeds(dataset(table), directory)[table.name]


def problems(directory: Path, files: Mapping[str, str | bytes], table: TableSchema | TableSpec = ITEMS) -> list[str]:
    with pytest.raises(DocumentError) as caught:
        load(directory, files, table)
    return [str(problem).removeprefix("datasets/shop/seeds/") for problem in caught.value.problems]


def test_dataset_without_seeds_has_no_rows(place: Path) -> None:
    assert load_seeds(dataset(ITEMS), place) == {}


def test_csv_tells_null_from_empty_text(place: Path) -> None:
    rows = load(place, {"items.csv": 'id,name,price\n1,"",\n2,,1.5\n3,NULL,2\n'})
    assert rows.column("name").to_pylist() == ["", None, "NULL"]
    assert rows.column("price").to_pylist() == [None, Decimal("1.50"), Decimal("2.00")]
    assert rows.column("ok").to_pylist() == [None, None, None]


def test_csv_of_one_column_reads_empty_lines_as_null(place: Path) -> None:
    table = TableSchema("words", columns(word="string?"))
    assert load(place, {"words.csv": 'word\na\n\n""\n'}, table).column("word").to_pylist() == ["a", None, ""]


def test_csv_takes_byte_order_mark_and_dos_line_ends(place: Path) -> None:
    rows = load(place, {"items.csv": '\ufeffid,name\r\n1,"a\nb"\r\n2,c'})
    assert rows.column("name").to_pylist() == ["a\nb", "c"]


def test_json_lines_and_yaml_take_null_and_exact_numbers(place: Path) -> None:
    rows = load(
        place,
        {
            "items.jsonl": '{"id": 1, "name": "", "price": 123456.10, "ok": true}\n\n{"id": 2, "name": null}\n',
            "items.yaml": "- {id: 3, name: '', price: 0.29}\n- {id: 4, name: ~, ok: false}\n",
        },
    )
    assert rows.column("name").to_pylist() == ["", None, "", None]
    assert rows.column("price").to_pylist() == [Decimal("123456.10"), None, Decimal("0.29"), None]
    assert rows.column("ok").to_pylist() == [True, None, None, False]


def test_parquet_seed_is_read(place: Path) -> None:
    (place / "seeds").mkdir()
    pq.write_table(pa.table({"id": pa.array([7], pa.int32()), "name": ["x"]}), place / "seeds/items.parquet")
    rows = load(place, {})
    assert rows.column("id").to_pylist() == [7]


def test_parquet_seed_that_was_not_fetched_names_the_command(place: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        load(place, {"items.parquet.dvc": "outs: []\n"})
    assert caught.value.hint == "Fetch it: dvc pull datasets/shop/seeds/items.parquet"


def test_every_mistake_is_named_with_line_and_column(place: Path) -> None:
    text = 'id,nam,price,ok\n1,a,x,yes\n,"a\nb",1,true\n3,c,1.234,false\n'
    assert problems(place, {"items.csv": text, "item.csv": "id\n", "items.tsv": "id\n"}) == [
        "item.csv:1: the dataset shop has no table 'item'; did you mean 'items'?",
        "items.csv:1: nam: the table 'items' has no such column; did you mean 'name'?",
        "items.csv:2: price: expected a decimal number with at most 6 digits before and 2 after the point, got 'x'",
        "items.csv:2: ok: expected true or false, got 'yes'",
        "items.csv:3: id: NULL in a column that is not nullable",
        "items.csv:5: price: expected a decimal number with at most 6 digits before and 2 after the point, got '1.234'",
        "items.tsv:1: this is no seed",
    ]


@pytest.mark.parametrize(("table", "name"), [("öre", "%C3%B6re.csv"), ("order lines", "order%20lines.csv")])
def test_seed_that_is_not_percent_encoded_is_told_its_name(place: Path, table: str, name: str) -> None:
    found = problems(place, {f"{table}.csv": "id\n"}, replace(ITEMS, name=table))
    assert found == [f"{table}.csv:1: the seeds of table {table!r} are called {name}"]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "items.csv:1: there is no header"),
        ("\nid\n", "items.csv:1: there is no header"),
        ("id,id\n", "items.csv:1: the column 'id' stands twice in the header"),
        ("id,\n", "items.csv:1: a column without a name"),
        ("name\nx\n", "items.csv:2: id: the column is missing, and it is not nullable"),
        ("id,name\n1,a\n\n2,b,c\n", "items.csv:4: expected 2 fields as in the header, got 3"),
        ('id,name\n1,5" disk\n2,6" disk\n', "items.csv:2: a quotation mark inside a field, or one without its pair"),
        ('id,name\n1,a\n2,"b\n3,c\n', "items.csv:3: a quotation mark inside a field, or one without its pair"),
        (b"id,name\n1,a\n2,\xff\n", "items.csv:3: byte 0xff is not UTF-8"),
        ("id,name\n40000000000000000000,a\n", None),
        ("id,name\n1,a\n1,b\n", "items.csv:3: id: the key id=1 stands already in datasets/shop/seeds/items.csv:2"),
    ],
)
def test_malformed_csv_is_refused(place: Path, text: str | bytes, problem: str | None) -> None:
    found = problems(place, {"items.csv": text})
    assert found == [problem] if problem else "expected a whole number from -9223372036854775808" in found[0]


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("items.jsonl", '{"id": 1}\n{"id": }\n', "items.jsonl:2: this is no JSON: Expecting value"),
        ("items.jsonl", '{"id": 1, "id": 2}\n', "items.jsonl:1: this is no JSON: a key stands twice"),
        ("items.jsonl", "[1]\n", "items.jsonl:1: expected an object from column to value"),
        ("items.jsonl", '{"id": 1}\n{"id": 2, "x": 1}\n', "items.jsonl:2: x: the table 'items' has no such column"),
        ("items.jsonl", '{"id": true}\n', None),
        ("items.yaml", "id: 1\n", "items.yaml:1: expected a list of rows"),
        ("items.yaml", "- {id: 1}\n- 2\n", "items.yaml:2: [1]: expected a mapping from column to value"),
        ("items.yaml", "- id: 1\n- id: 2\n  name: 12\n", "items.yaml:3: name: expected text, got 12"),
    ],
)
def test_malformed_json_lines_and_yaml_are_refused(place: Path, name: str, text: str, problem: str | None) -> None:
    found = problems(place, {name: text})
    assert found == [problem] if problem else "got true" in found[0]


def test_key_may_not_stand_in_two_files(place: Path) -> None:
    assert problems(place, {"items.csv": "id\n1\n", "items.yaml": "- id: 1\n"}) == [
        "items.yaml:1: id: the key id=1 stands already in datasets/shop/seeds/items.csv:2"
    ]


def test_private_values_are_not_shown(place: Path) -> None:
    column = Column("email", LogicalType.parse("int64"), privacy="email")
    table = TableSchema("people", (column,), key=("email",))
    assert "secret" not in "".join(problems(place, {"people.csv": "email\nsecret\n"}, table))
    assert "4711" not in "".join(problems(place, {"people.csv": "email\n4711\n4711\n"}, table))


def test_column_that_is_derived_may_be_absent(place: Path) -> None:
    schema = TableSchema("items", columns(id="int64", twice="int64"), key=("id",))
    table = TableSpec(schema, generators={"twice": GeneratorSpec("derive", "id * 2")})
    assert load(place, {"items.csv": "id\n1\n"}, table).column("twice").to_pylist() == [None]


def test_unknown_column_is_ignored_where_the_table_is_not_strict(place: Path) -> None:
    rows = load(place, {"items.csv": "id,remark\n1,x\n"}, TableSpec(ITEMS, strict=False))
    assert rows.column_names == ["id", "name", "price", "ok"]


def test_readme_and_hidden_files_are_no_seeds(place: Path) -> None:
    assert load(place, {"README.md": "x", ".gitignore": "x", "items.csv": "id\n1\n"}).num_rows == 1


def test_link_out_of_the_directory_is_refused(place: Path) -> None:
    (place / "secret.csv").write_text("id\n1\n")
    (place / "seeds").mkdir()
    (place / "seeds/items.csv").symlink_to(place / "secret.csv")
    assert problems(place, {}) == ["items.csv:1: this link leads out of its directory"]


@pytest.mark.parametrize("table", ["users", "../../etc/passwd", ".hidden", "a b", "Ü/x", "100%", ".."])
def test_file_names_stay_in_their_directory(table: str) -> None:
    stem = file_stem(table)
    assert "/" not in stem
    assert not stem.startswith(".")
    assert table_of(stem) == table
    assert table_of(stem + "%2") is None
