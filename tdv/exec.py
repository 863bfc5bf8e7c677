"""`tdv exec`: a command with a database of its own.

In: the words of a command, its directory and environment. Out: its exit code. Always holds: this process outlives the
command, whatever signal it gets, so that what was made for the command can be removed afterwards.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Final

from tdv.errors import CommandNotFound, CommandNotRunnable, UsageError

_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2)
_SIGNALLED: Final = 128
"""A command that a signal ended has this exit code plus the signal's number, as in a shell."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run; `environ` is the whole environment."""

    words: Sequence[str]
    directory: Path
    environ: Mapping[str, str] = field(repr=False)


def require(words: Sequence[str], variable: str) -> None:
    """Raises `UsageError` where there is no command, or where no variable can have that name."""
    if not words:
        raise UsageError(
            "there is no command to run", hint="Write it after two dashes: tdv exec movies@^1.1 -- pytest."
        )
    if not variable or "=" in variable:
        raise UsageError(f"{variable!r} is no name of a variable", hint="Write it as in --env SHOP_URL.")


def run(command: Command) -> int:
    """Runs the command with this process's streams; raises `CommandNotFound` or `CommandNotRunnable`."""
    with _outliving() as child:
        process = _started(command)
        child.is_at_work(process)
        code = process.wait()
    return code if code >= 0 else _SIGNALLED - code


def _started(command: Command) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(command.words, cwd=command.directory, env=dict(command.environ))
    except FileNotFoundError as exc:
        hint = "Look at its name, at PATH, and at the interpreter that its first line names."
        raise CommandNotFound(f"There is no command {command.words[0]!r}", hint=hint) from exc
    except OSError as exc:
        hint = "Make it executable, or name the program that runs it."
        raise CommandNotRunnable(f"{command.words[0]!r} cannot be run: {exc.strerror}", hint=hint) from exc


@contextmanager
def orderly() -> Iterator[None]:
    """What would end this process at once raises `SystemExit` in the block, with the exit code of a shell."""

    def end(number: int, frame: FrameType | None) -> None:
        for other in before:
            signal.signal(other, signal.SIG_IGN)
        sys.exit(_SIGNALLED + number)

    before = [number for number in _PASSED_ON if signal.getsignal(number) is signal.SIG_DFL]
    for number in before:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in before:
            signal.signal(number, signal.SIG_DFL)


class _Child:
    """The process that signals are passed on to; those that come before it is known wait for it."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._waiting: list[int] = []

    def is_at_work(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        for number in self._waiting:
            process.send_signal(number)

    def pass_on(self, number: int, frame: FrameType | None) -> None:
        if self._process is None:
            self._waiting.append(number)
        elif number != signal.SIGINT:
            # The terminal sends an interrupt to both.
            self._process.send_signal(number)


@contextmanager
def _outliving() -> Iterator[_Child]:
    """Passes on what asks this process to end, from before the command begins; what is ignored stays so for both."""
    child = _Child()
    heard = [number for number in (*_PASSED_ON, signal.SIGINT) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, child.pass_on) for number in heard}
    try:
        yield child
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
