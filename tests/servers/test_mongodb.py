"""Throwaway MongoDB servers, where mongod is on the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tdv.errors import PluginMissing
from tdv.servers import mongodb


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
