"""JSON's null inside lists and structs: kept where it can be told from NULL, refused by column elsewhere."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from tdv.content.arrow import arrow_schema
from tdv.errors import DataError
from tdv.targets.verification import target_digest
from tdv.testing import checkout, snapshot, table
from tests.targets.builders import target

TAGS = table("tags", {"id": "int64", "some": "list<json>?"}, key=("id",))
FACTS = table("facts", {"id": "int64", "fact": "struct<a: json>?"}, key=("id",))
ROWS = {
    TAGS: pa.table({"id": [1, 2], "some": [["null", None, "1"], None]}, schema=arrow_schema(TAGS)),
    FACTS: pa.table({"id": [1, 2], "fact": [{"a": "null"}, {"a": None}]}, schema=arrow_schema(FACTS)),
}
KEPT = ("duckdb:///{}/app.duckdb", "file://{}/out?format=parquet")
REFUSED = ("sqlite:///{}/app.db", *(f"file://{{}}/out?format={form}" for form in ("csv", "jsonl", "sql")))


@pytest.mark.parametrize("url", KEPT)
def test_null_of_json_comes_back(tmp_path: Path, url: str) -> None:
    place = target(tmp_path, url.format(tmp_path))
    found = snapshot(tmp_path, ROWS)
    checkout(tmp_path, place, found)
    assert target_digest(place, found.manifest.schema) == found.manifest.content


def refused(tmp_path: Path, url: str) -> None:
    for schema, column in ((TAGS, "some"), (FACTS, "fact")):
        found = snapshot(tmp_path / schema.name, {schema: ROWS[schema]})
        with pytest.raises(DataError, match=f"column '{column}': .* cannot hold JSON's null in a list or struct"):
            checkout(tmp_path / schema.name, target(tmp_path, url), found)


@pytest.mark.parametrize("url", REFUSED)
def test_null_of_json_is_refused_where_it_would_come_back_as_null(tmp_path: Path, url: str) -> None:
    refused(tmp_path, url.format(tmp_path))


@pytest.mark.parametrize("fixture", ["empty_postgresql", "empty_mysql", "empty_redis", "empty_mongodb"])
def test_null_of_json_is_refused_by_servers(tmp_path: Path, request: pytest.FixtureRequest, fixture: str) -> None:
    refused(tmp_path, request.getfixturevalue(fixture))
