"""Redis: a checkout that is killed leaves the old rows or the new ones, and the next one finishes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tdv.errors import TargetError
from tdv.servers.server import Server, free_port
from tests.targets.crashes import crash_before, mortal
from tests.targets.test_postgresql_killed import die, in_child
from tests.targets.test_redis import Place

pytest.importorskip("redis")

import redis

from tdv.targets import state
from tdv.targets.redis import images, loading, session
from tdv.targets.redis.images import Images
from tdv.targets.redis.session import Session

PLACES: dict[str, tuple[Any, str]] = {
    "before rows": (Session, "pour"),
    "among rows": (session, "other"),
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


@pytest.mark.parametrize("point", [point for point in PLACES if "remembered" not in point])
def test_server_that_crashes_keeps_one_whole_version(
    tmp_path: Path, redis_server: Server, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    port = free_port()
    words = [
        "--port",
        str(port),
        "--dir",
        str(tmp_path),
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "always",
    ]
    with mortal([redis_server.binaries / "redis-server", *words], "Ready to accept") as server:
        place = Place(tmp_path, f"redis://127.0.0.1:{port}/3")
        owned = "image" in point or "copy" in point
        if owned:
            place.owned()
        others = place.client if not owned else redis.Redis(port=port, db=4)
        place.checkout(17)
        others.set("sessions:1", "s")
        crash_before(monkeypatch, PLACES[point], server.kill)
        with pytest.raises(TargetError, match="cannot be reached, or went away"):
            place.checkout(13, "2.0.0")
        server.start()
        assert len(place.client.keys("users:*")) == 17
        place.checkout(13, "2.0.0")
        assert place.holds(13)
        assert len(place.client.keys("users:*")) == 13
        assert others.get("sessions:1") == b"s"
        assert not place.client.keys("_tdv_staged*")
        place.client.close()
        others.close()
