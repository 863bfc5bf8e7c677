from __future__ import annotations

import os
import re
import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tdv import documents
from tdv.cleanup import CleanupOptions, age, cleanup
from tdv.errors import TargetError, UsageError
from tdv.targets.throwaway import Leaving
from tdv.testing import NOW
from tests.repository import Repository, run
from tests.shop import released_shop


class Shelf:
    """What is left, in memory."""

    def __init__(self, *leavings: Leaving) -> None:
        self.leavings = {item.name: item for item in leavings}

    def found(self) -> tuple[Leaving, ...]:
        return tuple(self.leavings.values())

    def drop(self, leaving: str) -> None:
        del self.leavings[leaving]


def shelf() -> Shelf:
    hour = timedelta(hours=1)
    return Shelf(
        Leaving("database", "dead", NOW - 3 * hour, "dead"),
        Leaving("database", "young", NOW - hour, "dead"),
        Leaving("database", "alive", NOW - 3 * hour, "alive"),
        Leaving("database", "elsewhere", NOW - 3 * hour, "elsewhere"),
        Leaving("image", "old", NOW - 3 * hour),
        Leaving("image", "new", NOW),
    )


@pytest.mark.parametrize(
    ("options", "gone"),
    [
        ({}, {"dead", "young"}),
        ({"older_than": timedelta(hours=2)}, {"dead", "elsewhere", "old"}),
        ({"execution_id": "elsewhere"}, {"elsewhere"}),
        ({"execution_id": "alive"}, set()),
        ({"execution_id": "dead", "older_than": timedelta(hours=2)}, {"dead", "old"}),
        ({"older_than": timedelta(0)}, {"dead", "young", "elsewhere", "old", "new"}),
    ],
)
def test_what_goes(options: dict[str, object], gone: set[str]) -> None:
    alive = {"dead": False, "alive": True}.get
    for dry_run in (True, False):
        place = shelf()
        done = cleanup("x", place, alive, CleanupOptions(NOW, dry_run=dry_run, **options))  # type: ignore[arg-type]
        assert {item.leaving.name for item in done if not item.kept} == gone
        assert {"dead", "young", "alive", "elsewhere", "old", "new"} - set(place.leavings) == (
            set() if dry_run else gone
        )


def test_what_cannot_be_removed_stays_and_the_others_go() -> None:
    class Guarded(Shelf):
        def drop(self, leaving: str) -> None:
            if leaving == "dead":
                raise TargetError("must be owner of database dead", hint=None)
            super().drop(leaving)

    place = Guarded(*shelf().leavings.values())
    done = cleanup("x", place, lambda _: False, CleanupOptions(NOW, execution_id="dead"))
    assert {item.leaving.name: item.kept for item in done if item.leaving.execution_id == "dead"} == {
        "dead": "it cannot be removed: must be owner of database dead",
        "young": "",
    }
    assert "young" not in place.leavings


def test_age_is_a_duration() -> None:
    assert age("1h30m") == timedelta(minutes=90)
    with pytest.raises(UsageError, match="no duration"):
        age("yesterday")


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    return released_shop(tmp_path / "shop")


def test_command_removes_what_runs_left_and_nothing_else(shop: Repository) -> None:
    shop.tdv("checkout", expect=0)
    shop.tdv("exec", "--keep", "--", "true", expect=0)
    shop.tdv("exec", "--keep", "--target", "duckdb:///x.duckdb", "--fresh", "--", "true", expect=0)
    mine = shop.root / ".tdv/throwaway/mine.sqlite"
    mine.write_text("mine")
    plain = shop.tdv("cleanup", "--dry-run", "--json", expect=0).json()
    documents.validate(documents.plain(plain, "cleanup"), "cleanup")
    assert [item["kind"] for item in plain["items"] if item["removed"]] == ["database", "database"]
    assert len(list((shop.root / ".tdv/throwaway").iterdir())) == 3
    shop.tdv("cleanup", expect=0)
    assert [path.name for path in (shop.root / ".tdv/throwaway").iterdir()] == ["mine.sqlite"]
    assert list((shop.root / ".tdv/runs").iterdir()) == []
    assert shop.tdv("checkout", "--json", expect=0).json()["action"] == "unchanged"


def test_images_go_by_their_last_use(shop: Repository) -> None:
    for ref in ("shop@v1.0.0", "shop@v1.1.0"):
        shop.tdv("exec", ref, "--", "true", expect=0)
    labels = sorted((shop.root / ".tdv/images").glob("*.json"))
    assert len(labels) == 2
    os.utime(labels[0], (0, 0))
    outcome = shop.tdv("cleanup", expect=0)
    assert outcome.stdout == ""
    assert re.search(r"kept: 2 images, [\d.]+ kB; images go with --older-than", outcome.stderr)
    shop.tdv("cleanup", "--older-than", "1h", expect=0)
    assert list((shop.root / ".tdv/images").glob("*.sqlite*.json")) == [labels[1]]
    shop.tdv("exec", "shop@v1.0.0", "--", "true", expect=0)


def test_what_a_killed_run_left_goes_with_the_next_one_and_all_traces_of_it(shop: Repository) -> None:
    killed = "from os import getppid, kill; kill(getppid(), 9)"
    process = run(sys.executable, "-m", "tdv", "exec", "--", sys.executable, "-c", killed, cwd=shop.root)
    assert process.exit_code == -9
    assert len(list((shop.root / ".tdv/runs").iterdir())) == 2
    shop.tdv("exec", "--", "true", expect=0)
    for directory in ("runs", "throwaway"):
        assert list((shop.root / ".tdv" / directory).iterdir()) == []


def test_run_that_kept_a_database_is_known_until_cleanup_takes_it(shop: Repository) -> None:
    shop.tdv("exec", "--keep", "--", "true", expect=0)
    shop.tdv("exec", "--", "true", expect=0)
    assert "removed" in shop.tdv("cleanup", expect=0).stdout
    assert list((shop.root / ".tdv/runs").iterdir()) == []


def test_database_of_an_unknown_run_goes_when_it_is_named_or_old(shop: Repository) -> None:
    shop.tdv("exec", "--keep", "--", "true", expect=0)
    (run,) = (shop.root / ".tdv/runs").iterdir()
    run.unlink()
    assert "of a run that this work tree knows nothing of" in shop.tdv("cleanup", expect=0).stdout
    assert len(list((shop.root / ".tdv/throwaway").iterdir())) == 1
    shop.tdv("cleanup", "--execution", run.stem, expect=0)
    assert list((shop.root / ".tdv/throwaway").iterdir()) == []


def test_wrong_age_is_refused(shop: Repository) -> None:
    assert shop.tdv("cleanup", "--older-than", "soon").exit_code == 2
