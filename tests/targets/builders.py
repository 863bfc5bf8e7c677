"""Targets in one expression, beside what `tdv.testing` gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tdv.config import TargetSettings
from tdv.targets.protocol import Target
from tdv.targets.registry import open_target


def target(directory: Path, url: str, **settings: Any) -> Target:
    """A target whose work directory is `directory`/.tdv."""
    return open_target(TargetSettings(None, url, **settings), directory / ".tdv")
