from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tdv.content.arrow import arrow_schema
from tdv.content.snapshot import Snapshot
from tdv.errors import DataError, NotFound, StoreError
from tdv.model.manifest import ScenarioManifest
from tdv.model.schema import Reference, TableSchema
from tdv.snapshot import SnapshotOptions, SourceFile, TableRows, Written, write
from tests.content.values import Sample, disguised, samples
from tests.snapshots import column

OPTIONS = SnapshotOptions("shop", seed=1, as_of="2026-01-01T00:00:00Z", toolchain={"tdv": "0.1.0"})
ITEMS = TableSchema(
    "items", (column("id", "int64"), column("price", "decimal(8,2)"), column("note", "string", nullable=True)), ("id",)
)
LARGE = 300_000


def items(rows: int, *, note: str = "n") -> pa.Table:
    ids = np.arange(rows)
    prices = pa.array(ids).cast(pa.decimal128(19, 0)).cast(pa.decimal128(21, 2))
    return pa.table({"id": ids, "price": prices, "note": [note] * rows})


def written(out: Path, *tables: pa.Table, previous: Snapshot | None = None, **options: Any) -> Written:
    return write([TableRows(ITEMS, tables)], replace(OPTIONS, **options), out, previous)


def files(root: Path) -> dict[str, bytes]:
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    table = items(LARGE)
    order = np.random.default_rng(1).permutation(LARGE)
    written(tmp_path / "a", table, workers=1)
    written(tmp_path / "b", *(table.take(order[start : start + 9_999]) for start in range(0, LARGE, 9_999)), workers=3)
    assert files(tmp_path / "a") == files(tmp_path / "b")


@given(samples(), st.integers(0, 2**32))
def test_any_rows_in_any_clothes_give_the_same_snapshot(
    tmp_path_factory: pytest.TempPathFactory, sample: Sample, seed: int
) -> None:
    root = tmp_path_factory.mktemp("snapshots")
    one = write([TableRows(sample.schema, [sample.table()])], OPTIONS, root / "a")
    other = write([TableRows(sample.schema, [disguised(sample.table(), seed)])], OPTIONS, root / "b")
    assert one == other
    assert files(root / "a") == files(root / "b")
    found = Snapshot.open(root / "a").table(sample.schema.name)
    assert found.schema.equals(arrow_schema(sample.schema))
    assert found.num_rows == len(sample.rows)


def test_manifest_says_what_the_files_hold(tmp_path: Path) -> None:
    manifest = written(tmp_path / "data", items(LARGE)).manifest
    (table,) = manifest.tables
    assert len(table.parts) > 2
    assert table.rows == LARGE == sum(part.rows for part in table.parts)
    for part, after in zip(table.parts, table.parts[1:], strict=False):
        assert part.last[0] + 1 == after.first[0]
    for part in table.parts:
        data = (tmp_path / "data" / part.file).read_bytes()
        assert (hashlib.sha256(data).hexdigest(), len(data)) == (part.sha256, part.size)
        assert part.file == f"items/{part.digest[:16]}.parquet"
    names = {str(path.relative_to(tmp_path / "data")) for path in (tmp_path / "data").rglob("*.parquet")}
    assert names == {part.file for part in table.parts}
    assert Snapshot.open(tmp_path / "data").manifest == manifest


def test_no_tables_make_a_snapshot(tmp_path: Path) -> None:
    found = write([], OPTIONS, tmp_path / "data")
    assert Snapshot.open(tmp_path / "data").tables == ()
    assert yaml.safe_load(found.summary)["tables"] == {}


def test_table_without_rows_keeps_its_columns(tmp_path: Path) -> None:
    (table,) = written(tmp_path / "data").manifest.tables
    assert [part.rows for part in table.parts] == [0]
    assert Snapshot.open(tmp_path / "data").table("items").schema.equals(arrow_schema(ITEMS))


def test_equal_parts_have_files_of_their_own(tmp_path: Path) -> None:
    bare = TableSchema("bare", (column("v", "bool"),))
    rows = TableRows(bare, [pa.table({"v": [True] * LARGE})])
    parts = write([rows], OPTIONS, tmp_path / "data").manifest.table("bare").parts
    assert len({part.digest for part in parts[:2]}) == 1
    assert parts[1].file == parts[0].file.replace(".parquet", "-2.parquet")
    assert Snapshot.open(tmp_path / "data").table("bare").num_rows == LARGE


