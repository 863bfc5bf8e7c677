"""Ctrl-C: before the command line is loaded, and again while what was begun is being undone."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from tdv.servers.server import Server
from tests.repository import run
from tests.shop import released_shop
from tests.targets.servers import mysql_url, run_mysql

# Raises what Ctrl-C does, at the first module that the command line imports.
EARLY = """
import sys

class Interrupt:
    def find_spec(self, name, path=None, target=None):
        if name == "typer":
            raise KeyboardInterrupt

sys.meta_path.insert(0, Interrupt())
from tdv.cli import main
main()
"""
# Tables are built side by side, in statements that take minutes.
LONG = """
from tdv.cli import main
from tdv.targets.mysql import building
from tdv.targets.mysql.session import execute

building.LARGE = 1
building.fill = lambda connection, *_, **__: execute(connection, "DO SLEEP(600)")
main()
"""
SLEEPS = "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO = 'DO SLEEP(600)' HAVING count(*) = 2"
WAITS = (
    "SELECT 1 FROM information_schema.PROCESSLIST WHERE INFO LIKE 'DROP%' AND STATE = 'Waiting for table metadata lock'"
)
MADE = "SELECT TABLE_SCHEMA FROM information_schema.TABLES WHERE TABLE_NAME = '_tdv_new_0'"


def until(found: Callable[[], object]) -> None:
    while not found():
        pass


def test_ctrl_c_while_tdv_starts_ends_it_without_a_trace(tmp_path: Path) -> None:
    outcome = run(sys.executable, "-c", EARLY, cwd=tmp_path)
    assert (outcome.exit_code, outcome.stdout, outcome.stderr) == (130, "", "")


def test_second_ctrl_c_does_not_wait_for_a_server_that_undoes(tmp_path: Path, mariadb_server: Server) -> None:
    """Somebody reads what has to be dropped: the server would wait for that reader, statement by statement."""
    pymysql = pytest.importorskip("pymysql")
    shop, url = released_shop(tmp_path / "shop"), mysql_url(mariadb_server.url, "twice")
    shop.write({"tdv.yaml": f"default: {{target: app}}\ntargets: {{app: {{url: '{url}', owns: database}}}}\n"})
    parts = urlsplit(url)
    reader = pymysql.connect(user=parts.username, password=parts.password, **dict(parse_qsl(parts.query)))
    with closing(reader), reader.cursor() as cursor:
        process = subprocess.Popen([sys.executable, "-c", LONG, "checkout"], cwd=shop.root, stderr=subprocess.PIPE)
        until(lambda: run_mysql(mariadb_server.url, SLEEPS))
        ((place,),) = run_mysql(mariadb_server.url, MADE)
        cursor.execute("BEGIN")
        cursor.execute(f"SELECT * FROM {place}._tdv_new_0")
        process.send_signal(signal.SIGINT)
        until(lambda: run_mysql(mariadb_server.url, WAITS))
        process.send_signal(signal.SIGINT)
        _, said = process.communicate()
        # The server has not ended to wait for the reader.
        assert run_mysql(mariadb_server.url, WAITS)
    assert process.returncode == 130
    assert b"Interrupted again" in said
    assert b"Run the same command again" in said
    shop.tdv_process("checkout", expect=0)
    run_mysql(mariadb_server.url, f"DROP DATABASE {place}", "DROP DATABASE twice")
