"""The page about PostgreSQL: its commands work as printed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import RepositoryBuilder
from tests.targets.servers import run_sql
from tests.test_docs import DOCS, blocks, type_in

PAGE = DOCS / "reference" / "postgresql.md"
SPEC = """
    dataset: shop
    seed: 1
    as_of: 2026-01-01T00:00:00Z
    tables:
      users:
        rows: 12
        key: [id]
        columns:
          id: {type: int64, generate: {sequence: {start: 1}}}
          email: {type: string, unique: true, generate: {template: "user{id}@example.test"}}
    """
SETTINGS = "targets:\n  ci: {url_env: DATABASE_URL, owns: database}\n"


def test_commands_work_as_printed(
    repo: RepositoryBuilder, empty_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if shutil.which("psql") is None:
        pytest.skip("psql is not installed")
    repository = repo({"datasets/shop/dataset.yaml": SPEC}).prepared()
    repository.tdv("build")
    repository.commit("Data")
    repository.tdv("release", "shop", "1.0.0", "-m", "First")
    monkeypatch.setenv("DATABASE_URL", empty_postgresql)
    outcome = type_in(blocks(PAGE, "sh"), repository.root)
    assert outcome.exit_code == 0, outcome
    assert "12" in outcome.stdout


def test_declared_target_is_cloned_and_counted(
    repo: RepositoryBuilder, absent_postgresql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", absent_postgresql)
    repository = repo({"datasets/shop/dataset.yaml": SPEC}).prepared()
    repository.write({"tdv.yaml": SETTINGS})
    repository.tdv("build")
    assert "loaded" in repository.tdv("checkout", "shop@workspace", "--target", "ci").stdout
    assert "unchanged" in repository.tdv("checkout", "shop@workspace", "--target", "ci").stdout
    run_sql(absent_postgresql, "DELETE FROM users")
    outcome = repository.tdv("checkout", "shop@workspace", "--target", "ci", "--json")
    assert outcome.json()["action"] == "cloned"
    assert run_sql(absent_postgresql, "SELECT count(*) FROM users") == [(12,)]


def test_serve_db_prints_a_url_and_ends_with_ctrl_c(postgresql_server: object) -> None:
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("tdv")), "serve-db", "postgresql"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert re.fullmatch(r"postgresql://postgres:\S+@127\.0\.0\.1:\d+/postgres", url)
    assert run_sql(url, "SELECT 1") == [(1,)]
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
