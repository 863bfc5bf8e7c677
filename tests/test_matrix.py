"""``tdv matrix``: app versions by migrations by releases, and the holes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tdv import documents
from tdv.model.compat import Compat, Span
from tdv.model.release import Amendment
from tests.repository import Repository
from tests.shelf import Shelf

SETTINGS = """
    datasets: {shop: '*'}
    app: {version: {file: VERSION}}
    migrations: {tool: list, path: migrations.txt}
"""
SPANS = {"1.0.0": ("<2", "m1", "m3"), "1.1.0": (">=1.2,<3", "m3", "m5"), "2.0.0": (">=2", "m5", "m6")}


def amended(shelf: Shelf, version: str, **said: Any) -> None:
    shelf.book.append_amendment("shop", Amendment(version, "2026-01-01T00:00:00Z", "learnt", **said))


def at_version(project: Repository, app: str, last: int, *, lock: bool = True) -> None:
    """The code at a version of the app, with migrations up to one, tagged."""
    listed = "".join(f"m{number}\n" for number in range(1, last + 1))
    project.write({"VERSION": f"{app}\n", "migrations.txt": listed})
    if lock:
        project.tdv("lock", expect=0)
    project.commit(f"Version {app}")
    project.git("tag", f"v{app}")


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    """Three releases; app 1.0 at m2 and 1.2 at m4 with locks, 2.1 at m4 without, the work tree 3.0 at m7."""
    shelf = Shelf.create(tmp_path / "repo")
    shelf.repository.write({"tdv.yaml": SETTINGS, "datasets/shop/dataset.yaml": "{}"})
    shelf.releases(("1.0.0", {1: "a"}), ("1.1.0", {1: "a", 2: "b"}), ("2.0.0", {3: "c"}))
    for version, (app, start, until) in SPANS.items():
        amended(shelf, version, compat=Compat(app, Span(start, until)))
    at_version(shelf.repository, "1.0.0", 2)
    at_version(shelf.repository, "1.2.0", 4)
    (shelf.root / "tdv.lock").unlink()
    at_version(shelf.repository, "2.1.0", 4, lock=False)
    shelf.repository.write({"VERSION": "3.0.0\n", "migrations.txt": "m1\nm2\nm3\nm4\nm5\nm6\nm7\n"})
    shelf.repository.git("tag", "nightly-build")
    return shelf


def asked(shelf: Shelf) -> Any:
    found = shelf.repository.tdv("matrix", "--json", expect=0).json()
    documents.validate(documents.plain(found, "matrix"), "matrix")
    return found


def test_cells_hold_the_newest_release_that_serves_both(shelf: Shelf) -> None:
    shop = asked(shelf)["datasets"]["shop"]
    assert [item["name"] for item in shop["migrations"]] == ["m1 … m2", "m3 … m4", "m5", "m6 … m7"]
    assert {row["code"]: row["cells"] for row in shop["apps"]} == {
        "work tree": ["", "", "2.0.0", ""],
        "v2.1.0": ["", "1.1.0", "2.0.0", ""],
        "v1.2.0": ["1.0.0", "1.1.0", "", ""],
        "v1.0.0": ["1.0.0", "", "", ""],
    }


def test_migrations_at_a_tag_tell_where_the_code_stands(shelf: Shelf) -> None:
    shop = asked(shelf)["datasets"]["shop"]
    told = {row["code"]: (row["migration"], row["at"], row["pinned"], row["serves"]) for row in shop["apps"]}
    assert told == {
        "work tree": ("m7", 3, None, ""),
        "v2.1.0": ("m4", 1, None, "1.1.0"),
        "v1.2.0": ("m4", 1, "1.1.0", "1.1.0"),
        "v1.0.0": ("m2", 0, "1.0.0", "1.0.0"),
    }


def test_holes_are_sentences_with_the_command_that_explains_them(shelf: Shelf) -> None:
    holes = asked(shelf)["datasets"]["shop"]["holes"]
    assert [(hole["kind"], hole["message"]) for hole in holes] == [
        ("code", "No release of shop serves the work tree: app 3.0.0 at migration m7"),
        ("migrations", "No release of shop serves the migrations m6 … m7"),
    ]
    command = holes[0]["hint"].replace("'", "").split()[1:]
    assert "serves app >=2, not" not in shelf.repository.tdv(*command, expect=12).stderr
    (shelf.root / "migrations.txt").unlink()
    shelf.repository.commit().git("tag", "v0.1.0")
    shelf.repository.write({"migrations.txt": "m1\n"})
    amended(shelf, "1.0.0", compat=Compat(">=1,<2", Span("m1", "m3")))
    found = asked(shelf)
    messages = [hole["message"] for hole in found["datasets"]["shop"]["holes"]]
    assert "No release of shop serves app v0.1.0" in messages
    assert "v0.1.0 has no migrations" in found["notes"]


def test_yanked_release_serves_nobody(shelf: Shelf) -> None:
    amended(shelf, "2.0.0", yanked=True)
    shop = asked(shelf)["datasets"]["shop"]
    assert not any("2.0.0" in row["cells"] for row in shop["apps"])
    assert [(item["version"], item["yanked"], item["apps"], item["migrations"]) for item in shop["releases"]] == [
        ("2.0.0", True, 2, 1),
        ("1.1.0", False, 2, 2),
        ("1.0.0", False, 2, 2),
    ]


def test_tags_that_are_no_app_versions_and_damaged_locks_are_told(shelf: Shelf) -> None:
    shelf.repository.write({"tdv.lock": "what: ["}).commit()
    shelf.repository.git("tag", "v2.9.0")
    shelf.repository.write({"tdv.lock": ""})
    (shelf.root / "tdv.lock").unlink()
    notes = asked(shelf)["notes"]
    assert notes == [
        "Tags that are no app versions were left out: nightly-build",
        "The tdv.lock at v2.9.0 cannot be read",
    ]


def test_migration_of_a_tag_that_is_gone_is_told(shelf: Shelf) -> None:
    shelf.repository.write({"migrations.txt": "m1\nm3\nm4\nm5\n"})
    told = asked(shelf)["notes"]
    assert "v1.0.0 has migrations that today's history does not: There is no migration 'm2' in migrations.txt" in told


def test_branches_are_crossed_at_all_ends_together(shelf: Shelf) -> None:
    shelf.repository.write({"migrations.txt": "m1\nm2\nm3\nm4\nx5: m3\n", "VERSION": "2.5.0\n"})
    shop = asked(shelf)["datasets"]["shop"]
    assert shop["migrations"][-1]["revisions"][-1] == "m4, x5"
    here = shop["apps"][0]
    assert (here["migration"], here["at"], here["serves"]) == ("m4, x5", len(shop["migrations"]) - 1, "1.1.0")


def test_without_app_and_migrations_there_is_one_crossing(shelf: Shelf) -> None:
    shelf.repository.write({"tdv.yaml": "{}"})
    for tag in ("v1.0.0", "v1.2.0", "v2.1.0", "nightly-build"):
        shelf.repository.git("tag", "--delete", tag)
    shop = asked(shelf)["datasets"]["shop"]
    assert shop["migrations"] == [{"name": "any migration", "revisions": []}]
    assert [row["cells"] for row in shop["apps"]] == [["2.0.0"]]
    assert shop["holes"] == []


def test_terminal_and_markdown_mark_where_the_code_stands(shelf: Shelf) -> None:
    lines = [" ".join(line.split()) for line in shelf.repository.tdv("matrix", expect=0).stdout.splitlines()]
    assert lines[:6] == [
        "shop 3 releases",
        "app pinned m1 … m2 m3 … m4 m5 m6 … m7",
        "work tree (3.0.0) - - v2.0.0 [-]",
        "v2.1.0 - [v1.1.0] v2.0.0 -",
        "v1.2.0 v1.1.0 v1.0.0 [v1.1.0] - -",
        "v1.0.0 v1.0.0 [v1.0.0] - - -",
    ]
    text = shelf.repository.tdv("matrix", "--markdown", expect=0).stdout
    assert "| v1.2.0 | v1.1.0 | v1.0.0 | **v1.1.0** | - | - |" in text
    assert "| work tree (3.0.0) |  | - | - | v2.0.0 | **none** |" in text


def test_neighbours_that_read_alike_are_one_line(shelf: Shelf) -> None:
    for app in ("2.2.0", "2.3.0"):
        shelf.repository.git("tag", f"v{app}", "v2.1.0")
    assert "v2.1.0 … v2.3.0" in shelf.repository.tdv("matrix", expect=0).stdout


def test_page_needs_nothing_else_and_runs_nothing(shelf: Shelf) -> None:
    shelf.repository.tdv("matrix", "--html", str(shelf.root / "matrix.html"), expect=0)
    page = shelf.repository.read("matrix.html")
    assert page.startswith("<!doctype html>")
    assert "script-src 'none'" in page
    assert "<script" not in page
    assert "src=" not in page
    assert "<td class='added here'>" not in page
    assert "<td class='removed here'>-" in page
    key = page.partition("<p class='key'>")[2].partition("</p>")[0]
    assert [name for name in ("added", "changed", "removed", "none", "here") if f"<i class='{name}'>" in key] == [
        "added",
        "changed",
        "removed",
        "none",
        "here",
    ]
    assert "one way at a time" in shelf.repository.tdv("matrix", "--html", "x.html", "--json", expect=2).stdout
