"""Migrations of public projects: what the readers say of them, beside the tools themselves where PyPI has them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory

from tdv import documents
from tdv.migrations import TOOLS, read
from tdv.model.compat import Span
from tdv.model.history import History
from tests.repository import Repository, run

PROJECTS = Path(__file__).parent / "projects"
LOADER = """
import json
import django
from django.conf import settings
settings.configure(INSTALLED_APPS=[
    "django.contrib.contenttypes", "django.contrib.auth", "taggit",
    "wagtail", "wagtail.images", "wagtail.documents", "wagtail.admin",
], DATABASES={}, WAGTAIL_PAGE_MODEL="wagtailcore.Page", WAGTAILIMAGES_IMAGE_MODEL="wagtailimages.Image")
django.setup()
from django.db.migrations.loader import MigrationLoader
graph = MigrationLoader(None).graph
own = lambda nodes: sorted(".".join(node) for node in nodes if node[0].startswith("wagtail"))
print(json.dumps({".".join(node): own(graph.forwards_plan(node)) for node in graph.nodes if own([node])}))
"""
STEP = "from django.db import migrations\n\n\nclass Migration(migrations.Migration):\n    dependencies = {}\n"
TAGGIT = ("0001_initial", "0002_auto_20150616_2121", "0003_taggeditem_add_unique_index")
EXPECTED: Mapping[str, tuple[int, tuple[str, ...]]] = {
    "dbmate-testdata": (3, ("20220607110405",)),
    "django-wagtail": (
        149,
        (
            "wagtailadmin.0006_formstate",
            "wagtaildocs.0014_alter_document_file_size",
            "wagtailimages.0027_image_description",
            "wagtailcore.0098_apitoken",
        ),
    ),
    "alembic-galaxy": (82, ("d4a650f47a3c", "fac9c76612f9")),
    "alembic-optuna": (10, ("v3.2.0.a",)),
    "flyway-kestra": (18, ("3.11",)),
    "golang-migrate-stash": (12, ("31",)),
    "goose-examples": (3, ("00004",)),
    "knex-bigcapital": (12, ("20250701211053_create_api_keys_table",)),
    "liquibase-jhipster": (12, ("20150805125054-2",)),
    "prisma-umami": (9, ("14_add_setting",)),
    "rails-administrate": (11, ("20260207134837",)),
    "sqitch-flipr": (13, ("change_pass",)),
}


@dataclass(frozen=True)
class Checkout:
    """A project's migrations, written out in `root`."""

    root: Path
    history: History

    @classmethod
    def of(cls, name: str, root: Path) -> Checkout:
        case: Mapping[str, Any] = documents.load(PROJECTS / f"{name}.yaml").data
        Repository(root).write({**dict.fromkeys(case.get("names", {}), ""), **case.get("files", {})})
        return cls(root, read(case["tool"], root / case["path"], case["path"]))


@pytest.mark.parametrize("name", sorted(EXPECTED))
def test_history_is_as_written_down(name: str, tmp_path: Path) -> None:
    history = Checkout.of(name, tmp_path).history
    assert (len(history.migrations), history.heads) == EXPECTED[name]


def test_every_project_is_read_and_every_tool_has_one() -> None:
    cases = {path.stem: documents.load(path).data for path in PROJECTS.glob("*.yaml")}
    assert set(cases) == set(EXPECTED)
    assert {case["tool"] for case in cases.values()} == set(TOOLS) - {"list"}
    assert [name for name, case in cases.items() if not (case["url"] and case["licence"])] == []


@pytest.mark.parametrize("name", ["alembic-galaxy", "alembic-optuna"])
def test_alembic_says_the_same(name: str, tmp_path: Path) -> None:
    checkout = Checkout.of(name, tmp_path)
    ini = tmp_path / "alembic.ini"
    config = Config(str(ini) if ini.exists() else None)
    if not ini.exists():
        config.set_main_option("script_location", str(tmp_path))
    (tmp_path / "alembic").mkdir(exist_ok=True)
    script = ScriptDirectory.from_config(config)
    assert set(checkout.history.heads) == set(script.get_heads())
    for revision in checkout.history.migrations:
        applied = {item.revision for item in script.iterate_revisions(revision, "base", implicit_base=True)}
        assert checkout.history.ancestors((revision,)) == applied


def test_labels_of_alembics_branches_are_names(tmp_path: Path) -> None:
    history = Checkout.of("alembic-galaxy", tmp_path).history
    assert history.named("gxy@head") == "fac9c76612f9"
    assert history.named("tsi@head") == "d4a650f47a3c"
    assert history.at("gxy@head").text == "fac9c76612f9"
    assert "d4a650f47a3c" not in history.ancestors(("fac9c76612f9",))


def test_django_says_the_same(tmp_path: Path) -> None:
    checkout = Checkout.of("django-wagtail", tmp_path)
    taggit = {"taggit/__init__.py": "", "taggit/migrations/__init__.py": ""}
    for before, name in zip((None, *TAGGIT), TAGGIT, strict=False):
        taggit[f"taggit/migrations/{name}.py"] = STEP.format([("taggit", before)] if before else [])
    Repository(tmp_path).write(taggit)
    outcome = run(sys.executable, "-c", LOADER, cwd=tmp_path, env={"PYTHONPATH": str(tmp_path)})
    assert outcome.exit_code == 0, outcome
    peer = json.loads(outcome.stdout)
    history = checkout.history
    # Django's loader leaves out what a squashed migration replaces; the history keeps both, the squashed one later.
    replaced = set(history.migrations) - set(peer)
    assert len(replaced) > 30
    plans = {name: sorted(history.ancestors((name,)) - replaced) for name in peer}
    assert plans == peer


def test_numbers_of_flyway_and_golang_migrate_are_no_text(tmp_path: Path) -> None:
    order = list(Checkout.of("flyway-kestra", tmp_path / "kestra").history.migrations)
    assert order[:8] == ["1", "1.1", "1.2", "1.4", "1.5", "1.7", "1.9", "1.11"]
    assert order[-6:] == ["2", "2.1", "3.1", "3.9", "3.10", "3.11"]
    stash = Checkout.of("golang-migrate-stash", tmp_path / "stash").history
    assert list(stash.migrations) == [*map(str, range(1, 11)), "28", "31"]


def test_files_that_the_tools_pass_over_are_passed_over(tmp_path: Path) -> None:
    assert "30" not in Checkout.of("golang-migrate-stash", tmp_path / "stash").history.migrations
    assert "00003" not in Checkout.of("goose-examples", tmp_path / "goose").history.migrations


def test_reworked_changes_of_sqitch_go_by_their_tags(tmp_path: Path) -> None:
    history = Checkout.of("sqitch-flipr", tmp_path).history
    # The project has the scripts change_pass@v1.0.0-dev2.sql and change_pass.sql.
    assert "change_pass@v1.0.0-dev2" in history.migrations
    assert history.named("insert_user@v1.0.0-dev1") == history.named("insert_user@v1.0.0-dev2")
    assert history.named("@v1.0.0-dev2") == "delete_flip"
    assert "pgcrypto" in history.ancestors(("insert_user",))
    assert "pgcrypto" not in history.ancestors(("insert_user@v1.0.0-dev2",))


def test_database_that_ran_some_contexts_of_liquibase_stands_exactly_there(tmp_path: Path) -> None:
    history = Checkout.of("liquibase-jhipster", tmp_path).history
    production = [name for name in history.migrations if not name.endswith("-data") and name != "00000000000002"]
    place = history.exactly(production)
    assert place.fits(Span("20150805125054-1-relations", None))
    assert not place.fits(Span("20150805125054-1-data", None))
