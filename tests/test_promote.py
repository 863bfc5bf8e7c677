"""``tdv promote`` and what ``shop#staging`` then means, beside the real GTO."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.released import released
from tests.repository import Repository


@pytest.fixture
def shop(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return released(tmp_path, tmp_path_factory.getbasetemp())


def stages_by_gto(shop: Repository) -> dict[str, str]:
    """Stage → version, as GTO says it."""
    shown = shop.gto("show", "shop", "--json")
    versions: list[dict[str, Any]] = json.loads(shown.stdout)
    return {stage["stage"]: version["version"] for version in versions for stage in version["stages"]}


def at(monkeypatch: pytest.MonkeyPatch, second: int) -> None:
    """The clock of Git: GTO goes by the seconds of the tags."""
    monkeypatch.setenv("GIT_COMMITTER_DATE", f"2020-02-01T00:00:{second:02}+00:00")


def test_promoted_release_is_what_the_stage_means(shop: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 1)
    first = shop.tdv("promote", "shop@v1.1.0", "staging", "-m", "Ran a night", "--json", expect=0).json()
    assert (first["tag"], first["action"], first["before"]) == ("shop#staging#1", "created", None)
    message = shop.git("tag", "-l", "--format=%(contents)", "shop#staging#1")
    digest = shop.tdv("resolve", "v1.1.0", "--json").json()["datasets"]["shop"]["digest"]
    expected = f"Promote shop v1.1.0 to staging\n\nRan a night\n\nTdv-Version: 1.1.0\nTdv-Digest: {digest}"
    assert message.strip() == expected
    at(monkeypatch, 2)
    assert "was v1.1.0" in shop.tdv("promote", "shop@v1.2.0", "staging", expect=0).stdout
    at(monkeypatch, 3)
    assert shop.tdv("promote", "shop@v1.0.0", "production", "--json", expect=0).json()["tag"] == "shop#production#3"
    assert stages_by_gto(shop) == {"staging": "v1.2.0", "production": "v1.0.0"}
    assert "shop@v1.2.0" in shop.tdv("resolve", "shop#staging", expect=0).stdout


def test_second_promotion_changes_nothing(shop: Repository) -> None:
    shop.tdv("promote", "v1.1.0", "staging", expect=0)
    before = shop.git("for-each-ref")
    assert shop.tdv("promote", "v1.1.0", "staging", "--json", expect=0).json()["action"] == "present"
    assert shop.git("for-each-ref") == before


def test_older_release_may_be_promoted_again(shop: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    for second, version in enumerate(("1.1.0", "1.2.0", "1.1.0")):
        at(monkeypatch, second)
        shop.tdv("promote", f"v{version}", "staging", expect=0)
        assert stages_by_gto(shop)["staging"] == f"v{version}"
        assert f"shop@v{version}" in shop.tdv("resolve", "shop#staging", expect=0).stdout


def test_tenth_promotion_counts_more_than_the_ninth(shop: Repository) -> None:
    for number in range(10):
        shop.tdv("promote", f"v1.{number % 2}.0", "staging", expect=0)
    assert "shop@v1.1.0" in shop.tdv("resolve", "shop#staging", expect=0).stdout


def test_what_gto_assigns_and_takes_away_is_understood(shop: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 1)
    shop.tdv("promote", "v1.0.0", "staging", expect=0)
    at(monkeypatch, 2)
    shop.tdv("promote", "v1.2.0", "staging", expect=0)
    # GTO takes the real time, whatever Git is told.
    monkeypatch.delenv("GIT_COMMITTER_DATE")
    assert shop.gto("deprecate", "shop", "v1.2.0", "staging").exit_code == 0
    assert stages_by_gto(shop) == {"staging": "v1.0.0"}
    assert "shop@v1.0.0" in shop.tdv("resolve", "shop#staging", expect=0).stdout
    assert shop.gto("assign", "shop", "--version", "v1.1.0", "--stage", "staging").exit_code == 0
    assert "shop@v1.1.0" in shop.tdv("resolve", "shop#staging", expect=0).stdout
    assert shop.tdv("promote", "v1.2.0", "staging", "--json", expect=0).json()["tag"] == "shop#staging#5"


def test_clock_that_is_behind_makes_no_tag_that_gto_would_not_obey(
    shop: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    at(monkeypatch, 2)
    shop.tdv("promote", "v1.0.0", "staging", expect=0)
    at(monkeypatch, 1)
    refused = shop.tdv("promote", "v1.1.0", "staging", expect=11).stderr
    assert "would be dated before shop#staging#1, which GTO obeys" in refused
    assert shop.git("tag", "-l", "shop#*") == "shop#staging#1"


def test_stage_is_taken_wherever_a_release_is(shop: Repository) -> None:
    shop.tdv("promote", "v1.1.0", "staging", expect=0)
    shop.tdv("checkout", "shop#staging", expect=0)
    with closing(sqlite3.connect(shop.root / ".tdv/local.db")) as database:
        assert database.execute("SELECT count(*) FROM users").fetchone() == (5,)
    assert "shop@v1.1.0" in shop.tdv("show", "shop#staging", expect=0).stdout
    assert shop.tdv("diff", "shop#staging", "v1.2.0", "--json", expect=0).json()["from"] == "shop@v1.1.0"
    verified = shop.tdv("verify", "shop#staging", "--json", expect=0).json()
    assert {subject["version"] for subject in verified["subjects"]} == {"1.1.0"}
    shop.tdv("promote", "shop#staging", "production", expect=0)
    assert "shop@v1.1.0" in shop.tdv("resolve", "shop#production", expect=0).stdout


def test_stage_in_tdv_yaml_is_followed_by_the_lock(shop: Repository) -> None:
    shop.write({"tdv.yaml": "datasets: {shop: '#staging'}\n"})
    assert "No release of shop is in the stage 'staging'" in shop.tdv("lock", expect=10).stderr
    shop.tdv("promote", "v1.1.0", "staging", expect=0)
    shop.tdv("lock", expect=0)
    shop.tdv("lock", "--check", expect=0)
    shop.tdv("promote", "v1.2.0", "staging", expect=0)
    stale = shop.tdv("lock", "--check", expect=1).stderr
    assert "shop@v1.1.0 is not in 1.2.0, which tdv.yaml (#staging) asks for" in stale
    assert "was v1.1.0" in shop.tdv("lock", expect=0).stdout
    shop.write({"tdv.yaml": "datasets: {shop: '#-'}\n"})
    assert 'expected a stage such as "#staging"' in shop.tdv("lock", expect=3).stderr


def test_log_says_who_promoted_and_when(shop: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    at(monkeypatch, 1)
    shop.tdv("promote", "v1.1.0", "staging", expect=0)
    releases = {item["version"]: item["stages"] for item in shop.tdv("log", "--json", expect=0).json()["releases"]}
    moment = {"stage": "staging", "tag": "shop#staging#1", "by": "Ada Tester", "at": "2020-02-01T00:00:01+00:00"}
    assert releases == {"1.0.0": [], "1.1.0": [moment], "1.2.0": []}
    assert "staging since 2020-02-01 by Ada Tester" in shop.tdv("log", expect=0).stdout


def test_what_must_not_be_promoted_is_refused(shop: Repository) -> None:
    shop.tdv("yank", "v1.1.0", "-m", "Wrong", expect=0)
    assert "shop@v1.1.0 is yanked" in shop.tdv("promote", "v1.1.0", "staging", expect=11).stderr
    assert "no release shop@v9.0.0" in shop.tdv("promote", "v9.0.0", "staging", expect=10).stderr
    assert "is no release" in shop.tdv("promote", "shop@workspace", "staging", expect=2).stderr
    assert "is no name of a stage" in shop.tdv("promote", "v1.0.0", "two words", expect=2).stderr
    shop.git("tag", "--delete", "shop@v1.0.0")
    shop.git("remote", "remove", "origin")
    untagged = shop.tdv("promote", "v1.0.0", "staging", expect=11).stderr
    assert "shop@v1.0.0 has no tag yet" in untagged
    assert "tdv tag --push" in untagged


def test_release_that_is_yanked_later_is_not_taken_from_its_stage(shop: Repository) -> None:
    shop.tdv("promote", "v1.1.0", "staging", expect=0)
    shop.tdv("yank", "v1.1.0", "-m", "Wrong", expect=0)
    refused = shop.tdv("checkout", "shop#staging", expect=12).stderr
    assert "shop#staging is v1.1.0, which is yanked" in refused


def test_declared_environments_are_the_only_ones(shop: Repository) -> None:
    shop.write(
        {
            "tdv.yaml": """
            targets: {stage: {url: "sqlite:///stage.db"}, perf: {url: "sqlite:///perf.db"}}
            environments: {staging: {target: stage}, performance: {target: perf, datasets: [big]}}
            """
        }
    )
    unknown = shop.tdv("promote", "v1.1.0", "stagin", expect=10).stderr
    assert "tdv.yaml declares no environment 'stagin'; did you mean 'staging'?" in unknown
    assert "The environment performance may not hold shop" in shop.tdv("promote", "v1.1.0", "performance").stderr
    shop.tdv("promote", "v1.1.0", "staging", expect=0)


def test_push_sends_the_tag_once(shop: Repository, tmp_path: Path) -> None:
    origin = Repository(tmp_path / "origin.git")
    shop.tdv("promote", "v1.1.0", "staging", expect=0)
    assert "#staging" not in origin.git("tag")
    assert shop.tdv("promote", "v1.1.0", "staging", "--push", "--json", expect=0).json()["pushed"] is True
    assert "shop#staging#1" in origin.git("tag")
    assert shop.tdv("promote", "v1.1.0", "staging", "--push", "--json", expect=0).json()["pushed"] is False


def test_promotions_of_others_are_counted(shop: Repository, tmp_path: Path) -> None:
    other = Repository(tmp_path / "origin.git").clone(tmp_path / "other")
    other.tdv("promote", "v1.2.0", "staging", "--push", expect=0)
    done = shop.tdv("promote", "v1.1.0", "staging", "--push", "--json", expect=0).json()
    assert (done["tag"], done["before"]) == ("shop#staging#2", "1.2.0")


def test_unpushed_promotion_that_lost_the_race_is_named(shop: Repository, tmp_path: Path) -> None:
    shop.tdv("promote", "v1.1.0", "staging", expect=0)
    other = Repository(tmp_path / "origin.git").clone(tmp_path / "other")
    other.tdv("promote", "v1.2.0", "staging", "--push", expect=0)
    refused = shop.tdv("promote", "v1.1.0", "staging", "--push", expect=11).stderr
    assert "The tag shop#staging#1 is another one on the remote" in refused
    assert "git tag --delete 'shop#staging#1'" in refused


def test_shallow_clone_without_tags_says_what_to_fetch_and_can_promote(shop: Repository, tmp_path: Path) -> None:
    shop.tdv("promote", "v1.1.0", "staging", "--push", expect=0)
    clone = Repository(tmp_path / "origin.git").clone(tmp_path / "clone", "--depth=1", "--no-tags")
    missing = clone.tdv("resolve", "shop#staging", expect=10).stderr
    command = "git fetch --depth=1 origin 'refs/tags/shop#*:refs/tags/shop#*'"
    assert command in missing
    clone.git(*command.replace("'", "").split()[1:])
    assert "shop@v1.1.0" in clone.tdv("resolve", "shop#staging", expect=0).stdout
    done = clone.tdv("promote", "v1.2.0", "staging", "--push", "--json", expect=0).json()
    assert (done["tag"], done["before"], done["pushed"]) == ("shop#staging#2", "1.1.0", True)


def test_forged_stage_tag_is_noticed(shop: Repository) -> None:
    shop.git("tag", "-a", "-m", "x\n\nTdv-Version: 1.0.0", "shop#staging#1", "shop@v1.1.0^{}")
    forged = shop.tdv("resolve", "shop#staging", expect=13).stderr
    assert "shop#staging#1 promotes v1.0.0, and stands on the commit of v1.1.0" in forged
    shop.git("tag", "-a", "-f", "-m", "x\n\nTdv-Digest: tdv1:00", "shop#staging#1", "shop@v1.1.0^{}")
    assert "promises tdv1:00, the record tdv1:" in shop.tdv("resolve", "shop#staging", expect=13).stderr


def test_stage_of_a_release_without_record_here_is_told(shop: Repository) -> None:
    shop.tdv("promote", "v1.2.0", "staging", expect=0)
    shop.git("reset", "--quiet", "--hard", "shop@v1.1.0")
    lost = shop.tdv("resolve", "shop#staging", expect=10).stderr
    assert "shop#staging is v1.2.0, which has no record here" in lost
    assert "tdv adopt shop@v1.2.0" in lost
