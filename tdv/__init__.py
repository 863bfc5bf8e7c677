"""tdv: test data, versioned like code.

``tdv.open(".")`` gives the `Project` of a directory, whose methods are the verbs of the command line:
``tdv.open(".").checkout("movies@v1.1.0", target="app.db")``, ``tdv.open(".").read("movies@^1.1", "users")``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tdv.project import Project

__version__ = "0.1.0"
__all__ = ["__version__", "open"]


def open(directory: str | os.PathLike[str] = ".") -> Project:
    """The project at or above `directory`; raises `tdv.errors.ConfigError` when there is none."""
    from tdv.project import Project

    return Project.find(Path(directory))
