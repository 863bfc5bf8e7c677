"""What a terminal shows while a command works, and when Ctrl-C ends it."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
from pathlib import Path

from tests.shelf import Shelf


def shown_until(terminal: int, words: str) -> str:
    """What the terminal shows up to `words`, or all there is."""
    text = ""
    while words not in text:
        try:
            text += os.read(terminal, 4096).decode()
        except OSError:
            # So Linux says that nobody holds the other end any more.
            break
    return text


def test_long_command_shows_that_it_works_and_says_that_it_was_interrupted(tmp_path: Path) -> None:
    shelf = Shelf.create(tmp_path / "repo")
    shelf.repository.write({"tdv.yaml": "datasets: {shop: '*'}\napp: {version: {command: [sleep, '600']}}\n"})
    terminal, other = pty.openpty()
    call = [sys.executable, "-m", "tdv", "checkout"]
    with subprocess.Popen(call, cwd=shelf.repository.root, stdin=other, stdout=other, stderr=other) as process:
        os.close(other)
        assert "restoring … 1 s" in shown_until(terminal, "restoring … 1 s")
        process.send_signal(signal.SIGINT)
        assert shown_until(terminal, "\n").endswith(
            "\r\x1b[KInterrupted. Run the same command again: it finishes or undoes what was begun.\r\n"
        )
        assert process.wait() == 130
    os.close(terminal)
