"""PostgreSQL: the contract on a real server, and what is its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdv.targets.protocol import Target
from tdv.testing import TargetContract
from tests.targets.builders import target


class TestContract(TargetContract):
    @pytest.fixture
    def place(self, tmp_path: Path, empty_postgresql: str) -> Target:
        return target(tmp_path, empty_postgresql)


class TestContractOfOwned(TargetContract):
    @pytest.fixture
    def place(self, tmp_path: Path, absent_postgresql: str) -> Target:
        return target(tmp_path, absent_postgresql, owns="database")
