"""What every reader of a migration tool does alike: one project of three steps in the files of each tool.

A reader reads ``users``, then ``movies``, then ``ratings`` from files alone, finds each by the names that people use,
and knows from the tool's own table where a database stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tdv.errors import ConfigError
from tdv.migrations import TOOLS, read, tool
from tdv.model.compat import Span
from tests.repository import Repository

Rows = Mapping[str, Sequence[Mapping[str, Any]]]


@dataclass(frozen=True)
class Example:
    """The three steps as one tool writes them: files, revisions, other names of the second, the table after two.

    `path` is what ``migrations.path`` in tdv.yaml names.
    """

    files: Mapping[str, str]
    revisions: tuple[str, str, str]
    names: tuple[str, ...]
    applied: Rows = field(default_factory=dict)
    empty: Rows = field(default_factory=dict)
    twice: Mapping[str, str] = field(default_factory=dict)
    path: str = "db"


def alembic(revision: str, before: str | None) -> str:
    return f'"""Add something"""\nfrom alembic import op\n\nrevision = "{revision}"\ndown_revision = {before!r}\n'


def django(*dependencies: tuple[str, str]) -> str:
    head = "from django.db import migrations\n\nclass Migration(migrations.Migration):\n"
    return f"{head}    dependencies = {[*dependencies]}\n"


EXAMPLES = {
    "alembic": Example(
        {
            "db/versions/1_users.py": alembic("aaaa1111", None),
            "db/versions/0_movies.py": alembic("bbbb2222", "aaaa1111"),
            "db/versions/2_ratings.py": alembic("cccc3333", "bbbb2222"),
            "db/env.py": "raise SystemExit('nothing of the project is run')",
            "db/versions/__init__.py": "raise SystemExit('nothing of the project is run')",
        },
        ("aaaa1111", "bbbb2222", "cccc3333"),
        ("bbbb2222", "bbbb"),
        {"alembic_version": [{"version_num": "bbbb2222"}]},
        {"alembic_version": []},
        {"db/versions/again.py": alembic("bbbb2222", "aaaa1111")},
    ),
    "django": Example(
        {
            "db/shop/migrations/__init__.py": "",
            "db/shop/migrations/0001_users.py": django(("auth", "0001_initial")),
            "db/shop/migrations/0002_movies.py": django(("shop", "0001_users")),
            "db/shop/migrations/0003_ratings.py": django(("shop", "0002_movies")),
            "db/shop/models.py": "raise SystemExit('nothing of the project is run')",
        },
        ("shop.0001_users", "shop.0002_movies", "shop.0003_ratings"),
        ("shop.0002_movies", "shop.0002"),
        {
            "django_migrations": [
                {"app": "auth", "name": "0001_initial"},
                {"app": "shop", "name": "0001_users"},
                {"app": "shop", "name": "0002_movies"},
            ]
        },
        {"django_migrations": []},
    ),
    "flyway": Example(
        {
            "db/V1__users.sql": "",
            "db/more/V1_10__ratings.sql": "",
            "db/V1.9__movies.sql": "",
            "db/R__views.sql": "",
            "db/U1.9__movies.sql": "",
        },
        ("1", "1.9", "1.10"),
        ("1.9", "V1.9", "V1.9__movies.sql"),
        {
            "flyway_schema_history": [
                {"installed_rank": 1, "version": "1", "type": "SQL", "success": True},
                {"installed_rank": 2, "version": "1.9", "type": "SQL", "success": 1},
                {"installed_rank": 3, "version": None, "type": "SQL", "success": True},
                {"installed_rank": 4, "version": "1.10", "type": "SQL", "success": False},
            ]
        },
        {"flyway_schema_history": []},
        {"db/V1_9_0__again.sql": ""},
    ),
    "liquibase": Example(
        {
            "db/db.changelog-master.xml": """
                <databaseChangeLog xmlns="http://www.liquibase.org/xml/ns/dbchangelog">
                  <changeSet id="users" author="ada"><sql>CREATE TABLE users (id int)</sql></changeSet>
                  <include file="more.yaml" relativeToChangelogFile="true"/>
                  <includeAll path="sql"/>
                </databaseChangeLog>
                """,
            "db/more.yaml": """
                databaseChangeLog:
                  - changeSet: {id: movies, author: ada, changes: [{tagDatabase: {tag: v1}}]}
                """,
            "db/sql/ratings.sql": "--liquibase formatted sql\n\n-- changeset ada:ratings\nCREATE TABLE r (id int);\n",
        },
        ("users", "movies", "ratings"),
        ("movies", "movies::ada", "ada:movies", "v1"),
        {
            "databasechangelog": [
                {"id": "users", "author": "ada", "orderexecuted": 1},
                {"id": "movies", "author": "ada", "orderexecuted": 2},
            ]
        },
        {"databasechangelog": []},
    ),
    "rails": Example(
        {
            "db/20260101000000_users.rb": "",
            "db/20260102000000_movies.rb": "",
            "db/later/20260103000000_ratings.rb": "",
            "db/schema.rb": "",
        },
        ("20260101000000", "20260102000000", "20260103000000"),
        ("20260102000000", "20260102000000_movies", "movies", "2026010200"),
        {"schema_migrations": [{"version": "20260101000000"}, {"version": "20260102000000"}]},
        {"schema_migrations": []},
        {"db/20260102000000_again.rb": ""},
    ),
    "golang-migrate": Example(
        {
            "db/0001_users.up.sql": "",
            "db/0001_users.down.sql": "",
            "db/0002_movies.up.sql": "",
            "db/0010_ratings.up.sql": "",
        },
        ("0001", "0002", "0010"),
        ("2", "0002", "movies", "0002_movies"),
        {"schema_migrations": [{"version": 2, "dirty": False}]},
        {"schema_migrations": []},
        {"db/2_again.up.sql": ""},
    ),
    "dbmate": Example(
        {
            "db/20260101000000_users.sql": "",
            "db/20260102000000_movies.sql": "",
            "db/20260103000000_ratings.sql": "",
            "db/README.md": "",
        },
        ("20260101000000", "20260102000000", "20260103000000"),
        ("20260102000000", "movies"),
        {"schema_migrations": [{"version": "20260102000000"}, {"version": "20260101000000"}]},
        {"schema_migrations": []},
        {"db/20260102000000_again.sql": ""},
    ),
    "goose": Example(
        {
            "db/00001_users.sql": "",
            "db/00002_movies.go": "",
            "db/00003_ratings.sql": "",
            "db/00002_movies_test.go": "",
        },
        ("00001", "00002", "00003"),
        ("2", "00002", "movies"),
        {
            "goose_db_version": [
                {"id": 1, "version_id": 0, "is_applied": True},
                {"id": 2, "version_id": 1, "is_applied": True},
                {"id": 3, "version_id": 2, "is_applied": True},
                {"id": 4, "version_id": 3, "is_applied": True},
                {"id": 5, "version_id": 3, "is_applied": False},
            ]
        },
        {"goose_db_version": [{"id": 1, "version_id": 0, "is_applied": True}]},
        {"db/2_again.sql": ""},
    ),
    "knex": Example(
        {
            "db/20260101000000_users.js": "",
            "db/20260102000000_movies.ts": "",
            "db/20260103000000_ratings.mjs": "",
            "db/types.d.ts": "",
        },
        ("20260101000000_users", "20260102000000_movies", "20260103000000_ratings"),
        ("20260102000000_movies", "20260102000000", "20260102000000_movies.ts"),
        {
            "knex_migrations": [
                {"id": 1, "name": "20260101000000_users.js"},
                {"id": 2, "name": "20260102000000_movies.ts"},
            ]
        },
        {"knex_migrations": []},
        {"db/20260102000000_movies.js": ""},
    ),
    "prisma": Example(
        {
            "db/20260101000000_users/migration.sql": "",
            "db/20260102000000_movies/migration.sql": "",
            "db/20260103000000_ratings/migration.sql": "",
            "db/migration_lock.toml": "",
        },
        ("20260101000000_users", "20260102000000_movies", "20260103000000_ratings"),
        ("20260102000000_movies", "20260102000000"),
        {
            "_prisma_migrations": [
                {"id": "a", "migration_name": "20260101000000_users", "finished_at": "x", "rolled_back_at": None},
                {"id": "b", "migration_name": "20260102000000_movies", "finished_at": "x", "rolled_back_at": None},
                {"id": "c", "migration_name": "20260103000000_ratings", "finished_at": None, "rolled_back_at": None},
            ]
        },
        {"_prisma_migrations": []},
    ),
    "sqitch": Example(
        {
            "db/sqitch.plan": """
                %syntax-version=1.0.0
                %project=shop

                users 2026-01-01T00:00:00Z Ada <ada@example.test> # Users
                movies [users] 2026-01-02T00:00:00Z Ada <ada@example.test> # Movies
                @v1 2026-01-02T00:00:00Z Ada <ada@example.test> # First version
                ratings [movies] 2026-01-03T00:00:00Z Ada <ada@example.test> # Ratings
                """
        },
        ("users", "movies", "ratings"),
        ("movies", "@v1", "v1"),
        {
            "changes": [
                {"change": "movies", "committed_at": "2026-02-02 00:00:00"},
                {"change": "users", "committed_at": "2026-02-01 00:00:00"},
            ]
        },
        {"changes": []},
    ),
    "list": Example(
        {"db/revisions.txt": "# in order\nusers\n\nmovies  # with titles\nratings\n"},
        ("users", "movies", "ratings"),
        ("movies", "movi"),
        twice={"db/revisions.txt": "users\nmovies\nmovies\n"},
        path="db/revisions.txt",
    ),
}


@pytest.fixture(params=sorted(TOOLS))
def name(request: pytest.FixtureRequest) -> str:
    """Every tool of the package; a new one fails here until it has an example."""
    assert request.param in EXAMPLES, f"write an example of {request.param}"
    return str(request.param)


@pytest.fixture
def place(tmp_path: Path, name: str) -> Path:
    Repository(tmp_path).write(EXAMPLES[name].files)
    return tmp_path / EXAMPLES[name].path


def test_order_and_head(name: str, place: Path) -> None:
    history = read(name, place, "db")
    revisions = EXAMPLES[name].revisions
    assert tuple(history.migrations) == revisions
    assert history.heads == revisions[-1:]
    assert history.ancestors(revisions[1:2]) == {*revisions[:2]}
    assert list(history.between(Span(revisions[0], revisions[2]))) == [*revisions[:2]]


def test_names(name: str, place: Path) -> None:
    history = read(name, place, "db")
    assert {text: history.named(text) for text in EXAMPLES[name].names} == dict.fromkeys(
        EXAMPLES[name].names, EXAMPLES[name].revisions[1]
    )


def test_same_files_give_the_same_history(name: str, place: Path) -> None:
    assert read(name, place, "db") == read(name, place, "db")


def test_place_of_a_database(name: str, place: Path) -> None:
    example = EXAMPLES[name]
    history = read(name, place, "db")
    reader = tool(name)
    assert reader.place(history, {}.get) is None
    if example.applied:
        found = reader.place(history, example.applied.get)
        assert found == history.at(example.revisions[1])
        base = reader.place(history, example.empty.get)
        assert base is not None
        assert base.text == "base"
        assert base.misfit(Span(example.revisions[0]))


def test_two_migrations_of_one_name_are_refused(name: str, place: Path, tmp_path: Path) -> None:
    if EXAMPLES[name].twice:
        Repository(tmp_path).write(EXAMPLES[name].twice)
        with pytest.raises(ConfigError, match="Two migrations in db") as caught:
            read(name, place, "db")
        assert caught.value.hint


def test_a_path_that_is_not_there(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="There is no") as caught:
        read(name, tmp_path / "nowhere", "nowhere")
    assert caught.value.hint


@pytest.mark.parametrize("name", ["dbmate", "flyway", "golang-migrate", "goose"])
def test_files_of_which_none_is_a_migration(name: str, tmp_path: Path) -> None:
    assert not read(name, tmp_path, "db").migrations
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "base.sql").write_text("CREATE TABLE t (id int)")
    with pytest.raises(ConfigError, match=f"None of the files in db is named as a migration of {name}: sub/base.sql"):
        read(name, tmp_path, "db")


def test_scripts_that_are_no_steps_are_no_mistake(tmp_path: Path) -> None:
    (tmp_path / "R__views.sql").write_text("CREATE VIEW v AS SELECT 1")
    assert not read("flyway", tmp_path, "db").migrations


def test_unknown_tool() -> None:
    with pytest.raises(ConfigError, match="No reader knows the migrations of 'alembik'") as caught:
        tool("alembik")
    assert "alembic, dbmate" in (caught.value.hint or "")
