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

_PASSED_ON: Final = (signal.SIGTERM, signal.SIGHUP)
_SIGNALLED: Final = 128
"""A command that a signal ended has this exit code plus the signal's number, as in a shell."""


@dataclass(frozen=True, slots=True)
class Command:
    """What to run; `environ` is the whole environment."""

    words: Sequence[str]
    directory: Path
    environ: Mapping[str, str] = field(repr=False)


def require(words: Sequence[str]) -> None:
    """Raises `UsageError` where there is no command."""
    if not words:
        raise UsageError(
            "there is no command to run", hint="Write it after two dashes: tdv exec movies@^1.1 -- pytest."
        )


def run(command: Command) -> int:
    """Runs the command with this process's streams; raises `CommandNotFound` or `CommandNotRunnable`."""
    try:
        process = subprocess.Popen(command.words, cwd=command.directory, env=dict(command.environ))
    except FileNotFoundError as exc:
        hint = "Look at its name, at PATH, and at the interpreter that its first line names."
        raise CommandNotFound(f"There is no command {command.words[0]!r}", hint=hint) from exc
    except OSError as exc:
        hint = "Make it executable, or name the program that runs it."
        raise CommandNotRunnable(f"{command.words[0]!r} cannot be run: {exc.strerror}", hint=hint) from exc
    with _outliving(process):
        code = process.wait()
    return code if code >= 0 else _SIGNALLED - code


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


@contextmanager
def _outliving(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Passes on what asks this process to end. The terminal sends an interrupt to both; this one then only waits."""

    def pass_on(number: int, frame: FrameType | None) -> None:
        process.send_signal(number)

    before = {number: signal.signal(number, pass_on) for number in _PASSED_ON}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, lambda number, frame: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
