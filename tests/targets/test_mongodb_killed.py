"""MongoDB: a checkout that is killed leaves whole collections, and a state that holds only what is complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.targets.test_mongodb import Place
from tests.targets.test_postgresql_killed import die, in_child

pytest.importorskip("pymongo")

from pymongo.collection import Collection

from tdv.targets.mongodb import catalogue, loading, whole
from tdv.targets.mongodb.images import Images
from tdv.targets.mongodb.loading import Replacing

PLACES: dict[str, tuple[Any, str]] = {
    "before rows": (loading, "fill"),
    "before indexes": (Collection, "create_indexes"),
    "before reading back": (loading, "check"),
    "before the state": (catalogue, "write_state"),
    "before the rename": (Collection, "rename"),
    "before the last state": (Replacing, "_marks"),
    "before the image": (Images, "_made"),
    "before the rest is dropped": (whole, "_drop_others"),
}
OWNED_ONLY = ("before the image", "before the rest is dropped")


@pytest.fixture
def place(tmp_path: Path, empty_mongodb: str) -> Iterator[Place]:
    made = Place(tmp_path, empty_mongodb)
    with closing(made.client):
        yield made


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize("point", PLACES)
def test_killed_checkout_leaves_whole_collections(place: Place, point: str, owned: bool) -> None:
    if owned:
        place.owned()
    place.checkout(17)
    module, name = PLACES[point]
    place.client.close()

    def killed() -> None:
        setattr(module, name, die)
        place.checkout(13, "2.0.0")

    status = in_child(killed)
    assert os.WIFSIGNALED(status) is (owned or point not in OWNED_ONLY)
    place = Place(place.directory, place.url)
    if owned:
        place.owned()
    with closing(place.client):
        assert place.database["users"].count_documents({}) in (17, 13)
        held = {item.tables["users"] for item in place.target.held()}
        assert held <= {place.database["users"].count_documents({})}
        assert place.checkout(13, "2.0.0").action in ("loaded", "cloned")
        assert place.holds(13)
        assert place.collections() == {"users"}
        place.database["cache"].insert_one({"_id": 1})
        place.checkout(13, "2.0.0")
        assert place.collections() == ({"users"} if owned else {"users", "cache"})
