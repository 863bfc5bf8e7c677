"""`tdv new`: the example, the schema of a database, and its rows."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from tdv import config, spec
from tdv.content.arrow import arrow_schema
from tdv.errors import ConfigError, Refused, UsageError
from tdv.init import prepare
from tdv.model.schema import Column, DatasetSchema, Reference, Rules, TableSchema
from tdv.model.spec import DatasetSpec
from tdv.model.types import LogicalType
from tdv.new import Limits, NewOptions, Place, Scaffolded, scaffold
from tdv.seeds import load_scenarios, load_seeds
from tdv.store import settings
from tdv.store.git import Git
from tdv.store.pipeline import StageSpec
from tdv.targets.registry import open_target
from tests.conftest import RepositoryBuilder
from tests.repository import Repository

NOW = datetime(2026, 11, 21, 10, 30, tzinfo=UTC)


def stage(made: DatasetSpec) -> StageSpec:
    here = f"datasets/{made.name}"
    deps = tuple(f"{here}/{name}" for name in ("dataset.yaml", "factories.py", "seeds", "scenarios"))
    return StageSpec(made.name, f"tdv build {made.name}", deps, f"{here}/data", (f"{here}/snapshot.yaml",))


@pytest.fixture
def place(repo: RepositoryBuilder) -> Place:
    root = repo().root
    prepare(Git(root, os.environ), os.environ)
    return Place(root, settings.load(root, os.environ).cache, stage)


def load(place: Place, name: str) -> DatasetSpec:
    return spec.load(place.root / "datasets" / name / "dataset.yaml", place.root)


def column(name: str, kind: str, *, nullable: bool = False, rules: Rules | None = None) -> Column:
    return Column(name, LogicalType.parse(kind), nullable, rules or Rules())


def copied(
    place: Place, *tables: TableSchema, rows: dict[str, pa.Table] | None = None, limits: Limits | None = None
) -> Scaffolded:
    def read(table: TableSchema) -> Iterator[pa.Table]:
        yield (rows or {}).get(table.name, arrow_schema(table).empty_table())

    wanted = read if rows is not None else None
    return scaffold(place, NewOptions("shop", NOW, DatasetSchema(tables), wanted, limits or Limits()))


def test_new_makes_an_example_that_loads_builds_and_validates(place: Place) -> None:
    made = scaffold(place, NewOptions("shop", NOW))
    loaded = load(place, "shop")
    assert made.tables == ("customers", "orders")
    assert loaded.as_of == datetime(2026, 11, 21, tzinfo=UTC)
    assert set(made.files) == {
        f"datasets/shop/{name}" for name in ("dataset.yaml", "factories.py", "seeds/README.md", "scenarios/README.md")
    }
    repository = Repository(place.root)
    repository.tdv("build", "shop", expect=0)
    repository.tdv("validate", "shop", expect=0)
    assert "up to date" in repository.dvc("status").stdout


def test_scenario_of_the_readme_is_one(place: Place) -> None:
    scaffold(place, NewOptions("shop", NOW))
    directory = place.root / "datasets/shop"
    readme = (directory / "scenarios/README.md").read_text()
    example = "".join(f"{line[4:]}\n" for line in readme.splitlines() if line.startswith("    "))
    (directory / "scenarios/first-order.yaml").write_text(example)
    (scenario,) = load_scenarios(load(place, "shop"), directory)
    assert set(scenario.rows) == {"customers", "orders"}
    Repository(place.root).tdv("build", "shop", expect=0)


def test_factories_that_new_writes_are_python(place: Place) -> None:
    scaffold(place, NewOptions("shop", NOW))
    text = (place.root / "datasets/shop/factories.py").read_text()
    scope: dict[str, object] = {}
    exec(compile(text, "factories.py", "exec"), scope)
    assert "class OrderFactory(Factory)" in str(scope["__doc__"])


def test_new_registers_stage_and_artifact(place: Place) -> None:
    scaffold(place, NewOptions("shop", NOW))
    text = (place.root / "dvc.yaml").read_text()
    assert "cmd: tdv build shop" in text
    assert "artifacts:\n  shop:\n    path: datasets/shop/data" in text


@pytest.mark.parametrize("name", ["Shop", "s", "shop_1", "../shop", "-shop", "shop@v1", ""])
def test_new_refuses_names_that_gto_refuses(place: Place, name: str) -> None:
    with pytest.raises(UsageError):
        scaffold(place, NewOptions(name, NOW))


def test_new_refuses_an_existing_dataset(place: Place) -> None:
    scaffold(place, NewOptions("shop", NOW))
    before = (place.root / "datasets/shop/dataset.yaml").read_bytes()
    with pytest.raises(Refused, match="exists already"):
        scaffold(place, NewOptions("shop", NOW))
    assert (place.root / "datasets/shop/dataset.yaml").read_bytes() == before


def test_new_refuses_a_directory_with_files_of_others(place: Place) -> None:
    (place.root / "datasets/shop").mkdir(parents=True)
    (place.root / "datasets/shop/mine.txt").write_text("mine")
    with pytest.raises(Refused, match="in the way"):
        scaffold(place, NewOptions("shop", NOW))
    assert (place.root / "datasets/shop/mine.txt").read_text() == "mine"


SCHEMA = (
    TableSchema(
        "artists",
        (
            column("id", "int64"),
            column("name", "string", nullable=True, rules=Rules(max_length=120)),
            column("fee", "decimal(10,2)", rules=Rules(minimum=0, maximum=99.5)),
            column("mentor", "int64", nullable=True),
            column("code", "string", rules=Rules(enum=("a", "b,c", "true"), pattern='^[a-z"]{1,3}$')),
        ),
        key=("id",),
        uniques=(("code",), ("name", "fee")),
        references=(Reference(("mentor",), "artists", ("id",)),),
        checks=("fee >= 0 -- never: less", "name <> ''"),
        description="Who sings: and who does not",
    ),
    TableSchema(
        "Order Lines",
        (column("order", "int64"), column("line #", "int16"), column("artist", "int64"), column("at", "timestamptz")),
        key=("order", "line #"),
        references=(Reference(("artist",), "artists", ("id",)),),
    ),
    TableSchema(
        "null",
        (column("order", "int64", nullable=True), column("line", "int16", nullable=True), column("no", "json")),
        references=(Reference(("order", "line"), "Order Lines", ("order", "line #")),),
    ),
)


def test_spec_of_a_schema_loads_as_that_schema(place: Place) -> None:
    copied(place, *SCHEMA)
    assert load(place, "shop").schema == DatasetSchema(SCHEMA)


def test_spec_of_a_schema_is_laid_out_for_reviewers(place: Place) -> None:
    copied(place, *SCHEMA)
    text = (place.root / "datasets/shop/dataset.yaml").read_text()
    assert text[text.index("tables:") :] == (
        """\
