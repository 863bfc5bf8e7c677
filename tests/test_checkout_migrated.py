"""Checkouts into the schema that the application's own migrations make, and into live schemas."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

from tdv.project import Project, resolutions, restores
from tdv.project.schemas import migrate, scratches
from tdv.project.wanted import Fit
from tests.migrated import migrated, settings, until
from tests.repository import Repository


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
