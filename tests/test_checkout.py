from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from tdv.checkout import Wanted
from tdv.content.snapshot import Snapshot
from tdv.durable import locked
from tdv.errors import IntegrityError, NotFound, Refused, TargetError, UsageError
from tdv.model.manifest import ScenarioManifest
from tdv.model.schema import Reference
from tdv.seeds import scenario_manifests
from tdv.seeds.scenarios import Scenario
from tdv.snapshot import SnapshotOptions, TableRows, write
from tdv.targets import state
from tdv.targets.verification import target_digest
from tdv.testing import USERS, checkout, snapshot, table, users, wanted
from tests.targets.builders import target

ORDERS = table("orders", {"id": "int64", "user": "int64"}, references=(Reference(("user",), "users", ("id",)),))
UNCHANGED = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from tdv.checkout import CheckoutOptions, Wanted, restore
from tests.targets.builders import target

home, url, digest = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
options = CheckoutOptions(home / ".tdv", datetime.now(UTC), "x")
receipt = restore([Wanted("shop", "1.0.0", digest, lambda: 1 / 0)], target(home, url), options)
print(receipt.action, *sorted({"pyarrow", "numpy", "duckdb", "sqlite3", "jsonschema", "dvc"}.intersection(sys.modules)))
"""
FULL = """
import resource, signal, sys
from pathlib import Path
from tdv.content.snapshot import Snapshot
from tdv.errors import TargetError
from tdv.testing import checkout
from tests.targets.builders import target

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, 300_000))
home, url, place = Path(sys.argv[1]), sys.argv[2], Path(sys.argv[3])
try:
    checkout(home, target(home, url), Snapshot.open(place))
except TargetError as exc:
    print("target error:", exc.message)
