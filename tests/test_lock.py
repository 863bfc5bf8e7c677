"""``tdv lock`` and the checkout of what it pins."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tdv import documents
from tdv.documents.markers import our_side
from tdv.errors import ConfigError, DocumentError
from tdv.model.compat import Compat
from tdv.model.lock import Lock, Pin
from tdv.model.release import Amendment, Artifact
from tdv.store.locks import format_lock, parse_lock
from tests.repository import Repository
from tests.shelf import Shelf

LOCK = "tdv.lock"


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """``shop`` 1.0.0 (one row), 1.1.0 (two) and 2.0.0 (one other), the last for app 2 and later."""
    shelf = Shelf.create(tmp_path / "repo")
    shelf.repository.write({"tdv.yaml": "datasets: {shop: '*'}\n", "datasets/shop/dataset.yaml": "{}"})
    shelf.releases(("1.0.0", {1: "a"}), ("1.1.0", {1: "a", 2: "b"}), ("2.0.0", {3: "c"}))
    shelf.book.append_amendment("shop", Amendment("2.0.0", "2026-01-01T00:00:00Z", "learnt", compat=Compat(">=2")))
    shelf.repository.commit()
    return shelf


@pytest.fixture
def project(shelf: Shelf) -> Repository:
    return shelf.repository


def keys(project: Repository, file: str = ".tdv/local.db") -> list[int]:
    with closing(sqlite3.connect(project.root / file)) as database:
        return [row[0] for row in database.execute("SELECT id FROM users ORDER BY id")]


def yank(shelf: Shelf, version: str) -> None:
    shelf.book.append_amendment("shop", Amendment(version, "2026-02-01T00:00:00Z", "wrong", yanked=True))


# -- the file


def test_lock_writes_what_resolves_and_nothing_when_it_holds(shelf: Shelf, project: Repository) -> None:
    first = project.tdv("lock", "--app", "1.4", "--json", expect=0).json()
    assert (first["written"], first["datasets"]["shop"]["version"]) == (True, "1.1.0")
    record = shelf.book.record("shop", "1.1.0")
    artifact = f"{{md5: {record.artifact.md5}, size: {record.artifact.size}, nfiles: {record.artifact.nfiles}}}"
    assert project.read(LOCK).splitlines() == [
        "# Written by `tdv lock`; commit it with the code that uses the data.",
        "format: tdv.lock/v1",
        'app: "1.4"',
        "migration: null",
        "datasets:",
        "  shop:",
        "    version: 1.1.0",
        '    range: "*"',
        f"    digest: {record.digest}",
        f"    artifact: {artifact}",
    ]
    documents.validate(documents.load(project.root / LOCK), "lock")
    assert project.tdv("lock", "--app", "1.4", "--json", expect=0).json()["written"] is False


def test_lock_keeps_its_choice_until_it_is_upgraded(project: Repository) -> None:
    project.tdv("lock", "--app", "1.4", expect=0)
    assert project.tdv("lock", expect=0).stdout == "shop@v1.1.0\n"
    assert project.tdv("lock", "--check", expect=0).stderr == ""
    assert project.tdv("lock", "--upgrade", "shop", expect=0).stdout == "shop@v2.0.0  was v1.1.0\n"


def test_lock_moves_when_the_range_or_the_app_no_longer_fits(project: Repository) -> None:
    project.tdv("lock", expect=0)
    project.write({"tdv.yaml": "datasets: {shop: ~1.0}\n"})
    check = project.tdv("lock", "--check", expect=1)
    assert check.stderr == "stale: shop@v2.0.0 is not in ~1.0, which tdv.yaml asks for\n"
    assert project.tdv("lock", expect=0).stdout == "shop@v1.0.0  was v2.0.0\n"
    project.write({"tdv.yaml": "datasets: {shop: '*'}\n"})
    assert project.tdv("lock", "--check", expect=0)
    project.tdv("lock", "--upgrade", expect=0)
    assert "shop@v2.0.0 serves app >=2, not 1.9" in project.tdv("lock", "--check", "--app", "1.9", expect=1).stderr


def test_lock_moves_away_from_a_yanked_release(shelf: Shelf, project: Repository) -> None:
    project.tdv("lock", expect=0)
    yank(shelf, "2.0.0")
    assert project.tdv("lock", "--check", expect=1).stderr == "stale: shop@v2.0.0 is yanked\n"
    assert project.tdv("lock", expect=0).stdout == "shop@v1.1.0  was v2.0.0\n"
    project.write({"tdv.yaml": "datasets: {shop: 2.0.0}\n"})
    project.tdv("lock", expect=0)
    assert project.tdv("lock", "--check", expect=0)


def test_newer_releases_do_not_make_a_lock_stale(shelf: Shelf, project: Repository) -> None:
    project.tdv("lock", expect=0)
    shelf.source({4: "d"}).release("3.0.0")
    assert project.tdv("lock", "--check", expect=0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"tdv.yaml": "datasets: {other: '*'}\n"}, "nobody asks for shop any more"),
        ({"tdv.yaml": "datasets: {other: '*'}\n"}, "tdv.yaml asks for other *"),
    ],
)
def test_lock_is_stale_when_other_datasets_are_wanted(
    project: Repository, change: dict[str, str | bytes], reason: str
) -> None:
    project.tdv("lock", expect=0)
    assert reason in project.write(change).tdv("lock", "--check", expect=1).stderr


def test_lock_without_a_file_or_with_names_alone(project: Repository) -> None:
    assert "There is no tdv.lock" in project.tdv("lock", "--check", expect=10).stderr
    assert "--upgrade shop" in project.tdv("lock", "shop", expect=2).stderr


def test_branches_that_move_two_datasets_merge(project: Repository) -> None:
    def pin(version: str) -> Pin:
        return Pin(version, f"tdv1:{version[0] * 64}", Artifact(f"{version[0] * 32}.dir", 1, 1), "*")

    def write(**versions: str) -> Repository:
        lock = Lock(None, None, {name: pin(version) for name, version in versions.items()})
        return project.write({LOCK: format_lock(lock)}).commit()

    write(aa="1.0.0", bb="1.0.0")
    project.git("switch", "--quiet", "--create", "other")
    write(aa="1.0.0", bb="2.0.0")
    project.git("switch", "--quiet", "main")
    write(aa="2.0.0", bb="1.0.0")
    project.git("merge", "--quiet", "--no-edit", "other")
    assert parse_lock((project.root / LOCK).read_bytes()).versions == {"aa": "2.0.0", "bb": "2.0.0"}


def test_a_conflict_is_named_and_settled_by_our_side(project: Repository) -> None:
    project.tdv("lock", "--app", "1.4", expect=0)
    ours = project.read(LOCK)
    project.tdv("lock", "--upgrade", expect=0)
    theirs = project.read(LOCK)
    head, _, rest = ours.partition("app:")
    conflict = f"{head}<<<<<<< HEAD\napp:{rest}=======\napp:{theirs.partition('app:')[2]}>>>>>>> other\n"
    assert our_side(conflict.encode()) == ours.encode()
    project.write({LOCK: conflict})
    assert "in conflict, lines" in project.tdv("lock", "--check", expect=3).stderr
    assert "in conflict, lines" in project.tdv("checkout", expect=3).stderr
    assert project.tdv("lock", expect=0).stdout == "shop@v1.1.0\n"


def test_a_damaged_lock_names_file_and_line(project: Repository) -> None:
    with pytest.raises(DocumentError, match=r"tdv\.lock:2: datasets: .*"):
        parse_lock(b"format: tdv.lock/v1\ndatasets: 5\n")
    with pytest.raises(ConfigError):
        parse_lock(b"<<<<<<< HEAD\n")


# -- checkout


def test_checkout_restores_what_the_lock_says(project: Repository) -> None:
    project.tdv("lock", "--app", "1.4", expect=0)
    receipt = project.tdv("checkout", "--json", expect=0).json()
    assert receipt["releases"][0]["version"] == "1.1.0"
    assert keys(project) == [1, 2]
    assert project.tdv("checkout", "--locked", "--json", expect=0).json()["action"] == "unchanged"


def test_checkout_with_a_stale_lock_resolves_anew_and_says_so(project: Repository) -> None:
    project.tdv("lock", expect=0)
    outcome = project.tdv("checkout", "--app", "1.4", expect=0)
    assert "tdv.lock is stale: shop@v2.0.0 serves app >=2, not 1.4. `tdv lock` renews it." in outcome.stderr
    assert keys(project) == [1, 2]
    refused = project.tdv("checkout", "--app", "1.4", "--locked", expect=11)
    assert "tdv.lock is stale" in refused.stderr
    assert project.tdv("checkout", "--app", "1.4", "--locked", "--ignore-compat", expect=0)


def test_checkout_without_a_lock_resolves(project: Repository) -> None:
    assert "There is no tdv.lock" in project.tdv("checkout", "--locked", expect=10).stderr
    project.tdv("checkout", expect=0)
    assert keys(project) == [3]


def test_checkout_of_a_release_that_does_not_fit_names_one_that_does(
    project: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    outcome = project.tdv("checkout", "shop@v2.0.0", "--app", "1.4", expect=12)
    assert "No release of shop in v2.0.0 fits app 1.4: v2.0.0 serves app >=2, not 1.4" in outcome.stderr
    assert "shop@v1.1.0" in outcome.stderr
    assert "--ignore-compat" in outcome.stderr
    monkeypatch.setenv("TDV_APP_VERSION", "1.4")
    for words in (["exec", "shop@v2.0.0", "--", "true"], ["health", "app.db", "shop@v2.0.0"]):
        refused = project.tdv(*words, expect=12)
        assert "--ignore-compat" not in refused.stderr
    project.tdv("checkout", "shop@v2.0.0", "--app", "1.4", "--ignore-compat", expect=0)
    assert keys(project) == [3]


def test_checkout_refuses_a_lock_whose_digest_is_not_the_records(project: Repository) -> None:
    project.tdv("lock", expect=0)
    lock = project.read(LOCK)
    digest = lock.partition("digest: tdv1:")[2][:64]
    project.write({LOCK: lock.replace(digest, "0" * 64)})
    outcome = project.tdv("checkout", expect=13)
    assert "the digest of shop@v2.0.0 is not the one in tdv.lock" in outcome.stderr
    assert "digest" in project.tdv("lock", "--check", expect=1).stderr


def test_checkout_of_what_the_code_at_a_tag_was_pinned_to(shelf: Shelf, project: Repository) -> None:
    project.tdv("lock", "--app", "1.4", expect=0)
    project.commit("Pin the data").git("tag", "v1.4.0")
    project.tdv("lock", "--upgrade", expect=0)
    project.commit("Move the data")
    project.tdv("checkout", "--app-tag", "v1.4.0", expect=0)
    assert keys(project) == [1, 2]
    yank(shelf, "1.1.0")
    assert "shop@v1.1.0 was yanked since." in project.tdv("checkout", "--app-tag", "v1.4.0", expect=0).stderr
    (project.root / "datasets/shop/releases/1.1.0.yaml").unlink()
    project.tdv("checkout", "--app-tag", "v1.4.0", "--target", "again.db", expect=0)
    assert keys(project, "again.db") == [1, 2]


def test_app_tag_without_a_lock_or_that_is_missing(project: Repository) -> None:
    project.git("tag", "v0.1.0")
    assert "nothing says what v0.1.0 was pinned to" in project.tdv("checkout", "--app-tag", "v0.1.0", expect=10).stderr
    data = project.tdv("checkout", "--app-tag", "shop@v1.0.0", expect=10).stderr
    assert "shop@v1.0.0 is a release of the data, no tag of the app" in data
    assert "`tdv checkout shop@v1.0.0` restores it." in data
    assert "git fetch" not in project.tdv("checkout", "--app-tag", "v0.1.0", expect=10).stderr
    assert "git fetch origin tag v9" in project.tdv("checkout", "--app-tag", "v9", expect=10).stderr
    assert project.tdv("checkout", "shop", "--app-tag", "v0.1.0", expect=2)
    assert project.tdv("checkout", "shop", "--locked", expect=2)


def test_log_names_the_tags_that_pin_a_release(project: Repository) -> None:
    project.tdv("lock", "--app", "1.4", expect=0)
    project.commit("Pin").git("tag", "v1.4.0")
    project.git("tag", "--annotate", "--message", "x", "v1.4.1")
    project.tdv("lock", "--upgrade", expect=0)
    project.commit("Move").git("tag", "v2.0.0")
    project.git("tag", "shop@v9.9.9")
    project.write({LOCK: "broken: ["}).commit().git("tag", "v3.0.0")
    found = project.tdv("log", "--used-by", "shop@v1.1.0", "--json", expect=0).json()
    assert sorted(use["tag"] for use in found["tags"]) == ["v1.4.0", "v1.4.1"]
    assert found["unread"] == ["v3.0.0"]
    assert found["tags"][0]["commit"] == project.git("rev-parse", "v1.4.0")
    outcome = project.tdv("log", "--used-by", "shop@v1.0.0", expect=0)
    assert outcome.stderr.splitlines() == [
        "No tag here pins shop@v1.0.0; `git fetch --tags` brings what this clone lacks",
        "The tdv.lock at v3.0.0 cannot be read",
    ]
    assert "as in shop@v1.1.0" in project.tdv("log", "--used-by", "shop", expect=2).stderr
