"""MariaDB: the contract, in a database of somebody else and in one that tdv owns; values, keys and connections."""

from __future__ import annotations

from pathlib import Path

import pytest

from tdv.targets.protocol import Target
from tdv.testing import TargetContract
from tests.targets.builders import target

pytest.importorskip("pymysql")


class TestContract(TargetContract):
    @pytest.fixture
    def place(self, tmp_path: Path, empty_mysql: str) -> Target:
        return target(tmp_path, empty_mysql)


class TestContractOfOwned(TargetContract):
    @pytest.fixture
    def place(self, tmp_path: Path, absent_mysql: str) -> Target:
        return target(tmp_path, absent_mysql, owns="database")
