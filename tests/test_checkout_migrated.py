"""Checkouts into the schema that the application's own migrations make, and into live schemas."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tdv.project import Project, resolutions, restores
from tdv.project.databases import DatabaseWish
from tdv.project.schemas import migrate, scratches
from tdv.project.wanted import Fit
from tests.migrated import migrated, settings, until
from tests.repository import Repository
from tests.targets.servers import run_sql


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    return migrated(tmp_path / "repo")


def rows(path: Path, query: str) -> list[Any]:
    with closing(duckdb.connect(path) if path.suffix == ".duckdb" else sqlite3.connect(path)) as connection:
        return list(connection.execute(query).fetchall())


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_empty_target_gets_the_application_schema_and_the_rows(project: Repository, engine: str) -> None:
    path = project.root / f".tdv/local.{engine}"
    project.write(settings(f"{engine}:///.tdv/local.{engine}"))
    until(project, "0002")
    assert project.tdv("checkout", "--json", expect=0).json()["action"] == "loaded"
    assert rows(path, "SELECT id, name, note FROM users ORDER BY id") == [(1, "ada", "none"), (2, None, "none")]
    assert rows(path, 'SELECT "select" FROM named') == [("ada",)]
    assert rows(path, "SELECT version FROM schema_migrations") == [(2,)]
    assert project.tdv("checkout", "--json", expect=0).json()["action"] == "unchanged"
    assert project.tdv("health", "local").exit_code == 0


def brings_rows(project: Repository) -> Repository:
    """The migration that makes ``people`` also brings a row of it, as migrations with reference data do."""
    name = "migrations/0003_people.up.sql"
    row = "INSERT INTO people (id, name) VALUES (7, 'theirs')"
    return project.write({name: f"{(project.root / name).read_text()}; {row}"})


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_rows_that_migrations_bring_give_way_to_the_release(project: Repository, engine: str) -> None:
    path = brings_rows(project).root / f".tdv/local.{engine}"
    project.write(settings(f"{engine}:///.tdv/local.{engine}"))
    project.tdv("checkout", expect=0)
    assert rows(path, "SELECT id FROM people ORDER BY id") == [(1,), (2,), (3,)]
    project.tdv("verify", "--compat", "shop@v2.0.0", expect=0)


@pytest.mark.parametrize("owns", ["database", "tables"])
def test_rows_that_migrations_bring_to_a_server_give_way_to_the_release(
    project: Repository, empty_postgresql: str, owns: str
) -> None:
    brings_rows(project).write(settings(empty_postgresql, owns))
    project.tdv("checkout", expect=0)
    assert run_sql(empty_postgresql, "SELECT id FROM people ORDER BY id") == [(1,), (2,), (3,)]
    project.tdv("verify", "--compat", "shop@v2.0.0", expect=0)


def test_rows_that_migrations_bring_to_tables_of_others_are_named(project: Repository) -> None:
    name = "migrations/0003_people.up.sql"
    more = "CREATE TABLE pets (id BIGINT, owner BIGINT REFERENCES people (id)); INSERT INTO pets VALUES (1, 7)"
    project.write({name: f"{(brings_rows(project).root / name).read_text()}; {more}"})
    answer = project.tdv("checkout", expect=11)
    assert "references 'people', whose rows would go" in answer.stderr
    assert "Add pets to `also_empty:`" in answer.stderr
    local = settings()["tdv.yaml"].replace("owns: database", "owns: database, also_empty: [pets]")
    project.write({"tdv.yaml": local}).tdv("checkout", expect=0)
    assert rows(project.root / ".tdv/local.db", "SELECT count(*) FROM pets") == [(0,)]


def test_touched_target_is_cloned_back_without_a_migration(project: Repository) -> None:
    project.tdv("checkout", expect=0)
    path = project.root / ".tdv/local.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("DROP TABLE people")
        connection.commit()
    project.write({"migrate.py": "raise SystemExit('nothing has to be migrated')"})
    assert project.tdv("checkout", "--json", expect=0).json()["action"] == "cloned"
    assert rows(path, "SELECT count(*) FROM people WHERE note = 'none'") == [(3,)]


def test_database_that_tdv_owns_follows_the_code(project: Repository) -> None:
    path = project.root / ".tdv/local.db"
    project.tdv("checkout", expect=0)
    until(project, "0001")
    assert project.tdv("checkout", "--json", expect=0).json()["releases"][0]["version"] == "1.0.0"
    assert rows(path, "SELECT version FROM schema_migrations") == [(1,)]
    project.git("checkout", "migrations/0002_notes.up.sql")
    assert project.tdv("checkout", "--json", expect=0).json()["action"] == "loaded"
    assert rows(path, "SELECT version FROM schema_migrations") == [(2,)]


def test_scratch_database_stands_at_a_revision_with_rows_and_goes_on_from_there(project: Repository) -> None:
    opened = Project.find(project.root)
    history = resolutions.history(opened.ports)
    wanted = restores.choose(opened.ports, restores.CheckoutWish(refs=("shop@v1.0.0",), fit=Fit(migration="2"))).wanted
    with scratches(opened.ports, "run1") as made, made.at(history.at("0002"), wanted) as scratch:
        path = Path(scratch.settings.url.removeprefix("sqlite:///"))
        assert rows(path, "SELECT id, note FROM users") == [(1, "none"), (2, "none")]
        migrate(opened.ports, scratch.settings, history.head)
        assert rows(path, "SELECT id FROM people") == [(1,), (2,)]
        with made.at(history.at("0001")) as empty:
            assert [table.name for table in empty.target.inspect().tables] == ["schema_migrations", "users"]
    assert not path.exists()
    assert not (project.root / ".tdv/runs/run1.lock").exists()


def with_application(project: Repository, revision: str) -> Path:
    """A database that the application itself migrated, as the target ``local``, of which tdv owns the tables only."""
    path = project.root / "app.db"
    project.write(settings(f"sqlite:///{path}", owns="tables"))
    opened = Project.find(project.root)
    migrate(opened.ports, opened.settings.target("local"), resolutions.history(opened.ports).at(revision))
    return path


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


def version_at(project: Repository, *words: str) -> str:
    found = project.tdv("resolve", "--json", *words, expect=0).json()
    return f"{found['datasets']['shop']['version']} at {found['migration']}"


def test_live_schema_decides_what_fits_it(project: Repository) -> None:
    path = with_application(project, "0002")
    assert version_at(project) == "2.0.0 at 0003"
    assert version_at(project, "--target", "local") == "1.0.0 at 0002"
    assert version_at(project, "--target", "local", "--migration", "0003") == "2.0.0 at 0003"
    assert project.tdv("checkout", "--json", expect=0).json()["releases"][0]["version"] == "1.0.0"
    assert rows(path, "SELECT name, note FROM users ORDER BY id") == [("ada", "none"), (None, "none")]
    assert rows(path, "SELECT version FROM schema_migrations") == [(2,)]


def test_version_outside_the_span_of_the_target_names_one_that_fits(project: Repository) -> None:
    path = with_application(project, "0002")
    answer = project.tdv("checkout", "v2.0.0", expect=12)
    assert "local stands at migration 0002" in answer.stderr
    assert "name shop@v1.0.0, which fits" in answer.stderr.replace("Name", "name")
    assert "--ignore-compat" in answer.stderr
    answer = project.tdv("checkout", "v2.0.0", "--ignore-compat", expect=11)
    assert "the schema of the target has no table 'people'" in answer.stderr
    project.tdv("checkout", "v2.0.0", "--ignore-compat", "--replace", expect=0)
    assert rows(path, "SELECT count(*) FROM people") == [(3,)]


def test_target_at_a_revision_that_the_code_lacks_is_not_guessed_about(project: Repository) -> None:
    path = with_application(project, "0003")
    until(project, "0002")
    for command in (("checkout",), ("resolve", "--target", "local"), ("health", "local")):
        answer = project.tdv(*command, expect=12)
        assert "local stands at a migration that this code does not have" in answer.stderr
        assert "'3'" in answer.stderr
    assert rows(path, "SELECT count(*) FROM people") == [(0,)]
    assert version_at(project, "--target", "local", "--migration", "0002") == "1.0.0 at 0002"


def test_target_that_no_tool_has_touched_takes_the_head(project: Repository) -> None:
    project.write(settings("sqlite:///app.db", owns="tables"))
    assert version_at(project, "--target", "local") == "2.0.0 at 0003"
    change(project.root / "app.db", "CREATE TABLE schema_migrations (version BIGINT, dirty BOOLEAN)")
    assert project.tdv("resolve", "--target", "local").exit_code == 12


def test_column_of_the_application_that_must_be_given_is_named(project: Repository) -> None:
    path = with_application(project, "0003")
    change(path, "ALTER TABLE people ADD COLUMN \"order\" TEXT NOT NULL DEFAULT 'x'")
    project.tdv("checkout", expect=0)
    change(path, "DROP TABLE people", 'CREATE TABLE people (id BIGINT, name TEXT, "group" TEXT NOT NULL)')
    answer = project.tdv("checkout", expect=11)
    assert "it needs values for 'group'" in answer.stderr


def test_rule_of_the_application_that_refuses_rows_is_named_without_values(project: Repository) -> None:
    path = with_application(project, "0003")
    change(path, "DROP TABLE people", "CREATE TABLE people (id BIGINT, name TEXT NOT NULL)")
    answer = project.tdv("checkout", expect=16)
    assert "a rule of the target refuses the rows: NOT NULL constraint failed: people.name" in answer.stderr
    assert rows(path, "SELECT count(*) FROM people") == [(0,)]


def test_trigger_that_changes_rows_is_reported_and_undone(project: Repository) -> None:
    path = with_application(project, "0003")
    change(path, "CREATE TRIGGER t AFTER INSERT ON people BEGIN UPDATE people SET name = 'x' WHERE id = new.id; END")
    answer = project.tdv("checkout", expect=13)
    assert "people" in answer.stderr
    assert rows(path, "SELECT count(*) FROM people") == [(0,)]


SPEC = """
    dataset: shop
    tables:
      users:
        key: [id]
        columns:
          id: {type: int64}
          name: {type: string, nullable: true}
    """


def test_column_that_a_live_schema_needs_or_declares_otherwise_is_named_by_line(
    project: Repository, empty_postgresql: str
) -> None:
    project.write({**settings(empty_postgresql, owns="tables"), "datasets/shop/dataset.yaml": SPEC})
    run_sql(empty_postgresql, "CREATE TABLE users (id BIGINT PRIMARY KEY, name INT, x INT NOT NULL, y INT NOT NULL)")
    answer = project.tdv("checkout", "v1.0.0", "--migration", "0001", expect=11)
    assert "'name' is integer, not string; it needs values for 'x'; it needs values for 'y'" in answer.stderr
    place = "datasets/shop/dataset.yaml"
    assert f"{place}:7 (tables.users.columns.name), {place}:5 (tables.users.columns)." in answer.stderr


def test_release_that_does_not_fit_the_migrations_leaves_nothing(project: Repository) -> None:
    answer = project.tdv("checkout", "v1.0.0", "--migration", "0003", "--ignore-compat", expect=11)
    assert "does not fit the schema at migration 0003: the schema of the target has no table 'users'" in answer.stderr
    until(project, "0002")
    project.write({"migrations/0003_age.up.sql": "DROP VIEW named; ALTER TABLE users RENAME COLUMN name TO title"})
    project.write({"datasets/shop/dataset.yaml": SPEC})
    answer = project.tdv("checkout", "v1.0.0", "--ignore-compat", "--target", "new.db", expect=11)
    assert "shop@v1.0.0 does not fit the schema at migration 0003: table 'users'" in answer.stderr
    assert "it lacks 'name'" in answer.stderr
    assert "as `tdv lock --upgrade` does" in answer.stderr
    assert "carry its data there with `tdv upgrade shop`, or say" in answer.stderr
    assert "In the spec: datasets/shop/dataset.yaml:7 (tables.users.columns.name)." in answer.stderr
    assert not (project.root / "new.db").exists()
    assert not list((project.root / ".tdv/images").glob(".*.tmp"))


@pytest.mark.parametrize(("script", "said"), [("raise SystemExit('no server')", "no server"), ("", "stands nowhere")])
def test_command_that_fails_leaves_no_target(project: Repository, script: str, said: str) -> None:
    project.write({"migrate.py": script})
    answer = project.tdv("checkout", expect=15)
    assert said in answer.stderr
    assert not (project.root / ".tdv/local.db").exists()


def test_command_runs_against_a_throwaway_in_the_application_schema(project: Repository) -> None:
    script = (
        "import os, sqlite3; connection = sqlite3.connect(os.environ['DATABASE_URL'].removeprefix('sqlite:///')); "
        "print(connection.execute('SELECT note FROM people').fetchall())"
    )
    answer = project.tdv_process("exec", "--", sys.executable, "-c", script, expect=0)
    assert answer.stdout == "[('none',), ('none',), ('none',)]\n"


@pytest.mark.parametrize("owns", ["database", "tables"])
def test_empty_postgresql_database_gets_the_application_schema(
    project: Repository, empty_postgresql: str, owns: str
) -> None:
    project.write(settings(empty_postgresql, owns))
    until(project, "0002")
    assert "apply the migrations up to 0002" in project.tdv("checkout", "--dry-run", expect=0).stdout
    assert project.tdv("checkout", "--json", expect=0).json()["releases"][0]["version"] == "1.0.0"
    expected = [(1, "ada", "none"), (2, None, "none")]
    assert run_sql(empty_postgresql, "SELECT id, name, note FROM users ORDER BY id") == expected
    assert run_sql(empty_postgresql, "SELECT version FROM schema_migrations") == [(2,)]
    assert project.tdv("checkout", "--json", expect=0).json()["action"] == "unchanged"
    run_sql(empty_postgresql, "DELETE FROM users WHERE id = 1", "UPDATE users SET note = 'touched'")
    project.write({"migrate.py": "raise SystemExit('nothing has to be migrated')"})
    again = project.tdv("checkout", "--json", expect=0).json()
    assert again["action"] == ("cloned" if owns == "database" else "loaded")
    assert run_sql(empty_postgresql, "SELECT id, name, note FROM users ORDER BY id") == expected
    project.git("checkout", "migrations", "migrate.py")
    version = project.tdv("checkout", "--json", expect=0).json()["releases"][0]["version"]
    assert version == ("2.0.0" if owns == "database" else "1.0.0")


@pytest.mark.parametrize("owns", ["database", "tables"])
@pytest.mark.parametrize(
    ("migration", "said"),
    [
        ("CREATE TABLE users (id BIGINT); CREATE EXTENSION absent", 'extension "absent" is not available'),
        ('CREATE TABLE users (id BIGINT, name VARCHAR COLLATE "absent")', 'collation "absent" for encoding'),
    ],
)
def test_what_the_server_lacks_is_said_and_nothing_is_left(
    project: Repository, empty_postgresql: str, owns: str, migration: str, said: str
) -> None:
    project.write({**settings(empty_postgresql, owns), "migrations/0001_users.up.sql": migration})
    left = "SELECT datname FROM pg_database WHERE datname LIKE 'tdv%'"
    before = run_sql(empty_postgresql, left)
    assert said in project.tdv("checkout", expect=15).stderr
    assert run_sql(empty_postgresql, left) == before
    assert run_sql(empty_postgresql, "SELECT relname FROM pg_class WHERE relname IN ('users', '_tdv_state')") == []


@pytest.mark.parametrize("owns", ["database", "tables"])
@pytest.mark.parametrize(
    "migration",
    [
        "CREATE EXTENSION citext; CREATE TABLE users (id BIGINT PRIMARY KEY, name CITEXT)",
        'CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR COLLATE "C" UNIQUE)',
    ],
)
def test_extensions_and_collations_of_the_application_stay(
    project: Repository, empty_postgresql: str, owns: str, migration: str
) -> None:
    project.write({**settings(empty_postgresql, owns), "migrations/0001_users.up.sql": migration})
    until(project, "0002")
    outcome = project.tdv("checkout")
    if 'extension "citext" is not available' in outcome.stderr:
        pytest.skip("the server came without extensions")
    run_sql(empty_postgresql, "DELETE FROM users")
    assert project.tdv("checkout", "--json", expect=0).json()["action"] != "unchanged"
    kind = "SELECT udt_name, collation_name FROM information_schema.columns WHERE column_name = 'name'"
    (found,) = run_sql(empty_postgresql, f"{kind} AND table_name = 'users'")
    assert found == (("citext", None) if "citext" in migration else ("varchar", "C"))
    assert run_sql(empty_postgresql, "SELECT name FROM users ORDER BY id") == [("ada",), (None,)]


def test_throwaway_on_a_server_is_a_clone_in_the_application_schema(
    project: Repository, absent_postgresql: str
) -> None:
    project.write(settings(absent_postgresql))
    opened = Project.find(project.root)
    with opened.databases("run1") as databases, databases.create(DatabaseWish()) as made:
        assert run_sql(made.url, "SELECT id, note FROM people ORDER BY id")[0] == (1, "none")
    first = resolutions.history(opened.ports).at("0001")
    with scratches(opened.ports, "run2") as others, others.at(first) as scratch:
        assert run_sql(scratch.settings.url, "SELECT version FROM schema_migrations") == [(1,)]


def test_tag_of_the_app_brings_the_schema_that_its_lock_names(project: Repository) -> None:
    project.tdv("lock", "--migration", "0002", expect=0)
    project.commit("Pin the data").git("tag", "app-1.0")
    project.tdv("checkout", "--app-tag", "app-1.0", expect=0)
    assert rows(project.root / ".tdv/local.db", "SELECT count(*) FROM users") == [(2,)]
    assert rows(project.root / ".tdv/local.db", "SELECT version FROM schema_migrations") == [(2,)]
