"""The pages about SQLite and DuckDB: their commands work as printed, and what they say of a file in use is so."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import duckdb
import pytest

from tests.conftest import RepositoryBuilder
from tests.repository import Repository
from tests.test_docs import DOCS, blocks, type_in
from tests.test_docs_postgresql import SPEC

REFERENCE = DOCS / "reference"


@pytest.fixture
def repository(repo: RepositoryBuilder) -> Repository:
    repository = repo({"datasets/shop/dataset.yaml": SPEC}).prepared()
    repository.tdv("build")
    repository.commit("Data")
    repository.tdv("release", "shop", "1.0.0", "-m", "First")
    return repository


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_commands_work_as_printed(repository: Repository, engine: str) -> None:
    outcome = type_in(blocks(REFERENCE / f"{engine}.md", "sh"), repository.root)
    assert outcome.exit_code == 0, outcome
    assert "healthy" in outcome.stdout
    assert "no difference" in outcome.stdout


def test_idle_connection_to_sqlite_sees_the_new_rows(repository: Repository) -> None:
    repository.tdv("checkout", "shop@v1.0.0", "--target", "app.db")
    with closing(sqlite3.connect(repository.root / "app.db")) as connection:
        connection.execute("DELETE FROM users")
        connection.commit()
        assert repository.tdv("checkout", "shop@v1.0.0", "--target", "app.db").exit_code == 0
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (12,)


def test_sqlite_with_a_log_and_a_reader_is_in_use(repository: Repository) -> None:
    repository.tdv("checkout", "shop@v1.0.0", "--target", "app.db")
    with closing(sqlite3.connect(repository.root / "app.db")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM users")
        connection.commit()
        assert repository.tdv("checkout", "shop@v1.0.0", "--target", "app.db").exit_code == 15
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)
    assert repository.tdv("checkout", "shop@v1.0.0", "--target", "app.db").exit_code == 0


def test_duckdb_that_is_read_can_be_read_but_not_restored(repository: Repository) -> None:
    restore, look = "tdv checkout shop@workspace --target app.duckdb", "tdv health app.duckdb"
    repository.tdv("checkout", "shop@v1.0.0", "--target", "app.duckdb")
    # DuckDB knows only other processes as such.
    with duckdb.connect(repository.root / "app.duckdb", read_only=True):
        assert type_in([look], repository.root).exit_code == 0
        assert type_in([restore], repository.root).exit_code == 15
    with duckdb.connect(repository.root / "app.duckdb"):
        assert "another process uses" in type_in([look], repository.root).stdout
