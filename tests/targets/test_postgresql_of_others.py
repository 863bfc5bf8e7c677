"""PostgreSQL: what is somebody else's, and schemas that migrations made."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tdv.errors import DataError, IntegrityError, Refused
from tests.targets.builders import target
from tests.targets.places import Place, shop

psycopg = pytest.importorskip("psycopg")


@pytest.fixture
def place(tmp_path: Path, empty_postgresql: str) -> Place:
    return Place(tmp_path, empty_postgresql)


def test_rows_of_others_are_refused_and_stay(place: Place) -> None:
    place.sql("CREATE TABLE users (id bigint); INSERT INTO users VALUES (99)")
    with pytest.raises(Refused, match="rows that tdv did not load are in 'users'"):
        place.checkout()
    with pytest.raises(Refused):
        place.owned().checkout()
    assert place.ids() == [99]
    place.checkout(replace=True)
    assert place.ids() == [1, 2, 3, 4, 5]


def test_tables_on_which_others_depend_are_made_anew_only_where_they_must(place: Place) -> None:
    place.checkout()
    place.sql("CREATE VIEW ids AS SELECT id FROM users")
    place.checkout(3, "2.0.0", replace=True)
    assert place.sql("SELECT count(*) FROM ids") == [(3,)]
    place.sql("DROP VIEW ids", "ALTER TABLE users DROP COLUMN at", "CREATE VIEW ids AS SELECT id FROM users")
    with pytest.raises(Refused, match="cannot be made anew: view ids depends on table users") as caught:
        place.checkout(4, "3.0.0", replace=True)
    assert caught.value.hint == "Migrate the target to the schema of this version, or drop what depends on them."


@pytest.mark.parametrize("owned", [False, True])
def test_foreign_table_that_references_is_named_and_stays(place: Place, owned: bool) -> None:
    place.sql("CREATE TABLE other (id int)")
    place.checkout()
    place.sql("CREATE TABLE notes (user_id bigint REFERENCES users ON DELETE CASCADE)", "INSERT INTO notes VALUES (1)")
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


def test_foreign_table_in_another_schema_that_references_is_named(place: Place) -> None:
    place.checkout()
    place.sql(
        "CREATE SCHEMA crm",
        "CREATE TABLE crm.notes (user_id bigint REFERENCES users)",
        "INSERT INTO crm.notes VALUES (1)",
    )
    with pytest.raises(Refused, match=re.escape("'crm.notes'")):
        place.checkout(3, "2.0.0")
    place.target = target(place.directory, place.url, also_empty=("crm.notes",))
    place.checkout(3, "2.0.0")
    assert place.ids() == [1, 2, 3]


def test_what_others_made_on_a_table_stays(place: Place) -> None:
    place.checkout()
    place.sql(
        "CREATE INDEX mine ON users (age)",
        "CREATE VIEW old AS SELECT id FROM users WHERE age > 3",
        "GRANT SELECT ON users TO PUBLIC",
        "ALTER TABLE users ADD extra text DEFAULT 'x'",
    )
    place.checkout(3, "2.0.0")
    assert place.sql("SELECT count(*) FROM pg_indexes WHERE indexname = 'mine'") == [(1,)]
    assert place.sql("SELECT DISTINCT extra FROM users") == [("x",)]
    assert place.ids() == [1, 2, 3]
    assert place.sql("SELECT count(*) FROM old") == [(0,)]


def test_view_of_others_keeps_an_own_table(place: Place) -> None:
    place.checkout()
    place.sql("CREATE VIEW mine AS SELECT id FROM users")
    place.checkout(3, "2.0.0")
    assert place.sql("SELECT count(*) FROM mine") == [(3,)]


def test_other_tables_survive_in_an_owned_database(place: Place) -> None:
    place.sql("CREATE TABLE mine (id int); INSERT INTO mine VALUES (7)")
    place.owned()
    for rows, version in ((5, "1.0.0"), (3, "2.0.0")):
        place.checkout(rows, version)
    assert place.sql("SELECT id FROM mine") == [(7,)]


@pytest.mark.parametrize("owned", [False, True])
def test_extension_of_an_admin_stays(place: Place, owned: bool) -> None:
    if not place.sql("SELECT 1 FROM pg_available_extensions WHERE name = 'pg_trgm'"):
        pytest.skip("the server came without extensions")
    if owned:
        place.owned()
    place.sql("CREATE EXTENSION pg_trgm")
    for rows, version in ((5, "1.0.0"), (3, "2.0.0")):
        place.checkout(rows, version)
    assert place.sql("SELECT similarity('ada', 'ada')") == [(1.0,)]


def test_rights_that_new_tables_get_in_a_database_are_theirs(place: Place) -> None:
    place.sql(
        "DROP ROLE IF EXISTS watcher",
        "CREATE ROLE watcher",
        "ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO watcher",
    )
    place.owned()
    for rows, version in ((5, "1.0.0"), (3, "2.0.0")):
        place.checkout(rows, version)
        assert place.sql("SELECT has_table_privilege('watcher', 'users', 'SELECT')") == [(True,)]
    place.sql("DROP OWNED BY watcher")


def test_table_that_a_version_lost_goes(place: Place) -> None:
    place.checkout_tables(shop())
    place.checkout()
    assert place.sql("SELECT to_regclass('orders')") == [(None,)]


# A schema that migrations made.

ORDERS_OF_MIGRATIONS = (
    "CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,"
    " user_id bigint NOT NULL REFERENCES users (id), parent bigint REFERENCES orders (id))"
)


def test_rows_are_loaded_into_the_schema_of_migrations(place: Place) -> None:
    place.sql(
        "CREATE TABLE users (id bigserial PRIMARY KEY, email varchar(200) NOT NULL UNIQUE, age smallint,"
        " at timestamp NOT NULL, created timestamptz NOT NULL DEFAULT now(),"
        " twice int GENERATED ALWAYS AS (age * 2) STORED)",
        ORDERS_OF_MIGRATIONS,
    )
    query = (
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace ORDER BY 1"
    )
    before = place.sql(query)
    for _ in range(2):
        place.checkout_tables(shop())
        place.sql("UPDATE users SET age = 1")
    assert place.sql(query) == before
    assert place.sql("INSERT INTO users (email, at) VALUES ('n', now()) RETURNING id") == [(4,)]
    assert place.sql("INSERT INTO orders (user_id) VALUES (1) RETURNING id") == [(4,)]


def test_every_difference_of_a_schema_is_named(place: Place) -> None:
    place.sql("CREATE TABLE users (id bigint PRIMARY KEY, email int, at timestamp NOT NULL, more text NOT NULL)")
    with pytest.raises(Refused) as caught:
        place.checkout()
    for part in ("'email' is integer, not string", "it lacks 'age'", "it needs values for 'more'"):
        assert part in caught.value.message


@pytest.mark.parametrize("dry_run", [False, True])
def test_differences_of_all_tables_are_named_at_once(place: Place, dry_run: bool) -> None:
    place.sql(
        "CREATE TABLE users (id bigint PRIMARY KEY, email int, age smallint, at timestamp)",
        "CREATE TABLE orders (id bigint PRIMARY KEY, user_id bigint)",
    )
    with pytest.raises(Refused) as caught:
        place.checkout_tables(shop(), dry_run=dry_run)
    for part in ("table 'users' of the target has another schema: 'email' is integer", "table 'orders' of the target"):
        assert part in caught.value.message
    assert caught.value.facts["misfits"] == [("users", "email"), ("orders", "parent")]


def test_rows_that_break_a_rule_of_the_table_are_refused_without_their_values(place: Place) -> None:
    place.sql(
        "CREATE TABLE users (id bigint PRIMARY KEY, email text, age smallint, at timestamp,"
        " CONSTRAINT not_two CHECK (id <> 2))"
    )
    with pytest.raises(DataError, match="not_two") as caught:
        place.checkout()
    assert "user2@example" not in str(caught.value.message)
    assert place.ids() == []


def test_reference_to_a_table_outside_of_the_load_is_told_with_what_helps(place: Place) -> None:
    place.sql(
        "CREATE TABLE ages (age smallint PRIMARY KEY)",
        "CREATE TABLE users (id bigint PRIMARY KEY, email text, at timestamp,"
        " age smallint CONSTRAINT known REFERENCES ages)",
    )
    with pytest.raises(DataError, match=re.escape("'users': ForeignKeyViolation (rule known)")) as caught:
        place.checkout()
    assert caught.value.hint == "Load the dataset that holds the referenced rows first, or with this one."


def test_trigger_that_changes_rows_is_noticed(place: Place) -> None:
    place.sql(
        "CREATE TABLE users (id bigint PRIMARY KEY, email text, age smallint, at timestamp)",
        "CREATE FUNCTION older() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.age := 99; RETURN NEW; END'",
        "CREATE TRIGGER older BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION older()",
    )
    with pytest.raises(IntegrityError, match="came back"):
        place.checkout()
    assert place.ids() == []


def test_texts_of_one_length_and_domains_are_filled(place: Place) -> None:
    place.sql(
        "CREATE DOMAIN age AS smallint NOT NULL",
        "CREATE TABLE users (id bigint PRIMARY KEY, email char(18), age age, at timestamp)",
    )
    with pytest.raises(Refused, match="'age' takes no NULL"):
        place.checkout()
    assert [c.nullable for c in place.target.inspect().table("users").columns] == [False, True, False, True]
    place.sql("ALTER DOMAIN age DROP NOT NULL")
    place.checkout()
    assert place.holds(5)
    place.sql("ALTER TABLE users ALTER email TYPE char(40)")
    with pytest.raises(IntegrityError, match="'email' has other values"):
        place.checkout(3, "2.0.0")


def test_composite_type_is_refused_by_name(place: Place) -> None:
    place.sql("CREATE TYPE pair AS (a int, b int)", "CREATE TABLE t (id int PRIMARY KEY, p pair, g point)")
    with pytest.raises(DataError, match=re.escape("t.p (pair), t.g (point)")):
        place.target.inspect()


def test_types_of_others_are_understood(place: Place) -> None:
    place.sql(
        "CREATE TYPE mood AS ENUM ('sad', 'happy')",
        "CREATE DOMAIN code AS varchar(5)",
        "CREATE TABLE t (id int PRIMARY KEY, m mood, c code, n numeric, j json, r real, a text[])",
        "INSERT INTO t VALUES (1, 'sad', 'abc', 1.25, '{\"b\": 1, \"a\":2}', 0.5, '{x,NULL}')",
    )
    schema = place.target.inspect().table("t")
    assert [str(column.type) for column in schema.columns] == [
        "int32",
        "string",
        "string",
        "decimal(38,2)",
        "json",
        "float64",
        "list<string>",
    ]
    assert schema.column("m").rules.enum == ("sad", "happy")
    (rows,) = place.target.read(schema)
    assert rows.to_pylist()[0]["j"] == '{"a":2,"b":1}'


def test_what_a_spec_cannot_say_is_named(place: Place) -> None:
    place.sql(
        "CREATE TABLE t (id int PRIMARY KEY, price numeric(8,2) CONSTRAINT fair CHECK (price > 0), low text,"
        " twice int GENERATED ALWAYS AS (id * 2) STORED, s int4range, CONSTRAINT e EXCLUDE USING gist (s WITH &&))",
        "CREATE UNIQUE INDEX one_low ON t (lower(low))",
    )
    there = "it is in PostgreSQL's SQL"
    assert place.target.omitted() == (
        "the generated column t.twice",
        f"the EXCLUDE constraint e of t, EXCLUDE USING gist (s WITH &&): {there}, and a spec has no place for it",
        f"the CHECK constraint fair of t, CHECK (price > 0::numeric): {there}; write it under `checks:`",
        "the unique index one_low of t, which is no constraint; `unique:` takes columns",
    )


def test_what_is_in_other_schemas_is_named(place: Place) -> None:
    place.sql(
        'CREATE SCHEMA ref CREATE TABLE ports (code text PRIMARY KEY) CREATE TABLE "More" (id int)',
        'CREATE TABLE legs (id int PRIMARY KEY, "from" text REFERENCES ref.ports, at date) PARTITION BY RANGE (id)',
        "CREATE TABLE legs_1 PARTITION OF legs DEFAULT",
    )
    assert place.target.omitted() == (
        "the reference of legs.from to ref.ports, which is in another schema",
        "the tables of the schema ref: the URL says which schema is copied, as ?options=-csearch_path%3Dref",
    )


def test_long_check_is_named_in_part(place: Place) -> None:
    place.sql(f"CREATE TABLE t (id int PRIMARY KEY, n int CONSTRAINT few CHECK (n < 9 {'OR n > 9 ' * 30}))")
    (note,) = place.target.omitted()
    assert note.startswith("the CHECK constraint few of t, CHECK (n < 9 OR n > 9 OR n > 9")
    assert note.endswith("…: it is in PostgreSQL's SQL; write it under `checks:`")
