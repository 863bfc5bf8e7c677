"""Real Alembic on real databases: a history with several heads, and one that is broken."""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.migrated import migrated
from tests.migrating import ENV, SCRIPT
from tests.repository import Repository

SETTINGS = f"""
    targets:
      local: {{url: "sqlite:///.tdv/local.db", owns: database}}
    default: {{target: local}}
    datasets: {{shop: "*"}}
    migrations:
      tool: alembic
      path: history
      apply: ["{sys.executable}", -m, alembic, -c, alembic.ini, upgrade, "{{revision}}"]
      env: {{DATABASE_URL: "{{url}}"}}
    """
STEPS = {
    "0001": (None, "op.execute('CREATE TABLE users (id BIGINT PRIMARY KEY, name VARCHAR)')"),
    "b1": ("0001", "op.execute('CREATE TABLE \"order\" (id BIGINT PRIMARY KEY)')"),
    "c1": ("0001", "op.execute('ALTER TABLE users ADD COLUMN note VARCHAR')"),
}


@pytest.fixture
def project(tmp_path: Path) -> Repository:
    steps = {
        f"history/versions/{name}.py": SCRIPT.format(revision=name, before=before, body=f"    {body}")
        for name, (before, body) in STEPS.items()
    }
    ini = "[alembic]\nscript_location = history\n"
    files = {**steps, "history/env.py": ENV, "alembic.ini": ini, "tdv.yaml": SETTINGS}
    repository = migrated(tmp_path / "repo").write(files)
    repository.tdv("compat", "shop@v1.0.0", "--from", "0001", "--until", "", "-m", "Serves all of it", expect=0)
    return repository


def test_every_head_of_the_history_is_applied(project: Repository) -> None:
    receipt = project.tdv("checkout", "v1.0.0", "--json", expect=0).json()
    assert receipt["releases"][0]["version"] == "1.0.0"
    with closing(sqlite3.connect(project.root / ".tdv/local.db")) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version ORDER BY 1").fetchall() == [("b1",), ("c1",)]
        assert connection.execute("SELECT name, note FROM users ORDER BY id").fetchall() == [
            ("ada", None),
            (None, None),
        ]
        assert connection.execute('SELECT count(*) FROM "order"').fetchall() == [(0,)]
    assert project.tdv("checkout", "v1.0.0", "--json", expect=0).json()["action"] == "unchanged"


def test_history_that_hangs_in_the_air_is_refused_before_anything_is_made(project: Repository) -> None:
    broken = SCRIPT.format(revision="d1", before="gone", body="    pass")
    project.write({"history/versions/d1.py": broken})
    for command in (("checkout",), ("resolve", "--target", "local"), ("verify", "--compat")):
        answer = project.tdv(*command, expect=3)
        assert "d1.py comes after the migration 'gone', which is not in history" in answer.stderr
    assert not (project.root / ".tdv/local.db").exists()