tables:

  artists:
    description: "Who sings: and who does not"
    key: [id]
    columns:
      id:     {type: int64}
      name:   {type: string, nullable: true, maxLength: 120}
      fee:    {type: "decimal(10,2)", minimum: 0, maximum: 99.5}
      mentor: {type: int64, nullable: true, references: artists.id}
      code:   {type: string, unique: true, pattern: "^[a-z\\"]{1,3}$", enum: [a, "b,c", "true"]}
    unique:
      - [name, fee]
    checks:
      - "fee >= 0 -- never: less"
      - "name <> ''"

  "Order Lines":
    key: [order, "line #"]
    columns:
      order:    {type: int64}
      "line #": {type: int16}
      artist:   {type: int64, references: artists.id}
      at:       {type: timestamptz}

  "null":
    columns:
      order: {type: int64, nullable: true}
      line:  {type: int16, nullable: true}
      "no":  {type: json}
    references:
      - {columns: [order, line], table: "Order Lines", to: [order, "line #"]}
"""
    )


def test_schema_that_no_spec_describes_is_refused_and_nothing_is_left(place: Place) -> None:
    with pytest.raises(ConfigError, match="cannot be described"):
        copied(place, TableSchema("_tdv_state", (column("id", "int64"),), key=("id",)))
    assert not (place.root / "datasets").exists()
    assert list((place.root / ".tdv").iterdir()) == []


def test_rows_become_seeds_that_read_back(place: Place) -> None:
    schema = TableSchema("notes", (column("id", "int64"), column("text", "string", nullable=True)), key=("id",))
    rows = pa.table({"id": [2, 1, 3], "text": ["", None, 'a,"b"']})
    empty = TableSchema("empty", (column("id", "int64"),), key=("id",))
    made = copied(place, schema, empty, rows={"notes": rows})
    assert [(seed.table, seed.file, seed.rows, seed.tracked) for seed in made.seeds] == [
        ("notes", "notes.csv", 3, False)
    ]
    assert json.loads(json.dumps(made.to_plain()))["seeds"]["notes"]["rows"] == 3
    assert (place.root / "datasets/shop/seeds/notes.csv").read_text() == 'id,text\n1,\n2,""\n3,"a,""b"""\n'
    seeds = load_seeds(load(place, "shop"), place.root / "datasets/shop")
    assert seeds["notes"].sort_by("id").equals(rows.sort_by("id"))


