from __future__ import annotations

import subprocess
import sys
import traceback
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from tdv.content.arrow import arrow_schema
from tdv.errors import DataError, Refused, TargetBusy, TargetError
from tdv.model.types import LogicalType
from tdv.targets.duckdb.types import declared, logical
from tdv.targets.verification import target_digest
from tdv.testing import EDGES, USERS, checkout, snapshot, table, users
from tests.targets.builders import target

OPENED = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.readline()"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.duckdb"


def rows(path: Path, query: str) -> list[Any]:
    with closing(duckdb.connect(path)) as connection:
        return connection.sql(query).fetchall()


def change(path: Path, *statements: str) -> None:
    with closing(duckdb.connect(path)) as connection:
        for statement in statements:
            connection.sql(statement)


@contextmanager
def another_process(path: Path) -> Iterator[None]:
    command = [sys.executable, "-c", OPENED, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield
        process.communicate("\n")


def test_change_by_a_test_is_taken_back_from_the_image(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"duckdb:///{path}")
    checkout(tmp_path, place, found)
    change(path, "DELETE FROM users WHERE id = 1")
    assert checkout(tmp_path, place, found).action == "cloned"
    assert rows(path, "SELECT count(*) FROM users") == [(5,)]


@pytest.mark.parametrize("kind", ["struct<a: int64, A: int64>", "list<struct<b: struct<x: bool, X: bool>>>"])
def test_fields_that_differ_only_in_case_are_refused_by_column(tmp_path: Path, path: Path, kind: str) -> None:
    schema = table("t", {"id": "int64", "c": f"{kind}?", "d": 'struct<"é": int64, "É": int64>?'})
    empty = arrow_schema(schema).empty_table()
    with pytest.raises(DataError, match=r"does not tell fields apart by case: t\.c \([^,]*, [^,]*$"):
        checkout(tmp_path, target(tmp_path, f"duckdb:///{path}"), snapshot(tmp_path, {schema: empty}))
    assert not path.exists()


def test_target_in_use_is_busy_and_stays(tmp_path: Path, path: Path) -> None:
    place = target(tmp_path, f"duckdb:///{path}")
    checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(5)}))
    with another_process(path), pytest.raises(TargetBusy):
        checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(3)}))
    assert rows(path, "SELECT count(*) FROM users") == [(5,)]


def test_connection_of_this_process_sees_the_new_rows(tmp_path: Path, path: Path) -> None:
    place = target(tmp_path, f"duckdb:///{path}")
    checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(5)}))
    with closing(duckdb.connect(path)) as connection:
        checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(3)}))
        assert connection.sql("SELECT count(*) FROM users").fetchall() == [(3,)]


def test_other_tables_stay_and_foreign_rows_are_refused(tmp_path: Path, path: Path) -> None:
    change(path, "CREATE TABLE notes (text VARCHAR)", "INSERT INTO notes VALUES ('mine')")
    place = target(tmp_path, f"duckdb:///{path}")
    for count in (5, 3):
        checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(count)}))
        assert rows(path, "SELECT text FROM notes") == [("mine",)]
    strange = table("notes", {"id": "int64"})
    with pytest.raises(Refused, match="'notes'"):
        checkout(tmp_path, place, snapshot(tmp_path, {strange: pa.table({"id": [1]})}, "film"))
    assert rows(path, "SELECT text FROM notes") == [("mine",)]


def test_rows_of_others_are_refused_whatever_their_table_is_called(tmp_path: Path, path: Path) -> None:
    change(path, 'CREATE TABLE "in stock" (id BIGINT PRIMARY KEY)', 'INSERT INTO "in stock" VALUES (7)')
    found = snapshot(tmp_path, {table("in stock", {"id": "int64"}): pa.table({"id": [1]})})
    with pytest.raises(Refused, match="rows that tdv did not load are in 'in stock'"):
        checkout(tmp_path, target(tmp_path, f"duckdb:///{path}"), found)
    assert rows(path, 'SELECT id FROM "in stock"') == [(7,)]


def test_referencing_table_is_refused(tmp_path: Path, path: Path) -> None:
    place = target(tmp_path, f"duckdb:///{path}")
    found = snapshot(tmp_path, {USERS: users(5)})
    checkout(tmp_path, place, found)
    change(path, "CREATE TABLE notes (id BIGINT REFERENCES users (id))", "INSERT INTO notes VALUES (1)")
    with pytest.raises(Refused, match="'notes'"):
        checkout(tmp_path, place, found)
    assert rows(path, "SELECT id FROM notes") == [(1,)]


