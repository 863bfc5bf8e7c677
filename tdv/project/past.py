"""Where the schema stood at commits of the past, by the migrations that their trees hold.

In: commits, the history of today. Out: places in it. Always holds: migrations are read from the files of the commit by
the reader of the project's tool, never run; trees that are equal are read once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tdv import migrations
from tdv.errors import TdvError
from tdv.project.builds import scratch

if TYPE_CHECKING:
    from tdv.config import Migrations
    from tdv.model.history import History, Place
    from tdv.project.ports import Ports

_MOST: Final = 60
"""So many different trees of migrations are read; each is written out once."""


def places(ports: Ports, commits: Sequence[str], history: History) -> Mapping[str, Place | str]:
    """Commit → where the schema stood, or why that is not known, as the end of a sentence."""
    settings = ports.settings.migrations
    assert settings is not None
    trees = dict(zip(commits, _trees(ports, commits, settings.path), strict=True))
    seen: dict[str, Place | str] = {}
    with scratch(ports) as base:
        for commit, tree in trees.items():
            if tree not in seen and len(seen) < _MOST:
                seen[tree] = _place(ports, settings, commit, base / str(len(seen)), history)
    return {commit: seen.get(tree, f"has older migrations than the {_MOST} read") for commit, tree in trees.items()}


def _trees(ports: Ports, commits: Sequence[str], path: str) -> list[str]:
    """What stands at `path` in each commit, as an object's name; one process for all."""
    asked = "".join(f"{commit}:./{path.rstrip('/')}\n" for commit in commits).encode()
    return ports.git.answer("cat-file", "--batch-check=%(objectname)", stdin=asked).decode().splitlines()


def _place(ports: Ports, settings: Migrations, commit: str, base: Path, history: History) -> Place | str:
    found = ports.git.read_many(commit, ports.git.ls_tree(commit, settings.path))
    for name, data in found.items():
        file = base / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    try:
        heads = migrations.read(settings.tool, base / settings.path, settings.path).heads
        return history.at(", ".join(heads) or "base")
    except TdvError as problem:
        return f"has migrations that today's history does not: {problem.message}" if found else "has no migrations"
