"""Ctrl-C in the middle of what goes to a MySQL server, or comes from it: nothing waits for the server afterwards."""

from __future__ import annotations

import os
import signal
from contextlib import closing
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from tdv.servers.server import Server
from tests.targets.places import MysqlPlace
from tests.targets.servers import run_mysql

pytest.importorskip("pymysql")

from pymysql import err

from tdv.targets.mysql import templates
from tdv.targets.mysql.session import connect, execute, parameters
from tdv.targets.mysql.wire import Connection

ROWS = "LOAD DATA LOCAL INFILE 'rows' INTO TABLE notes"


class Interrupted:
    """A stream; Ctrl-C comes in the middle of the first transfer that is longer than `size` bytes."""

    def __init__(self, stream: Any, size: int) -> None:
        self._stream = stream
        self._size = size
        self._rest = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def sendall(self, data: bytes) -> None:
        if len(data) > self._size:
            self._stream.sendall(bytes(data)[: len(data) // 2])
            raise KeyboardInterrupt
        self._stream.sendall(data)

    def read1(self, size: int) -> bytes:
        if self._rest:
            raise KeyboardInterrupt
        self._rest = True
        return bytes(self._stream.read1(self._size))


def has_ended(connection: Connection) -> bool:
    with pytest.raises(err.InterfaceError):
        execute(connection, "SELECT 1")
    return True


def test_ctrl_c_in_the_middle_of_a_packet_ends_the_session(empty_mysql: str) -> None:
    given = parameters(empty_mysql)
    with closing(connect(given, given.database)) as connection:
        execute(connection, "CREATE TABLE notes (text longtext)")
        connection._sock = Interrupted(connection._sock, 1000)
        with pytest.raises(KeyboardInterrupt):
            connection.load(ROWS, [b"x" * 9999 + b"\n"])
        assert has_ended(connection)


def test_ctrl_c_in_the_middle_of_a_row_ends_the_session(empty_mysql: str) -> None:
    given = parameters(empty_mysql)
    with closing(connect(given, given.database)) as connection:
        values = connection.values("SELECT REPEAT('x', 9999) UNION ALL SELECT REPEAT('y', 9999)")
        connection._rfile = Interrupted(connection._rfile, 5000)
        with pytest.raises(KeyboardInterrupt):
            list(values)
        assert has_ended(connection)


# Other than SLEEP, it does not look whether its client is still there.
LONG = "BENCHMARK(1000000000000, 1)"
AT_WORK = "SELECT ID FROM information_schema.PROCESSLIST WHERE INFO LIKE '% BENCHMARK(%' AND ID <> CONNECTION_ID()"
STATEMENTS = {
    "query": lambda connection: execute(connection, f"DO {LONG}"),
    "values": lambda connection: list(connection.values(f"SELECT {LONG} UNION ALL SELECT 1")),
    "load": lambda connection: connection.load(f"{ROWS} (@text) SET text = {LONG}", [b"1\n"]),
}


@pytest.mark.parametrize("of", STATEMENTS)
def test_ctrl_c_ends_a_statement_on_the_server_too(mariadb_server: Server, empty_mysql: str, of: str) -> None:
    run_mysql(empty_mysql, "CREATE TABLE notes (text longtext)")
    given = parameters(empty_mysql)

    def interrupt() -> None:
        while not run_mysql(mariadb_server.url, AT_WORK):
            pass
        os.kill(os.getpid(), signal.SIGINT)

    thread = Thread(target=interrupt)
    with closing(connect(given, given.database)) as connection:
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            STATEMENTS[of](connection)
    thread.join()
    while run_mysql(mariadb_server.url, AT_WORK):
        pass  # It ends when it next looks whether it was killed.


def test_ctrl_c_while_a_template_is_made_stays_one(
    tmp_path: Path, empty_mysql: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(admin: Connection, name: str) -> None:
        # As PyMySQL does where it waits for an answer.
        admin._force_close()
        raise KeyboardInterrupt

    monkeypatch.setattr(templates, "create_database", interrupted)
    with pytest.raises(KeyboardInterrupt):
        MysqlPlace(tmp_path, empty_mysql).owned().checkout(rows=117)  # of which no other test has made a template
