"""Asks the command of tdv.yaml that tells the app's version.

In: its words, where it runs, and how long it may take. Out: what it prints. Always holds: when the time is over, or the
call is interrupted, nothing that the command started is left.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tdv.errors import ConfigError
from tdv.store.process import environment, last_line

_HINT: Final = "Correct app.version in tdv.yaml, or set TDV_APP_VERSION."


def ask(command: Sequence[str], directory: Path, environ: Mapping[str, str], seconds: float = 20) -> str:
    """The output of a command; raises `ConfigError` when it fails, cannot be run or takes too long."""
    shown = " ".join(command)
    try:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=environment(environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as exc:
        raise ConfigError(f"The command {shown!r} cannot be run: {exc.strerror}", hint=_HINT) from exc
    try:
        output, complaint = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as exc:
        raise ConfigError(f"The command {shown!r} gave no app version in {seconds:g} s", hint=_HINT) from exc
    finally:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    if process.returncode:
        reason = last_line(complaint) or f"exit code {process.returncode}"
        raise ConfigError(f"The command {shown!r} gave no app version: {reason}", hint=_HINT)
    return output.decode("utf-8", "replace")
