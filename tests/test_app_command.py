"""The command that tells the app's version, and what happens when it hangs."""

from __future__ import annotations

import fcntl
import os
import sys
from pathlib import Path

import pytest

from tdv.errors import ConfigError
from tdv.project.app_command import ask

HANGS = (
    "import fcntl, os, time; held = open('held', 'w'); fcntl.flock(held, fcntl.LOCK_EX); os.fork(); time.sleep(3600)"
)


def test_command_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"gave no app version in 0\.5 s"):
        ask([sys.executable, "-c", HANGS], tmp_path, os.environ, seconds=0.5)
    with (tmp_path / "held").open("a") as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # waits until the last process that holds it is gone


def test_child_that_stays_behind_does_not_hold_the_answer_up_for_ever(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="gave no app version"):
        ask(["sh", "-c", "echo 1.2.0; sleep 3600 &"], tmp_path, os.environ, seconds=0.5)
    assert ask(["sh", "-c", "echo 1.2.0; sleep 3600 > /dev/null 2>&1 &"], tmp_path, os.environ) == "1.2.0\n"
