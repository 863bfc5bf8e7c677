"""Files of test data as text for `git diff`."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tdv.store.cache import Cache
from tdv.textconv import text_of
from tests.shelf import Shelf

LOCK = "schema: '2.0'\nstages:\n  shop:\n    cmd: tdv build shop\n    outs:\n    - path: datasets/shop/data\n"


def parquet(tmp_path: Path, rows: int) -> bytes:
    path = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": range(rows), "name": ["é\x1b"] * rows}), path)
    return path.read_bytes()


def test_lock_shows_the_tables_of_what_is_in_the_cache(tmp_path: Path) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.build()
    data = (shelf.root / "dvc.lock").read_bytes()
    shown = text_of(data, shelf.cache)
    assert "shop: tdv build shop\n  source datasets/shop/dataset.yaml  " in shown
    assert "    users: 1 rows  tdv1:" in shown
    absent = text_of(data, Cache(tmp_path / "nothing"))
    assert "not in the cache: tdv pull fetches it" in absent
    assert "output datasets/shop/snapshot.yaml" in text_of(data, None)


def test_parquet_shows_rows_and_never_hides_a_difference(tmp_path: Path) -> None:
    shown = text_of(parquet(tmp_path, 2), None)
    assert shown.splitlines() == [
        "id: int64",
        "name: string",
        '{"id": 0, "name": "é\\u001b"}',
        '{"id": 1, "name": "é\\u001b"}',
    ]
    assert text_of(parquet(tmp_path, 6000), None) != text_of(parquet(tmp_path, 6001), None)
    assert "damaged Parquet" in text_of(parquet(tmp_path, 2)[:50], None)


def test_anything_else_is_shown_as_it_is() -> None:
    assert text_of(b"plain: text\n", None) == "plain: text\n"
    assert text_of(b"schema: '2.0'\nstages:\n  - broken\n", None) == "schema: '2.0'\nstages:\n  - broken\n"
    assert text_of(b"\xff\xfe", None).startswith("sha256 ")
    assert text_of(LOCK.replace("'2.0'", "'9.0'").encode(), None).startswith("schema: '9.0'")
