"""The page about MySQL and MariaDB: its commands work as printed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import RepositoryBuilder
from tests.targets.servers import run_mysql
from tests.test_docs import DOCS, blocks, type_in
from tests.test_docs_postgresql import SETTINGS, SPEC

PAGE = DOCS / "reference" / "mysql.md"


def test_commands_work_as_printed(repo: RepositoryBuilder, empty_mysql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    repository = repo({"datasets/shop/dataset.yaml": SPEC}).prepared()
    repository.tdv("build")
    repository.commit("Data")
    repository.tdv("release", "shop", "1.0.0", "-m", "First")
    monkeypatch.setenv("DATABASE_URL", empty_mysql)
    outcome = type_in(blocks(PAGE, "sh"), repository.root)
    assert outcome.exit_code == 0, outcome
    assert run_mysql(empty_mysql, "SELECT count(*) FROM users") == [(12,)]


def test_declared_target_is_made_and_copied(
    repo: RepositoryBuilder, absent_mysql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", absent_mysql)
    repository = repo({"datasets/shop/dataset.yaml": SPEC}).prepared()
    repository.write({"tdv.yaml": SETTINGS})
    repository.tdv("build")
    assert "loaded" in repository.tdv("checkout", "shop@workspace", "--target", "ci").stdout
    assert "unchanged" in repository.tdv("checkout", "shop@workspace", "--target", "ci").stdout
    run_mysql(absent_mysql, "DELETE FROM users")
    outcome = repository.tdv("checkout", "shop@workspace", "--target", "ci", "--json")
    assert outcome.json()["action"] == "cloned"
    assert run_mysql(absent_mysql, "SELECT count(*) FROM users") == [(12,)]


def test_serve_db_prints_a_url_and_ends_with_ctrl_c(mariadb_server: object) -> None:
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("tdv")), "serve-db", "mariadb"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"},
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert re.fullmatch(r"mysql://tdv:\S+@127\.0\.0\.1:\d+/test", url)
    assert run_mysql(url, "SELECT 1") == [(1,)]
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
