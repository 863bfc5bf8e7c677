"""A repository whose application has migrations, and two releases of its data for two parts of their history.

The history: 0001 makes ``users``; 0002 adds a column with a default, an index and a view; 0003 calls the table
``people``. ``shop`` 1.0.0 (``users``) serves 0001 until 0003, 2.0.0 (``people``) serves 0003 on. The tool is a program
of 30 lines with the files and the table of golang-migrate, which reads ``DATABASE_URL``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from tdv.model.compat import Compat, Span
from tdv.model.release import Amendment
from tests.repository import Repository
from tests.shelf import USERS, Shelf

MIGRATIONS = {
    "migrations/0001_users.up.sql": "CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR)",
    "migrations/0002_notes.up.sql": """
        ALTER TABLE users ADD COLUMN note VARCHAR DEFAULT 'none';
        CREATE VIEW named AS SELECT id, name AS "select" FROM users WHERE name IS NOT NULL
        """,
    "migrations/0003_people.up.sql": "DROP VIEW named; ALTER TABLE users RENAME TO people",
}
MIGRATOR = """
    import os, pathlib, sys

    def connected(url):
        scheme, _, path = url.partition(":///")
        if scheme == "sqlite":
            import sqlite3
            return sqlite3.connect(path)
        if scheme == "duckdb":
            import duckdb
            return duckdb.connect(path)
        import psycopg
        return psycopg.connect(url)

    connection = connected(os.environ["DATABASE_URL"])
    connection.execute("CREATE TABLE IF NOT EXISTS schema_migrations (version BIGINT, dirty BOOLEAN)")
    (last,) = connection.execute("SELECT coalesce(max(version), 0) FROM schema_migrations").fetchone()
    for file in sorted(pathlib.Path("migrations").glob("*.up.sql")):
        number = int(file.name[:4])
        if last < number <= int(sys.argv[1]):
            for statement in file.read_text().split(";"):
                connection.execute(statement)
            connection.execute("DELETE FROM schema_migrations")
            connection.execute(f"INSERT INTO schema_migrations VALUES ({number}, false)")
    connection.commit()
    connection.close()
    """
SETTINGS = """
    targets:
      local: {{url: "{url}", owns: {owns}}}
    default: {{target: local}}
    datasets: {{shop: "*"}}
    migrations:
      tool: golang-migrate
      path: migrations
      apply: ["{python}", migrate.py, "{{revision}}"]
      env: {{DATABASE_URL: "{{url}}"}}
    """
SPANS = {"1.0.0": Span("0001", "0003"), "2.0.0": Span("0003", None)}


def settings(url: str = "sqlite:///.tdv/local.db", owns: str = "database") -> Mapping[str, str]:
    """``tdv.yaml`` whose default target is at `url`."""
    return {"tdv.yaml": SETTINGS.format(url=url, owns=owns, python=sys.executable)}


def migrated(root: Path) -> Repository:
    """The repository with both releases."""
    shelf = Shelf.create(root)
    shelf.repository.write({**MIGRATIONS, "migrate.py": MIGRATOR, **settings()}).commit("Add the application")
    shelf.releases(("1.0.0", {1: "ada", 2: None}))
    shelf.schema = replace(USERS, name="people")
    shelf.releases(("2.0.0", {1: "ada", 2: None, 3: "grace"}))
    for version, span in SPANS.items():
        compat = Compat(None, span)
        shelf.book.append_amendment("shop", Amendment(version, "2026-01-01T00:00:00Z", "learnt", compat=compat))
    return shelf.repository


def until(repository: Repository, revision: str) -> Repository:
    """Removes the files of the migrations after `revision`, as an older commit of the application has it."""
    for file in sorted((repository.root / "migrations").iterdir()):
        if file.name[:4] > revision:
            file.unlink()
    return repository
