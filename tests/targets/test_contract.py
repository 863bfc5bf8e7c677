"""Each adapter of the package passes the contract."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdv.targets.protocol import Target
from tdv.testing import TargetContract
from tests.targets.builders import target

URLS = {
    "sqlite": "sqlite:///{}/app.db",
    "duckdb": "duckdb:///{}/app.duckdb",
    "parquet": "file://{}/out?format=parquet",
    "csv": "file://{}/out?format=csv",
    "jsonl": "file://{}/out?format=jsonl",
    "sql": "file://{}/out?format=sql",
}


SERVERS = {
    "redis": ("empty_redis", "tables"),
    "redis-owned": ("empty_redis", "database"),
    "mongodb": ("empty_mongodb", "tables"),
    "mongodb-owned": ("empty_mongodb", "database"),
}


class TestContract(TargetContract):
    @pytest.fixture(params=URLS)
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> Target:
        return target(tmp_path, URLS[request.param].format(tmp_path))


class TestContractOnServers(TargetContract):
    @pytest.fixture(params=SERVERS)
    def place(self, request: pytest.FixtureRequest, tmp_path: Path) -> Target:
        fixture, owns = SERVERS[request.param]
        return target(tmp_path, request.getfixturevalue(fixture), owns=owns)
