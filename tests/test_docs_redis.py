"""The page about Redis: its commands work as printed."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.conftest import RepositoryBuilder
from tests.test_docs import DOCS, blocks, type_in
from tests.test_docs_postgresql import SPEC

pytest.importorskip("redis")

import redis

PAGE = DOCS / "reference" / "redis.md"
SETTINGS = "targets:\n  ci: {url_env: REDIS_URL, owns: database}\n"


@pytest.fixture
def url(empty_redis: str, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("REDIS_URL", empty_redis)
    return empty_redis


def test_commands_work_as_printed(repo: RepositoryBuilder, url: str) -> None:
    if shutil.which("redis-cli", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}") is None:
        pytest.skip("redis-cli is not installed")
    repository = repo({"datasets/shop/dataset.yaml": SPEC}).prepared()
    repository.tdv("build")
    repository.commit("Data")
    repository.tdv("release", "shop", "1.0.0", "-m", "First")
    outcome = type_in(blocks(PAGE, "sh"), repository.root)
    assert outcome.exit_code == 0, outcome
    assert "user1@example.test" in outcome.stdout
    assert "healthy" in outcome.stdout
    with closing(redis.Redis.from_url(url)) as client:
        client.hset("users:1", "email", "other@example.test")
        client.hset("users:13", mapping={"id": 13, "email": "new@example.test"})
    assert repository.tdv("health", url, "shop@v1.0.0").exit_code == 1
    difference = repository.tdv("diff", "shop@v1.0.0", url, "--json").json()
    assert {name: difference["tables"]["users"][name] for name in ("added", "removed", "changed")} == {
        "added": 1,
        "removed": 0,
        "changed": 1,
    }


def test_declared_target_is_copied(repo: RepositoryBuilder, url: str) -> None:
    repository = repo({"datasets/shop/dataset.yaml": SPEC}).prepared()
    repository.write({"tdv.yaml": SETTINGS})
    repository.tdv("build")
    assert "loaded" in repository.tdv("checkout", "shop@workspace", "--target", "ci").stdout
    assert "unchanged" in repository.tdv("checkout", "shop@workspace", "--target", "ci").stdout
    with closing(redis.Redis.from_url(url)) as client:
        client.flushdb()
        outcome = repository.tdv("checkout", "shop@workspace", "--target", "ci", "--json")
        assert outcome.json()["action"] == "cloned"
        assert len(client.keys("users:*")) == 12
    assert url.split(":")[2].split("@")[0] not in outcome.stdout


def test_serve_db_prints_a_url_and_ends_with_ctrl_c(redis_server: object) -> None:
    process = subprocess.Popen(
        [str(Path(sys.executable).with_name("tdv")), "serve-db", "redis"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    url = process.stdout.readline().strip()
    assert re.fullmatch(r"redis://default:\S+@127\.0\.0\.1:\d+/0", url)
    with closing(redis.Redis.from_url(url)) as client:
        assert client.ping()
    process.send_signal(signal.SIGINT)
    assert process.wait(30) == 0
    process.stdout.close()
