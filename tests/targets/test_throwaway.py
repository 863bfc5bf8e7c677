from __future__ import annotations

import os
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tdv.checkout import CheckoutOptions, load_of
from tdv.config import TargetSettings
from tdv.errors import IntegrityError, Refused, UsageError
from tdv.targets.protocol import Load
from tdv.targets.registry import open_target
from tdv.targets.throwaway import Name, Throwaways, throwaways_of
from tdv.targets.verification import target_digest
from tdv.testing import NOW, USERS, checkout, snapshot, users, wanted
from tests.targets.builders import target

ENGINES = ("sqlite", "duckdb")


def place(directory: Path, engine: str = "sqlite") -> Throwaways:
    return throwaways_of(target(directory, f"{engine}:///{directory}/app.{engine}"))


def load(directory: Path, rows: int = 5, execution: str = "run1") -> Load:
    found = snapshot(directory, {USERS: users(rows)})
    return load_of([wanted(found)], CheckoutOptions(directory / ".tdv", NOW, execution))


def assert_found_and_dropped(directory: Path, throwaways: Throwaways) -> None:
    """Makes two databases, and looks at what is then found and what is left."""
    made = [throwaways.create(Name(NOW, "run1", part), load(directory)) for part in ("a", "b")]
    found = throwaways.found()
    assert [(item.kind, item.name, item.execution_id, item.used_at) for item in found[:2]] == [
        ("database", item.name, "run1", NOW) for item in made
    ]
    assert [item.kind for item in found[2:]] == ["image"]
    for item in found:
        throwaways.drop(item.name)
        throwaways.drop(item.name)
    assert throwaways.found() == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_every_throwaway_is_a_database_of_its_own(tmp_path: Path, engine: str) -> None:
    throwaways = place(tmp_path, engine)
    first, second = (throwaways.create(Name(NOW, "run1", part), load(tmp_path)) for part in "ab")
    with closing(throwaways.connect(first)) as connection:
        connection.execute("DELETE FROM users")
        connection.commit()
    with closing(throwaways.connect(second)) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (5,)
    digest = snapshot(tmp_path, {USERS: users(5)}).manifest
    assert target_digest(open_target(second.settings, tmp_path / ".tdv"), digest.schema) == digest.content
    assert not (tmp_path / f"app.{engine}").exists()


@pytest.mark.parametrize("engine", ENGINES)
def test_throwaways_and_images_are_found_and_dropped(tmp_path: Path, engine: str) -> None:
    throwaways = place(tmp_path, engine)
    assert_found_and_dropped(tmp_path, throwaways)
    assert [
        path for path in (tmp_path / ".tdv").rglob("*") if path.suffix not in (".lock", "") and path.is_file()
    ] == []


def test_only_what_tdv_named_is_found_or_dropped(tmp_path: Path) -> None:
    throwaways = place(tmp_path)
    throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    strange = tmp_path / ".tdv/throwaway/mine.sqlite"
    strange.write_bytes(b"mine")
    other = tmp_path / ".tdv/throwaway/tdv_20269999t999999_run1_a.sqlite"
    other.write_bytes(b"mine")
    assert len(throwaways.found()) == 2
    for name in ("mine", "../../app", "tdv_20269999t999999_run1_a", "mine.sqlite"):
        throwaways.drop(name)
    assert strange.exists()
    assert other.exists()


def test_image_that_changed_is_made_anew_for_the_next(tmp_path: Path) -> None:
    throwaways = place(tmp_path)
    throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    (image,) = (tmp_path / ".tdv/images").glob("*.sqlite")
    image.chmod(0o644)
    image.write_bytes(b"rubbish")
    second = throwaways.create(Name(NOW, "run1", "b"), load(tmp_path))
    with closing(throwaways.connect(second)) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (5,)


@pytest.mark.parametrize("has_image", [True, False])
def test_name_that_is_taken_is_refused(tmp_path: Path, has_image: bool) -> None:
    throwaways = place(tmp_path)
    first = throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    with pytest.raises(Refused, match="already"):
        throwaways.create(Name(NOW, "run1", "a"), load(tmp_path, 5 if has_image else 3))
    with closing(throwaways.connect(first)) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (5,)


def test_failed_creation_leaves_nothing(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    options = CheckoutOptions(tmp_path / ".tdv", NOW, "run1")
    damaged = load_of([wanted(found)], options)
    part = next(found.locate(part.file) for table in found.manifest.tables for part in table.parts)
    part.chmod(0o644)
    part.write_bytes(b"rubbish")
    throwaways = place(tmp_path)
    with pytest.raises(IntegrityError):
        throwaways.create(Name(NOW, "run1", "a"), damaged)
    assert throwaways.found() == ()


def test_images_say_when_they_were_last_used(tmp_path: Path) -> None:
    throwaways = place(tmp_path)
    throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    (label,) = (tmp_path / ".tdv/images").glob("*.json")
    os.utime(label, (0, 0))
    assert throwaways.found()[-1].used_at == datetime.fromtimestamp(0, UTC)
    throwaways.create(Name(NOW, "run1", "b"), load(tmp_path))
    assert datetime.now(UTC) - throwaways.found()[-1].used_at < timedelta(hours=1)


def test_throwaway_says_what_it_holds(tmp_path: Path) -> None:
    throwaways = place(tmp_path)
    throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    second = throwaways.create(Name(NOW, "run2", "a"), load(tmp_path, execution="run2"))
    (held,) = open_target(second.settings, tmp_path / ".tdv").held()
    assert (held.dataset, held.version, held.execution_id) == ("shop", "1.0.0", "run2")


def test_names_are_read_back_and_nothing_else_is() -> None:
    name = Name(NOW, "4f1c9a7e2b83d605", "gw0x12")
    assert Name.parse(str(name)) == name
    assert len(str(Name(NOW, "f" * 16, "z" * 20))) <= 63
    for text in ("tdv", "tdv_app", "tdv_20261121t110739_x", "TDV_20261121t110739_x_y", "tdv_20261121t110739_x_y;"):
        assert Name.parse(text) is None


def test_files_have_no_throwaways(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no throwaway databases"):
        throwaways_of(open_target(TargetSettings(None, f"file://{tmp_path}/out"), tmp_path / ".tdv"))


def test_checkout_into_the_target_uses_the_same_image(tmp_path: Path) -> None:
    place(tmp_path).create(Name(NOW, "run1", "a"), load(tmp_path))
    found = snapshot(tmp_path, {USERS: users(5)})
    assert checkout(tmp_path, target(tmp_path, f"sqlite:///{tmp_path}/app.sqlite"), found).action == "cloned"


@pytest.mark.parametrize("engine", ENGINES)
def test_what_was_committed_is_noticed_and_what_was_not_is_undone(tmp_path: Path, engine: str) -> None:
    throwaways = place(tmp_path, engine)
    made = throwaways.create(Name(NOW, "run1", "a"), load(tmp_path))
    for end, clean in (("SELECT 1", True), ("COMMIT", False)):
        connection = throwaways.connect(made)
        begun = throwaways.begin(made, lambda: 1 / 0)
        for statement in ("BEGIN", "DELETE FROM users", end):
            connection.execute(statement)
        assert throwaways.undone(made, connection, begun) is clean
    assert throwaways.undone(made, None, throwaways.begin(made, lambda: 1 / 0))
