"""``tdv verify --compat``: each release at every migration that it declares to serve, on scratch databases."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tdv.model.compat import Compat, Span
from tdv.model.release import Amendment
from tdv.store.records import ReleaseBook
from tests.migrated import migrated, settings, until
from tests.repository import Repository


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    return migrated(tmp_path / "repo")


def serves(project: Repository, version: str, start: str | None, end: str | None) -> None:
    compat = Compat(None, Span(start, end))
    amendment = Amendment(version, "2026-02-01T00:00:00Z", "learnt", compat=compat)
    ReleaseBook(project.root).append_amendment("shop", amendment)


def spans(project: Repository, *refs: str, expect: int = 0) -> dict[str, str]:
    answer = project.tdv("verify", *refs, "--compat", "--json", expect=expect).json()
    found = [item for item in answer["subjects"] if item["promise"] == "span"]
    assert all(item["ok"] for item in found) == (expect == 0)
    return {item["version"]: item["message"] for item in found}


def test_releases_that_fit_all_their_migrations_keep_their_promise(project: Repository) -> None:
    assert spans(project) == {"1.0.0": "tried at 0001, 0002", "2.0.0": "tried at 0003"}
    assert not list((project.root / ".tdv").glob("throwaway/*"))
    assert not (project.root / ".tdv/state").exists()
    assert not (project.root / ".tdv/local.db").exists()


def test_span_that_reaches_too_far_is_told_with_migration_statement_and_remedy(project: Repository) -> None:
    serves(project, "1.0.0", "0001", None)
    project.write({"migrations/0004_more.up.sql": "CREATE TABLE more (id BIGINT)"})
    assert spans(project, "v1.0.0", expect=13) == {
        "1.0.0": "it serves migrations 0001 on, and does not fit 0003 (migrations/0003_people.up.sql), nor 1 more: "
        "the schema of the target has no table 'users' [DROP VIEW named; ALTER TABLE users RENAME TO people]. "
        "`tdv compat shop@v1.0.0 --until 0003 -m WHY` would say so"
    }


def test_span_that_begins_too_early_is_told_with_its_remedy(project: Repository) -> None:
    serves(project, "2.0.0", "0001", None)
    message = spans(project, "v2.0.0", expect=13)["2.0.0"]
    assert "does not fit 0001 (migrations/0001_users.up.sql), nor 1 more" in message
    assert "`tdv compat shop@v2.0.0 --from 0003 -m WHY`" in message


def test_migration_that_cannot_be_applied_is_told_once_and_not_run_again(project: Repository) -> None:
    project.write({"migrations/0002_notes.up.sql": "ALTER TABLE nobody ADD COLUMN note TEXT"})
    found = spans(project, expect=13)
    assert "does not fit 0002 (migrations/0002_notes.up.sql): the migration cannot be applied: " in found["1.0.0"]
    assert "no such table: nobody" in found["1.0.0"]
    assert "It fits none of them" in found["2.0.0"]


def test_rule_that_a_migration_adds_is_told(project: Repository) -> None:
    until(project, "0001")
    project.write(
        {
            "migrations/0002_names.up.sql": """
                CREATE TABLE others (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL);
                DROP TABLE users; ALTER TABLE others RENAME TO users
                """
        }
    )
    message = spans(project, "v1.0.0", expect=13)["1.0.0"]
    assert "a rule of the target refuses the rows: NOT NULL constraint failed: users.name" in message
    assert "[CREATE TABLE others (id BIGINT PRIMARY KEY, name VARCHAR NOT NULL);]" in message


def test_rows_that_a_trigger_of_the_application_changes_are_told(project: Repository) -> None:
    until(project, "0001")
    trigger = (
        "CREATE TRIGGER louder AFTER INSERT ON users BEGIN UPDATE users SET name = upper(name) WHERE id = NEW.id; END"
    )
    whole = project.read("migrate.py").replace('read_text().split(";")', 'read_text().split(";;")')
    project.write({"migrations/0002_louder.up.sql": trigger, "migrate.py": whole})
    message = spans(project, "v1.0.0", expect=13)["1.0.0"]
    assert "does not fit 0002 (migrations/0002_louder.up.sql): " in message
    assert "came back from SQLite with other rows: 'name' has other values" in message
    assert "[CREATE TRIGGER louder" in message


def test_reference_to_a_table_of_the_application_counts(project: Repository) -> None:
    until(project, "0001")
    project.write({"migrations/0002_cities.up.sql": """
        CREATE TABLE names (name VARCHAR PRIMARY KEY);
        CREATE TABLE others (id BIGINT PRIMARY KEY, name VARCHAR REFERENCES names);
        DROP TABLE users; ALTER TABLE others RENAME TO users
        """})  # fmt: skip
    message = spans(project, "v1.0.0", expect=13)["1.0.0"]
    assert "rows of table 'users' reference rows of 'names' that are not there" in message


def test_span_without_a_migration_of_the_history_is_no_promise_kept(project: Repository) -> None:
    serves(project, "2.0.0", "0007", None)
    assert spans(project, "v2.0.0", expect=13) == {
        "2.0.0": "it serves migrations from 0007, which is not in migrations"
    }


def test_release_that_is_yanked_or_declares_no_span_is_not_tried(project: Repository) -> None:
    project.tdv("yank", "v1.0.0", "-m", "wrong", expect=0)
    assert list(spans(project)) == ["2.0.0"]


def test_program_that_cannot_be_run_says_nothing_about_spans(project: Repository) -> None:
    project.write({"tdv.yaml": project.read("tdv.yaml").replace(sys.executable, "./no-such-program")})
    answer = project.tdv("verify", "--compat", expect=3)
    assert "migrations.apply cannot be run: ./no-such-program" in answer.stderr


def test_spans_cannot_be_tried_without_a_command(project: Repository) -> None:
    project.write({"tdv.yaml": "migrations: {tool: golang-migrate, path: migrations}\n"})
    answer = project.tdv("verify", "--compat", expect=3)
    assert "does not say how a database is migrated" in answer.stderr


def test_spans_are_tried_beside_the_default_target_on_its_server(project: Repository, absent_postgresql: str) -> None:
    project.write(settings(absent_postgresql))
    serves(project, "1.0.0", "0001", None)
    message = spans(project, "v1.0.0", expect=13)["1.0.0"]
    assert "does not fit 0003" in message
    assert "has no table 'users'" in message
