from dataclasses import replace
from pathlib import Path

import pytest

from tdv.content.snapshot import Snapshot
from tdv.errors import NotFound
from tdv.model.manifest import ScenarioManifest
from tdv.model.schema import TableSchema
from tdv.show import show_dataset, show_scenario, show_table
from tests.shelf import Shelf
from tests.snapshots import column, snapshot

USERS = TableSchema("users", (column("id", "int64"), column("mail", "string", privacy="email")), key=("id",))


@pytest.fixture
def people(tmp_path: Path) -> Snapshot:
    return snapshot(tmp_path / "s", {USERS: {"id": [1, 2, 3], "mail": ["a@x", "b@x", "c@x"]}})


def test_dataset_of_a_release(tmp_path: Path) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    record = shelf.release(notes="As it ships").record
    view = show_dataset(shelf.open(record).manifest, "1.0.0", shelf.book.release("shop", "1.0.0")).to_plain()
    assert (view["format"], view["version"], view["notes"]) == ("tdv.show/v1", "1.0.0", "As it ships")
    assert view["tables"]["users"]["rows"] == 1
    assert view["tables"]["users"]["key"] == ["id"]


def test_dataset_that_is_no_release(people: Snapshot) -> None:
    assert "released" not in show_dataset(people.manifest, "workspace").to_plain()


def test_first_rows_hide_private_values(people: Snapshot) -> None:
    view = show_table(people, "users", 2)
    assert view.rows == [{"id": 1, "mail": "<private: email>"}, {"id": 2, "mail": "<private: email>"}]
    assert show_table(people, "users", 1, reveal=True).to_plain()["first"] == [{"id": 1, "mail": "a@x"}]
    assert len(show_table(people, "users").rows) == 3
    with pytest.raises(NotFound, match="no table 'user'"):
        show_table(people, "user")


def test_scenario_gives_keys(people: Snapshot) -> None:
    scenario = ScenarioManifest("retry", "Retry", "tdv1:0", {"users": {"ada": (1,)}}, {"users": ((1,), (2,))})
    manifest = replace(people.manifest, scenarios=(scenario,))
    view = show_scenario(manifest, "retry").to_plain()
    assert (view["labels"], view["rows"]) == ({"users": {"ada": [1]}}, {"users": 2})
    with pytest.raises(NotFound, match="retry"):
        show_scenario(manifest, "retri")