def test_table_of_the_application_is_filled_as_it_is(tmp_path: Path, path: Path) -> None:
    change(path, 'CREATE TABLE users (id BIGINT PRIMARY KEY, email TEXT, age INT, "at" TIMESTAMP, more TEXT)')
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"duckdb:///{path}")
    checkout(tmp_path, place, found)
    assert rows(path, "SELECT count(*), count(more) FROM users") == [(5, 0)]
    assert target_digest(place, found.manifest.schema) == found.manifest.content


def test_file_that_is_no_database_is_kept_unless_replaced(tmp_path: Path, path: Path) -> None:
    path.write_text("these are somebody's notes, not a database" * 100)
    place = target(tmp_path, f"duckdb:///{path}")
    found = snapshot(tmp_path, {USERS: users(5)})
    with pytest.raises(TargetError, match="not a valid DuckDB database"):
        checkout(tmp_path, place, found)
    assert path.read_text().startswith("these are")
    assert checkout(tmp_path, place, found, replace=True).action == "loaded"


def test_key_that_stands_twice_is_a_data_error(tmp_path: Path, path: Path) -> None:
    twice = table("twice", {"id": "int64", "name": "string"}, uniques=(("name",),))
    found = snapshot(tmp_path, {twice: pa.table({"id": [1, 2], "name": ["a", "a"]})})
    with pytest.raises(DataError, match="'twice'"):
        checkout(tmp_path, target(tmp_path, f"duckdb:///{path}"), found)
    assert not path.exists()


def test_inspection_gives_the_schema_that_was_loaded(tmp_path: Path, path: Path) -> None:
    everything = table("everything", {"id": "int64", **{kind: f"{kind}?" for kind in EDGES}})
    found = snapshot(tmp_path, {everything: pa.table({name: [] for name in everything.column_names})})
    place = target(tmp_path, f"duckdb:///{path}")
    checkout(tmp_path, place, found)
    assert place.inspect() == found.manifest.schema


@pytest.mark.parametrize("kind", [*EDGES, 'struct<"a ""b": list<struct<c: decimal(3,1)>>>'])
def test_type_survives_its_declaration(kind: str) -> None:
    parsed = LogicalType.parse(kind.replace('""', '\\"'))
    with closing(duckdb.connect()) as connection:
        connection.sql(f"CREATE TABLE t (c {declared(parsed)})")
        ((printed,),) = connection.sql("SELECT data_type FROM duckdb_columns() WHERE table_name = 't'").fetchall()
    assert logical(printed) == parsed


def test_question_mark_in_a_path_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    """DuckDB looks for its log before the first one of a path."""
    found = snapshot(tmp_path, {USERS: users(5)})
    there = tmp_path / "what?" / "app.duckdb"
    for place, options in ((there, {}), (tmp_path / "a?b.duckdb", {}), (there, {"dry_run": True})):
        url = f"duckdb:///{str(place).replace('?', '%3F')}"
        with pytest.raises(TargetError, match=r"the library of duckdb cannot write to .*: a name has \? in it"):
            checkout(tmp_path, target(tmp_path, url), found, **options)
        assert not place.exists()
    assert not list(tmp_path.glob(".tdv/images/*"))
    checkout(tmp_path, target(tmp_path, f"duckdb:///{tmp_path}/app.duckdb"), found)
    there.parent.mkdir()
    (tmp_path / "app.duckdb").rename(there)
    moved = target(tmp_path, f"duckdb:///{str(there).replace('?', '%3F')}")
    assert target_digest(moved, found.manifest.schema) == found.manifest.content


def test_value_of_another_type_is_refused_without_being_told(tmp_path: Path) -> None:
    path = tmp_path / "app.duckdb"
    with duckdb.connect(path) as connection:
        connection.sql('CREATE TABLE users (id BIGINT PRIMARY KEY, email INTEGER, age SMALLINT, "at" TIMESTAMP)')
    with pytest.raises(DataError, match="a value is not of the type of its column") as caught:
        checkout(tmp_path, target(tmp_path, f"duckdb:///{path}"), snapshot(tmp_path, {USERS: users(3)}))
    assert "example.test" not in "".join(traceback.format_exception(caught.value))
    with duckdb.connect(path, read_only=True) as connection:
        assert connection.sql("SELECT * FROM users").fetchall() == []
