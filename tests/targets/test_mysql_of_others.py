"""MariaDB: what is somebody else's, and schemas that migrations made."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tdv.errors import DataError, IntegrityError, Refused
from tests.targets.builders import target
from tests.targets.places import MysqlPlace, shop
from tests.targets.servers import name_of

pytest.importorskip("pymysql")


@pytest.fixture
def place(tmp_path: Path, empty_mysql: str) -> MysqlPlace:
    return MysqlPlace(tmp_path, empty_mysql)


def test_rows_of_others_are_refused_and_stay(place: MysqlPlace) -> None:
    place.sql("CREATE TABLE users (id bigint)", "INSERT INTO users VALUES (99)")
    with pytest.raises(Refused, match="rows that tdv did not load are in 'users'"):
        place.checkout()
    with pytest.raises(Refused):
        place.owned().checkout()
    assert place.ids() == [99]
    place.checkout(replace=True)
    assert place.ids() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize("owned", [False, True])
def test_foreign_table_that_references_is_named_and_stays(place: MysqlPlace, owned: bool) -> None:
    place.sql("CREATE TABLE other (id int)")
    place.checkout()
    place.sql(
        "CREATE TABLE notes (user_id bigint, FOREIGN KEY (user_id) REFERENCES users (id) ON DELETE CASCADE)",
        "INSERT INTO notes VALUES (1)",
    )
    if owned:
        place.owned()
    with pytest.raises(Refused, match="'notes', which is not the dataset's, references 'users'"):
        place.checkout(3, "2.0.0")
    assert place.sql("SELECT * FROM notes") == [(1,)]
    assert place.ids() == [1, 2, 3, 4, 5]
    place.target = target(place.directory, place.url, also_empty=("notes",), owns="database" if owned else "tables")
    place.checkout(3, "2.0.0")
    assert place.sql("SELECT * FROM notes") == []
    assert place.ids() == [1, 2, 3]
    assert "REFERENCES `users`" in str(place.sql("SHOW CREATE TABLE notes")[0][1])


def test_table_that_is_referenced_is_not_made_anew_which_the_plan_foresees(place: MysqlPlace) -> None:
    place.sql(
        "CREATE TABLE users (id bigint PRIMARY KEY)",
        "CREATE TABLE notes (user_id bigint, FOREIGN KEY (user_id) REFERENCES users (id))",
    )
    for dry_run in (True, False):
        with pytest.raises(Refused, match="'users' cannot be made anew: table 'notes' references it") as caught:
            place.checkout(replace=True, dry_run=dry_run)
        assert caught.value.hint == "Migrate the target to the schema of this version, or drop that reference."
    place.sql("DROP TABLE notes")
    place.checkout(replace=True, dry_run=True)
    assert place.ids() == []
    place.checkout(replace=True)
    assert place.ids() == [1, 2, 3, 4, 5]


def test_foreign_table_in_another_database_that_references_is_named(place: MysqlPlace) -> None:
    place.checkout()
    other = name_of(place.url) + "_crm"
    place.sql(
        f"CREATE DATABASE {other}",
        f"CREATE TABLE {other}.notes (u bigint, FOREIGN KEY (u) REFERENCES {name_of(place.url)}.users (id))",
        f"INSERT INTO {other}.notes VALUES (1)",
    )
    try:
        with pytest.raises(Refused, match=re.escape(f"'{other}.notes'")):
            place.checkout(3, "2.0.0")
        place.target = target(place.directory, place.url, also_empty=(f"{other}.notes",))
        place.checkout(3, "2.0.0")
        assert place.ids() == [1, 2, 3]
    finally:
        place.sql(f"DROP DATABASE {other}")


def test_what_others_made_on_a_table_stays(place: MysqlPlace) -> None:
    place.checkout()
    place.sql(
        "CREATE INDEX mine ON users (age)",
        "ALTER TABLE users ADD extra varchar(9) DEFAULT 'x'",
        "CREATE TABLE logged (id bigint)",
        "CREATE TRIGGER seen AFTER INSERT ON users FOR EACH ROW INSERT INTO logged VALUES (NEW.id)",
    )
    place.checkout(3, "2.0.0")
    assert len(place.sql("SHOW INDEX FROM users WHERE Key_name = 'mine'")) == 1
    assert place.sql("SELECT DISTINCT extra FROM users") == [("x",)]
    assert place.ids() == [1, 2, 3]
    assert place.sql("SELECT count(*) FROM logged") == [(3,)]


def test_other_tables_survive_in_an_owned_database(place: MysqlPlace) -> None:
    place.sql("CREATE TABLE mine (id int)", "INSERT INTO mine VALUES (7)")
    place.owned()
    for rows, version in ((5, "1.0.0"), (3, "2.0.0")):
        assert "replace the rows" in place.checkout(rows, version, dry_run=True).plan[0]
        place.checkout(rows, version)
    assert place.sql("SELECT id FROM mine") == [(7,)]


def test_what_a_test_made_in_an_owned_database_goes(place: MysqlPlace) -> None:
    place.owned().checkout()
    place.sql("CREATE TABLE made (id int)", "CREATE VIEW seen AS SELECT * FROM users")
    assert "by copies" in place.checkout(3, "2.0.0", dry_run=True).plan[0]
    place.checkout(3, "2.0.0")
    assert place.sql("SHOW TABLES") == [("_tdv_state",), ("users",)]


def test_table_that_a_version_lost_goes(place: MysqlPlace) -> None:
    place.checkout_tables(shop())
    place.checkout()
    assert place.sql("SHOW TABLES LIKE 'orders'") == []


# A schema that migrations made.

USERS = (
    "CREATE TABLE users (id bigint AUTO_INCREMENT PRIMARY KEY, email varchar(200) NOT NULL UNIQUE, age smallint,"
    " at datetime(6) NOT NULL, created timestamp NOT NULL DEFAULT now(), twice int AS (age * 2) STORED)"
)
ORDERS = (
    "CREATE TABLE orders (id bigint AUTO_INCREMENT PRIMARY KEY, user_id bigint NOT NULL, parent bigint,"
    " CONSTRAINT of_user FOREIGN KEY (user_id) REFERENCES users (id),"
    " CONSTRAINT of_order FOREIGN KEY (parent) REFERENCES orders (id))"
)


def test_rows_are_loaded_into_the_schema_of_migrations(place: MysqlPlace) -> None:
    place.sql(USERS, ORDERS)
    made = [place.sql(f"SHOW CREATE TABLE {name}") for name in ("users", "orders")]
    for _ in range(2):
        place.checkout_tables(shop())
        place.sql("UPDATE users SET age = 1")
    now = [place.sql(f"SHOW CREATE TABLE {name}") for name in ("users", "orders")]
    assert [re.sub(r" AUTO_INCREMENT=\d+", "", str(item)) for item in now] == [str(item) for item in made]
    assert place.sql("INSERT INTO users (email, at) VALUES ('n', now())", "SELECT max(id) FROM users") == [(4,)]
    assert place.sql("INSERT INTO orders (user_id) VALUES (1)", "SELECT max(id) FROM orders") == [(4,)]


def test_tables_without_transactions_keep_nothing_of_a_load_that_failed(place: MysqlPlace) -> None:
    place.sql(f"{USERS} ENGINE=MyISAM", "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint, parent bigint)")
    failing = "CREATE TRIGGER t BEFORE INSERT ON orders FOR EACH ROW SET NEW.parent = 7"
    for _ in range(2):
        place.sql(failing)
        with pytest.raises(IntegrityError, match="'orders' came back from MySQL with other rows"):
            place.checkout_tables(shop())
        assert place.ids() == []
        assert not any(held.version for held in place.target.held())
        place.sql("DROP TRIGGER t")
        place.checkout_tables(shop())
        assert place.ids() == [1, 2, 3]
        assert [held.version for held in place.target.held()] == ["1.0.0"]


def test_every_difference_of_a_schema_is_named(place: MysqlPlace) -> None:
    place.sql("CREATE TABLE users (id bigint PRIMARY KEY, email int, at datetime(6) NOT NULL, more text NOT NULL)")
    with pytest.raises(Refused) as caught:
        place.checkout()
    for part in ("'email' is int(11), not string", "it lacks 'age'", "it needs values for 'more'"):
        assert part in caught.value.message


@pytest.mark.parametrize("dry_run", [False, True])
def test_differences_of_all_tables_are_named_at_once(place: MysqlPlace, dry_run: bool) -> None:
    place.sql(
        "CREATE TABLE users (id bigint PRIMARY KEY, email int, age smallint, at datetime(6))",
        "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint)",
    )
    with pytest.raises(Refused) as caught:
        place.checkout_tables(shop(), dry_run=dry_run)
    for part in ("table 'users' of the target has another schema: 'email' is int(11)", "table 'orders' of the target"):
        assert part in caught.value.message
    assert caught.value.facts["misfits"] == [("users", "email"), ("orders", "parent")]


@pytest.mark.parametrize(
    ("rule", "said"),
    [("CONSTRAINT not_two CHECK (id <> 2)", "not_two"), ("UNIQUE ages (age)", "twice")],
)
def test_rows_that_break_a_rule_of_the_table_are_refused_without_their_values(
    place: MysqlPlace, rule: str, said: str
) -> None:
    place.sql(f"CREATE TABLE users (id bigint PRIMARY KEY, email text, age smallint, at datetime(6), {rule})")
    with pytest.raises(DataError, match=said) as caught:
        place.checkout(200)
    assert "example" not in caught.value.message
    assert place.ids() == []
    assert place.target.held() == ()


def test_fraction_that_a_column_would_cut_is_noticed(place: MysqlPlace) -> None:
    place.sql("CREATE TABLE users (id bigint PRIMARY KEY, email text, age smallint, at datetime)")
    with pytest.raises((IntegrityError, DataError)):
        place.checkout()
    assert place.ids() == []


def test_trigger_that_changes_rows_is_noticed(place: MysqlPlace) -> None:
    place.sql(
        "CREATE TABLE users (id bigint PRIMARY KEY, email text, age smallint, at datetime(6))",
        "CREATE TRIGGER older BEFORE INSERT ON users FOR EACH ROW SET NEW.age = 99",
    )
    with pytest.raises(IntegrityError, match="came back"):
        place.checkout()
    assert place.ids() == []


def test_reference_to_a_table_outside_of_the_load_is_checked(place: MysqlPlace) -> None:
    place.sql(
        "CREATE TABLE ages (age smallint PRIMARY KEY)",
        "INSERT INTO ages VALUES (1), (2), (4)",
        "CREATE TABLE users (id bigint PRIMARY KEY, email text, age smallint, at datetime(6),"
        " FOREIGN KEY (age) REFERENCES ages (age))",
    )
    place.checkout(4)
    with pytest.raises(DataError, match="a reference of 'age' points to nothing"):
        place.checkout(5, "2.0.0")
    assert place.ids() == [1, 2, 3, 4]
    assert [held.version for held in place.target.held()] == ["1.0.0"]


def test_types_of_others_are_understood(place: MysqlPlace) -> None:
    place.sql(
        "CREATE TABLE t (id int unsigned PRIMARY KEY, m enum('sad', 'it''s'), c char(5), n decimal(10,3),"
        " j json, r float, b bigint unsigned, t mediumint, y year, l mediumtext character set latin1, u uuid)",
        "INSERT INTO t VALUES (1, 'sad', 'abc', 1.25, '{\"b\": 1, \"a\":2}', 0.5, 18446744073709551615, -5, 2026,"
        " 'é', 'AAAAAAAA-0000-0000-0000-000000000000')",
    )
    schema = place.target.inspect().table("t")
    kinds = "int64 string string decimal(10,3) json float64 decimal(20,0) int32 int16 string uuid"
    assert [str(column.type) for column in schema.columns] == kinds.split()
    assert schema.column("m").rules.enum == ("sad", "it's")
    (rows,) = place.target.read(schema)
    row = rows.to_pylist()[0]
    assert (row["j"], row["l"], row["u"][:8]) == ('{"a":2,"b":1}', "é", "aaaaaaaa")


def test_single_bits_are_truths_and_the_year_zero_stays(place: MysqlPlace) -> None:
    place.sql(
        "CREATE TABLE t (id int PRIMARY KEY, open bit(1), y year NOT NULL, s text)",
        "INSERT INTO t VALUES (1, b'1', 0, '0'), (2, b'0', 2026, 'a,\"b\"'), (3, NULL, 1901, NULL)",
    )
    schema = place.target.inspect().table("t")
    assert [str(column.type) for column in schema.columns] == ["int32", "bool", "int16", "string"]
    (rows,) = place.target.read(schema)
    assert rows.column("open").to_pylist() == [True, False, None]
    place.sql("DELETE FROM t")
    place.checkout_tables({schema: rows})
    assert place.sql("SELECT id, open + 0, y, s FROM t ORDER BY id") == [
        (1, 1, 0, "0"),
        (2, 0, 2026, 'a,"b"'),
        (3, None, 1901, None),
    ]


def test_sets_are_texts(place: MysqlPlace) -> None:
    place.sql(
        "CREATE TABLE t (id int PRIMARY KEY, s set('fall risk', 'x') character set latin1, u set('é'))",
        "INSERT INTO t VALUES (1, 'x,fall risk', 'é'), (2, '', NULL)",
    )
    schema = place.target.inspect().table("t")
    assert [str(column.type) for column in schema.columns] == ["int32", "string", "string"]
    (rows,) = place.target.read(schema)
    assert [tuple(row.values()) for row in rows.to_pylist()] == [(1, "fall risk,x", "é"), (2, "", None)]
    place.sql("DELETE FROM t")
    place.checkout_tables({schema: rows})
    assert place.sql("SELECT * FROM t ORDER BY id") == [(1, "fall risk,x", "é"), (2, "", None)]


def test_type_without_a_match_is_refused_by_name(place: MysqlPlace) -> None:
    place.sql("CREATE TABLE t (id int PRIMARY KEY, g point, b bit(3))")
    with pytest.raises(DataError, match=re.escape("t.g (point), t.b (bit(3))")):
        place.target.inspect()


def test_what_a_spec_cannot_say_is_named(place: MysqlPlace) -> None:
    place.checkout()
    place.sql(
        "CREATE TABLE t (id int PRIMARY KEY, j json, price decimal(8,2) CHECK (price > 0), twice int AS (id * 2),"
        " CONSTRAINT fair CHECK (price < 100))",
        "CREATE TABLE s (id int PRIMARY KEY, CONSTRAINT fair CHECK (id > 7))",
    )
    there = "it is in MySQL's SQL; write it under `checks:`"
    assert place.target.omitted() == (
        f'the CHECK constraint fair of s, CHECK ("id" > 7): {there}',
        "the generated column t.twice",
        f'the CHECK constraint fair of t, CHECK ("price" < 100): {there}',
        f'the CHECK constraint price of t, CHECK ("price" > 0): {there}',
    )


ENVIRONMENT = """
from alembic import context
from sqlalchemy import create_engine, Column, BigInteger, SmallInteger, String, MetaData, Table, text
from sqlalchemy.dialects.mysql import DATETIME
metadata = MetaData()
Table("users", metadata, Column("id", BigInteger, primary_key=True), Column("email", String(200), unique=True),
    Column("age", SmallInteger), Column("at", DATETIME(fsp=6)))
