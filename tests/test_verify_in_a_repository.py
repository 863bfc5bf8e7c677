"""``tdv verify`` as it is called: what was deleted, what a target holds, what cannot be reached."""

from __future__ import annotations

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.released import record, released, with_rows
from tests.repository import Repository


@pytest.fixture
def shop(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return released(tmp_path, tmp_path_factory.getbasetemp())


def change(shop: Repository, statement: str, file: str = "app.db") -> None:
    with closing(sqlite3.connect(shop.root / file)) as database, database:
        database.execute(statement)


def forge(shop: Repository, file: str) -> None:
    """Lets a target say that it holds a digest that no release has."""
    with closing(sqlite3.connect(shop.root / file)) as database, database:
        ((said, digest),) = database.execute(
            "SELECT sql, digest FROM _tdv_state JOIN sqlite_master ON name = '_tdv_state'"
        ).fetchall()
        database.execute("DROP VIEW _tdv_state")
        database.execute(said.replace(digest, "tdv1:00"))


# -- records


def test_deleted_record_is_missed_until_nothing_published_has_it(shop: Repository) -> None:
    shop.git("rm", "--quiet", record("1.1.0"))
    assert "record: the record is gone, HEAD has it" in shop.tdv("verify", expect=13).stdout
    shop.commit("Delete a release")
    assert "record: the record is gone, origin/main has it" in shop.tdv("verify", expect=13).stdout
    shop.git("push", "--quiet", "origin", "main")
    assert "record: the record is gone, the tag shop@v1.1.0 has it" in shop.tdv("verify", expect=13).stdout


def test_release_that_somebody_else_made_meanwhile_is_not_missed(shop: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "origin.git").clone(tmp_path / "other")
    with_rows(other, 5).tdv("release", "shop", expect=0)
    other.git("push", "--quiet", "origin", "main")
    shop.git("fetch", "--quiet", "origin")
    shop.tdv("verify", expect=0)


def test_release_of_another_line_is_not_missed(shop: Repository) -> None:
    shop.git("switch", "--quiet", "--create", "hotfix", "shop@v1.0.0")
    shop.tdv("verify", expect=0)


def test_without_a_release_there_is_nothing_to_verify(tmp_path: Path) -> None:
    empty = Repository.create(tmp_path / "empty", {"README.md": "x"}).prepared()
    assert "There is no release to verify" in empty.tdv("verify", expect=10).stderr


# -- targets


def test_rows_of_a_scenario_are_all_that_its_target_must_hold(shop: Repository) -> None:
    shop.tdv("checkout", "v1.2.0", "--scenario", "vip", "--target", "app.db", expect=0)
    shop.tdv("verify", "--target", "app.db", expect=0)
    shop.tdv("verify", "shop@v1.2.0", "--target", "app.db", expect=0)
    change(shop, "UPDATE users SET email = 'x'")
    assert "column email" in shop.tdv("verify", "--target", "app.db", expect=13).stdout


def test_scenario_in_the_default_target_breaks_no_promise(shop: Repository) -> None:
    shop.tdv("checkout", "v1.2.0", "--scenario", "vip", expect=0)
    shop.tdv("verify", expect=0)


def test_directory_knows_its_own_format(shop: Repository) -> None:
    shop.tdv("checkout", "v1.2.0", "--target", "out/", "--format", "csv", expect=0)
    shop.tdv("verify", "--target", "out/", expect=0)
    assert shop.tdv("checkout", "v1.2.0", "--target", "out/", "--json", expect=0).json()["action"] == "unchanged"
    (shop.root / "out/users.csv").write_text("id,email\n1,x\n")
    shop.tdv("verify", "--target", "out/", expect=13)


def test_target_that_is_named_must_be_there(shop: Repository) -> None:
    for target in ("nofile.db", "nodir/", "duckdb:///no.duckdb"):
        assert "There is no " in shop.tdv("verify", "--target", target, expect=10).stderr
    shop.tdv("verify", expect=0)


def test_target_that_is_named_must_say_what_it_holds(shop: Repository) -> None:
    shop.tdv("checkout", "v1.2.0", "--target", "app.db", expect=0)
    change(shop, "DROP VIEW _tdv_state")
    assert "does not say that it holds a release" in shop.tdv("verify", "--target", "app.db", expect=13).stderr


def test_hint_about_an_empty_target_holds_no_password(shop: Repository, empty_redis: str) -> None:
    password = empty_redis.split(":")[2].split("@")[0]
    refused = shop.tdv("verify", "--target", empty_redis, expect=13).stderr
    assert "restores one" in refused
    assert password not in refused


def test_digest_of_no_release_is_broken_in_a_named_target_and_noted_in_the_default_one(shop: Repository) -> None:
    for target in ("app.db", ".tdv/local.db"):
        shop.tdv("checkout", "v1.2.0", "--target", target, expect=0)
        forge(shop, target)
    assert "digest tdv1:00, which no release here has" in shop.tdv("verify", "--target", "app.db", expect=13).stdout
    looked = shop.tdv("verify", "--json", expect=0).json()
    assert "local.db was not looked at: it holds shop with the digest tdv1:00" in looked["notes"][0]


def test_named_release_must_be_in_the_named_target(shop: Repository) -> None:
    shop.tdv("checkout", "v1.2.0", "--target", "app.db", expect=0)
    found = shop.tdv("verify", "shop@v1.1.0", "--target", "app.db", expect=13)
    assert "the target holds shop@1.2.0 instead" in found.stdout


def test_built_rows_in_a_target_are_compared_with_what_was_built(shop: Repository) -> None:
    with_rows(shop, 6).tdv("build", expect=0)
    shop.tdv("checkout", "shop@workspace", "--target", "app.db", expect=0)
    assert "shop@workspace  ok" in shop.tdv("verify", "--target", "app.db", expect=0).stdout
    change(shop, "DELETE FROM users WHERE id = 6")
    assert "shop@workspace  broken" in shop.tdv("verify", "--target", "app.db", expect=13).stdout


# -- what cannot be reached


def test_shallow_clone_deepens_for_a_rebuild(shop: Repository, tmp_path: Path) -> None:
    clone = Repository(tmp_path / "origin.git").clone(tmp_path / "clone", "--depth=1")
    clone.tdv("verify", "shop@v1.0.0", "--rebuild", expect=0)


def test_adopted_release_of_another_line_is_rebuilt_from_its_tag(shop: Repository) -> None:
    shop.git("switch", "--quiet", "--create", "hotfix", "shop@v1.0.0")
    shop.write({"datasets/shop/seeds/users.csv": "id,email\n500,fix@example.test\n"}).commit()
    shop.tdv("release", "shop", "1.0.1", expect=0)
    shop.tdv("tag", expect=0)
    shop.git("switch", "--quiet", "main")
    shop.tdv("adopt", "shop@v1.0.1", expect=0)
    shop.commit("Adopt")
    assert "shop@v1.0.1  ok" in shop.tdv("verify", "shop@v1.0.1", "--rebuild", expect=0).stdout


def test_shallow_clone_that_cannot_deepen_does_not_know(shop: Repository, tmp_path: Path) -> None:
    clone = Repository(tmp_path / "origin.git").clone(tmp_path / "clone", "--depth=1")
    shutil.rmtree(tmp_path / "origin.git")
    found = clone.tdv("verify", "shop@v1.0.0", "--rebuild", "--json", expect=14).json()
    assert [(promise["promise"], promise["unknown"]) for promise in found["subjects"] if not promise["ok"]] == [
        ("rebuild", True)
    ]


def test_remote_that_is_gone_leaves_promises_unknown(shop: Repository, tmp_path: Path) -> None:
    shutil.rmtree(shop.root / ".dvc/cache")
    shutil.rmtree(tmp_path / "storage")
    shop.write({"datasets/shop/factories.py": "import nothing\n"})
    shop.git("checkout", "--orphan", "new", "--quiet")
    shop.commit("History is gone, too")
    shop.git("remote", "remove", "origin")
    shop.git("tag", "--delete", *shop.git("tag").split())
    found = shop.tdv("verify", "shop@v1.0.0", expect=14)
    assert "shop@v1.0.0  unknown" in found.stdout
