"""`tdv new --from` the databases of servers, which have types that tdv does not."""

from __future__ import annotations

import pytest

from tests.conftest import RepositoryBuilder
from tests.targets.servers import run_mysql

psycopg = pytest.importorskip("psycopg")


def test_columns_without_a_type_are_left_out_and_stay_in_their_table(
    repo: RepositoryBuilder, empty_postgresql: str
) -> None:
    with psycopg.connect(empty_postgresql, autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE stays (id int PRIMARY KEY, guest text NOT NULL, length interval, "
            "seen_from inet NOT NULL DEFAULT '::1', words tsvector GENERATED ALWAYS AS (to_tsvector('simple', guest)) "
            "STORED, during tstzrange, UNIQUE (guest, during))"
        )
        connection.execute("INSERT INTO stays VALUES (1, 'Ada', '2 days', '10.0.0.1')")
        repository = repo({}).prepared()
        outcome = repository.tdv("new", "hotel", "--from", empty_postgresql, "--rows", "--json").json()
        assert outcome["notes"] == [
            "the column stays.length (interval): there is no type for it",
            "the column stays.seen_from (inet): there is no type for it",
            "the column stays.during (tstzrange): there is no type for it",
            "the generated column stays.words",
        ]
        assert "unique" not in (repository.root / "datasets/hotel/dataset.yaml").read_text(encoding="utf-8")
        repository.tdv("build")
        assert repository.tdv("checkout", "hotel@workspace", "--target", empty_postgresql, "--replace").exit_code == 0
        rows = connection.execute("SELECT id, guest, length, seen_from::text FROM stays").fetchall()
        assert rows == [(1, "Ada", None, "::1/128")]


def test_column_without_a_type_that_rows_need_is_refused(repo: RepositoryBuilder, empty_postgresql: str) -> None:
    with psycopg.connect(empty_postgresql, autocommit=True) as connection:
        connection.execute("CREATE TABLE hosts (at inet PRIMARY KEY, up interval)")
    repository = repo({}).prepared()
    outcome = repository.tdv("new", "net", "--from", empty_postgresql)
    assert outcome.exit_code == 16
    assert "there is no type for hosts.at (inet), without which there is no row" in outcome.stderr
    assert "Columns that take NULL or have a default are left out" in outcome.stderr
    assert not (repository.root / "datasets/net").exists()


def test_columns_of_mysql_without_a_type_are_left_out(repo: RepositoryBuilder, empty_mysql: str) -> None:
    run_mysql(empty_mysql, "CREATE TABLE places (id int PRIMARY KEY, name varchar(20), at point, flags bit(3))")
    run_mysql(empty_mysql, "INSERT INTO places (id, name) VALUES (1, 'Oslo')")
    repository = repo({}).prepared()
    outcome = repository.tdv("new", "map", "--from", empty_mysql, "--rows", "--json").json()
    assert outcome["notes"] == [
        "the column places.at (point): there is no type for it",
        "the column places.flags (bit(3)): there is no type for it",
    ]
    repository.tdv("build")
    assert repository.tdv("checkout", "map@workspace", "--target", empty_mysql, "--replace").exit_code == 0
    assert run_mysql(empty_mysql, "SELECT id, name, flags FROM places") == [(1, "Oslo", None)]
