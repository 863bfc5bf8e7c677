"""MariaDB: empty targets and throwaways get the schema that the application's migrations make."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tdv.checkout import CheckoutOptions, load_of
from tdv.config import TargetSettings
from tdv.project import Project
from tdv.project.databases import DatabaseWish
from tdv.targets.protocol import AppSchema
from tdv.testing import NOW, USERS, checkout, snapshot, users, wanted
from tests.migrated import MIGRATIONS, MIGRATOR, migrated, settings, until
from tests.repository import Repository
from tests.targets.places import MysqlPlace
from tests.targets.servers import run_mysql

pytest.importorskip("pymysql")

from tdv.targets.mysql.session import connect, parameters
from tdv.targets.mysql.templates import Templates

CONNECTED = """
        import sys, types
        from tests.targets.servers import run_mysql

        class Connection:
            def execute(self, statement):
                rows = run_mysql(url, statement)
                return types.SimpleNamespace(fetchone=lambda: rows[0])
            def commit(self): pass
            def close(self): pass
        return Connection()
"""


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    repository = migrated(tmp_path / "app")
    root = Path(__file__).parents[2]
    before, _, after = MIGRATOR.partition("        import psycopg\n        return psycopg.connect(url)\n")
    program = f"    import sys; sys.path.insert(0, {str(root)!r})\n{before}{CONNECTED}{after}"
    files = {name: text.replace("VARCHAR", "VARCHAR(99)").replace('"', "`") for name, text in MIGRATIONS.items()}
    files["migrations/0002_notes.up.sql"] += """;
        CREATE TRIGGER noted BEFORE UPDATE ON users FOR EACH ROW SET NEW.note = 'changed'
        """
    repository.write({**files, "migrate.py": program}).commit("Use MariaDB")
    return repository


@pytest.mark.parametrize("owns", ["database", "tables"])
def test_empty_database_gets_the_application_schema(project: Repository, empty_mysql: str, owns: str) -> None:
    project.write(settings(empty_mysql, owns))
    until(project, "0002")
    project.tdv("checkout", "--dry-run", expect=0)
    assert project.tdv("checkout", "--json", expect=0).json()["releases"][0]["version"] == "1.0.0"
    expected = [(1, "ada", "none"), (2, None, "none")]
    assert run_mysql(empty_mysql, "SELECT id, name, note FROM users ORDER BY id") == expected
    assert run_mysql(empty_mysql, "SELECT version FROM schema_migrations") == [(2,)]
    assert run_mysql(empty_mysql, "SELECT `select` FROM named") == [("ada",)]
    run_mysql(empty_mysql, "DELETE FROM users WHERE id = 1", "UPDATE users SET name = 'touched'")
    project.write({"migrate.py": "raise SystemExit('nothing has to be migrated')"})
    again = project.tdv("checkout", "--json", expect=0).json()
    assert again["action"] == ("cloned" if owns == "database" else "loaded")
    assert run_mysql(empty_mysql, "SELECT id, name, note FROM users ORDER BY id") == expected
    assert run_mysql(empty_mysql, "SELECT `select` FROM named") == [("ada",)]
    changed = "UPDATE users SET name = 'x' WHERE id = 1", "SELECT note FROM users WHERE id = 1"
    assert run_mysql(empty_mysql, *changed) == [("changed",)]


@pytest.mark.parametrize("owns", ["database", "tables"])
def test_rows_that_migrations_bring_give_way_to_the_release(project: Repository, empty_mysql: str, owns: str) -> None:
    name = "migrations/0003_people.up.sql"
    brought = f"{(project.root / name).read_text()}; INSERT INTO people VALUES (7, 'theirs', '')"
    project.write({name: brought, **settings(empty_mysql, owns)})
    project.tdv("checkout", expect=0)
    assert run_mysql(empty_mysql, "SELECT id FROM people ORDER BY id") == [(1,), (2,), (3,)]


NUMBERED = """;
    CREATE SEQUENCE numbers START WITH 2;
    CREATE SEQUENCE spare START WITH 7 INCREMENT BY 2;
    ALTER TABLE people ALTER id SET DEFAULT (NEXT VALUE FOR numbers), ADD COLUMN boss BIGINT;
    ALTER TABLE people ADD CONSTRAINT fk_people_boss FOREIGN KEY (boss) REFERENCES people (id);
    CREATE TABLE pets (id BIGINT PRIMARY KEY, owner BIGINT,
        CONSTRAINT fk_pets FOREIGN KEY (owner) REFERENCES people (id))
    """


@pytest.fixture
def numbered(project: Repository) -> Repository:
    """Keys of people come from a sequence, another one is the application's own, and references have names."""
    name = "migrations/0003_people.up.sql"
    return project.write({name: (project.root / name).read_text() + NUMBERED})


