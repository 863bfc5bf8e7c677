"""MariaDB: tables of many rows are filled and read back side by side, and what was sent is what has to come back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import chain, count, repeat
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tdv.content.arrow import arrow_schema
from tdv.errors import DataError, IntegrityError
from tdv.model.schema import Reference, TableSchema
from tdv.targets.protocol import TableContent
from tdv.targets.verification import table_digest, target_digest
from tdv.testing import EDGES, snapshot, table, users
from tests.targets.places import MysqlPlace, shop

pytest.importorskip("pymysql")

from tdv.targets.mysql import building
from tdv.targets.mysql.building import Beside, build, large
from tdv.targets.mysql.bulk import LARGE
from tdv.targets.mysql.codec import comes_as_sent, doubled
from tdv.targets.mysql.ddl import Making, create_table
from tdv.targets.mysql.rows import fill, fingerprint
from tdv.targets.mysql.session import connected, execute, parameters
from tdv.targets.mysql.wire import Connection

SCALARS = [kind for kind in EDGES if comes_as_sent(table("t", {"c": kind}))]
MANY = table("many", {"id": "int64", "few": "int32"}, references=(Reference(("few",), "few", ("id",)),))
CODES = table(
    "codes",
    {"id": "int64", "email": "string", "order": "int64"},
    references=(Reference(("email",), "users", ("email",)), Reference(("order",), "orders", ("id",))),
)
CODE_ROWS = pa.table({"id": [1, 2], "email": users(2)["email"], "order": [3, 3]})
FEW = table("few", {"id": "int32", "name": "string?"})
OTHERS = "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE DB = DATABASE() AND ID <> CONNECTION_ID()"


@pytest.fixture
def place(tmp_path: Path, empty_mysql: str) -> MysqlPlace:
    return MysqlPlace(tmp_path, empty_mysql)


@pytest.fixture
def connection(place: MysqlPlace) -> Iterator[Connection]:
    with connected(parameters(place.url)) as opened:
        yield opened


def making(*tables: TableSchema) -> Making:
    return Making({schema.name: schema.name for schema in tables}, "utf8mb4_nopad_bin")


def made(connection: Connection, *tables: TableSchema) -> None:
    for schema in tables:
        execute(connection, create_table(schema, making(*tables)))


def content(schema: TableSchema, values: Mapping[str, Sequence[Any]]) -> TableContent:
    rows = pa.table(dict(values), schema=arrow_schema(schema))
    _, digest = table_digest(lambda _: iter([rows]), schema)
    return TableContent(schema, rows.num_rows, digest, lambda: iter([rows]))


def beside(place: MysqlPlace, *tables: TableContent) -> Beside:
    how = replace(making(*(item.schema for item in tables)), bare=large(tables))
    return Beside(tables, how, as_file=True, scratch=place.directory / "scratch")


@pytest.mark.parametrize("kind", SCALARS)
def test_scalars_come_as_they_were_sent(connection: Connection, kind: str) -> None:
    schema = table("t", {"c": f"{kind}?", "d": f"{kind}?"}, key=())
    made(connection, schema)
    rows = content(schema, {"c": [EDGES[kind][0], None, *EDGES[kind]], "d": [None, *EDGES[kind], None]})
    assert fill(connection, "t", rows, as_file=True) == fingerprint(connection, "t", schema)


def test_only_texts_with_a_quote_are_written_anew() -> None:
    texts = pa.array(['a"b', "c", None, "d"])
    assert doubled(texts, '"').to_pylist() == ['a""b', "c", None, "d"]
    without = texts.slice(1)
    assert doubled(without, '"') is without


def test_rows_come_in_the_order_of_the_key(connection: Connection) -> None:
    """The index of the reference holds both columns, and is smaller."""
    made(connection, FEW, MANY)
    rows = content(MANY, {"id": range(1000), "few": range(1000, 0, -1)})
    assert fill(connection, "many", rows, as_file=True) == fingerprint(connection, "many", MANY)


@pytest.mark.parametrize("change", ["name = ''", "name = NULL", "name = 'NULL'", "name = 'b'", "id = 9"])
def test_change_of_a_row_is_another_digest(connection: Connection, place: MysqlPlace, change: str) -> None:
    made(connection, FEW)
    rows = content(FEW, {"id": [1, 2], "name": ["a", "b"]})
    sent = fill(connection, "few", rows, as_file=True)
    execute(connection, f"UPDATE few SET {change} WHERE id = 1")
    assert fingerprint(connection, "few", FEW) != sent
    with pytest.raises(IntegrityError):
        beside(place, rows).check(connection, rows, sent)


@contextmanager
def limited(place: MysqlPlace, most: int) -> Iterator[None]:
    """The server gives no more than `most` connections; 0 is any number."""
    with connected(parameters(place.url)) as own:
        execute(own, f"ALTER USER CURRENT_USER() WITH MAX_USER_CONNECTIONS {most and most + 1}")
        try:
            while execute(own, OTHERS) != [(0,)]:
                pass  # The server ends a session, which counts until then, a moment after its client has gone.
            yield
        finally:
            execute(own, "ALTER USER CURRENT_USER() WITH MAX_USER_CONNECTIONS 0")


@pytest.mark.parametrize(("owned", "most"), [(False, 0), (False, 2), (True, 0), (True, 3)])
def test_large_tables_come_back(place: MysqlPlace, owned: bool, most: int) -> None:
    """Also where the server gives no connections for working side by side."""
    if owned:
        place.owned()
    tables = {
        FEW: pa.table({"id": pa.array(range(9), pa.int32()), "name": ["NULL", None, *"abcdefg"]}),
        MANY: pa.table({"id": range(LARGE), "few": pa.array([8] * LARGE, pa.int32())}),
    }
    with limited(place, most):
        place.checkout_tables(tables)
    manifest = snapshot(place.directory, tables).manifest
    assert target_digest(place.target, manifest.schema) == manifest.content
    assert set(place.target.inspect().table("many").references) == set(MANY.references)


def endless(schema: TableSchema) -> TableContent:
    """A table that is never full."""
    rows = (pa.table({"id": [number], "few": [1]}, schema=arrow_schema(schema)) for number in count())
    return TableContent(schema, LARGE, "", lambda: rows)


def after(step: Callable[[], None]) -> TableContent:
    """A table that does something in the middle of its rows, and is not full then."""

    def batches() -> Iterator[pa.Table]:
        step()
        yield from chain.from_iterable(repeat(list(content(FEW, {"id": [1], "name": ["a"]}).batches())))

    return TableContent(FEW, LARGE, "", batches)


def fail() -> None:
    raise DataError("no such value", hint="Look.")


def test_error_of_one_side_ends_the_other(place: MysqlPlace, connection: Connection) -> None:
    with pytest.raises(DataError, match="no such value"):
        build(connection, parameters(place.url), beside(place, endless(MANY), after(fail)))
    execute(connection, "DROP TABLE many, few")


@pytest.mark.parametrize("connections", [0, building.CONNECTIONS])
def test_keys_and_references_that_come_later_are_those_of_small_tables(
    place: MysqlPlace, monkeypatch: pytest.MonkeyPatch, connections: int
) -> None:
    """Also where the server gives no connections for working side by side."""
    monkeypatch.setattr(building, "CONNECTIONS", connections)

    def declared() -> list[str]:
        place.checkout_tables({**shop(), CODES: CODE_ROWS})
        found = [place.sql(f"SHOW CREATE TABLE {name}")[0][1] for name in ("codes", "orders", "users")]
        place.sql("SET foreign_key_checks = 0", "DROP TABLE codes, orders, users", "DROP VIEW _tdv_state")
        return found

    small = declared()
    for least in (1, 3):
        monkeypatch.setattr(building, "LARGE", least)
        assert declared() == small


def test_small_tables_take_one_connection(place: MysqlPlace, connection: Connection) -> None:
    rows = content(FEW, {"id": [1], "name": ["a"]})
    seen: list[Any] = []

    def batches() -> Iterator[pa.Table]:
        seen.extend(place.sql(OTHERS))
        yield from rows.batches()

    build(connection, parameters(place.url), beside(place, replace(rows, batches=batches)))
    assert seen == [(1,)]
