from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tdv.errors import Refused, TargetBusy
from tdv.targets.verification import target_digest
from tests.targets.builders import USERS, checkout, snapshot, target, users


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


def test_new_file_holds_exactly_the_rows(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    receipt = checkout(tmp_path, target(tmp_path, f"sqlite:///{path}"), found)
    assert receipt.action == "loaded"
    assert receipt.releases[0].tables == {"users": 5}
    assert rows(path, "SELECT id, email, age, at FROM users ORDER BY id")[:3] == [
        (1, "user1@example.test", 1, "2020-01-01 01:00:00.000001"),
        (2, "user2@example.test", 2, "2020-01-01 02:00:00"),
        (3, "user3@example.test", None, "2020-01-01 03:00:00.000001"),
    ]
    assert rows(path, "SELECT dataset, version, digest, execution_id FROM _tdv_state") == [
        ("shop", "1.0.0", found.manifest.digest, "execution-1")
    ]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert target_digest(target(tmp_path, f"sqlite:///{path}"), found.manifest.schema) == found.manifest.content


def test_second_checkout_is_unchanged_and_opens_nothing(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    assert checkout(tmp_path, place, found).action == "unchanged"


def test_change_by_a_test_is_taken_back_from_the_image(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    change(path, "UPDATE users SET age = 99 WHERE id = 1")
    assert checkout(tmp_path, place, found).action == "cloned"
    assert rows(path, "SELECT age FROM users WHERE id = 1") == [(1,)]


def test_change_that_is_only_in_the_write_ahead_log_is_seen(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        checkout_before = path.stat()
        connection.execute("UPDATE users SET age = 99")
        connection.commit()
        assert path.stat().st_mtime_ns == checkout_before.st_mtime_ns
        with pytest.raises(TargetBusy):
            checkout(tmp_path, place, found)
        assert connection.execute("SELECT min(age) FROM users").fetchone() == (99,)
    assert checkout(tmp_path, place, found).action == "cloned"
    assert rows(path, "SELECT min(age) FROM users") == [(1,)]
    assert sorted(entry.name for entry in tmp_path.iterdir() if "app.db" in entry.name) == ["app.db"]


def test_foreign_rows_are_refused_and_kept(tmp_path: Path, path: Path) -> None:
    change(
        path,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, age INT, at TEXT)",
        "INSERT INTO users(id) VALUES (7)",
    )
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{path}", owns="database")
    with pytest.raises(Refused, match="'users'"):
        checkout(tmp_path, place, found)
    assert rows(path, "SELECT id FROM users") == [(7,)]
    assert checkout(tmp_path, place, found, replace=True).action == "loaded"
    assert rows(path, "SELECT count(*) FROM users") == [(5,)]