@pytest.mark.parametrize("limits", [Limits(rows=3), Limits(size=10)])
def test_many_rows_become_a_parquet_file_that_dvc_tracks(place: Place, limits: Limits) -> None:
    schema = TableSchema("order lines", (column("id", "int64"),), key=("id",))
    made = copied(place, schema, rows={"order lines": pa.table({"id": [4, 3, 2, 1]})}, limits=limits)
    (seed,) = made.seeds
    assert (seed.file, seed.rows, seed.tracked) == ("order%20lines.parquet", 4, True)
    repository = Repository(place.root)
    repository.commit("shop")
    assert "order%20lines.parquet.dvc" in repository.git("ls-files", "datasets/shop/seeds")
    assert ".parquet\n" not in repository.git("ls-files", "datasets/shop/seeds") + "\n"
    status = repository.dvc("status", "datasets/shop/seeds/order%20lines.parquet.dvc")
    assert "up to date" in status.stdout, status
    seeds = load_seeds(load(place, "shop"), place.root / "datasets/shop")
    assert seeds["order lines"].num_rows == 4
    repository.tdv("build", "shop", expect=0)
    assert "up to date" in repository.dvc("status").stdout


def test_copy_of_a_sqlite_database(place: Place, tmp_path: Path) -> None:
    database = tmp_path / "app.db"
    with sqlite3.connect(database) as connection:
        connection.executescript(
            """
            CREATE TABLE staff (id INTEGER PRIMARY KEY, name NVARCHAR(40) NOT NULL, boss INTEGER REFERENCES staff (id));
            CREATE TABLE plan (day DATETIME NOT NULL, staff INTEGER NOT NULL REFERENCES staff, pay NUMERIC(10,2),
                               PRIMARY KEY (day, staff));
            INSERT INTO staff VALUES (1, 'Ann', NULL), (2, 'Bob', 1);
            INSERT INTO plan VALUES ('2026-01-31 00:00:00', 2, 9.5);
            """
        )
    connection.close()
    target = open_target(config.load(place.root, {}).target(f"sqlite:///{database}"), place.root / ".tdv")
    scaffold(place, NewOptions("shop", NOW, target.inspect(), target.read))
    loaded = load(place, "shop")
    assert loaded.table("plan").schema.key == ("day", "staff")
    assert [str(item.type) for item in loaded.table("plan").schema.columns] == ["timestamp", "int64", "decimal(10,2)"]
    assert loaded.table("staff").schema.column("name").rules == Rules(max_length=40)
    assert loaded.table("staff").schema.references == (Reference(("boss",), "staff", ("id",)),)
    seeds = load_seeds(loaded, place.root / "datasets/shop")
    assert seeds["staff"].to_pylist() == [{"id": 1, "name": "Ann", "boss": None}, {"id": 2, "name": "Bob", "boss": 1}]
    assert (place.root / "datasets/shop/seeds/plan.csv").read_text() == "day,staff,pay\n2026-01-31T00:00:00,2,9.50\n"


