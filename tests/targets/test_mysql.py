"""MariaDB: the contract on a real server, what a load leaves, and values at the edges."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tdv.content.arrow import arrow_schema
from tdv.errors import DataError, IntegrityError
from tdv.model.schema import Column, Reference, Rules, TableSchema
from tdv.model.types import LogicalType
from tdv.servers.server import Server
from tdv.targets.protocol import Target
from tdv.targets.verification import target_digest
from tdv.testing import EDGES, NOW, USERS, TargetContract, snapshot, table, users
from tests.targets.builders import target
from tests.targets.places import ORDERS, MysqlPlace, shop
from tests.targets.servers import run_mysql

pymysql = pytest.importorskip("pymysql")


class TestContract(TargetContract):
    @pytest.fixture
    def place(self, tmp_path: Path, empty_mysql: str) -> Target:
        return target(tmp_path, empty_mysql)


class TestContractOfOwned(TargetContract):
    @pytest.fixture
    def place(self, tmp_path: Path, absent_mysql: str) -> Target:
        return target(tmp_path, absent_mysql, owns="database")


@pytest.fixture
def place(tmp_path: Path, empty_mysql: str) -> MysqlPlace:
    return MysqlPlace(tmp_path, empty_mysql)


def comes_back(place: MysqlPlace, tables: dict[TableSchema, pa.Table]) -> bool:
    place.checkout_tables(tables)
    manifest = snapshot(place.directory, tables).manifest
    return target_digest(place.target, manifest.schema) == manifest.content


@pytest.fixture
def without_files(mariadb_server: Server) -> Any:
    run_mysql(mariadb_server.url, "SET GLOBAL local_infile = 0")
    yield
    run_mysql(mariadb_server.url, "SET GLOBAL local_infile = 1")


def test_keys_references_indexes_and_counters_are_made(place: MysqlPlace) -> None:
    place.checkout_tables(shop())
    indexes = place.sql(
        "SELECT DISTINCT table_name, index_name, non_unique FROM information_schema.statistics"
        " WHERE table_schema = DATABASE() ORDER BY 1, 2"
    )
    assert {(t, index) for t, index, _ in indexes} == {
        *(("orders", index) for index in ("PRIMARY", "parent", "user_id")),
        *(("users", index) for index in ("PRIMARY", "email")),
    }
    assert {index for _, index, several in indexes if not several} == {"PRIMARY", "email"}
    assert place.sql("INSERT INTO users (email, at) VALUES ('new', now())", "SELECT max(id) FROM users") == [(4,)]
    with pytest.raises(pymysql.err.IntegrityError):
        place.sql("INSERT INTO orders (user_id) VALUES (99)")
    assert set(place.target.inspect().table("orders").references) == set(ORDERS.references)
    assert place.target.inspect().table("users").key == USERS.key


def test_references_in_a_cycle_are_made(place: MysqlPlace) -> None:
    from tdv.model.schema import Reference

    left = table("a", {"id": "int64", "b": "int64"}, references=(Reference(("b",), "b", ("id",)),))
    right = table("b", {"id": "int64", "a": "int64"}, references=(Reference(("a",), "a", ("id",)),))
    rows = {left: pa.table({"id": [1, 2], "b": [2, 1]}), right: pa.table({"id": [1, 2], "a": [2, 1]})}
    for _ in range(2):
        assert comes_back(place, rows)
        place.sql("SET foreign_key_checks = 0", "DELETE FROM a")
    with pytest.raises(pymysql.err.IntegrityError):
        place.sql("INSERT INTO a VALUES (3, 99)")


def test_counter_goes_on_from_the_start_of_an_empty_table(place: MysqlPlace) -> None:
    place.checkout(rows=0)
    assert place.sql("INSERT INTO users (email, at) VALUES ('new', now())", "SELECT id FROM users") == [(1,)]


def test_text_is_unique_by_its_bytes(place: MysqlPlace) -> None:
    names = table("names", {"name": "string", "other": "string"}, key=("name",), uniques=(("other",),))
    texts = ["", " ", "A", "a", "a ", "ß", "ss", "é", "e", "É", "😀"]
    assert comes_back(place, {names: pa.table({"name": texts, "other": texts})})


def test_greatest_length_is_kept_and_read_back(place: MysqlPlace) -> None:
    names = TableSchema(
        "names",
        (Column("id", LogicalType("int32")), Column("name", LogicalType("string"), rules=Rules(max_length=9))),
        key=("id",),
    )
    assert comes_back(place, {names: pa.table({"id": pa.array([1], pa.int32()), "name": ["é" * 9]})})
    assert place.target.inspect().table("names").column("name").rules == Rules(max_length=9)


def test_text_that_is_too_long_for_a_key_is_refused_by_column(place: MysqlPlace) -> None:
    names = table("names", {"name": "string"}, key=("name",))
    assert comes_back(place, {names: pa.table({"name": ["é" * 768]})})
    with pytest.raises(DataError, match=r"'names': a value would be cut \(name\)"):
        place.checkout_tables({names: pa.table({"name": ["é" * 769]})})
    assert place.sql("SELECT length(name) FROM names") == [(1536,)]


@pytest.mark.parametrize(
    "name", ["order", "a.b", 'quo"te', "Großes Tabellchen", "x'; --", "%s", "{0}", "SELECT", "a`b", "back\\slash"]
)
def test_any_name_is_only_a_name(place: MysqlPlace, name: str) -> None:
    schema = table(name, {name: "int64", "and": "string"}, key=(name,))
    rows = pa.table({name: [1, 2], "and": ["a", "b\\"]})
    for _ in range(2):
        place.checkout_tables({schema: rows})
        assert comes_back(place, {schema: rows})


@pytest.mark.parametrize("name", ["x" * 65, "end ", "_tdv_mine", "_TDV_mine"])
def test_name_that_the_server_or_tdv_needs_is_refused(place: MysqlPlace, name: str) -> None:
    schema = table(name, {"id": "int64"})
    with pytest.raises(DataError, match="MySQL cannot hold"):
        place.checkout_tables({schema: pa.table({"id": [1]})})


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize("name", ["x" * 57, "y" * 64, "é" * 64])
def test_table_with_a_long_name_may_have_references(place: MysqlPlace, name: str, owned: bool) -> None:
    if owned:
        place.owned()
    references = tuple(Reference((column,), "users", ("id",)) for column in ("a", "b"))
    schema = table(name, {"id": "int64", "a": "int64?", "b": "int64?"}, references=references)
    rows = pa.table({"id": [1], "a": [1], "b": [2]})
    for count in (3, 2, 3):
        assert comes_back(place, {USERS: users(count), schema: rows})
        assert set(place.target.inspect().table(name).references) == set(references)


def test_references_whose_names_the_server_cuts_are_told_apart(place: MysqlPlace) -> None:
    place.sql(
        "CREATE TABLE p (a int, b int, PRIMARY KEY (a, b))",
        "CREATE TABLE c (w int, x int, y int, z int, FOREIGN KEY (w, x) REFERENCES p (a, b), "
        "FOREIGN KEY (y, z) REFERENCES p (a, b))",
        f"RENAME TABLE c TO {'c' * 64}",
    )
    references = place.target.inspect().table("c" * 64).references
    assert [reference.columns for reference in references] == [("w", "x"), ("y", "z")]


def edge_rows() -> dict[TableSchema, pa.Table]:
    kinds = list(EDGES)
    schema = table("t", {"id": "int64", **{kind: f"{kind}?" for kind in kinds}})
    values = {kind: [EDGES[kind][0], EDGES[kind][1], None] for kind in kinds}
    return {schema: pa.table({"id": [0, 1, 2], **values}, schema=arrow_schema(schema))}


@pytest.mark.usefixtures("without_files")
def test_rows_are_inserted_where_the_server_takes_no_files(place: MysqlPlace) -> None:
    assert comes_back(place, edge_rows())
    many = table("many", {"id": "int64", "text": "string"})
    assert comes_back(place, {many: pa.table({"id": list(range(300)), "text": ["'" * 9000] * 300})})


def test_numbers_and_nested_values_come_back(place: MysqlPlace) -> None:
    columns = {"id": "int64", "f": "float64", "j": "json", "b": "list<binary>?", "n": "list<list<int32>>?"}
    schema = table("t", columns)
    floats = [0.1 + 0.2, 1.7976931348623157e308, 5e-324, 2.0**53 + 2, 1e22, 123456789012345680.0, -0.0, 1 / 3]
    rows = pa.table(
        {
            "id": list(range(8)),
            "f": floats,
            "j": ['{"a":0.1,"b":123456789012345678901234567890}', "null", '"\\""', "[]", "1e+30", '"é\\\\"', "{}", "0"],
            "b": [[b"\0\\x", None, b""], [], None, None, None, None, None, None],
            "n": pa.array([[[1, None], []], [], None, None, None, None, None, None], pa.list_(pa.list_(pa.int32()))),
        }
    )
    assert comes_back(place, {schema: rows})


def test_moments_do_not_depend_on_the_zone_of_the_server(place: MysqlPlace, mariadb_server: Server) -> None:
    schema = table("t", {"id": "int64", "at": "timestamptz"})
    run_mysql(mariadb_server.url, "SET GLOBAL time_zone = '+09:30'")
    try:
        assert comes_back(place, {schema: pa.table({"id": [1], "at": pa.array([NOW], pa.timestamp("us", "UTC"))})})
    finally:
        run_mysql(mariadb_server.url, "SET GLOBAL time_zone = '+00:00'")
    assert str(place.sql("SELECT at FROM t")[0][0]) == "2026-01-02 03:04:05"


@pytest.mark.parametrize(
    ("kind", "value", "what"),
    [("decimal(38,31)", Decimal("0." + "1" * 31), "more than 30"), ("float64", float("nan"), "NaN")],
)
def test_value_that_would_not_come_back_is_refused_by_column(
    place: MysqlPlace, kind: str, value: Any, what: str
) -> None:
    schema = table("t", {"id": "int64", "c": kind})
    with pytest.raises(DataError, match=f"MySQL cannot hold .*{what}"):
        place.checkout_tables({schema: pa.table({"id": [1], "c": [value]})})
    assert place.sql("SHOW TABLES") == []


@pytest.mark.parametrize(
    ("kind", "written"),
    [
        ("time", "CAST('25:00:00' AS time)"),
        ("decimal(5,2)", "1.234"),
        ("decimal(5,2)", "1000"),
        ("int16", "70000"),
        ("bool", "2"),
        ("uuid", "'no uuid'"),
        ("json", "'{'"),
        ("list<int32>", "'[\"x\"]'"),
    ],
)
def test_value_of_no_such_type_is_damage(place: MysqlPlace, kind: str, written: str) -> None:
    place.sql(f"CREATE TABLE t AS SELECT 1 AS id, {written} AS c")
    with pytest.raises(IntegrityError, match="'t'"):
        list(place.target.read(table("t", {"id": "int64", "c": f"{kind}?"})))


def test_row_that_is_too_long_to_be_read_back_is_refused(place: MysqlPlace, mariadb_server: Server) -> None:
    schema = table("t", {"id": "int64", "a": "string", "b": "string"})
    run_mysql(mariadb_server.url, "SET GLOBAL max_allowed_packet = 1048576")
    try:
        with pytest.raises(DataError, match="max_allowed_packet"):
            place.checkout_tables({schema: pa.table({"id": [1], "a": ["a" * 600_000], "b": ["b" * 600_000]})})
    finally:
        run_mysql(mariadb_server.url, "SET GLOBAL max_allowed_packet = 16777216")
    assert place.sql("SHOW TABLES") == []
