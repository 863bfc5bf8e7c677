"""``tdv resolve`` from the outside: what it reads, and what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdv.model.compat import Compat, Span
from tdv.model.release import Amendment
from tests.conftest import RepositoryBuilder
from tests.repository import Repository
from tests.shelf import Shelf

REVISION = '''
"""add {name}"""
revision = "{name}"
down_revision = {before!r}
'''


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    """The dataset ``shop`` in versions 1.0.0 (app 1), 1.1.0 (app 1 and 2, migrations b2 until d4) and 2.0.0."""
    shelf = Shelf.create(tmp_path / "repo")
    shelf.repository.write({"tdv.yaml": "datasets: {shop: '*'}\n", "datasets/shop/dataset.yaml": "{}"})
    shelf.releases(("1.0.0", {1: "a"}), ("1.1.0", {1: "a", 2: "b"}), ("2.0.0", {3: "c"}))
    spans = {"1.0.0": ("^1", "a1", "b2"), "1.1.0": ("<3", "b2", "d4"), "2.0.0": (">=2", "d4", None)}
    for version, (app, start, until) in spans.items():
        compat = Compat(app, Span(start, until))
        shelf.book.append_amendment("shop", Amendment(version, "2026-01-01T00:00:00Z", "learnt", compat=compat))
    return shelf.repository


def with_migrations(project: Repository, *names: str) -> Repository:
    files = {
        f"migrations/versions/{name}.py": REVISION.format(name=name, before=before)
        for before, name in zip((None, *names), names, strict=False)
    }
    settings = "datasets: {shop: '*'}\nmigrations: {tool: alembic, path: migrations}\n"
    return project.write({**files, "tdv.yaml": settings})


def chosen(project: Repository, *words: str) -> str:
    version: str = project.tdv("resolve", "--json", *words, expect=0).json()["datasets"]["shop"]["version"]
    return version


def test_what_is_given_decides(project: Repository) -> None:
    assert chosen(project) == "2.0.0"
    assert chosen(project, "--app", "1.5") == "1.1.0"
    assert chosen(project, "shop@^1") == "1.1.0"
    assert chosen(project, "v1.0.0") == "1.0.0"


def test_head_of_the_migrations_decides_unless_a_revision_is_given(project: Repository) -> None:
    with_migrations(project, "a1", "b2", "c3")
    assert chosen(project) == "1.1.0"
    assert chosen(project, "--migration", "a1") == "1.0.0"
    with_migrations(project, "a1", "b2", "c3", "d4")
    assert chosen(project) == "2.0.0"
    outcome = project.tdv("resolve", "--migration", "zz", expect=10)
    assert "There is no migration 'zz' in migrations" in outcome.stderr


def test_app_version_of_the_environment_and_of_tdv_yaml(project: Repository, monkeypatch: pytest.MonkeyPatch) -> None:
    project.write({"tdv.yaml": "app: {version: {file: VERSION}}\n", "VERSION": "1.4.0.dev3\n"})
    assert chosen(project) == "1.1.0"
    monkeypatch.setenv("TDV_APP_VERSION", "3.0")
    assert chosen(project) == "2.0.0"
    monkeypatch.setenv("TDV_APP_VERSION", "shop@v1.0.0-3-gabc1234")
    outcome = project.tdv("resolve", expect=3)
    assert "is the tag of a data release, not an app version (TDV_APP_VERSION)" in outcome.stderr


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ('["false"]', "gave no app version: exit code 1"),
        ("[no-such-program]", "cannot be run"),
        ("[git, describe, --tags]", "No names found"),
    ],
)
def test_app_version_command_that_fails(project: Repository, command: str, reason: str) -> None:
    project.write({"tdv.yaml": f"app: {{version: {{command: {command}}}}}\n"})
    outcome = project.tdv("resolve", expect=3)
    assert reason in outcome.stderr
    assert "TDV_APP_VERSION" in outcome.stderr


def test_explanation_says_what_spoke_against_each(project: Repository) -> None:
    outcome = project.tdv("resolve", "--explain", "--app", "1.5", expect=0)
    assert outcome.stdout.splitlines() == [
        "shop@v1.1.0  * (tdv.yaml)  fits app <3, migrations b2 until d4",
        "  shop@v2.0.0 serves app >=2, not 1.5",
        "  shop@v1.0.0 is older than v1.1.0",
    ]
    assert outcome.stderr == "For app 1.5\n"


def test_nothing_compatible_is_exit_12_with_the_nearest_miss(project: Repository) -> None:
    words = ("resolve", "shop@<3", "--app", "0.7")
    project.write({"datasets/shop/amendments.yaml": project.read("datasets/shop/amendments.yaml").replace("<3", ">=1")})
    outcome = project.tdv(*words, expect=12)
    assert "No release of shop in <3 fits app 0.7: v2.0.0 serves app >=2, not 0.7" in outcome.stderr
    assert "tdv compat shop@v2.0.0 --app '>=2 || ^0.7.0' -m WHY" in outcome.stderr
    assert project.tdv(*words, "--json", expect=12).json()["error"]["code"] == "incompatible"


def test_nothing_released(tmp_path: Path) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.repository.write({"tdv.yaml": ""})
    assert "Nothing is released yet" in shelf.repository.tdv("resolve", expect=10).stderr


def test_a_release_serves_migrations_from_the_head_on(repo: RepositoryBuilder) -> None:
    project = repo().prepared()
    project.tdv("new", "shop", expect=0)
    settings = project.read("tdv.yaml").rstrip() + "\nmigrations: {tool: list, path: revisions.txt}\n"
    project.write({"tdv.yaml": settings, "revisions.txt": "a1\nb2\n"}).commit()
    project.tdv("release", "shop", "1.0.0", expect=0)
    assert "migration: {from: b2, until: null}" in project.read("datasets/shop/releases/1.0.0.yaml")
    assert chosen(project) == "1.0.0"
    assert "b2" in project.tdv("resolve", "--migration", "a1", expect=12).stderr