def database(path: Path, script: str) -> Path:
    with sqlite3.connect(path) as connection:
        connection.executescript(script)
    connection.close()
    return path


def test_what_a_spec_cannot_say_is_named(place: Place, tmp_path: Path) -> None:
    path = database(
        tmp_path / "app.db",
        """
        CREATE TABLE p (id INTEGER PRIMARY KEY, code TEXT COLLATE NOCASE, twice INTEGER AS (id * 2));
        CREATE TABLE c (id INTEGER PRIMARY KEY, code TEXT REFERENCES p (code), p INTEGER REFERENCES p,
                        n INTEGER CHECK (n > 0 /* COLLATE x */));
        INSERT INTO p VALUES (1, 'a');
        INSERT INTO c VALUES (1, 'a', 1, 'many');
        INSERT INTO c VALUES (2, 'a', 1, 7);
        """,
    )
    outcome = Repository(place.root).tdv("new", "shop", "--from", f"sqlite:///{path}", "--rows", "--json", expect=0)
    assert outcome.json()["notes"] == [
        "the generated column p.twice",
        "the collation NOCASE of p; text is compared byte by byte",
        "the type INTEGER of c.n: it holds integer and text values",
        "the CHECK constraints of c; write them under `checks:`",
        "the foreign key c(code) → p(code): p(code) is neither the key nor unique",
    ]
    loaded = load(place, "shop")
    assert loaded.table("c").schema.references == (Reference(("p",), "p", ("id",)),)
    seeds = load_seeds(loaded, place.root / "datasets/shop")
    assert [row["n"] for row in seeds["c"].to_pylist()] == ["many", "7"]


def test_tables_of_migration_tools_are_no_data(place: Place, tmp_path: Path) -> None:
    path = database(
        tmp_path / "app.db",
        """
        CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);
        CREATE TABLE schema_migrations (id INTEGER PRIMARY KEY);
        CREATE TABLE notes (id INTEGER PRIMARY KEY, migration INTEGER REFERENCES schema_migrations);
        """,
    )
    target = open_target(config.load(place.root, {}).target(f"sqlite:///{path}"), place.root / ".tdv")
    made = scaffold(place, NewOptions("shop", NOW, target.inspect()))
    assert made.tables == ("schema_migrations", "notes")  # the first one is referenced, and so is data
    assert made.notes == ("the table alembic_version: a migration tool keeps it",)


@pytest.mark.parametrize(
    ("script", "said"),
    [("", "has no tables"), ("CREATE TABLE alembic_version (version_num TEXT)", "has no tables but alembic_version")],
)
def test_database_without_tables_is_no_beginning(place: Place, tmp_path: Path, script: str, said: str) -> None:
    path = database(tmp_path / "app.db", f"{script}; PRAGMA user_version = 1")
    target = open_target(config.load(place.root, {}).target(f"sqlite:///{path}"), place.root / ".tdv")
    with pytest.raises(UsageError, match=f"{said}$"):
        scaffold(place, NewOptions("shop", NOW, target.inspect()))
    assert not (place.root / "datasets").exists()


