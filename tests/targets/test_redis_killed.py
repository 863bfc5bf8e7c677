"""Redis: a checkout that is killed leaves the old rows or the new ones, and the next one finishes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.targets.test_postgresql_killed import die, in_child
from tests.targets.test_redis import Place

pytest.importorskip("redis")

from tdv.targets import state
from tdv.targets.redis import images, loading, session
from tdv.targets.redis.images import Images
from tdv.targets.redis.session import Session

PLACES: dict[str, tuple[Any, str]] = {
    "before rows": (Session, "pour"),
    "among rows": (session, "_other"),
    "before the rows come into place": (loading, "_plan"),
    "before the image": (Images, "_made"),
    "before the image is listed": (Images, "_list"),
    "before the image is complete": (images.Image, "label"),
    "before the copy": (Images, "copy"),
    "before it is remembered": (state, "remember"),
}


@pytest.fixture
def place(tmp_path: Path, empty_redis: str) -> Iterator[Place]:
    made = Place(tmp_path, empty_redis)
    with closing(made.client):
        yield made


@pytest.mark.parametrize("owned", [False, True])
@pytest.mark.parametrize("point", PLACES)
def test_killed_checkout_leaves_one_whole_version(place: Place, point: str, owned: bool) -> None:
    if owned:
        place.owned()
    place.checkout(17)
    place.client.hset("users:1", "age", 77)
    module, name = PLACES[point]

    def killed() -> None:
        setattr(module, name, die)
        place.checkout(13, "2.0.0")

    status = in_child(killed)
    never = {False: ("image", "copy"), True: ("come into place",)}[owned]
    assert os.WIFSIGNALED(status) is not any(word in point for word in never)
    place.client.close()
    assert len(place.keys()) in (17, 13)
    assert place.checkout(13, "2.0.0").action != "planned"
    assert place.holds(13)
    assert len(place.keys()) == 13
    assert not place.client.keys("_tdv_staged*")