def test_unchanged_parts_are_copied(tmp_path: Path) -> None:
    written(tmp_path / "a", items(LARGE))
    before = Snapshot.open(tmp_path / "a")
    marked = tuple(replace(part, writer="another writer") for part in before.manifest.table("items").parts)
    table = replace(before.manifest.table("items"), parts=marked)
    previous = Snapshot(replace(before.manifest, tables=(table,)), before.locate)
    notes = ["n"] * LARGE
    notes[LARGE // 2] = "changed"
    after = written(tmp_path / "b", items(LARGE).set_column(2, "note", [notes]), previous=previous).manifest
    new = [part for part in after.table("items").parts if part.writer != "another writer"]
    assert len(new) == 1
    assert after.digest != before.manifest.digest
    for part in after.table("items").parts:
        assert hashlib.sha256((tmp_path / "b" / part.file).read_bytes()).hexdigest() == part.sha256


@pytest.mark.parametrize("damage", ["flipped", "missing"])
def test_damaged_part_is_encoded_anew(tmp_path: Path, damage: str) -> None:
    one = written(tmp_path / "a", items(10)).manifest
    place = tmp_path / "a" / one.table("items").parts[0].file
    if damage == "flipped":
        place.write_bytes(place.read_bytes()[:-1] + b"X")
    else:
        place.unlink()
    other = written(tmp_path / "b", items(10), previous=Snapshot(one, lambda file: tmp_path / "a" / file)).manifest
    assert other == one
    assert Snapshot.open(tmp_path / "b").table("items").num_rows == 10


def test_sources_are_kept_by_their_hashes(tmp_path: Path) -> None:
    (tmp_path / "dataset.yaml").write_text("dataset: shop\n")
    (tmp_path / "app.py").write_text("x = 1\n")
    sources = (
        SourceFile("datasets/shop/dataset.yaml", tmp_path / "dataset.yaml", kept=True),
        SourceFile("app.py", tmp_path / "app.py", kept=False),
    )
    manifest = written(tmp_path / "a", sources=sources).manifest
    assert [source.path for source in manifest.sources] == ["app.py", "datasets/shop/dataset.yaml"]
    kept = [path.name for path in (tmp_path / "a" / "sources").iterdir()]
    assert kept == [hashlib.sha256(b"dataset: shop\n").hexdigest()]
    assert manifest.sources_digest == written(tmp_path / "b", sources=sources[::-1]).manifest.sources_digest
    (tmp_path / "app.py").write_text("x = 2\n")
    assert manifest.sources_digest != written(tmp_path / "c", sources=sources).manifest.sources_digest


def test_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"the source app\.py cannot be read"):
        written(tmp_path / "data", sources=(SourceFile("app.py", tmp_path / "app.py", kept=False),))


def test_scenarios_see_the_tables_and_enter_the_digest(tmp_path: Path) -> None:
    def scenarios(snapshot: Snapshot) -> Sequence[ScenarioManifest]:
        rows = snapshot.lookup("items", pa.table({"id": [3]})).num_rows
        return [ScenarioManifest("retry", f"{rows} row", "tdv1:00", {"items": {"a": (3,)}}, {"items": ((3,),)})]

    plain = written(tmp_path / "a", items(5)).manifest
    found = written(tmp_path / "b", items(5), scenarios=scenarios)
    assert found.manifest.scenarios[0].title == "1 row"
    assert found.manifest.content == plain.content
    assert found.manifest.digest != plain.digest
    assert "  retry: tdv1:00\n" in found.summary
    assert Snapshot.open(tmp_path / "b").manifest == found.manifest


def test_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the key id=0 stands twice"):
        written(tmp_path / "data", items(3), items(1))


def test_value_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column 'price', row 1"):
        written(tmp_path / "data", items(3).set_column(1, "price", [pa.array([1.005] * 3).cast(pa.decimal128(9, 3))]))


def test_rows_that_fail_to_come_leave_no_threads_waiting(tmp_path: Path) -> None:
    def batches() -> Any:
        yield items(10)
        raise DataError("the factory failed", hint=None)

    with pytest.raises(DataError, match="the factory failed"):
        write([TableRows(ITEMS, batches())], OPTIONS, tmp_path / "data")


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        written(tmp_path / "file" / "data", items(1))


def test_summary_shows_schema_and_statistics(tmp_path: Path) -> None:
    users = TableSchema(
        "users",
        (
            column("id", "int64"),
            column("email", "string", privacy="email", format="email"),
            column("boss", "int64", nullable=True, minimum=0),
        ),
        ("id",),
        uniques=(("email",),),
        references=(Reference(("boss",), "users", ("id",)),),
        checks=("boss <> id",),
    )
    table = pa.table({"id": [1, 2, 3], "email": ["a@x", "b@x", "c@x"], "boss": [None, 1, 1]})
    found = write(
        [TableRows(users, [table])], replace(OPTIONS, invariants=("SELECT 1 WHERE false",)), tmp_path / "data"
    )
    plain = yaml.safe_load(found.summary)
    assert plain["format"] == "tdv.summary/v1"
    assert plain["digest"] == found.manifest.digest
    assert plain["invariants"] == ["SELECT 1 WHERE false"]
    assert plain["tables"]["users"] == {
        "rows": 3,
        "digest": found.manifest.table("users").digest,
        "key": ["id"],
        "unique": ["(email)"],
        "references": ["(boss) → users(id)"],
        "checks": ["boss <> id"],
        "columns": {
            "id": {"type": "int64", "nulls": 0, "distinct": 3, "min": 1, "max": 3, "mean": 2},
            "email": {"type": "string", "format": "email", "privacy": "email", "nulls": 0, "distinct": 3},
            "boss": {"type": "int64", "nullable": True, "minimum": 0, "nulls": 1, "distinct": 1}
            | {"min": 1, "max": 1, "mean": 1},
        },
    }
    assert "a@x" not in found.summary
    assert "a@x" not in (tmp_path / "data" / "manifest.json").read_text()
