"""A throwaway MariaDB server.

In: where programs are looked for, and options. Out: a URL that works until the block ends. Always holds: the data
directory is new and private, nobody without the URL gets in, and durability is given up for speed: this is no place
for data to keep.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final
from urllib.parse import quote

from tdv.errors import PluginMissing
from tdv.servers.private import Account, new_directory
from tdv.servers.programs import run, version_of
from tdv.servers.server import Options, Running, Server, free_port, running, started

USER: Final = "tdv"
DATABASE: Final = "test"
_SERVERS: Final = ("mariadbd", "mysqld")
_INSTALLERS: Final = ("mariadb-install-db", "mysql_install_db")
_PLACES: Final = ("/usr/sbin", "/usr/libexec", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin", "/usr/bin")
_ANSWER_WAIT: Final = 1.0
_SETTINGS: Final = {
    "innodb-flush-log-at-trx-commit": "0",
    "innodb-flush-method": "nosync",
    "innodb-doublewrite": "0",
    "innodb-buffer-pool-size": "256M",
    "innodb-log-file-size": "256M",
    "sync-frm": "0",
    "max-connections": "200",
    "character-set-server": "utf8mb4",
    "default-time-zone": "+00:00",
}


def binaries(search_path: str) -> Path:
    """The directory with MariaDB's server: that of `search_path` (as in PATH), else that of the machine's packages.

    Raises `PluginMissing` where there is none.
    """
    for directory in map(Path, (*filter(None, search_path.split(os.pathsep)), *_PLACES)):
        if _program(directory, _SERVERS) is not None and _installer(directory) is not None:
            return directory
    raise PluginMissing(
        "there is no MariaDB server on this machine",
        hint="Install the system's package, which is called mariadb-server or mariadb.",
    )


def serve(programs: Path, options: Options | None = None) -> AbstractContextManager[Server]:
    """Runs a server while the block runs; raises `TargetError` when it does not start."""
    return running(start(programs, options or Options()))


def start(programs: Path, options: Options) -> Server:
    """Starts a server, which lives until `Server.process.stop()` or the end of this process."""
    return started(lambda: _started(programs, options), options, "Address already in use")


def _started(programs: Path, options: Options) -> Server:
    account = Account.choose()
    directory = new_directory(account, options.directory)
    password = secrets.token_urlsafe(18)
    program, installer = _program(programs, _SERVERS), _installer(programs)
    assert program is not None
    assert installer is not None
    try:
        version = version_of([program, "--no-defaults"], directory, account)
        _initialise(installer, directory, account)
        _write_accounts(directory, account, password)
        port = free_port() if options.port == 0 else options.port
        process = Running(_command(program, directory, port), directory, account, "TERM")
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    process.wait_until(lambda: _is_ready(directory / "socket"), f"MariaDB {version}")
    return Server(_url(directory, port, password), version, directory, programs, process)


def _initialise(installer: Path, directory: Path, account: Account) -> None:
    words = ["--no-defaults", f"--datadir={directory / 'data'}", "--skip-test-db", "--skip-name-resolve"]
    words += ["--auth-root-authentication-method=normal", "--innodb-flush-method=nosync"]
    # A server that starts removes the temporary tables of any other that shares the directory of these.
    words += [f"--tmpdir={directory}"]
    run([installer, *words], directory, account)


def _write_accounts(directory: Path, account: Account, password: str) -> None:
    """What the server runs before it lets anybody in: one user with a password, and no other."""
    statements = directory / "accounts.sql"
    statements.touch(mode=0o600)
    statements.write_text(
        f"DELETE FROM mysql.global_priv WHERE User <> 'mariadb.sys';\nFLUSH PRIVILEGES;\n"
        f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{password}';\n"
        f"GRANT ALL PRIVILEGES ON *.* TO '{USER}'@'%' WITH GRANT OPTION;\nCREATE DATABASE {DATABASE};\n",
        encoding="ascii",
    )
    os.chown(statements, account.user, account.group)


def _command(program: Path, directory: Path, port: int | None) -> list[str | Path]:
    words = [f"--{name}={value}" for name, value in _SETTINGS.items()]
    words += [f"--datadir={directory / 'data'}", f"--socket={directory / 'socket'}", f"--tmpdir={directory}"]
    words += [f"--pid-file={directory / 'pid'}", f"--init-file={directory / 'accounts.sql'}", "--skip-name-resolve"]
    words += ["--skip-networking"] if port is None else ["--bind-address=127.0.0.1", f"--port={port}"]
    return [program, "--no-defaults", *words]


def _is_ready(place: Path) -> bool:
    """Whether the server greets whoever connects, which it does when the accounts are there."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ANSWER_WAIT)
        probe.connect(str(place))
        return probe.recv(1) != b""
    return False


def _url(directory: Path, port: int | None, password: str) -> str:
    if port is None:
        place = quote(str(directory / "socket"), safe="")
        return f"mysql://{USER}:{password}@localhost/{DATABASE}?unix_socket={place}"
    return f"mysql://{USER}:{password}@127.0.0.1:{port}/{DATABASE}"


def _program(directory: Path, names: tuple[str, ...]) -> Path | None:
    return next((directory / name for name in names if os.access(directory / name, os.X_OK)), None)


def _installer(directory: Path) -> Path | None:
    """The program that makes a data directory, which packages put beside the server or into ``bin`` or ``scripts``."""
    places = (directory, directory.with_name("bin"), directory.with_name("scripts"))
    return next(filter(None, (_program(place, _INSTALLERS) for place in places)), None)
