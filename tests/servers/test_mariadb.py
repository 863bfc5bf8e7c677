"""Throwaway MariaDB servers start, answer, and leave nothing behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tdv.errors import PluginMissing
from tdv.servers import mariadb
from tdv.servers.mariadb import serve
from tdv.servers.private import Account
from tdv.servers.server import Options
from tests.targets.servers import missing, run_mysql

pymysql = pytest.importorskip("pymysql")


@pytest.fixture(scope="module")
def programs() -> Path:
    try:
        return mariadb.binaries(os.environ["PATH"])
    except PluginMissing as exc:
        missing(exc.message)
        raise


@pytest.mark.parametrize("port", [0, None])
def test_server_answers_and_is_gone_afterwards(programs: Path, port: int | None) -> None:
    with serve(programs, Options(port=port)) as server:
        assert str(run_mysql(server.url, "SELECT VERSION()")[0][0]).startswith(server.version)
        with pytest.raises(pymysql.err.OperationalError, match="Access denied"):
            run_mysql(server.url.replace("tdv:", "root:"), "SELECT 1")
    assert not server.directory.exists()
    with pytest.raises(pymysql.err.OperationalError):
        run_mysql(server.url, "SELECT 1")


def test_start_leaves_the_temporary_tables_of_other_servers_alone(programs: Path) -> None:
    """A server removes all that lie in its directory for temporary tables: two that share one break each other."""
    account = Account.choose()
    theirs = Path("/tmp", f"#sql-temptable-tdv-{os.urandom(4).hex()}.MAD")
    theirs.touch()
    os.chown(theirs, account.user, account.group)
    try:
        with serve(programs, Options(port=None)):
            assert theirs.exists()
    finally:
        theirs.unlink(missing_ok=True)


def test_programs_are_looked_for_in_the_given_path_first(programs: Path, tmp_path: Path) -> None:
    for name in ("mariadbd", "mariadb-install-db"):
        (tmp_path / name).touch(mode=0o755)
    assert mariadb.binaries(str(tmp_path)) == tmp_path
