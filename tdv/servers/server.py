"""A server process: how it is started, stopped and told of.

In: a command. Out: a running process with its directory. Always holds: the server ends and its directory is removed
when it is stopped and when this process ends, even by ``kill -9``.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from tdv.errors import TargetError
from tdv.servers.private import Account

START_WAIT: Final = 60.0
"""Seconds until a server that does not answer counts as failed."""
_STOP_WAIT: Final = 20.0
_PORTS: Final = 5
"""Free ports that are tried."""
_POLL: Final = 0.005
_LOG_LINES: Final = 5
_LOG_END: Final = 4096
# The shell outlives a killed parent: it sees the end of its standard input, stops the server and cleans up.
_SUPERVISOR: Final = """
directory=$1 signal=$2; shift 2
exec 3<&0 </dev/null
"$@" 3<&- & server=$!
{ cat <&3 >/dev/null; kill -s "$signal" "$server"; } 2>/dev/null &
wait "$server"
status=$?
rm -rf -- "$directory"
exit "$status"
"""


@dataclass(frozen=True, slots=True)
class Options:
    """`port` 0 is a free one; None opens no port, so that only this user, and root, reach the server by its socket; an
    engine whose URLs know no sockets then takes a free one.

    `directory` is where the data directory is made, None the system's temporary directory.
    """

    port: int | None = 0
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `url` holds its password, `binaries` its programs."""

    url: str = field(repr=False)
    version: str
    directory: Path
    binaries: Path
    process: Running = field(repr=False)


def free_port() -> int:
    """A port of this machine that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def started(start: Callable[[], Server], options: Options, taken: str) -> Server:
    """What `start` starts, tried again where the free port that it chose is in use by then: its error says `taken`."""
    for _ in range(_PORTS - 1):
        try:
            return start()
        except TargetError as exc:
            if options.port or taken not in exc.message:
                raise
    return start()


@contextmanager
def running(server: Server) -> Iterator[Server]:
    """The server while the block runs."""
    try:
        yield server
    finally:
        server.process.stop()


@contextmanager
def until_interrupted() -> Iterator[None]:
    """Goes on until Ctrl-C, which ends the block and nothing else."""
    # A shell starts what runs in the background with the signal ignored; whoever sends it means it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        yield


class Running:
    """A server process in its directory."""

    def __init__(self, command: Sequence[str | Path], directory: Path, account: Account, stop_signal: str) -> None:
        self.directory = directory
        # Unnamed, so that the end of it can be read when the supervisor has removed the directory.
        self._log = tempfile.TemporaryFile(dir=directory)  # noqa: SIM115 - open as long as the server runs
        # Without a session of its own, Ctrl-C in a terminal would reach the server too.
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", _SUPERVISOR, "sh", directory, stop_signal, *command],
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            cwd=directory,
            start_new_session=True,
            **account.options,
        )

    def wait_until(self, is_ready: Callable[[], bool], what: str) -> None:
        """Waits for a server that starts; raises `TargetError` with the end of its log when it does not."""
        deadline = time.monotonic() + START_WAIT
        while not is_ready():
            if self._process.poll() is not None or time.monotonic() >= deadline:
                self.stop()
                raise TargetError(
                    f"{what} did not start: {self._last_lines()}", hint="Look at free space, memory and rights."
                )
            time.sleep(_POLL)

    def wait(self) -> None:
        """Waits for the end of the server, whoever ends it; raises `TargetError` where it broke down."""
        if status := self._process.wait():
            raise TargetError(
                f"the server broke down with exit code {status}: {self._last_lines()}",
                hint="Look at the memory and the space on the disk; its data are gone.",
            )

    def stop(self) -> None:
        """Ends the server and removes its directory."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(_STOP_WAIT)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)

    def _last_lines(self) -> str:
        # Not through the file object: the server writes where the offset, which both share, stands.
        size = os.fstat(self._log.fileno()).st_size
        text = os.pread(self._log.fileno(), _LOG_END, max(size - _LOG_END, 0)).decode("utf-8", "replace")
        return " / ".join(line.strip() for line in text.splitlines()[-_LOG_LINES:]) or "it says nothing"
