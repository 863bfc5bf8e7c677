"""Servers that die in the middle of a checkout, as by ``kill -9``, and come back with what they had made durable."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest


class Mortal:
    """A server that can be killed and started again; `ready` is what it says when it takes connections."""

    def __init__(self, command: Sequence[str | Path], ready: str, options: Mapping[str, Any]) -> None:
        self._command = command
        self._ready = ready
        self._options = options
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **self._options
        )
        assert self._process.stdout is not None
        assert any(self._ready in line for line in self._process.stdout)

    def kill(self) -> None:
        self._process.kill()
        self._process.communicate()


@contextmanager
def mortal(command: Sequence[str | Path], ready: str, options: Mapping[str, Any] | None = None) -> Iterator[Mortal]:
    """The server while the block runs."""
    server = Mortal(command, ready, options or {})
    try:
        yield server
    finally:
        server.kill()


def crash_before(monkeypatch: pytest.MonkeyPatch, point: tuple[Any, str], kill: Callable[[], None]) -> None:
    """Kills the server when the function of that module or class and name is called the first time."""
    module, name = point
    real = getattr(module, name)

    def crash(*given: Any, **words: Any) -> Any:
        monkeypatch.setattr(module, name, real)
        kill()
        return real(*given, **words)

    monkeypatch.setattr(module, name, crash)
