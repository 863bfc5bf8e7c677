from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.content.names import directory_of
from tdv.content.snapshot import Snapshot, dump_manifest, parse_manifest
from tdv.errors import IntegrityError, NotFound
from tdv.model.schema import TableSchema
from tests.content.values import every_type
from tests.snapshots import column, snapshot

USERS = TableSchema("users", (column("id", "int64"), column("name", "string", nullable=True)), key=("id",))
ODD = TableSchema("../a.b/ü", (column("x.y", "int16"), column("x", "string")))


@pytest.fixture
def shop(tmp_path: Path) -> Snapshot:
    rows = {USERS: {"id": [2, 1], "name": ["Bo", None]}, ODD: {"x.y": [1], "x": ["one"]}}
    return snapshot(tmp_path / "data", rows)


def test_tables_come_back_in_canonical_order(shop: Snapshot) -> None:
    assert shop.tables == ("users", "../a.b/ü")
    assert shop.table("users").to_pylist() == [{"id": 1, "name": None}, {"id": 2, "name": "Bo"}]
    assert shop.table("../a.b/ü").to_pylist() == [{"x.y": 1, "x": "one"}]


def test_columns_can_be_chosen(shop: Snapshot) -> None:
    assert shop.table("users", ["name", "id"]).column_names == ["name", "id"]
    assert shop.table("../a.b/ü", ["x"]).to_pylist() == [{"x": "one"}]
    assert [part.num_rows for part in shop.batches("users", ["id"])] == [2]


def test_unknown_names_are_refused_with_the_nearest(shop: Snapshot) -> None:
    with pytest.raises(NotFound, match="no table 'user'; did you mean 'users'"):
        shop.table("user")
    with pytest.raises(NotFound, match="no column 'nam'; did you mean 'name'"):
        shop.batches("users", ["nam"])


def test_directory_without_a_manifest_is_no_snapshot(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="there is no snapshot in"):
        Snapshot.open(tmp_path / "nowhere")


def test_manifest_survives_its_bytes(shop: Snapshot) -> None:
    data = dump_manifest(shop.manifest)
    assert parse_manifest(data) == shop.manifest
    assert dump_manifest(parse_manifest(data)) == data
    assert (shop.locate("manifest.json")).read_bytes() == data


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[]", b"\xff", b'{"format": "tdv.manifest/v2"}', b'{"format": "tdv.manifest/v1"}', b"[" * 9999],
)
def test_damaged_manifest_is_an_integrity_error(data: bytes) -> None:
    with pytest.raises(IntegrityError, match="manifest"):
        parse_manifest(data)


@pytest.mark.parametrize("file", ["/etc/passwd", "../x.parquet", "users/../../x", "a\\b", "a\0b"])
def test_manifest_names_no_file_outside(shop: Snapshot, file: str) -> None:
    plain = json.loads(dump_manifest(shop.manifest))
    plain["tables"]["users"]["parts"][0]["file"] = file
    with pytest.raises(IntegrityError, match="no place inside a snapshot"):
        parse_manifest(json.dumps(plain).encode())


def test_part_with_other_rows_or_columns_is_an_integrity_error(shop: Snapshot) -> None:
    (users, odd) = shop.manifest.tables
    wrong = replace(shop.manifest, tables=(replace(users, parts=(replace(users.parts[0], rows=3),)), odd))
    with pytest.raises(IntegrityError, match="it holds 2 rows, not 3"):
        Snapshot(wrong, shop.locate).table("users")
    swapped = replace(shop.manifest, tables=(replace(users, parts=odd.parts), odd))
    with pytest.raises(IntegrityError, match=r"\.parquet"):
        Snapshot(swapped, shop.locate).table("users")


def test_rows_are_looked_up_by_any_columns(shop: Snapshot) -> None:
    assert shop.lookup("users", pa.table({"id": [2, 7]})).to_pylist() == [{"id": 2, "name": "Bo"}]
    assert shop.lookup("users", pa.table({"name": ["Bo", None]})).to_pylist() == [{"id": 2, "name": "Bo"}]
    both = pa.table({"name": ["Bo", "Bo"], "id": [1, 2]})
    assert shop.lookup("users", both).to_pylist() == [{"id": 2, "name": "Bo"}]
    assert shop.lookup("users", pa.table({"id": pa.array([], pa.int64())})).num_rows == 0


def test_lookup_reads_only_parts_that_may_hold_the_key(tmp_path: Path) -> None:
    keys = np.arange(400_000)
    wide = snapshot(tmp_path / "data", {USERS: {"id": keys, "name": [str(key) for key in keys]}})
    parts = wide.manifest.table("users").parts
    assert len(parts) > 2
    wide.locate(parts[0].file).unlink()
    assert wide.lookup("users", pa.table({"id": [399_999]})).to_pylist() == [{"id": 399_999, "name": "399999"}]
    with pytest.raises(IntegrityError, match="is missing"):
        wide.lookup("users", pa.table({"id": [0]}))


def test_every_type_comes_back(tmp_path: Path) -> None:
    sample = every_type()
    columns = {name: [row[name] for row in sample.rows] for name in sample.schema.column_names}
    found = snapshot(tmp_path / "data", {sample.schema: columns})
    assert found.table(sample.schema.name).to_pylist() == sample.rows


@given(st.lists(st.text(st.characters(codec="utf-8"), min_size=1), min_size=2, max_size=2, unique=True))
def test_directories_are_safe_and_differ(names: list[str]) -> None:
    one, other = map(directory_of, names)
    assert one != other
    for name in (one, other):
        assert len(name) <= 120
        assert not set(name) & set('/\\:*?"<>|.\0')


def test_directory_of_a_long_name_is_short() -> None:
    assert len(directory_of("漢" * 200)) == 120
    assert directory_of("漢" * 200) != directory_of("漢" * 201)
    assert directory_of("manifest.json") == "manifest%2Ejson"
