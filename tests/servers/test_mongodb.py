"""Throwaway MongoDB servers, where mongod is on the machine."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tdv.errors import PluginMissing, TargetError
from tdv.servers import mongodb
from tdv.servers.server import Options

LISTENS = """#!/usr/bin/python3
# A port and a socket, as mongod opens them.
import socket, sys, time

if "--version" in sys.argv:
    sys.exit(print("db version v7.0.14"))
words = dict(zip(sys.argv[1::2], sys.argv[2::2]))
with socket.socket() as port, socket.socket(socket.AF_UNIX) as own:
    port.bind((words["--bind_ip"], int(words["--port"])))
    own.bind(f"{words['--unixSocketPrefix']}/mongodb-{words['--port']}.sock")
    port.listen()
    own.listen()
    time.sleep(60)
"""


@pytest.fixture
def listening() -> Iterator[Path]:
    """A program in the place of `mongod`, which any account may run."""
    if not Path("/usr/bin/python3").exists():
        pytest.skip("there is no Python that any account may run")
    directory = Path(tempfile.mkdtemp(prefix="tdv-test-"))
    directory.chmod(0o755)
    program = directory / "mongod"
    program.write_text(LISTENS)
    program.chmod(0o755)
    yield program
    shutil.rmtree(directory)


def test_server_answers_and_is_gone_afterwards() -> None:
    pymongo = pytest.importorskip("pymongo")
    try:
        program = mongodb.binaries(os.environ["PATH"])
    except PluginMissing as exc:
        pytest.skip(exc.message)
    with mongodb.serve(program) as server:
        with pymongo.MongoClient(server.url) as client:
            assert client.server_info()["version"] == server.version
        assert server.directory.exists()
    assert not server.directory.exists()


def test_missing_server_says_what_to_install(tmp_path: Path) -> None:
    with pytest.raises(PluginMissing) as caught:
        mongodb.binaries(str(tmp_path))
    assert "mongodb-org-server" in str(caught.value.hint)


def test_port_of_somebody_else_is_named(listening: Path) -> None:
    """Its URL would lead to their server, whose data are no test's to drop."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(TargetError, match=r"MongoDB 7\.0\.14 did not start.*Address already in use"):
            mongodb.start(listening, Options(port=taken.getsockname()[1]))
    with mongodb.serve(listening) as server:
        assert server.directory.exists()
    assert not server.directory.exists()
