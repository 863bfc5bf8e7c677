"""``tdv push`` and ``tdv pull`` as they are called, with data that is damaged, lost, or on a remote that is gone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.released import record, released, with_rows
from tests.repository import Repository


@pytest.fixture
def shop(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return released(tmp_path, tmp_path_factory.getbasetemp())


def cached(shop: Repository, line: str) -> Path:
    """The cache object of the first file of v1.0.0 whose entry holds `line`."""
    text = next(line for line in shop.read(record("1.0.0")).splitlines() if line.startswith("artifact:"))
    md5 = text.partition("md5: ")[2].partition(",")[0]
    files = shop.root / ".dvc/cache/files/md5"
    entries = json.loads((files / md5[:2] / md5[2:]).read_text())
    found = next(entry["md5"] for entry in entries if line in entry["relpath"])
    return files / found[:2] / found[2:]


def test_hint_for_damaged_data_repairs_it(shop: Repository) -> None:
    for name in (".parquet", "manifest.json"):
        place = cached(shop, name)
        place.chmod(0o644)
        place.write_bytes(place.read_bytes()[:-1] + b"x")
        refused = shop.tdv("checkout", "v1.0.0", "--target", "app.db", expect=13)
        assert "`tdv pull --verify`" in refused.stderr
        assert "fetched 1 object" in shop.tdv("pull", "--verify", expect=0).stdout
        shop.tdv("checkout", "v1.0.0", "--target", "app.db", expect=0)
        (shop.root / "app.db").unlink()
        shutil.rmtree(shop.root / ".tdv/images")


def test_push_of_what_is_lost_fails_after_the_rest_was_sent(shop: Repository, tmp_path: Path) -> None:
    lost = cached(shop, ".parquet")
    lost.unlink()
    (tmp_path / "storage/files/md5" / lost.parent.name / lost.name).unlink()
    with_rows(shop, 6).tdv("build", expect=0)
    pushed = shop.tdv("push", "--json", expect=14).json()
    assert pushed["missing"] == ["shop@v1.0.0"]
    assert pushed["objects"] > 0
    assert "shop@v1.0.0 is neither here nor there" in shop.tdv("push", expect=14).stderr


def test_remote_directory_that_vanished_is_not_made_anew(shop: Repository, tmp_path: Path) -> None:
    shop.tdv("push", expect=0)
    shutil.move(tmp_path / "storage", tmp_path / "elsewhere")
    with_rows(shop, 6)
    for command in (("push",), ("release", "shop"), ("gc", "--remote", "storage"), ("push", "shop@v1.0.0")):
        failed = shop.tdv(*command, expect=14)
        assert "storage is gone" in failed.stderr
        assert not (tmp_path / "storage").exists()
    assert not (shop.root / record("1.3.0")).exists()
    shutil.move(tmp_path / "elsewhere", tmp_path / "storage")
    shop.tdv("release", "shop", expect=0)


def test_remote_directory_that_is_new_is_made(shop: Repository, tmp_path: Path) -> None:
    shop.dvc("remote", "add", "backup", "../backup")
    assert "sent" in shop.tdv("push", "--remote", "backup", expect=0).stdout
    assert (tmp_path / "backup").is_dir()


def test_build_without_a_cache_takes_what_was_built_from_the_remote(shop: Repository, tmp_path: Path) -> None:
    shop.tdv("push", expect=0)
    lock = shop.read("dvc.lock")
    for words, remote in (("restored", tmp_path / "storage"), ("built", tmp_path / "elsewhere")):
        shutil.rmtree(shop.root / ".dvc/cache")
        shutil.rmtree(shop.root / "datasets/shop/data")
        if not remote.exists():
            shutil.move(tmp_path / "storage", remote)
        assert f"shop  {words}" in shop.tdv("build", expect=0).stdout
        assert shop.read("dvc.lock") == lock
