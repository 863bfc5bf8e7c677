"""Throwaway databases on a real Redis server, and the plug-in on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tdv.errors import TargetError
from tdv.targets.registry import open_target
from tdv.targets.throwaway import Name, Throwaways, throwaways_of
from tdv.targets.verification import target_digest
from tdv.testing import NOW, USERS, snapshot, users
from tests.shop import released_shop
from tests.targets.builders import target
from tests.targets.test_throwaway import assert_found_and_dropped, load

pytest.importorskip("redis")

import redis

pytest_plugins = ["pytester"]


@pytest.fixture
def throwaways(tmp_path: Path, empty_redis: str) -> Throwaways:
    return throwaways_of(target(tmp_path, empty_redis))


@pytest.fixture
def client(empty_redis: str) -> Iterator[Any]:
    with closing(redis.Redis.from_url(empty_redis)) as made:
        yield made


def test_every_throwaway_is_a_database_of_its_own(tmp_path: Path, throwaways: Throwaways, client: Any) -> None:
    client.set("mine", "1")
    first, second = (throwaways.create(Name(NOW, "run1", part), load(tmp_path)) for part in "ab")
    assert first.url != second.url
    with closing(throwaways.connect(first)) as connection:
        connection.flushdb()
    with closing(throwaways.connect(second)) as connection:
        assert connection.hget("users:1", "email") == b"user1@example.test"
    digest = snapshot(tmp_path, {USERS: users(5)}).manifest
    assert target_digest(open_target(second.settings, tmp_path / ".tdv"), digest.schema) == digest.content
    assert client.keys() == [b"mine"]


def test_throwaway_that_a_test_flushes_stays_its_own(tmp_path: Path, throwaways: Throwaways, client: Any) -> None:
    first = throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    with closing(throwaways.connect(first)) as connection:
        connection.flushdb()
        second = throwaways.create(Name(NOW, "run1", "b"), load(tmp_path))
        assert first.url != second.url
        connection.set("mine", 1)
        assert {item.name for item in throwaways.found()} > {first.name, second.name}
        throwaways.drop(first.name)
        assert connection.keys() == []
    with closing(throwaways.connect(second)) as connection:
        assert len(connection.keys("users:*")) == 5
    throwaways.drop(second.name)
    assert set(client.info("keyspace")) == {"db1023"}


def test_throwaway_of_a_dead_process_is_not_emptied_where_its_name_is_gone(
    tmp_path: Path, throwaways: Throwaways, empty_redis: str
) -> None:
    made = throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    others = throwaways_of(target(tmp_path, empty_redis))
    with closing(throwaways.connect(made)) as connection:
        connection.flushdb()
        connection.set("perhaps", "mine")
        others.drop(made.name)
        assert connection.keys() == [b"perhaps"]
        assert [item.kind for item in others.found()] == ["image"]
        connection.flushdb()
    # It is free again.
    assert others.create(Name(NOW, "run1", "b"), load(tmp_path)).url == made.url


def test_throwaways_and_images_are_found_and_dropped(tmp_path: Path, throwaways: Throwaways, client: Any) -> None:
    assert_found_and_dropped(tmp_path, throwaways)
    assert client.info("keyspace") == {}


def test_damaged_image_is_made_anew(tmp_path: Path, throwaways: Throwaways, empty_redis: str) -> None:
    throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    with redis.Redis.from_url(empty_redis.removesuffix("/3") + "/1023") as shelf:
        shelf.delete(*shelf.keys("_tdv_image:*:users:1"))
    made = throwaways.create(Name(NOW, "run1", "b"), load(tmp_path))
    with closing(throwaways.connect(made)) as connection:
        assert len(connection.keys("users:*")) == 5


def test_only_a_database_that_nobody_wrote_to_is_as_it_was(tmp_path: Path, throwaways: Throwaways) -> None:
    made = throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    with closing(throwaways.connect(made)) as connection:
        begun = throwaways.begin(made, lambda: connection)
        assert connection.hget("users:1", "age") == b"1"
        assert throwaways.undone(made, connection, begun)
        connection.hset("users:1", "age", 2)
        assert not throwaways.undone(made, connection, begun)


def test_server_without_an_empty_database_says_so(tmp_path: Path, throwaways: Throwaways, client: Any) -> None:
    for database in range(1024):
        client.execute_command("SELECT", database)
        client.set("used", 1)
    with pytest.raises(TargetError, match="all 1024 databases of the server are in use"):
        throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))


def test_plug_in_and_exec_copy_on_the_server(pytester: pytest.Pytester, empty_redis: str, client: Any) -> None:
    shop = released_shop(pytester.path)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(3))
        def test_rows(tdv_database, number):
            connection = tdv_database.connection
            assert connection.hget("users:1", "email") == b"user1@example.test"
            assert len(connection.keys("orders:*")) == 20
            connection.flushdb()
            connection.set("cart", number)
        """
    )
    result = pytester.runpytest_subprocess("--tdv-target", empty_redis)
    result.assert_outcomes(passed=3)
    outcome = shop.tdv_process("exec", "-t", empty_redis, "--fresh", "--", "sh", "-c", "echo $DATABASE_URL")
    assert outcome.stdout.startswith("redis://")
    assert set(client.info("keyspace")) == {"db1023"}
    assert '"removed": true' in shop.tdv_process("cleanup", "-t", empty_redis, "--older-than", "0m", "--json").stdout
    assert client.info("keyspace") == {}