def test_owned_database_gets_tables_with_named_references_again(numbered: Repository, empty_mysql: str) -> None:
    numbered.write(settings(empty_mysql))
    numbered.tdv("checkout", expect=0)
    for _ in range(2):
        run_mysql(empty_mysql, "DELETE FROM people", "INSERT INTO people (id, name) VALUES (9, 'x')")
        assert numbered.tdv("checkout", "--json", expect=0).json()["action"] == "cloned"
        assert run_mysql(empty_mysql, "SELECT id FROM people ORDER BY id") == [(1,), (2,), (3,)]
        named = "SELECT CONSTRAINT_NAME FROM information_schema.REFERENTIAL_CONSTRAINTS "
        own = "WHERE CONSTRAINT_SCHEMA = DATABASE() ORDER BY 1"
        assert run_mysql(empty_mysql, named + own) == [("fk_people_boss",), ("fk_pets",)]
        assert [row[0] for row in run_mysql(empty_mysql, "SHOW TRIGGERS")] == ["noted"]
    left = "SELECT SCHEMA_NAME FROM information_schema.SCHEMATA WHERE SCHEMA_NAME LIKE 'tdv_copy%'"
    assert run_mysql(empty_mysql, left) == []


@pytest.mark.parametrize("owns", ["database", "tables"])
def test_sequences_go_on_after_the_rows_and_are_the_databases_own(
    numbered: Repository, empty_mysql: str, owns: str
) -> None:
    numbered.write(settings(empty_mysql, owns))
    insert = "INSERT INTO people (name) VALUES ('new')"
    numbered.tdv("checkout", expect=0)
    for _ in range(2):
        run_mysql(empty_mysql, insert, insert)
        assert run_mysql(empty_mysql, "SELECT id FROM people WHERE name = 'new' ORDER BY id") == [(4,), (5,)]
        if owns == "database":
            assert run_mysql(empty_mysql, "SELECT NEXTVAL(spare), NEXTVAL(spare)") == [(7, 9)]
        numbered.tdv("checkout", expect=0)


def test_throwaways_have_sequences_of_their_own(numbered: Repository, absent_mysql: str) -> None:
    numbered.write(settings(absent_mysql))
    opened = Project.find(numbered.root)
    with opened.databases("run1") as databases:
        for _ in range(2):
            with databases.create(DatabaseWish()) as made:
                run_mysql(made.url, "INSERT INTO people (name) VALUES ('new')")
                assert run_mysql(made.url, "SELECT id FROM people WHERE name = 'new'") == [(4,)]
                assert run_mysql(made.url, "SELECT NEXTVAL(spare)") == [(7,)]


def test_throwaway_is_a_copy_in_the_application_schema(project: Repository, absent_mysql: str) -> None:
    project.write(settings(absent_mysql))
    until(project, "0002")
    opened = Project.find(project.root)
    with opened.databases("run1") as databases, databases.create(DatabaseWish()) as made:
        assert run_mysql(made.url, "SELECT id, note FROM users ORDER BY id")[0] == (1, "none")
        assert run_mysql(made.url, "SELECT `select` FROM named") == [("ada",)]
        assert [row[0] for row in run_mysql(made.url, "SHOW TRIGGERS")] == ["noted"]


MADE_USERS = "CREATE TABLE users (id BIGINT PRIMARY KEY, email VARCHAR(99) UNIQUE NOT NULL, age INT, at DATETIME(6))"


def test_template_that_is_being_filled_is_of_no_use(tmp_path: Path, empty_mysql: str) -> None:
    """Another worker, or the next one after a kill, finds it when it is complete."""

    def made(settings: TargetSettings) -> None:
        run_mysql(settings.url, MADE_USERS)

    schema = AppSchema("migrated", "0001", made)
    found = snapshot(tmp_path, {USERS: users(3)})
    load = load_of([wanted(found)], CheckoutOptions(tmp_path / ".tdv", NOW, "execution-1", schema=schema))
    real, seen = found.batches, []

    def is_found() -> bool:
        with closing(connect(parameters(empty_mysql), None)) as other:
            templates = Templates(other)
            return templates.find(templates.name_of(load)) is not None

    def batches(name: str, columns: Any = None) -> Iterator[pa.Table]:
        seen.append(is_found())
        return real(name, columns)

    found.batches = batches  # type: ignore[method-assign,assignment]
    place = MysqlPlace(tmp_path, empty_mysql).owned()
    checkout(tmp_path, place.target, wanted(found), schema=schema)
    assert set(seen) == {False}
    assert is_found()
    assert place.holds(3)
