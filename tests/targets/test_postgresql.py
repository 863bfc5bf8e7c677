"""PostgreSQL: the contract on a real server, what a load leaves, and throwaway databases."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tdv.checkout import CheckoutOptions, load_of
from tdv.config.address import complete
from tdv.content.arrow import arrow_schema
from tdv.errors import DataError, IntegrityError
from tdv.model.schema import Column, Rules, TableSchema
from tdv.model.types import LogicalType
from tdv.servers.server import Server
from tdv.targets.protocol import Target
from tdv.targets.throwaway import Name, throwaways_of
from tdv.targets.verification import target_digest
from tdv.testing import EDGES, NOW, USERS, TargetContract, snapshot, table, users, wanted
from tests.targets.builders import target
from tests.targets.places import ORDERS, Place, shop
from tests.targets.servers import name_of

psycopg = pytest.importorskip("psycopg")


class TestContract(TargetContract):
    @pytest.fixture
    def place(self, tmp_path: Path, empty_postgresql: str) -> Target:
        return target(tmp_path, empty_postgresql)


class TestContractOfOwned(TargetContract):
    @pytest.fixture
    def place(self, tmp_path: Path, absent_postgresql: str) -> Target:
        return target(tmp_path, absent_postgresql, owns="database")


@pytest.fixture
def place(tmp_path: Path, empty_postgresql: str) -> Place:
    return Place(tmp_path, empty_postgresql)


def test_keys_references_indexes_and_identities_are_made(place: Place) -> None:
    place.checkout_tables(shop())
    constraints = place.sql(
        "SELECT conrelid::regclass::text, contype::text, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2, 3"
    )
    assert constraints == [
        ("orders", "f", "FOREIGN KEY (parent) REFERENCES orders(id) NOT VALID"),
        ("orders", "f", "FOREIGN KEY (user_id) REFERENCES users(id) NOT VALID"),
        ("orders", "p", "PRIMARY KEY (id)"),
        ("users", "p", "PRIMARY KEY (id)"),
        ("users", "u", "UNIQUE (email)"),
    ]
    indexes = {row[0] for row in place.sql("SELECT indexname FROM pg_indexes WHERE schemaname = 'public'")}
    assert indexes == {"ix_orders_parent", "ix_orders_user_id", "orders_pkey", "users_pkey", "users_email_key"}
    added = place.sql("INSERT INTO users (email, at) VALUES ('new', now()) RETURNING id")
    assert added == [(4,)]
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        place.sql("INSERT INTO orders (user_id) VALUES (99)")


def test_identity_goes_on_from_the_start_of_an_empty_table(place: Place) -> None:
    place.checkout(rows=0)
    assert place.sql("INSERT INTO users (email, at) VALUES ('new', now()) RETURNING id") == [(1,)]


@pytest.mark.parametrize("raw", ["postgresql://", "postgresql:///postgres", "postgresql:///?dbname=&user=postgres"])
def test_completed_url_leads_where_the_driver_goes(
    empty_postgresql: str, monkeypatch: pytest.MonkeyPatch, raw: str
) -> None:
    here = psycopg.conninfo.conninfo_to_dict(empty_postgresql)
    variables = {"PGHOST": here["host"], "PGPORT": here["port"], "PGDATABASE": here["dbname"], "PGUSER": "postgres"}
    whole = complete(raw, variables)
    found = reached(f"{whole}{'&' if '?' in whole else '?'}user=postgres")
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert found == reached(raw)


def test_service_does_not_lead_a_completed_url_astray(
    empty_postgresql: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = reached(empty_postgresql)
    services = tmp_path / "services"
    services.write_text("[live]\nhostaddr=127.0.0.1\ndbname=other\n")
    with monkeypatch.context() as patch:
        patch.setenv("PGSERVICEFILE", str(services))
        patch.setenv("PGSERVICE", "live")
        with pytest.raises(psycopg.OperationalError, match=r"127\.0\.0\.1"):
            reached(empty_postgresql)
        assert reached(complete(empty_postgresql, {"PGSERVICE": "live"})) == found


def reached(url: str) -> tuple[str, int, str]:
    """Host, port and database of the session that the driver opens."""
    with psycopg.connect(url) as connection:
        return connection.info.host, connection.info.port, connection.info.dbname


def test_greatest_length_is_kept_and_read_back(place: Place) -> None:
    names = TableSchema(
        "names",
        (Column("id", LogicalType("int32")), Column("name", LogicalType("string"), rules=Rules(max_length=9))),
        key=("id",),
    )
    place.checkout_tables({names: pa.table({"id": pa.array([1], pa.int32()), "name": ["é" * 9]})})
    assert place.target.inspect().table("names").column("name").rules == Rules(max_length=9)


def test_schema_comes_back_as_it_went(place: Place) -> None:
    place.checkout_tables(shop())
    found = place.target.inspect()
    assert found.table("users") == USERS
    assert set(found.table("orders").references) == set(ORDERS.references)


@pytest.mark.parametrize("name", ["order", "a.b", 'quo"te', "Großes Tabellchen", "x'; --", "%s", "{0}", "SELECT"])
def test_any_name_is_only_a_name(place: Place, name: str) -> None:
    schema = table(name, {name: "int64", "and": "string"}, key=(name,))
    rows = pa.table({name: [1, 2], "and": ["a", "b"]})
    for _ in range(2):
        place.checkout_tables({schema: rows}, replace=True)
    digest = snapshot(place.directory, {schema: rows}).manifest
    assert target_digest(place.target, digest.schema) == digest.content


def test_values_at_the_edges_come_back_beside_null(place: Place) -> None:
    kinds = list(EDGES)
    schema = table("t", {"id": "int64", **{kind: f"{kind}?" for kind in kinds}, "small": "decimal(18,0)?"})
    decimals = ["1", "-1", "999999999999999999", "-999999999999999999", "10000", "100000000", "0", None]
    count = len(decimals)
    values = {kind: [EDGES[kind][number % 3] if number % 3 < 2 else None for number in range(count)] for kind in kinds}
    ids = list(range(count))
    small = pa.array(decimals, pa.string()).cast(pa.decimal128(18, 0))
    rows = pa.table({"id": ids, **values, "small": small}, schema=arrow_schema(schema))
    place.checkout_tables({schema: rows})
    digest = snapshot(place.directory, {schema: rows}).manifest
    assert target_digest(place.target, digest.schema) == digest.content


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("timestamp", "'infinity'::timestamp"),
        ("timestamptz", "'-infinity'::timestamptz"),
        ("date", "'infinity'::date"),
        ("date", "'10000-01-01'::date"),
        ("timestamp", "'0044-03-15 BC'::timestamp"),
        ("time", "'24:00:00'::time"),
        ("decimal(5,2)", "'NaN'::numeric"),
        ("decimal(5,2)", "1.234::numeric"),
        ("decimal(5,2)", "1000::numeric"),
        ("decimal(5,2)", "1e30::numeric"),
        ("int16", "70000::int"),
        ("uuid", "'no uuid'::text"),
        ("list<int32>", "'{{1,2},{3,4}}'::int[]"),
    ],
)
def test_value_of_no_such_type_is_damage(place: Place, kind: str, written: str) -> None:
    place.sql(f"CREATE TABLE t AS SELECT 1::bigint AS id, {written} AS c")
    with pytest.raises(IntegrityError, match="'t'"):
        list(place.target.read(table("t", {"id": "int64", "c": f"{kind}?"})))


def test_name_that_would_be_cut_is_refused(place: Place) -> None:
    schema = table("t", {"id": "int64", "é" * 32: "int64"})
    with pytest.raises(DataError, match="63 bytes"):
        place.checkout_tables({schema: pa.table({"id": [1], "é" * 32: [1]})})


def test_columns_that_every_table_has_are_named(place: Place) -> None:
    schema = table("t", {"id": "int64", "ctid": "int64", "XMIN": "int64", "xmax": "int64"})
    with pytest.raises(DataError, match=r"of its own with the names of t\.ctid, t\.xmax$"):
        place.checkout_tables({schema: pa.table({"id": [1], "ctid": [1], "XMIN": [1], "xmax": [1]})})


@pytest.mark.parametrize(
    ("kind", "value", "what"),
    [
        ("string", "a\0b", "NUL"),
        ("json", '{"a":1e+30}', "1e21"),
        ("list<string>", ["a\0"], "NUL"),
        ("list<json>", ["1", '{"a":1e+30}'], "1e21"),
        ("struct<a: list<json>>", {"a": ["1e+30"]}, "1e21"),
    ],
)
def test_value_that_would_not_come_back_is_refused_by_column(place: Place, kind: str, value: Any, what: str) -> None:
    schema = table("t", {"id": "int64", "c": kind})
    with pytest.raises(DataError, match=f"'t', column 'c': PostgreSQL cannot hold .*{what}"):
        place.checkout_tables({schema: pa.table({"id": [1], "c": [value]})})
    assert place.sql("SELECT to_regclass('t')") == [(None,)]


def test_lists_and_numbers_of_all_kinds_come_back(place: Place) -> None:
    columns = {
        "id": "int64",
        "b": "list<binary>?",
        "d": "list<decimal(20,10)>?",
        "t": "list<timestamptz>?",
        "n": "list<list<int32>>?",
        "j": "json",
        "f": "list<float64>?",
    }
    schema = table("t", columns)
    rows = pa.table(
        {
            "id": [1, 2, 3],
            "b": [[b"\0\\x", None, b""], [], None],
            "d": pa.array([["0.0000000001", None], [], None], pa.list_(pa.string())).cast(
                pa.list_(pa.decimal128(20, 10))
            ),
            "t": pa.array([[NOW, None], [], None], pa.list_(pa.timestamp("us", "UTC"))),
            "n": pa.array([[[1, None], [], None], [], None], pa.list_(pa.list_(pa.int32()))),
            "j": ['{"a":0.1,"b":123456789012345678901234567890}', "null", '"1e+30"'],
            "f": pa.array([[float("nan"), float("-inf"), 5e-324, None], [], None], pa.list_(pa.float64())),
        }
    )
    place.checkout_tables({schema: rows})
    digest = snapshot(place.directory, {schema: rows}).manifest
    assert target_digest(place.target, digest.schema) == digest.content


def test_every_throwaway_is_a_database_of_its_own(place: Place, postgresql_server: Server) -> None:
    throwaways = throwaways_of(place.target)
    found = snapshot(place.directory, {USERS: users(6)})
    load = load_of([wanted(found)], CheckoutOptions(place.directory / ".tdv", NOW, "run1"))
    first, second = (throwaways.create(Name(NOW, "run1", part), load) for part in "ab")
    with throwaways.connect(first) as connection:
        connection.execute("DELETE FROM users")
    with throwaways.connect(second) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (6,)
    open_session = throwaways.connect(second)
    for name in (first.name, first.name, second.name):
        throwaways.drop(name)
    with pytest.raises(psycopg.errors.AdminShutdown):
        open_session.execute("SELECT 1")
    left = [item for item in throwaways.found() if item.kind == "database" and item.execution_id == "run1"]
    assert left == []
    for name in (name_of(place.url), "postgres", "template1"):
        throwaways.drop(name)
    assert place.sql("SELECT 1") == [(1,)]


def test_unused_templates_are_dropped_oldest_first(postgresql_server: Server, tmp_path: Path) -> None:
    from tdv.targets.postgresql.session import maintenance, parameters
    from tdv.targets.postgresql.templates import Templates

    with maintenance(parameters(postgresql_server.url)) as admin:
        templates = Templates(admin)
        load = load_of([wanted(snapshot(tmp_path, {USERS: users(8)}))], CheckoutOptions(tmp_path / ".tdv", NOW, "run1"))
        throwaways = throwaways_of(target(tmp_path, postgresql_server.url))
        made = throwaways.create(Name(NOW, "run1", "a"), replace(load, key="one"))
        other = throwaways.create(Name(NOW, "run1", "b"), replace(load, key="two"))
        (spare, *_) = templates.found()
        dropped = templates.collect(spare[0].name, keep_templates=0)
        assert dropped
        assert [template.name for template, _ in templates.found()] == [spare[0].name]
        for item in (made, other):
            throwaways.drop(item.name)
