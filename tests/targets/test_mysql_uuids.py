"""MariaDB: uuids in tables that applications made, in each of the ways in which these look for them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tdv.content.arrow import arrow_schema
from tdv.content.snapshot import Snapshot
from tdv.errors import DataError, Refused
from tdv.model.receipt import Receipt
from tdv.model.schema import Reference
from tdv.servers.server import Server
from tdv.targets.verification import target_digest
from tdv.testing import checkout, snapshot, table
from tests.targets.places import MysqlPlace
from tests.targets.servers import run_mysql

pytest.importorskip("pymysql")

ITEMS = table("items", {"id": "uuid", "photo": "binary?"})
PARTS = table("parts", {"id": "int64", "item": "uuid?"}, references=(Reference(("item",), "items", ("id",)),))
IDS = [uuid.UUID(int=number, version=4) for number in (1, 0xABC << 112)]


@pytest.fixture
def place(tmp_path: Path, empty_mysql: str) -> MysqlPlace:
    return MysqlPlace(tmp_path, empty_mysql)


def loaded(place: MysqlPlace) -> tuple[Snapshot, Receipt]:
    items = pa.table({"id": [str(number) for number in IDS], "photo": [b"\x00\xff", None]})
    parts = pa.table({"id": [1, 2, 3], "item": [str(IDS[1]), None, str(IDS[0])]})
    found = snapshot(place.directory, {ITEMS: items.cast(arrow_schema(ITEMS)), PARTS: parts.cast(arrow_schema(PARTS))})
    return found, checkout(place.directory, place.target, found)


KINDS = {
    "CHAR(32)": lambda number: number.hex,
    "CHAR(32) CHARACTER SET utf16": lambda number: number.hex,
    "VARCHAR(36)": str,
    "UUID": str,
    "BINARY(16)": lambda number: number.bytes,
    "VARBINARY(16)": lambda number: number.bytes,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("as_file", [True, False])
def test_uuids_are_written_as_the_table_takes_them(
    place: MysqlPlace, mariadb_server: Server, kind: str, as_file: bool
) -> None:
    run_mysql(mariadb_server.url, f"SET GLOBAL local_infile = {int(as_file)}")
    place.sql(
        f"CREATE TABLE items (id {kind} PRIMARY KEY, photo longblob)",
        f"CREATE TABLE parts (id bigint PRIMARY KEY, item {kind}, FOREIGN KEY (item) REFERENCES items (id))",
    )
    found, _ = loaded(place)
    run_mysql(mariadb_server.url, "SET GLOBAL local_infile = 1")
    assert {number for (number,) in place.sql("SELECT id FROM items")} == set(map(KINDS[kind], IDS))
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content
    place.sql("DELETE FROM parts")
    assert target_digest(place.target, found.manifest.schema) != found.manifest.content
    assert loaded(place)[1].action == "loaded"
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content


@pytest.mark.parametrize("kind", KINDS)
def test_table_that_references_an_application_takes_its_types(place: MysqlPlace, kind: str) -> None:
    items = table("items", {"id": "uuid", "photo": "binary?"})
    parts = table("parts", {"item": "uuid"}, ("item",), references=(Reference(("item",), "items", ("id",)),))
    more = table("more", {"part": "uuid"}, ("part",), references=(Reference(("part",), "parts", ("item",)),))
    place.sql(f"CREATE TABLE items (id {kind} PRIMARY KEY, photo longblob)")
    ids = [str(number) for number in IDS]
    rows = {items: pa.table({"id": ids, "photo": [b"", None]}), parts: pa.table({"item": ids})}
    rows[more] = pa.table({"part": ids[:1]})
    found = snapshot(place.directory, {table: rows[table].cast(arrow_schema(table)) for table in rows})
    for _ in range(2):
        checkout(place.directory, place.target, found)
        assert target_digest(place.target, found.manifest.schema) == found.manifest.content
        place.sql("DELETE FROM more")
    joined = "SELECT COUNT(*) FROM parts JOIN items ON item = items.id"
    assert place.sql(joined) == [(2,)]
    assert place.target.inspect().table("more").references == more.references


def test_column_without_room_for_a_uuid_is_refused(place: MysqlPlace) -> None:
    place.sql("CREATE TABLE items (id char(31) PRIMARY KEY, photo longblob)")
    with pytest.raises(Refused, match=r"'id' is char\(31\), not uuid"):
        loaded(place)


class Bytes(sa.TypeDecorator[uuid.UUID]):
    """As its documentation and many applications have it."""

    impl = sa.BINARY(16)
    cache_ok = True

    def process_bind_param(self, value: uuid.UUID | None, dialect: object) -> bytes | None:
        return value and value.bytes

    def process_result_value(self, value: bytes | None, dialect: object) -> uuid.UUID | None:
        return value and uuid.UUID(bytes=value)


@pytest.mark.parametrize("kind", [sa.Uuid(native_uuid=True), sa.Uuid(native_uuid=False), Bytes()], ids=str)
def test_sqlalchemy_finds_its_uuids(place: MysqlPlace, kind: Any) -> None:
    metadata = sa.MetaData()
    items = sa.Table(
        "items", metadata, sa.Column("id", kind, primary_key=True), sa.Column("photo", sa.LargeBinary(100))
    )
    key = sa.Column("id", sa.BigInteger, primary_key=True, autoincrement=False)
    parts = sa.Table("parts", metadata, key, sa.Column("item", kind, sa.ForeignKey("items.id")))
    engine = sa.create_engine(place.url.replace("mysql://", "mariadb+pymysql://"))
    metadata.create_all(engine)
    found, _ = loaded(place)
    with engine.connect() as connection:
        query = sa.select(items.c.id, parts.c.id).join(parts).where(items.c.id == IDS[1])
        assert connection.execute(query).fetchall() == [(IDS[1], 1)]
    engine.dispose()
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content


DJANGO = """
import json, os, sys, uuid
import pymysql
pymysql.version_info = (2, 2, 8, "final", 0)
pymysql.install_as_MySQLdb()
import django
from django.conf import settings
settings.configure(DATABASES={"default": json.loads(os.environ["DATABASE"])}, USE_TZ=True)
django.setup()
from django.db import connection, models