def test_whole_numbers_among_others_are_copied_as_numbers(place: Place, tmp_path: Path) -> None:
    path = database(
        tmp_path / "app.db",
        "CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO t VALUES (1, 5.5), (2, 5);",
    )
    Repository(place.root).tdv("new", "shop", "--from", f"sqlite:///{path}", "--rows", expect=0)
    seeds = load_seeds(load(place, "shop"), place.root / "datasets/shop")
    assert seeds["t"].to_pylist() == [{"id": 1, "n": 5.5}, {"id": 2, "n": 5.0}]


def test_floats_in_columns_of_decimals_and_texts_keep_all_digits(place: Place, tmp_path: Path) -> None:
    path = database(
        tmp_path / "app.db",
        """
        CREATE TABLE t (id INTEGER PRIMARY KEY, long DECIMAL(20,10), short DECIMAL(6,2), bare NUMERIC, mixed, x TEXT);
        INSERT INTO t VALUES (1, 1234567.891, 9.999, 19.99, 0.1234567890123, 'a'), (2, 1, 1, 5, 0.1 + 0.2, 'b'),
                             (3, NULL, NULL, NULL, 'c', 'c'), (4, NULL, NULL, NULL, 9007199254740993, 'd');
        """,
    )
    outcome = Repository(place.root).tdv("new", "shop", "--from", f"sqlite:///{path}", "--rows", "--json", expect=0)
    assert outcome.json()["notes"] == [
        "the type DECIMAL(20,10) of t.long: SQLite keeps its values as floats",
        "the type DECIMAL(6,2) of t.short: SQLite keeps its values as floats",
        "the type (none) of t.mixed: it holds integer and real and text values",
    ]
    loaded = load(place, "shop")
    types = [str(item.type) for item in loaded.table("t").schema.columns]
    assert types == ["int64", "float64", "float64", "float64", "string", "string"]
    rows = load_seeds(loaded, place.root / "datasets/shop")["t"].to_pydict()
    assert rows["long"] == [1234567.891, 1.0, None, None]
    assert rows["short"] == [9.999, 1.0, None, None]
    assert rows["bare"] == [19.99, 5.0, None, None]
    assert rows["mixed"] == ["0.1234567890123", "0.30000000000000004", "c", "9007199254740993"]


@pytest.mark.parametrize(
    ("value", "exit_code", "message", "hint"),
    [
        ("x'ff41'), (2, 'a'", 16, "column 'n', row 1", "Give all values of that column one type"),
        ("CAST(x'ff41' AS TEXT)", 15, "text that is not UTF-8", "CAST(c AS BLOB)"),
    ],
)
def test_rows_that_cannot_be_copied_are_named(
    place: Place, tmp_path: Path, value: str, exit_code: int, message: str, hint: str
) -> None:
    path = database(
        tmp_path / "app.db", f"CREATE TABLE t (id INTEGER PRIMARY KEY, n TEXT); INSERT INTO t VALUES (1, {value});"
    )
    outcome = Repository(place.root).tdv("new", "shop", "--from", f"sqlite:///{path}", "--rows", expect=exit_code)
    assert message in outcome.stderr
    assert hint in outcome.stderr
    assert not (place.root / "datasets/shop").exists()


def test_missing_database_is_named(place: Place, tmp_path: Path) -> None:
    outcome = Repository(place.root).tdv("new", "shop", "--from", f"sqlite:///{tmp_path}/no.db", expect=15)
    assert f"there is no database at {tmp_path}/no.db" in outcome.stderr
    assert "Look at the path" in outcome.stderr


@pytest.mark.parametrize("name", ["v1", "12", "latest", "workspace"])
def test_name_that_reads_as_a_version_is_refused(place: Place, name: str) -> None:
    outcome = Repository(place.root).tdv("new", name, expect=2)
    assert f"A dataset named {name!r} would be taken for a version" in outcome.stderr


def test_limits_are_those_that_are_promised() -> None:
    assert Limits() == Limits(rows=50_000, size=5_000_000)