with create_engine(context.config.get_main_option("sqlalchemy.url")).connect() as connection:
    context.configure(connection=connection, target_metadata=metadata)
    with context.begin_transaction():
        context.run_migrations()
    connection.commit()
"""


def test_alembic_proposes_nothing_after_a_checkout(place: MysqlPlace) -> None:
    def alembic(*words: str) -> None:
        command = [sys.executable, "-m", "alembic", "-c", "app/alembic.ini", *words]
        subprocess.run(command, cwd=place.directory, check=True, capture_output=True, env={"PATH": os.environ["PATH"]})

    subprocess.run(
        [sys.executable, "-m", "alembic", "init", "app"], cwd=place.directory, check=True, capture_output=True
    )
    (place.directory / "app" / "env.py").write_text(ENVIRONMENT)
    url = place.url.replace("mysql://", "mysql+pymysql://").replace("%", "%%")
    (place.directory / "app" / "alembic.ini").write_text(
        f"[alembic]\nscript_location = %(here)s\nsqlalchemy.url = {url}\n"
    )
    versions = place.directory / "app" / "versions"
    alembic("revision", "--autogenerate", "-m", "users")
    alembic("upgrade", "head")
    place.checkout()
    first = set(versions.glob("*.py"))
    alembic("revision", "--autogenerate", "-m", "nothing")
    (second,) = set(versions.glob("*.py")) - first
    assert "op." not in second.read_text().split("def upgrade")[1]
    assert place.ids() == [1, 2, 3, 4, 5]
