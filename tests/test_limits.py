"""``environments.NAME.limits`` and ``protected`` of ``tdv.yaml``: how much a load may bring, and into what."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest
import yaml

from tests.released import record, released
from tests.repository import Repository, run

STANDALONE = """
    scenario: alone
    title: Two users that contradict others
    standalone: true
    rows:
      users:
        eve: {id: 1, email: eve@example.test}
        bob: {id: 2, email: bob@example.test}
"""
BASKETS = """
    dataset: baskets
    seed: 1
    requires: {shop: "^1.0"}
    tables:
      baskets:
        rows: 3
        key: [id]
        columns:
          id: {type: int64, generate: {sequence: {start: 1}}}
          user_id: {type: int64, references: shop:users.id, generate: {pick: {}}}
"""


@pytest.fixture
def shop(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return released(tmp_path, tmp_path_factory.getbasetemp())


def limited(repository: Repository, limits: str, more: str = "") -> None:
    """Declares the environment ci, on ``ci.db``."""
    targets = f"targets: {{db: {{url: 'sqlite:///ci.db'}}{more}}}"
    repository.write({"tdv.yaml": f"{targets}\nenvironments: {{ci: {{target: db, {limits}}}}}\n"})


def rows(repository: Repository, file: str = "ci.db") -> int:
    with closing(sqlite3.connect(repository.root / file)) as connection:
        return int(connection.execute("SELECT count(*) FROM users").fetchone()[0])


def test_rows_beyond_the_limit_are_refused_before_any_is_loaded(shop: Repository) -> None:
    limited(shop, "limits: {rows: 5}")
    refused = shop.tdv("checkout", "shop@v1.2.0", "--target", "ci", expect=11).stderr
    assert "shop would bring 6 rows into the environment ci, which takes 5 at most" in refused
    for way in ("extends:", "--scenario", "environments.ci.limits.rows"):
        assert way in refused
    assert not (shop.root / "ci.db").exists()
    shop.tdv("checkout", "shop@v1.2.0", "--target", "ci", "--dry-run", expect=11)
    shop.tdv("checkout", "shop@v1.1.0", "--target", "ci", expect=0)
    assert rows(shop) == 5


def test_what_is_held_already_is_refused_once_the_limit_is_lower(shop: Repository) -> None:
    limited(shop, "limits: {rows: 6}")
    shop.tdv("checkout", "shop@v1.2.0", "--target", "ci", expect=0)
    limited(shop, "limits: {rows: 5}")
    shop.tdv("checkout", "shop@v1.2.0", "--target", "ci", expect=11)
    assert rows(shop) == 6


def test_no_spelling_of_the_database_evades_the_limit(shop: Repository) -> None:
    limited(shop, "limits: {rows: 5}", ", again: {url: 'sqlite:///./ci.db'}")
    for spelling in ("ci", "db", "again", "ci.db", f"sqlite:///{shop.root}/ci.db"):
        refused = shop.tdv("checkout", "shop@v1.2.0", "--target", spelling, expect=11).stderr
        assert "the environment ci, which takes 5 at most" in refused
    shop.tdv("checkout", "shop@v1.2.0", "--target", "other.db", expect=0)
    assert rows(shop, "other.db") == 6


def test_size_is_that_of_the_snapshots(shop: Repository) -> None:
    size = yaml.safe_load(shop.read(record("1.2.0")))["artifact"]["size"]
    limited(shop, f"limits: {{size: {size - 1}}}")
    refused = shop.tdv("checkout", "shop@v1.2.0", "--target", "ci", expect=11).stderr
    assert f"shop would bring {size:,} bytes into the environment ci, which takes {size - 1:,} at most" in refused
    assert "environments.ci.limits.size" in refused
    limited(shop, f"limits: {{size: {size}}}")
    shop.tdv("checkout", "shop@v1.2.0", "--target", "ci", expect=0)


def test_required_datasets_count(shop: Repository) -> None:
    shop.write({"datasets/baskets/dataset.yaml": BASKETS}).commit("Fill baskets")
    shop.tdv("release", "baskets", "1.0.0", "-m", "Baskets", expect=0)
    limited(shop, "limits: {rows: 8}")
    said = "shop, baskets would bring 9 rows into the environment ci, which takes 8 at most"
    assert said in shop.tdv("checkout", "baskets@v1.0.0", "--target", "ci", expect=11).stderr
    assert said in shop.tdv("promote", "baskets@v1.0.0", "ci", expect=11).stderr
    shop.tdv("promote", "shop@v1.2.0", "ci", expect=0)
    limited(shop, "limits: {rows: 9}")
    assert "baskets@v1.0.0 has no tag yet" in shop.tdv("promote", "baskets@v1.0.0", "ci", expect=11).stderr
    shop.tdv("checkout", "baskets@v1.0.0", "--target", "ci", expect=0)


def test_of_a_scenario_its_rows_count(shop: Repository) -> None:
    shop.write({"datasets/shop/scenarios/alone.yaml": STANDALONE}).commit("Tell more")
    shop.tdv("build", "shop", expect=0)
    limited(shop, "limits: {rows: 2, size: 1}")
    for scenario, held in (("vip", 1), ("alone", 2)):
        asked = ("checkout", "shop@workspace", "--target", "ci", "--scenario", scenario)
        shop.tdv(*asked, "--dry-run", expect=0)
        shop.tdv(*asked, expect=0)
        assert rows(shop) == held
    both = shop.tdv(*asked, "--scenario", "vip", expect=11).stderr
    assert "shop would bring 3 rows into the environment ci, which takes 2 at most" in both
    assert "there is no scenario 'vpi'" in shop.tdv(*asked[:-1], "vpi", expect=10).stderr


def test_databases_of_commands_and_tests_are_limited(shop: Repository) -> None:
    limited(shop, "limits: {rows: 5}")
    said = "shop would bring 6 rows into the environment ci, which takes 5 at most"
    for where in ((), ("--fresh",)):
        asked = ("exec", "shop@v1.2.0", "--target", "ci", *where)
        assert said in shop.tdv(*asked, "--", "true", expect=11).stderr
    shop.write({"test_it.py": "def test_it(tdv_database):\n    pass\n"})
    command = (sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tdv-target", "ci")
    assert said in run(*command, cwd=shop.root).stdout


def test_promotion_beyond_the_limit_is_refused(shop: Repository) -> None:
    limited(shop, "limits: {rows: 5}")
    refused = shop.tdv("promote", "shop@v1.2.0", "ci", "--json", expect=11)
    assert refused.json()["error"]["code"] == "refused"
    assert "shop would bring 6 rows" in refused.json()["error"]["message"]
    assert "#ci" not in shop.git("tag")
    shop.tdv("promote", "shop@v1.1.0", "ci", expect=0)


def test_protected_environment_is_refused(shop: Repository) -> None:
    limited(shop, "protected: true")
    for spelling in ("ci", "db", "ci.db"):
        assert "db is protected" in shop.tdv("checkout", "shop@v1.2.0", "--target", spelling, expect=11).stderr
    shop.tdv("checkout", "shop@v1.2.0", "--target", "ci", "--allow-protected", expect=0)
    assert rows(shop) == 6


def test_health_is_for_what_is_there_whatever_a_load_may_bring(shop: Repository) -> None:
    limited(shop, "limits: {rows: 6}, protected: true")
    shop.tdv("checkout", "shop@v1.2.0", "--target", "ci", "--allow-protected", expect=0)
    limited(shop, "limits: {rows: 1, size: 1}, protected: true")
    shop.tdv("health", "ci", "shop@v1.2.0", expect=0)
    assert "it holds v1.2.0" in shop.tdv("health", "ci", "shop@v1.1.0", expect=1).stdout
    shop.tdv("checkout", "shop@v1.2.0", "--target", "ci", "--scenario", "vip", "--allow-protected", expect=0)
    shop.tdv("health", "ci", "shop@v1.2.0", expect=0)


def test_search_says_how_to_leave_out_what_is_beyond_the_limit(shop: Repository) -> None:
    limited(shop, "limits: {rows: 5}")
    search = ("bisect", "shop", "--target", "ci", "--", "false")
    refused = shop.tdv_process(*search, expect=11).stderr
    assert "shop@v1.2.0 cannot be restored: shop would bring 6 rows into the environment ci" in refused
    assert 'Leave it out, as in tdv bisect "shop@>=1.0.0,<1.2.0" -- COMMAND' in refused
    assert not (shop.root / "ci.db").exists()
    found = shop.tdv_process("bisect", "shop@>=1.0.0,<1.2.0", "--json", *search[2:], expect=1).json()
    assert [trial["version"] for trial in found["trials"]] == ["1.1.0", "1.0.0"]


def test_protected_environment_is_neither_searched_nor_run_against(shop: Repository) -> None:
    limited(shop, "protected: true")
    for spelling in ("ci", "db", "ci.db"):
        for words in (("bisect", "shop"), ("exec", "shop@v1.1.0"), ("exec", "shop@v1.1.0", "--fresh")):
            refused = shop.tdv_process(*words, "--target", spelling, "--", "touch", "ran", expect=11).stderr
            assert "db is protected" in refused
    assert {path.name for path in shop.root.iterdir()}.isdisjoint({"ran", "ci.db"})
    shop.tdv("promote", "shop@v1.2.0", "ci", expect=0)


def test_throwaways_beside_a_protected_environment_go_and_it_stays(shop: Repository) -> None:
    limited(shop, "limits: {rows: 5}, protected: true")
    allowed = ("exec", "shop@v1.1.0", "--target", "ci", "--allow-protected")
    shop.tdv_process(*allowed, "--", "true", expect=0)
    shop.tdv_process(*allowed, "--fresh", "--keep", "--", "true", expect=0)
    limited(shop, "limits: {rows: 1}, protected: true")
    assert "removed: 1 of 2" in shop.tdv("cleanup", "--target", "ci", expect=0).stderr
    assert rows(shop) == 5


def test_command_runs_against_scenarios_within_the_limit(shop: Repository) -> None:
    limited(shop, "limits: {rows: 1}")
    for where in ((), ("--fresh",)):
        asked = ("exec", "shop@v1.2.0", "--target", "ci", *where)
        assert "which takes 1 at most" in shop.tdv(*asked, "--", "true", expect=11).stderr
        shop.tdv_process(*asked, "--scenario", "vip", "--", "true", expect=0)
    assert rows(shop) == 1


def test_required_dataset_that_the_environment_may_not_hold_is_not_promoted(shop: Repository) -> None:
    shop.write({"datasets/baskets/dataset.yaml": BASKETS}).commit("Fill baskets")
    shop.tdv("release", "baskets", "1.0.0", "-m", "Baskets", expect=0)
    shop.tdv("tag", expect=0)
    limited(shop, "datasets: [baskets]")
    said = "The environment ci may not hold shop"
    assert said in shop.tdv("checkout", "baskets@v1.0.0", "--target", "ci", expect=11).stderr
    assert said in shop.tdv("promote", "baskets@v1.0.0", "ci", expect=11).stderr
    limited(shop, "datasets: [baskets, shop]")
    shop.tdv("promote", "baskets@v1.0.0", "ci", expect=0)
