"""A throwaway MongoDB server.

In: where `mongod` is looked for, and options. Out: a URL that works until the block ends. Always holds: the data
directory is new and private, and the server listens on this machine only; whoever is on this machine gets in.
"""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from tdv.errors import PluginMissing, TargetError
from tdv.servers.private import Account, new_directory
from tdv.servers.server import Options, Running, Server, free_port

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


@contextmanager
def serve(program: Path, options: Options | None = None) -> Iterator[Server]:
    """Runs a server while the block runs; raises `TargetError` when it does not start."""
    account = Account.choose()
    directory = new_directory(account, (options or Options()).directory)
    port = (options or Options()).port or free_port()
    try:
        version = _version(program)
        data = directory / "data"
        data.mkdir(mode=0o700)
        os.chown(data, account.user, account.group)
        words: list[str | Path] = ["--dbpath", data, "--port", str(port), "--bind_ip", "127.0.0.1", "--nounixsocket"]
        process = Running([program, *words], directory, account, "TERM")
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    process.wait_until(lambda: _accepts(port), f"MongoDB {version}")
    try:
        yield Server(f"mongodb://127.0.0.1:{port}/test", version, directory, program.parent, process)
    finally:
        process.stop()


def _version(program: Path) -> str:
    done = subprocess.run([program, "--version"], capture_output=True, check=False, text=True)
    found = re.search(r"v([0-9.]+)", done.stdout)
    if found is None:
        raise TargetError(f"{program} does not start", hint="Look at its rights and libraries.")
    return found[1]


def _accepts(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), _ANSWER_WAIT):
        return True
    return False
