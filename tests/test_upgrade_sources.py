"""Sources rewritten after changes of a SQLite database, without a repository around them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdv import build, seeds, spec
from tdv.checkout import content_of
from tdv.config import TargetSettings
from tdv.content.arrow import empty_table
from tdv.content.snapshot import Snapshot
from tdv.model.schema import TableSchema
from tdv.snapshot import SnapshotOptions, TableRows, write
from tdv.targets.protocol import Item, Load
from tdv.targets.registry import open_target
from tdv.upgrade import RewriteOptions, Rewritten, Sides, SourceTexts, capture
from tdv.upgrade.names import Names
from tdv.upgrade.rewrite import rewrite

ITEMS = """\
dataset: shop
tables:
  items:
    key: [id]
    columns:
      id:    {type: int64}
      name:  {type: string, privacy: name}
      price: {type: "decimal(8,2)", nullable: true}
  marks:
    columns:
      text: {type: string}
      size: {type: int64, nullable: true}
"""


class Carried:
    """A dataset in `directory` whose rows went through some SQL."""

    def __init__(self, directory: Path, files: Mapping[str, str], statements: tuple[str, ...]) -> None:
        self.root = directory / "datasets/shop"
        for name, text in files.items():
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            (self.root / name).write_text(text, encoding="utf-8")
        self.statements = statements
        self.directory = directory

    def rewritten(self, **options: object) -> Rewritten:
        found = spec.load(self.root / "dataset.yaml", self.directory)
        scenarios = seeds.load_scenarios(found, self.root)
        inputs = build.BuildInputs(
            self.directory, self.root, self.directory, seeds.load_seeds(found, self.root), scenarios
        )
        tables = [TableRows(schema, blocks) for schema, blocks in build.generate(found, inputs)]
        write(tables, SnapshotOptions("shop", seed=1, as_of="2026-01-01T00:00:00Z"), self.directory / "built")
        built = Snapshot.open(self.directory / "built")
        target = open_target(TargetSettings(None, f"sqlite:///{self.directory}/app.db"), self.directory / ".tdv")
        item = Item("shop", "1.0.0", "tdv1:0", lambda: content_of(built))
        target.load(Load((item,), "key", "2026-01-01T00:00:00Z", "run"))
        before = target.inspect()
        with closing(sqlite3.connect(self.directory / "app.db")) as connection:
            for statement in self.statements:
                connection.execute(statement)
            connection.commit()

        def read(schema: TableSchema) -> pa.Table:
            return pa.concat_tables([empty_table(schema), *target.read(schema)]).combine_chunks()

        self.capture = capture(found.schema, built.table, Sides(before, target.inspect()), read)
        texts = {path.name: path.read_text() for path in (self.root / "scenarios").glob("*.yaml")}
        sources = SourceTexts(
            found,
            (self.root / "dataset.yaml").read_text(),
            seeds.seed_files(found, self.root),
            scenarios,
            texts,
            built.table,
        )
        return rewrite(sources, self.capture, RewriteOptions(**options))


Carry = Callable[..., Carried]


@pytest.fixture
def carry(tmp_path: Path) -> Carry:
    def made(files: Mapping[str, str], *statements: str) -> Carried:
        return Carried(tmp_path, {"dataset.yaml": ITEMS, **files}, statements)

    return made


def text(rewritten: Rewritten, file: str) -> str:
    data = rewritten.files[file]
    assert data is not None
    return data.decode()


def test_json_lines_keep_lines_that_nothing_changed(carry: Carry) -> None:
    lines = '{"id": 1, "name": "a",  "price": 1.50}\n{"id":2,"name":"b"}\n'
    found = carry({"seeds/items.jsonl": lines}, "UPDATE items SET price = 2 WHERE id = 2").rewritten()
    assert text(found, "seeds/items.jsonl") == (
        '{"id": 1, "name": "a",  "price": 1.50}\n{"id":2,"name":"b","price":"2.00"}\n'
    )


def test_numbers_with_a_point_stay_exact_in_json_lines(carry: Carry) -> None:
    exact = ITEMS.replace("decimal(8,2)", "decimal(30,10)")
    lines = '{"id":1,"name":"a","price":12345678901234567890.0123456789}\n'
    found = carry({"dataset.yaml": exact, "seeds/items.jsonl": lines}, "UPDATE items SET name = 'b'").rewritten()
    assert text(found, "seeds/items.jsonl") == '{"id":1,"name":"b","price":"12345678901234567890.0123456789"}\n'


def test_rows_of_a_seed_without_any_get_a_file_of_their_own(carry: Carry) -> None:
    found = carry({"seeds/items.yaml": "# none yet\n"}, "INSERT INTO items VALUES (1, 'a', NULL)").rewritten()
    assert found.files["seeds/items.yaml"] is None
    assert found.seeded[0].rows.num_rows == 1


def test_yaml_seeds_keep_comments(carry: Carry) -> None:
    rows = "# all items\n- {id: 1, name: a}   # first\n- id: 2\n  name: b   # second\n- {id: 3, name: c}\n"
    found = carry(
        {"seeds/items.yaml": rows},
        "ALTER TABLE items ADD COLUMN kind TEXT",
        "UPDATE items SET kind = 'x: y' WHERE id = 2",
        "DELETE FROM items WHERE id = 3",
        "INSERT INTO items (id, name) VALUES (9, 'nine')",
    ).rewritten()
    assert text(found, "seeds/items.yaml") == (
        "# all items\n- {id: 1, name: a}   # first\n"
        '- id: 2\n  name: b   # second\n  kind: "x: y"\n- {id: 9, name: nine}\n'
    )


def test_fields_of_csv_keep_their_text(carry: Carry) -> None:
    rows = 'id,price,name\n2,7.5,"b"\n1,,a\n'
    found = carry(
        {"seeds/items.csv": rows},
        "UPDATE items SET name = 'B, then' WHERE id = 2",
        "INSERT INTO items (id, name, price) VALUES (3, '', 1)",
    ).rewritten()
    assert text(found, "seeds/items.csv") == 'id,price,name\n2,7.5,"B, then"\n1,,a\n3,1.00,""\n'


def test_rows_that_csv_cannot_hold_any_more_get_another_file(carry: Carry) -> None:
    rows = "id,name\n1,a\n"
    found = carry({"seeds/items.csv": rows}, "UPDATE items SET name = 'a' || char(13) || char(10)").rewritten()
    assert found.files["seeds/items.csv"] is None
    assert [table.schema.name for table in found.seeded] == ["items"]
    assert found.seeded[0].rows.column("name").to_pylist() == ["a\r\n"]


def test_parquet_seeds_are_written_anew_with_their_pointer(carry: Carry) -> None:
    carried = carry({"seeds/items.parquet.dvc": "outs: []\n"}, "UPDATE items SET name = 'b'")
    pq.write_table(pa.table({"id": [1], "name": ["a"]}), carried.root / "seeds/items.parquet")
    found = carried.rewritten()
    assert found.files["seeds/items.parquet"] is None
    assert found.files["seeds/items.parquet.dvc"] is None
    assert found.seeded[0].rows.column("name").to_pylist() == ["b"]


def test_rows_without_a_key_are_followed_by_their_values(carry: Carry) -> None:
    rows = "text,size\nsame,1\nsame,1\nother,2\n"
    found = carry(
        {"seeds/marks.csv": rows},
        "ALTER TABLE marks ADD COLUMN colour TEXT DEFAULT 'red'",
        "UPDATE marks SET size = 3 WHERE text = 'other'",
    ).rewritten()
    assert text(found, "seeds/marks.csv") == "text,size,colour\nsame,1,red\nsame,1,red\nother,3,red\n"


def test_column_that_loses_all_values_keeps_its_type(carry: Carry) -> None:
    dated = ITEMS.replace('"decimal(8,2)"', "timestamptz")
    found = carry(
        {"dataset.yaml": dated, "seeds/items.csv": "id,name,price\n1,a,2026-01-01T00:00:00Z\n"},
        "CREATE TABLE fresh (id BIGINT PRIMARY KEY, name TEXT NOT NULL, price DATETIME)",
        "INSERT INTO fresh SELECT id, name, NULL FROM items",
        "DROP TABLE items",
        "ALTER TABLE fresh RENAME TO items",
    ).rewritten()
    assert list(found.files) == ["seeds/items.csv"]
    assert text(found, "seeds/items.csv") == "id,name,price\n1,a,\n"


def test_rename_that_two_columns_could_be_is_none(carry: Carry) -> None:
    carried = carry(
        {"seeds/items.csv": "id,name\n1,a\n2,b\n"},
        "ALTER TABLE items RENAME COLUMN name TO label",
        "ALTER TABLE items ADD COLUMN title TEXT",
        "UPDATE items SET title = label",
    )
    found = carried.rewritten()
    assert carried.capture.tables[0].columns == {"id": "id", "price": "price"}
    assert text(found, "seeds/items.csv") == "id,label,title\n1,a,a\n2,b,b\n"


def test_new_column_is_as_private_as_its_namesakes(carry: Carry) -> None:
    found = carry(
        {"seeds/items.csv": "id,name\n1,a\n"},
        "CREATE TABLE names (id BIGINT PRIMARY KEY REFERENCES items (id), name TEXT NOT NULL)",
        "INSERT INTO names SELECT id, name FROM items",
    ).rewritten()
    assert "  names:\n    key: [id]\n    columns:\n" in text(found, "dataset.yaml")
    assert "name: {type: string, privacy: name}" in text(found, "dataset.yaml")


def test_new_table_without_rows_or_ties_is_left_to_others(carry: Carry) -> None:
    carried = carry({}, "CREATE TABLE audit (id BIGINT PRIMARY KEY)", "DROP TABLE marks")
    found = carried.rewritten()
    assert carried.capture.removed == ("marks",)
    assert "the new table audit: it has no rows and no tie to this dataset" in carried.capture.notes
    assert "marks" not in text(found, "dataset.yaml")


def test_uniques_and_references_follow(carry: Carry) -> None:
    found = carry(
        {"seeds/items.csv": "id,name\n1,a\n", "seeds/marks.csv": "text,size\nx,1\n"},
        "CREATE UNIQUE INDEX items_name ON items (name)",
        "CREATE TABLE fresh (text TEXT NOT NULL, size BIGINT REFERENCES items (id), UNIQUE (text, size))",
        "INSERT INTO fresh SELECT text, size FROM marks",
        "DROP TABLE marks",
        "ALTER TABLE fresh RENAME TO marks",
    ).rewritten()
    spec_text = text(found, "dataset.yaml")
    assert "name:  {type: string, privacy: name, unique: true}" in spec_text
    assert "size: {type: int64, nullable: true, references: items.id}\n    unique: [[text, size]]\n" in spec_text


def test_names_are_replaced_where_they_are_names() -> None:
    names = Names({"users": "people"}, {"users": {"age": "years", "name": "full name"}}, frozenset({"name"}))
    assert names.in_table("age > 1 AND users.age < 9 AND 'age' <> \"name\" -- age", "users") == (
        "years > 1 AND users.years < 9 AND 'age' <> \"full name\" -- age"
    )
    assert names.anywhere("SELECT age, name, users.name FROM users WHERE id = $age") == (
        'SELECT years, name, people."full name" FROM people WHERE id = $age'
    )
    assert names.in_template("{{age}} {age} {name:>5} {index}", "users") == "{{age}} {years} {full name:>5} {index}"
