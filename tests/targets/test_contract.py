"""Every file-based adapter restores the same rows, says so, and takes back what others changed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdv.errors import Refused
from tdv.targets.protocol import Target
from tdv.targets.verification import target_digest
from tests.targets.builders import USERS, checkout, snapshot, table, target, users, wanted
from tests.targets.everything import EDGES, EVERYTHING

URLS = {
    "sqlite": "sqlite:///{}/app.db",
    "duckdb": "duckdb:///{}/app.duckdb",
    "parquet": "file://{}/out?format=parquet",
    "csv": "file://{}/out?format=csv",
    "jsonl": "file://{}/out?format=jsonl",
    "sql": "file://{}/out?format=sql",
}


@pytest.fixture(params=URLS)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Target:
    return target(tmp_path, URLS[request.param].format(tmp_path))


def test_every_type_comes_back(tmp_path: Path, place: Target) -> None:
    found = snapshot(tmp_path, {EVERYTHING: EDGES})
    assert checkout(tmp_path, place, found).action in ("loaded", "cloned")
    assert target_digest(place, found.manifest.schema) == found.manifest.content


def test_second_checkout_has_nothing_to_do(tmp_path: Path, place: Target) -> None:
    found = snapshot(tmp_path, {USERS: users(7)})
    checkout(tmp_path, place, found)
    assert checkout(tmp_path, place, found).action == "unchanged"
    assert [held.version for held in place.held()] == ["1.0.0"]


def test_other_version_replaces_the_first(tmp_path: Path, place: Target) -> None:
    first, second = (snapshot(tmp_path, {USERS: users(count)}) for count in (7, 3))
    checkout(tmp_path, place, first)
    receipt = checkout(tmp_path, place, wanted(second, "2.0.0"))
    assert (receipt.releases[0].version, receipt.releases[0].tables) == ("2.0.0", {"users": 3})
    assert target_digest(place, second.manifest.schema) == second.manifest.content


def test_two_datasets_live_in_one_target(tmp_path: Path, place: Target) -> None:
    movies = table("movies", {"id": "string", "title": "string"})
    rows = EDGES.schema.empty_table()
    assert rows.num_rows == 0
    import pyarrow as pa

    first = snapshot(tmp_path, {USERS: users(7)})
    second = snapshot(tmp_path, {movies: pa.table({"id": ["a", "b"], "title": ["A", "B"]})}, "film")
    checkout(tmp_path, place, first)
    checkout(tmp_path, place, second)
    assert {held.dataset for held in place.held()} == {"shop", "film"}
    for found in (first, second):
        assert target_digest(place, found.manifest.schema) == found.manifest.content
    assert checkout(tmp_path, place, first, second).action == "unchanged"


def test_table_of_two_datasets_is_refused(tmp_path: Path, place: Target) -> None:
    checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(7)}))
    with pytest.raises(Refused, match="belongs to shop"):
        checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(2)}, "film"), replace=True)


def test_dry_run_changes_nothing(tmp_path: Path, place: Target) -> None:
    receipt = checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(7)}), dry_run=True)
    assert receipt.action == "planned"
    assert receipt.plan
    assert not place.held()


def test_names_that_break_out_are_only_names(tmp_path: Path, place: Target) -> None:
    import pyarrow as pa

    evil = table('../"; DROP TABLE users; --', {"id": "int64", 'a"b': "string", "x'); --": "int64?"})
    rows = pa.table({"id": [1, 2], 'a"b': ["'); DROP TABLE users; --", "\\"], "x'); --": [None, 3]})
    found = snapshot(tmp_path, {USERS: users(2), evil: rows})
    before = {path.name for path in tmp_path.parent.iterdir()}
    checkout(tmp_path, place, found)
    assert target_digest(place, found.manifest.schema) == found.manifest.content
    assert {path.name for path in tmp_path.parent.iterdir()} == before


def test_empty_table_is_restored(tmp_path: Path, place: Target) -> None:
    found = snapshot(tmp_path, {USERS: users(0)})
    checkout(tmp_path, place, found)
    assert target_digest(place, found.manifest.schema) == found.manifest.content
