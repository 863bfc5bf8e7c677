"""PostgreSQL: a shared database is brought back by filling the tables that were written to, or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tdv.checkout import CheckoutOptions, load_of
from tdv.servers.server import Server
from tdv.targets.throwaway import Name, Throwaway, Throwaways, throwaways_of
from tdv.testing import NOW, snapshot, wanted
from tests.targets.builders import target
from tests.targets.places import shop
from tests.targets.servers import run_sql

pytest.importorskip("psycopg")

import psycopg

TABLES = (
    "SELECT count(*), sum(hashtext(t::text)) FROM users t",
    "SELECT count(*), sum(hashtext(t::text)) FROM orders t",
)


class Shared:
    """A database that tests share, as the fixture of the plug-in keeps it."""

    def __init__(self, throwaways: Throwaways, throwaway: Throwaway) -> None:
        self.throwaways = throwaways
        self.url = throwaway.url
        self._throwaway = throwaway

    def content(self) -> list[object]:
        return [run_sql(self.url, query) for query in TABLES]

    def is_as_before(self, *statements: str) -> bool:
        """Runs statements in a session of their own, and says whether the database was brought back."""
        connected = cache(lambda: self.throwaways.connect(self._throwaway))
        begun = self.throwaways.begin(self._throwaway, connected)
        run_sql(self.url, *statements)
        return self.throwaways.undone(self._throwaway, connected(), begun)


@pytest.fixture
def shared(tmp_path: Path, postgresql_server: Server) -> Iterator[Shared]:
    throwaways = throwaways_of(target(tmp_path, postgresql_server.url))
    load = load_of([wanted(snapshot(tmp_path, shop()))], CheckoutOptions(tmp_path / ".tdv", NOW, "resets"))
    throwaway = throwaways.create(Name(NOW, "resets", "a"), load)
    yield Shared(throwaways, throwaway)
    throwaways.drop(throwaway.name)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1",
        "DELETE FROM orders",
        "UPDATE users SET email = email || 'x'",
        "DELETE FROM orders; DELETE FROM users",
        "UPDATE orders SET parent = NULL; DELETE FROM orders WHERE id = 1",
        "INSERT INTO users (email, at) VALUES ('new', now()); UPDATE _tdv._tdv_state SET version = '9'",
        "SELECT nextval('users_id_seq')",
        "BEGIN; DELETE FROM orders; ROLLBACK",
    ],
)
def test_written_rows_come_back(shared: Shared, statement: str) -> None:
    before = shared.content()
    state = run_sql(shared.url, "SELECT * FROM _tdv._tdv_state", "SELECT last_value, is_called FROM users_id_seq")
    for _ in range(2):
        assert shared.is_as_before(statement)
        assert shared.content() == before
        again = run_sql(shared.url, "SELECT * FROM _tdv._tdv_state", "SELECT last_value, is_called FROM users_id_seq")
        assert again == state
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        run_sql(shared.url, "INSERT INTO orders (user_id) VALUES (99)")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE more (id int)",
        "ALTER TABLE users ADD COLUMN more int",
        "DROP TABLE orders",
        "TRUNCATE orders",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE MATERIALIZED VIEW seen AS SELECT * FROM users",
        "ALTER SEQUENCE users_id_seq INCREMENT BY 2",
        "GRANT SELECT ON users TO PUBLIC",
        "CREATE INDEX ON users (age)",
    ],
)
def test_anything_else_than_rows_is_not_undone(shared: Shared, statement: str) -> None:
    assert not shared.is_as_before(statement)


def test_nothing_is_undone_while_another_session_is_there(shared: Shared) -> None:
    with psycopg.connect(shared.url, autocommit=True) as other:
        assert not shared.is_as_before("DELETE FROM orders")
        other.execute("SELECT 1")


def test_what_fires_by_itself_does_not_when_rows_come_back(shared: Shared) -> None:
    run_sql(
        shared.url,
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.age = 1; RETURN NEW; END'",
        "CREATE TRIGGER spoil BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION spoil()",
    )
    before = shared.content()
    assert shared.is_as_before("UPDATE users SET age = 99")
    assert shared.content() == before


def test_only_versions_of_rows_that_changed_are_written_again(shared: Shared) -> None:
    place = "SELECT ctid, xmin FROM users WHERE id > 1 ORDER BY id"
    before = run_sql(shared.url, place)
    assert shared.is_as_before(
        "UPDATE users SET age = 99 WHERE id = 1", "INSERT INTO users (email, at) VALUES ('n', now())"
    )
    assert run_sql(shared.url, place) == before
    assert run_sql(shared.url, "SELECT count(*) FROM users WHERE age = 99") == [(0,)]


def test_values_of_all_kinds_come_back(shared: Shared) -> None:
    run_sql(
        shared.url,
        """CREATE TABLE kinds (note text, bytes bytea, at timestamptz, span interval, price numeric, ratio float8,
           doc jsonb, tags text[], "odd name" text, twice int GENERATED ALWAYS AS (2) STORED)""",
        r"""INSERT INTO kinds VALUES
           (E'tab\t line\n return\r back\\slash', '\x00ff09', '294276-12-31 23:59:59+00', '1 mon -3 days', 1.10, 0.1,
            '{"a": "\u0007"}', ARRAY[NULL, '', E'a\n,"b'], NULL),
           ('\N', '', 'infinity', NULL, 'NaN', '-0', NULL, '{}', '')""",
        "CREATE TABLE nothing ()",
        "INSERT INTO nothing DEFAULT VALUES",
        "CREATE TABLE heir (more int) INHERITS (users)",
        "INSERT INTO heir (id, email, at) VALUES (1, 'heir', now())",
    )
    query = "SELECT md5(string_agg(k::text, '' ORDER BY note)) FROM kinds k"
    before = run_sql(shared.url, query), run_sql(shared.url, "SELECT count(*) FROM heir")
    assert shared.is_as_before("UPDATE kinds SET note = note || 'x'", "DELETE FROM users WHERE email = 'heir'")
    assert (run_sql(shared.url, query), run_sql(shared.url, "SELECT count(*) FROM heir")) == before
    assert not shared.is_as_before("INSERT INTO nothing DEFAULT VALUES")
