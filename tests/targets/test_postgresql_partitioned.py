"""PostgreSQL: partitioned tables, which are tables like others."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdv.errors import Refused
from tdv.targets.postgresql.dialect import PostgresqlDialect
from tdv.testing import table
from tests.targets.places import Place, shop

psycopg = pytest.importorskip("psycopg")

USERS_IN_PARTS = (
    "CREATE TABLE users (id bigint PRIMARY KEY, email text, age smallint, at timestamp) PARTITION BY RANGE (id)",
    "CREATE TABLE users_1 PARTITION OF users FOR VALUES FROM (0) TO (3)",
    "CREATE TABLE users_2 PARTITION OF users DEFAULT",
)
ORDERS_IN_PARTS = (
    "CREATE TABLE orders (id int8 PRIMARY KEY, user_id int8 REFERENCES users, parent int8) PARTITION BY HASH (id)",
    "CREATE TABLE orders_0 PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 0)",
    "CREATE TABLE orders_1 PARTITION OF orders FOR VALUES WITH (MODULUS 2, REMAINDER 1)",
)


@pytest.fixture
def place(tmp_path: Path, empty_postgresql: str) -> Place:
    return Place(tmp_path, empty_postgresql)


def test_rows_are_loaded_into_partitions(place: Place) -> None:
    place.sql(*USERS_IN_PARTS)
    for rows in (5, 4):
        place.checkout(rows, f"{rows}.0.0")
        assert place.holds(rows)
        assert place.sql("SELECT count(*) FROM users_1") == [(2,)]
    place.sql("UPDATE users_2 SET age = 77")
    place.checkout(4, "4.0.0")
    assert place.holds(4)


def test_tables_in_partitions_may_reference_each_other(place: Place) -> None:
    place.sql(
        *USERS_IN_PARTS,
        *ORDERS_IN_PARTS,
        # Of one partition alone, and to the rows of another one.
        "ALTER TABLE orders_0 ADD CONSTRAINT mine FOREIGN KEY (parent) REFERENCES orders (id)",
    )
    query = (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND conparentid = 0 ORDER BY 1, 2"
    )
    before = place.sql(query)
    for _ in range(2):
        place.checkout_tables(shop())
        place.sql("UPDATE orders SET parent = NULL")
    assert place.sql(query) == before


@pytest.mark.parametrize("owned", [False, True])
def test_rows_of_others_in_partitions_are_refused_and_stay(place: Place, owned: bool) -> None:
    place.sql(*USERS_IN_PARTS, "INSERT INTO users VALUES (99, 'x', 1, now())")
    if owned:
        place.owned()
    with pytest.raises(Refused, match="rows that tdv did not load are in 'users'"):
        place.checkout()
    assert place.ids() == [99]
    place.checkout(replace=True)
    assert place.holds(5)


def test_other_tables_in_partitions_survive_in_an_owned_database(place: Place) -> None:
    place.sql(
        "CREATE TABLE mine (id int) PARTITION BY RANGE (id)",
        "CREATE TABLE mine_1 PARTITION OF mine DEFAULT",
        "INSERT INTO mine VALUES (7)",
    )
    place.owned()
    for rows, version in ((5, "1.0.0"), (3, "2.0.0")):
        place.checkout(rows, version)
    assert place.sql("SELECT id FROM mine") == [(7,)]


def test_other_tables_in_partitions_that_reference_are_named_once(place: Place) -> None:
    place.checkout()
    place.sql(
        "CREATE TABLE notes (user_id bigint REFERENCES users) PARTITION BY RANGE (user_id)",
        "CREATE TABLE notes_1 PARTITION OF notes DEFAULT",
        "INSERT INTO notes VALUES (1)",
    )
    with pytest.raises(Refused, match="table 'notes', which is not the dataset's, references 'users'"):
        place.checkout(3, "2.0.0")
    place.sql("DELETE FROM notes")
    place.checkout(3, "2.0.0")
    assert place.holds(3)


def test_script_deletes_one_row_of_one_partition(place: Place) -> None:
    place.sql(
        "CREATE TABLE notes (id int, word text) PARTITION BY LIST (word)",
        "CREATE TABLE notes_a PARTITION OF notes FOR VALUES IN ('a')",
        "CREATE TABLE notes_b PARTITION OF notes DEFAULT",
        "INSERT INTO notes VALUES (1, 'a'), (1, 'b')",
    )
    script = PostgresqlDialect().delete_one(table("notes", {"id": "int32", "word": "string"}), "word = 'a'")
    assert script is not None
    place.sql(script)
    assert place.sql("SELECT word FROM notes") == [("b",)]