class Char32(models.UUIDField):  # as Django's notes for MariaDB 10.7 have it, and as it is on MySQL
    def db_type(self, connection):
        return "char(32)"
    def get_db_prep_value(self, value, connection, prepared=False):
        value = super().get_db_prep_value(value, connection, prepared)
        return value.hex if value is not None else None

kind = {"native": models.UUIDField, "digits": Char32}[sys.argv[2]]

class Item(models.Model):
    id = kind(primary_key=True)
    photo = models.BinaryField(null=True)
    class Meta:
        app_label, db_table = "shop", "items"

class Part(models.Model):
    id = models.BigIntegerField(primary_key=True)
    item = models.ForeignKey(Item, models.CASCADE, null=True, db_column="item")
    class Meta:
        app_label, db_table = "shop", "parts"

if sys.argv[1] == "make":
    with connection.schema_editor() as editor:
        editor.create_model(Item)
        editor.create_model(Part)
else:
    item = Item.objects.get(id=uuid.UUID(sys.argv[3]))
    print(item.id, Part.objects.get(item=item).id, [part.id for part in item.part_set.all()])
"""


@pytest.mark.parametrize("kind", ["native", "digits"])
def test_django_finds_its_uuids(place: MysqlPlace, kind: str) -> None:
    pytest.importorskip("django")
    parts = urlsplit(place.url)
    options = dict(parse_qsl(parts.query))
    database = {
        "ENGINE": "django.db.backends.mysql",
        "NAME": parts.path[1:],
        "USER": parts.username,
        "PASSWORD": parts.password,
        "HOST": options.get("unix_socket", parts.hostname),
        "PORT": str(parts.port or ""),
    }
    environ = {"PATH": os.environ["PATH"], "DATABASE": json.dumps(database)}

    def django(*words: str) -> str:
        command = [sys.executable, "-c", DJANGO, *words]
        done = subprocess.run(command, cwd=place.directory, capture_output=True, text=True, env=environ, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    django("make", kind)
    found, _ = loaded(place)
    assert django("look", kind, str(IDS[1])) == f"{IDS[1]} 1 [1]"
    assert target_digest(place.target, found.manifest.schema) == found.manifest.content


def test_uuid_that_the_type_of_the_server_refuses_is_explained(place: MysqlPlace) -> None:
    items = pa.table({"id": ["18072e8c-35bf-992d-79e9-c616612e7696"], "photo": [b""]})
    place.sql("CREATE TABLE items (id UUID PRIMARY KEY, photo BLOB)")
    with pytest.raises(DataError, match="another type") as caught:
        checkout(place.directory, place.target, snapshot(place.directory, {ITEMS: items.cast(arrow_schema(ITEMS))}))
    assert "MariaDB's UUID refuses some" in str(caught.value.hint)
