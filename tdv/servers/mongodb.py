"""A throwaway MongoDB server.

In: where `mongod` is looked for, and options. Out: a URL that works until the block ends. Always holds: the data
directory is new and private, and the server listens on this machine only; whoever is on this machine gets in.
"""

from __future__ import annotations

import os
import shutil
import socket
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Final

from tdv.errors import PluginMissing
from tdv.servers.private import Account, new_directory
from tdv.servers.programs import version_of
from tdv.servers.server import Options, Running, Server, free_port, running, started

_ANSWER_WAIT: Final = 1.0


def binaries(search_path: str) -> Path:
    """The program `mongod` of `search_path` (as in PATH); raises `PluginMissing` where there is none."""
    found = shutil.which("mongod", path=search_path)
    if found is None:
        raise PluginMissing(
            "there is no MongoDB server on this machine",
            hint="Install MongoDB's package mongodb-org-server, or name a running server as --target mongodb://….",
        )
    return Path(found)


def serve(program: Path, options: Options | None = None) -> AbstractContextManager[Server]:
    """Runs a server while the block runs; raises `TargetError` when it does not start."""
    return running(start(program, options or Options()))


def start(program: Path, options: Options) -> Server:
    """Starts a server, which lives until `Server.process.stop()` or the end of this process."""
    return started(lambda: _started(program, options), options, "Address already in use")


def _started(program: Path, options: Options) -> Server:
    account = Account.choose()
    directory = new_directory(account, options.directory)
    port = options.port or free_port()
    try:
        version = version_of([program], directory, account)
        data = directory / "data"
        data.mkdir(mode=0o700)
        os.chown(data, account.user, account.group)
        words: list[str | Path] = ["--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1"]
        words += ["--unixSocketPrefix", directory]
        process = Running([program, *words], directory, account, "TERM")
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    process.wait_until(lambda: _accepts(directory / f"mongodb-{port}.sock"), f"MongoDB {version}")
    return Server(f"mongodb://127.0.0.1:{port}/test", version, directory, program.parent, process)


def _accepts(place: Path) -> bool:
    """Whether this server listens: on the port alone, it could be the one of somebody else."""
    with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_ANSWER_WAIT)
        probe.connect(str(place))
        return True
    return False