"""


def python(code: str, *arguments: object) -> str:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[1], check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def never(found: Snapshot) -> Wanted:
    """A release whose snapshot must not be opened."""

    def refuse() -> Snapshot:
        raise AssertionError("the snapshot was opened")

    return Wanted(found.manifest.dataset, "1.0.0", found.manifest.digest, refuse)


@pytest.mark.parametrize(
    "url",
    ["sqlite:///{}/app.db", "duckdb:///{}/app.duckdb", "file://{}/out?format=parquet", "file://{}/out?format=csv"],
)
def test_nothing_to_do_opens_no_snapshot_and_imports_nothing_heavy(tmp_path: Path, url: str) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = url.format(tmp_path)
    checkout(tmp_path, target(tmp_path, place), found)
    assert python(UNCHANGED, tmp_path, place, found.manifest.digest) == "unchanged"


def test_second_restore_copies_the_image_and_opens_no_snapshot(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    checkout(tmp_path, target(tmp_path, f"sqlite:///{tmp_path}/a.db"), found)
    place = target(tmp_path, f"sqlite:///{tmp_path}/b.db")
    assert checkout(tmp_path, place, never(found)).action == "cloned"
    assert target_digest(place, found.manifest.schema) == found.manifest.content


def test_receipt_names_releases_rows_and_target(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    receipt = checkout(tmp_path, target(tmp_path, f"sqlite:///{tmp_path}/a.db"), found)
    plain = receipt.to_plain()
    assert plain["releases"] == [
        {"dataset": "shop", "version": "1.0.0", "digest": found.manifest.digest, "tables": {"users": {"rows": 5}}}
    ]
    assert (plain["target"], plain["action"], plain["execution_id"]) == (
        f"sqlite:///{tmp_path}/a.db",
        "loaded",
        "execution-1",
    )


def test_other_name_of_the_same_file_is_the_same_target(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    (tmp_path / "link.db").symlink_to("a.db")
    checkout(tmp_path, target(tmp_path, f"sqlite:///{tmp_path}/a.db"), found)
    assert checkout(tmp_path, target(tmp_path, f"sqlite:///{tmp_path}/link.db"), found).action == "unchanged"
    assert (tmp_path / "link.db").is_symlink()


def test_write_within_the_tick_of_the_clock_is_seen(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{tmp_path}/a.db")
    for _ in range(20):
        checkout(tmp_path, place, found)
        with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
            connection.execute("UPDATE users SET age = 77 WHERE id = 1")
            connection.commit()
        assert checkout(tmp_path, place, found).action == "cloned"


def test_checkouts_of_one_target_at_once_leave_one_of_the_versions(tmp_path: Path) -> None:
    versions = [wanted(snapshot(tmp_path, {USERS: users(count)}), f"{count}.0.0") for count in (3, 4, 5)]
    url = f"sqlite:///{tmp_path}/a.db"
    with ThreadPoolExecutor(6) as pool:
        receipts = list(pool.map(lambda item: checkout(tmp_path, target(tmp_path, url), item), versions * 4))
    assert {receipt.releases[0].version for receipt in receipts} == {"3.0.0", "4.0.0", "5.0.0"}
    (held,) = target(tmp_path, url).held()
    assert held.version == f"{held.tables['users']}.0.0"


def test_target_that_another_checkout_uses_is_waited_for(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(3)})
    place = target(tmp_path, f"sqlite:///{tmp_path}/a.db")
    with locked(state.lock_file(tmp_path / ".tdv", place), "test"), pytest.raises(Refused, match="in use by process"):
        checkout(tmp_path, place, found, wait=0.01)


def test_two_datasets_are_loaded_together_or_not_at_all(tmp_path: Path) -> None:
    first = snapshot(tmp_path, {USERS: users(3)})
    second = snapshot(tmp_path, {table("reals", {"id": "float64"}, key=()): pa.table({"id": [float("nan")]})}, "film")
    place = target(tmp_path, f"sqlite:///{tmp_path}/a.db")
    with pytest.raises(Exception, match="NaN"):
        checkout(tmp_path, place, first, second)
    assert not (tmp_path / "a.db").exists()
    twice = snapshot(tmp_path, {USERS: users(3)}, "film")
    with pytest.raises(Refused, match="in two datasets, film and shop"):
        checkout(tmp_path, place, first, twice)


def test_missing_part_is_an_integrity_error(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(3)})
    found.locate(found.manifest.tables[0].parts[0].file).unlink()
    with pytest.raises(IntegrityError, match="missing"):
        checkout(tmp_path, target(tmp_path, f"sqlite:///{tmp_path}/a.db"), found)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite:///{}/a.db?mode=ro", "sqlite targets have no option 'mode'"),
        ("duckdb:///{}/a.duckdb?access_mode", "duckdb targets have no option 'access_mode'"),
        ("file://{}/out?format=csv&formt=sql", "file targets have no option 'formt'.*; did you mean 'format'"),
    ],
)
def test_option_that_says_nothing_is_refused(tmp_path: Path, url: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        target(tmp_path, url.format(tmp_path))
    assert "out of the URL" in str(caught.value.hint)


def test_options_of_the_application_s_driver_may_stand_in_a_shared_url(tmp_path: Path) -> None:
    shared = target(tmp_path, f"sqlite:///{tmp_path}/a.db?timeout=20&check_same_thread=false")
    checkout(tmp_path, shared, snapshot(tmp_path, {USERS: users(3)}))
    assert [path.name for path in tmp_path.glob("a.db*")] == ["a.db"]


@pytest.mark.parametrize("url", ["sqlite:///{}/a.db", "duckdb:///{}/a.duckdb", "file://{}/out?format=csv"])
def test_full_disk_is_a_target_error_and_the_old_version_stays(tmp_path: Path, url: str) -> None:
    place = target(tmp_path, url.format(tmp_path))
    old = snapshot(tmp_path, {USERS: users(3)})
    checkout(tmp_path, place, old)
    large = table("large", {"id": "int64", "text": "string"})
    rows = pa.table({"id": range(20_000), "text": [f"{i * 2654435761 % 2**64:x}" * 3 for i in range(20_000)]})
    new = snapshot(tmp_path, {USERS: users(4), large: rows})
    (directory,) = {path.parent for path in tmp_path.glob("snapshot-*/manifest.json")} - {
        path.parent for path in tmp_path.glob("snapshot-*/manifest.json") if not (path.parent / "large").exists()
    }
    assert new.manifest.digest == Snapshot.open(directory).manifest.digest
    assert python(FULL, tmp_path, url.format(tmp_path), directory).startswith("target error:")
    assert target_digest(place, old.manifest.schema) == old.manifest.content
    assert checkout(tmp_path, place, wanted(new, "2.0.0")).action == "loaded"


def test_directory_that_nobody_may_write_to_is_a_target_error(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(3)})
    with pytest.raises(TargetError):
        checkout(tmp_path, target(tmp_path, "sqlite:////proc/tdv/a.db"), found)
    with pytest.raises(TargetError):
        checkout(tmp_path, target(tmp_path, "file:///proc/tdv/out?format=csv"), found)


def with_scenarios(directory: Path) -> Snapshot:
    """A snapshot of users and orders; each scenario has one order, which brings its user."""
    orders = pa.table({"id": [10, 20, 30], "user": [2, 2, 4]})

    def scenario(name: str, order: int) -> Scenario:
        rows = {"orders": orders.filter(pc.equal(orders["id"], order))}
        return Scenario(name, name, "qa", (), rows, {"orders": {"it": (order,)}}, (), False, "")

    def scenarios(found: Snapshot) -> tuple[ScenarioManifest, ...]:
        return scenario_manifests([scenario("late", 10), scenario("lost", 20), scenario("paid", 30)], found)

    tables = [TableRows(USERS, [users(5)]), TableRows(ORDERS, [orders])]
    options = SnapshotOptions("shop", 1, "2026-01-01T00:00:00Z", scenarios=scenarios)
    write(tables, options, directory / "snapshot")
    return Snapshot.open(directory / "snapshot")


def keys(path: Path) -> tuple[list[int], list[int]]:
    with closing(sqlite3.connect(path)) as connection:
        found = [connection.execute(f"SELECT id FROM {name} ORDER BY id") for name in ("users", "orders")]
        return tuple([key for (key,) in cursor] for cursor in found)


def test_scenarios_bring_their_rows_and_what_these_reference(tmp_path: Path) -> None:
    found, path = with_scenarios(tmp_path), tmp_path / "a.db"
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found, scenarios=("paid",))
    assert keys(path) == ([4], [30])
    checkout(tmp_path, place, found, scenarios=("lost", "late"))
    assert keys(path) == ([2], [10, 20])
    assert checkout(tmp_path, place, found, scenarios=("late", "lost")).action == "unchanged"
    assert [held.scenarios for held in place.held()] == [("late", "lost")]
    assert checkout(tmp_path, place, found).action == "loaded"
    assert keys(path) == ([1, 2, 3, 4, 5], [10, 20, 30])


def test_unknown_scenario_is_not_found(tmp_path: Path) -> None:
    found = with_scenarios(tmp_path)
    with pytest.raises(NotFound, match="no scenario 'pait'"):
        checkout(tmp_path, target(tmp_path, f"sqlite:///{tmp_path}/a.db"), found, scenarios=("pait",))


def test_log_beside_a_linked_database_is_seen(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    (tmp_path / "link.db").symlink_to("a.db")
    place = target(tmp_path, f"sqlite:///{tmp_path}/link.db")
    checkout(tmp_path, place, found)
    with closing(sqlite3.connect(tmp_path / "link.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
    checkout(tmp_path, place, found)
    with closing(sqlite3.connect(tmp_path / "link.db")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("UPDATE users SET age = 77")
        connection.commit()
        assert state.untouched(tmp_path / ".tdv", place) is None
    assert checkout(tmp_path, place, found).action == "cloned"
