"""PostgreSQL: the bytes of ``COPY … FORMAT binary`` are those that the server itself writes."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tdv.content.arrow import arrow_schema
from tdv.errors import DataError, IntegrityError
from tdv.model.types import LogicalType
from tdv.servers.server import Server
from tdv.targets.protocol import TableContent
from tdv.testing import EDGES, snapshot, table
from tests.targets.places import Place

pytest.importorskip("psycopg")

import psycopg

from tdv.targets.postgresql import binary, rows

SCALARS = [kind for kind in EDGES if binary.has_binary(table("t", {"c": kind}))]


@pytest.fixture
def place(tmp_path: Path, empty_postgresql: str) -> Place:
    return Place(tmp_path, empty_postgresql)


def spelt(kind: str, values: Sequence[Any]) -> bytes:
    """A table of one column as tdv spells it."""
    schema = table("t", {"c": f"{kind}?"})
    found = pa.table({"c": values}, schema=arrow_schema(schema))
    return binary.HEADER + bytes(binary.encode(found, schema)) + binary.TRAILER


def by_server(server: Server, kind: str, data: bytes) -> bytes:
    """What the server makes of these bytes."""
    from tdv.targets.postgresql.types import declared

    with psycopg.connect(server.url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE t (c {declared(LogicalType.parse(kind))})")
        with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
            copy.write(data)
        with cursor.copy("COPY t TO STDOUT (FORMAT binary)") as copy:
            return b"".join(copy)


@pytest.mark.parametrize("kind", SCALARS)
def test_scalars_have_one_spelling(postgresql_server: Server, kind: str) -> None:
    data = spelt(kind, [EDGES[kind][0], None, *EDGES[kind], None])
    assert by_server(postgresql_server, kind, data) == data


@pytest.mark.parametrize("kind", ["decimal(18,0)", "decimal(15,2)", "decimal(16,3)", "decimal(14,4)", "decimal(9,9)"])
def test_decimals_have_one_spelling(postgresql_server: Server, kind: str) -> None:
    parsed = LogicalType.parse(kind)
    most = 10**parsed.precision - 1
    unscaled = [0, 1, -1, 9, 10, 9999, 10_000, 10_001, -99_990_000, 100_000_000, most, -most]
    values = [Decimal(number).scaleb(-parsed.scale) for number in unscaled if abs(number) <= most]
    for chosen in (values, [None, *values, None], values[:1], [None]):
        data = spelt(kind, chosen)
        assert by_server(postgresql_server, kind, data) == data
    with psycopg.connect(postgresql_server.url) as connection, connection.cursor() as cursor:
        cursor.execute(f"CREATE TEMPORARY TABLE t (c numeric({parsed.precision},{parsed.scale}))")
        with cursor.copy("COPY t FROM STDIN (FORMAT binary)") as copy:
            copy.write(spelt(kind, values))
        assert [row[0] for row in cursor.execute("SELECT c FROM t")] == values


def test_date_that_would_mean_infinity_is_refused() -> None:
    with pytest.raises(DataError, match="'t', column 'c'"):
        spelt("date", pa.array([-(2**31) + 10_957], pa.int32()).cast(pa.date32()))


def test_nul_counts_only_in_the_rows_that_go() -> None:
    schema = table("t", {"c": "string?"})
    behind_null = pa.Array.from_buffers(
        pa.string(), 1, [pa.py_buffer(b"\0"), pa.py_buffer(bytes([0, 0, 0, 0, 1, 0, 0, 0])), pa.py_buffer(b"\0")]
    )
    texts = pa.concat_arrays([pa.array(["a\0"]), behind_null, pa.array(["b"])])
    found = pa.table({"c": texts}, schema=arrow_schema(schema))
    assert bytes(binary.encode(found.slice(1), schema)) == b"\0\1\xff\xff\xff\xff\0\1\0\0\0\1b"
    with pytest.raises(DataError, match="the character NUL"):
        binary.encode(found, schema)


def test_decimals_of_more_digits_go_as_text() -> None:
    assert not binary.has_binary(table("t", {"c": "decimal(19,0)"}))
    assert not binary.has_binary(table("t", {"c": "decimal(18,1)"}))
    assert binary.has_binary(table("t", {"c": "decimal(17,3)"}))


def test_other_bytes_are_decoded_before_they_count_as_other_rows(place: Place) -> None:
    schema = table("t", {"id": "int64"})
    (found,) = snapshot(place.directory, {schema: pa.table({"id": [1, 2]})}).manifest.tables
    content = TableContent(schema, 2, found.digest, lambda: iter(()))
    place.sql("CREATE TABLE t AS SELECT * FROM (VALUES (2::bigint), (1)) v(id)")
    with psycopg.connect(place.url) as connection:
        rows.verify(connection, "t", content, "of other bytes", place.directory / "scratch")
        connection.execute("UPDATE t SET id = 3 WHERE id = 2")
        with pytest.raises(IntegrityError, match="other rows"):
            rows.verify(connection, "t", content, "of other bytes", place.directory / "scratch")
