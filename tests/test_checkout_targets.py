"""How `tdv checkout` reads ``--target`` and ``--format``: what is a directory, a database, or a file of others."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import RepositoryBuilder
from tests.repository import Repository

SPEC = """\
dataset: shop
tables:
  users:
    rows: 3
    key: [id]
    columns:
      id: {type: int64, generate: {sequence: {start: 1}}}
"""


@pytest.fixture
def shop(repo: RepositoryBuilder) -> Repository:
    made = repo().prepared()
    made.write({"datasets/shop/dataset.yaml": SPEC, "notes.txt": "mine\n", "notes": "mine too\n"}).commit()
    made.tdv("build", expect=0)
    return made


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("tdv.yaml", ("tdv.yaml/", "--format", "csv")),
        ("notes.txt", ("./notes.txt", "--format", "csv")),
        ("notes", ("file:notes?format=parquet",)),
    ],
)
@pytest.mark.parametrize("more", [(), ("--replace",)], ids=["plain", "replace"])
def test_ordinary_file_is_never_replaced_by_a_directory(
    shop: Repository, file: str, words: tuple[str, ...], more: tuple[str, ...]
) -> None:
    before = shop.read(file)
    outcome = shop.tdv("checkout", "shop@workspace", "--target", *words, *more, expect=15)
    assert f"{shop.root / file} is no directory" in outcome.stderr
    assert shop.read(file) == before


@pytest.mark.parametrize(
    "words", [("diff", "shop@workspace"), ("diff",), ("checkout", "shop@workspace", "--replace", "--target")]
)
@pytest.mark.parametrize("copied", [False, True], ids=["of the work tree", "of another place"])
def test_snapshot_is_no_target(shop: Repository, tmp_path: Path, words: tuple[str, ...], copied: bool) -> None:
    directory = shop.root / "datasets/shop/data"
    if copied:
        directory = shutil.copytree(directory, tmp_path / "copied")
    before = sorted(directory.rglob("*"))
    outcome = shop.tdv(*words, str(directory), expect=2)
    assert f"{directory} is a built snapshot of shop and no target" in outcome.stderr
    assert "`tdv diff shop@latest shop@workspace`" in outcome.stderr
    assert sorted(directory.rglob("*")) == before


def test_diff_with_a_directory_that_is_not_there_says_so(shop: Repository) -> None:
    assert "nowhere is not there" in shop.tdv("diff", "shop@workspace", "./nowhere", expect=10).stderr
    assert "nowhere is not there" in shop.tdv("diff", "./nowhere", expect=10).stderr


def test_diff_of_a_target_alone_needs_it_to_hold_a_dataset(shop: Repository) -> None:
    gone = shop.tdv("diff", "nowhere.db", expect=15)
    assert "there is no database at" in gone.stderr
    with closing(sqlite3.connect(shop.root / "others.db")) as connection:
        connection.execute("CREATE TABLE t (a)")
    outcome = shop.tdv("diff", "others.db", expect=2)
    assert "others.db holds no dataset" in outcome.stderr
    assert "`tdv diff shop@latest sqlite:///" in outcome.stderr


def test_format_for_a_database_is_refused(shop: Repository) -> None:
    database = shop.root / "f4.db"
    shop.tdv("checkout", "shop@workspace", "--target", str(database), expect=0)
    for name in (str(database), f"sqlite:///{database}", "local", "new.duckdb"):
        outcome = shop.tdv("checkout", "shop@workspace", "--target", name, "--format", "csv", expect=2)
        assert "--format is for files" in outcome.stderr
    assert shop.tdv("checkout", "shop@workspace", "--format", "csv").exit_code == 2
    assert rows(database) == [(1,), (2,), (3,)]
    assert not (shop.root / "new.duckdb").exists()


@pytest.mark.parametrize("name", ["out", "out/", "file:out", "out.db/"])
def test_word_with_a_format_is_a_directory(shop: Repository, name: str) -> None:
    shop.tdv("checkout", "shop@workspace", "--target", name, "--format", "csv", expect=0)
    text = (shop.root / name.removeprefix("file:") / "users.csv").read_text()
    assert text.split() == ["id", "1", "2", "3"]


def test_workspace_that_is_not_built_is_said(shop: Repository) -> None:
    words = ("checkout", "shop@workspace", "--target", "app.db", "--json")
    assert "notes" not in shop.tdv(*words, expect=0).json()
    shop.write({"datasets/shop/dataset.yaml": SPEC.replace("rows: 3", "rows: 4")})
    outcome = shop.tdv(*words, expect=0)
    said = "The sources of shop changed since it was built: tdv build shop"
    assert outcome.json()["notes"] == [said]
    assert said in outcome.stderr
    shop.tdv("build", expect=0)
    assert "notes" not in shop.tdv(*words, expect=0).json()


def test_plan_counts_the_rows(shop: Repository) -> None:
    words = ("checkout", "shop@workspace", "--target", "plan.db", "--dry-run")
    assert shop.tdv(*words, "--json", expect=0).json()["releases"][0]["tables"] == {"users": {"rows": 3}}
    assert "3 rows in 1 table" in shop.tdv(*words, expect=0).stdout
    assert not (shop.root / "plan.db").exists()


def test_plan_counts_the_rows_of_the_scenario(shop: Repository) -> None:
    text = "scenario: one\ntitle: One user\nrows: {users: {ada: {id: 7}}}\n"
    shop.write({"datasets/shop/scenarios/one.yaml": text}).tdv("build", expect=0)
    words = ("checkout", "shop@workspace", "--scenario", "one", "--target", "plan.db", "--dry-run", "--json")
    assert shop.tdv(*words, expect=0).json()["releases"][0]["tables"] == {"users": {"rows": 1}}


def test_plan_says_what_then_happens(shop: Repository) -> None:
    target = ("--target", "plan.db")
    one = "scenario: one\ntitle: One user\nrows: {users: {ada: {id: 7}}}\n"
    shop.write({"datasets/shop/scenarios/one.yaml": one}).tdv("build", expect=0)
    shop.tdv("checkout", "shop@workspace", "--scenario", "one", *target, expect=0)
    with closing(sqlite3.connect(shop.root / "plan.db")) as connection:
        connection.execute("CREATE TABLE mine (x)")
    plan = shop.tdv("checkout", "shop@workspace", *target, "--dry-run", expect=0).stdout
    assert "replace the rows" in plan
    assert "delete 1 row of 'users'" in plan
    shop.tdv("checkout", "shop@workspace", "--target", "other.db", expect=0)
    assert "loaded sqlite" in shop.tdv("checkout", "shop@workspace", *target, expect=0).stdout
    with closing(sqlite3.connect(shop.root / "plan.db")) as connection:
        connection.execute("DELETE FROM users")
        connection.commit()
    assert "delete" not in shop.tdv("checkout", "shop@workspace", *target, "--dry-run", expect=0).stdout


def test_plan_for_a_protected_target_says_what_it_needs(shop: Repository) -> None:
    shop.write({"tdv.yaml": "targets: {live: {url: 'sqlite:///live.db', protected: true}}\n"})
    words = ("checkout", "shop@workspace", "--target", "live")
    assert "live is protected" in shop.tdv(*words, expect=11).stderr
    plan = shop.tdv(*words, "--dry-run", "--json", expect=0)
    said = "live is protected: only with --allow-protected this would be done"
    assert plan.json()["notes"] == [said]
    assert said in plan.stderr
    assert "notes" not in shop.tdv(*words, "--dry-run", "--allow-protected", "--json", expect=0).json()
    assert not (shop.root / "live.db").exists()


def rows(database: Path) -> list[tuple[int]]:
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT id FROM users ORDER BY id").fetchall()


def test_empty_target_is_not_the_default_one(shop: Repository) -> None:
    outcome = shop.tdv("checkout", "shop@workspace", "--target", "", expect=2)
    assert "The target is empty" in outcome.stderr
    assert not (shop.root / ".tdv" / "local.db").exists()


def test_replaced_rows_leave_the_tables_of_the_application_as_they_are(shop: Repository) -> None:
    database = shop.root / "app.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript("""
            CREATE TABLE users (id INTEGER PRIMARY KEY CHECK (id > 0), note TEXT DEFAULT 'new');
            CREATE TABLE log (id INTEGER);
            CREATE TRIGGER seen AFTER DELETE ON users BEGIN INSERT INTO log VALUES (old.id); END;
            INSERT INTO users VALUES (77, 'mine');
        """)
    shop.tdv("checkout", "shop@workspace", "--target", str(database), expect=11)
    shop.tdv("checkout", "shop@workspace", "--target", str(database), "--replace", expect=0)
    with closing(sqlite3.connect(database)) as connection:
        assert connection.execute("SELECT id, note FROM users ORDER BY id").fetchall() == [
            (1, "new"),
            (2, "new"),
            (3, "new"),
        ]
        (sql,) = connection.execute("SELECT sql FROM sqlite_master WHERE name = 'users'").fetchone()
        assert "CHECK (id > 0)" in sql
        assert connection.execute("SELECT count(*) FROM sqlite_master WHERE type = 'trigger'").fetchone() == (1,)


def test_replaced_rows_leave_a_duckdb_table_of_the_application_as_it_is(shop: Repository) -> None:
    import duckdb

    database = shop.root / "app.duckdb"
    with closing(duckdb.connect(str(database))) as connection:
        connection.execute("CREATE TABLE users (id BIGINT, note VARCHAR DEFAULT 'new')")
        connection.execute("INSERT INTO users VALUES (77, 'mine')")
    shop.tdv("checkout", "shop@workspace", "--target", str(database), "--replace", expect=0)
    with closing(duckdb.connect(str(database))) as connection:
        assert connection.execute("SELECT id, note FROM users ORDER BY id").fetchall() == [
            (1, "new"),
            (2, "new"),
            (3, "new"),
        ]


def test_unknown_dataset_is_told_with_the_nearest_name(shop: Repository) -> None:
    assert "hint: Did you mean shop?" in shop.tdv("build", "shp", expect=10).stderr
    assert "There is no dataset 'nope'" in shop.tdv("lock", "--upgrade", "nope", expect=10).stderr
