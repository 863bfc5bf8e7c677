"""Throwaway databases on a MongoDB server, and the plug-in on them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tdv.targets.registry import open_target
from tdv.targets.throwaway import Name, Throwaways, throwaways_of
from tdv.targets.verification import target_digest
from tdv.testing import NOW, USERS, snapshot, users
from tests.shop import released_shop
from tests.targets.builders import target
from tests.targets.test_throwaway import assert_found_and_dropped, load

pytest.importorskip("pymongo")

from pymongo import MongoClient

pytest_plugins = ["pytester"]


@pytest.fixture
def throwaways(tmp_path: Path, empty_mongodb: str) -> Throwaways:
    return throwaways_of(target(tmp_path, empty_mongodb))


def test_every_throwaway_is_a_database_of_its_own(tmp_path: Path, throwaways: Throwaways, empty_mongodb: str) -> None:
    first, second = (throwaways.create(Name(NOW, "run1", part), load(tmp_path)) for part in "ab")
    with closing(throwaways.connect(first)) as connection:
        connection.get_default_database()["users"].drop()
    with closing(throwaways.connect(second)) as connection:
        assert connection.get_default_database()["users"].count_documents({}) == 5
    digest = snapshot(tmp_path, {USERS: users(5)}).manifest
    assert target_digest(open_target(second.settings, tmp_path / ".tdv"), digest.schema) == digest.content
    assert not target(tmp_path, empty_mongodb).held()
    for made in (first, second):
        throwaways.drop(made.name)


def test_throwaways_and_images_are_found_and_dropped(tmp_path: Path, throwaways: Throwaways) -> None:
    assert_found_and_dropped(tmp_path, throwaways)


def test_user_of_the_target_is_looked_for_where_it_was(tmp_path: Path, throwaways: Throwaways) -> None:
    named = throwaways_of(target(tmp_path, "mongodb://ada:pw@127.0.0.1:1/app?serverSelectionTimeoutMS=50"))
    found = named._named("tdv_x").url
    assert found == "mongodb://ada:pw@127.0.0.1:1/tdv_x?serverSelectionTimeoutMS=50&authSource=app"


def test_plug_in_and_exec_copy_on_the_server(pytester: pytest.Pytester, empty_mongodb: str) -> None:
    shop = released_shop(pytester.path)
    pytester.makepyfile(
        """
        import pytest

        @pytest.mark.parametrize("number", range(2))
        def test_rows(tdv_database, number):
            database = tdv_database.connection.get_default_database()
            assert database["users"].find_one({"id": 1})["email"] == "user1@example.test"
            assert database["orders"].count_documents({}) == 20
            database["orders"].drop()
        """
    )
    result = pytester.runpytest_subprocess("--tdv-target", empty_mongodb)
    result.assert_outcomes(passed=2)
    outcome = shop.tdv_process("exec", "-t", empty_mongodb, "--fresh", "--", "sh", "-c", "echo $DATABASE_URL")
    assert outcome.stdout.startswith("mongodb://")
    with MongoClient[dict[str, object]](empty_mongodb) as client:
        assert not [name for name in client.list_database_names() if Name.parse(name)]
