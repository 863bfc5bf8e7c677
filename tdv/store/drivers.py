"""The drivers by which Git shows and merges test data, as ``.git/config`` and ``.gitattributes`` name them.

In: a `Git`. Out: entries of the repository's own configuration. Always holds: a driver that cannot run falls back to
what Git would have done without it, so that neither ``git diff`` nor ``git merge`` ever fails for lack of tdv.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tdv.store.git import Git

ATTRIBUTES: Final = (
    "dvc.lock merge=tdv diff=tdv",
    "dvc.yaml merge=tdv",
    "datasets/*/snapshot.yaml merge=tdv diff=tdv",
    "datasets/*/amendments.yaml merge=tdv",
    "datasets/*/releases/*.yaml diff=tdv",
    "datasets/*/seeds/*.csv merge=tdv",
    "datasets/*/seeds/*.jsonl merge=tdv",
    "datasets/*/seeds/*.yaml merge=tdv",
    "datasets/*/scenarios/*.yaml merge=tdv",
    "datasets/**/*.parquet -text diff=tdv",
)

_THERE: Final = "command -v tdv >/dev/null 2>&1"
_DRIVERS: Final[Mapping[str, str]] = {
    "merge.tdv.name": "test data by stage, row and cell",
    "merge.tdv.driver": (
        f"if {_THERE}; then tdv merge --driver %O %A %B %L %P; "
        "else git merge-file -q --marker-size=%L -L ours -L base -L theirs %A %O %B; fi"
    ),
    # Serves `git log -p` and `git show`. Git appends the name of one file, and shows nothing when the command fails.
    "diff.tdv.textconv": 'f() { tdv textconv "$1" 2>/dev/null || cat "$1"; }; f',
    # Serves `git diff`. Git gives the path and both files, and stops altogether when the command fails.
    "diff.tdv.command": (
        'f() { tdv git-diff -- "$@" 2>/dev/null || '
        'git diff --no-index --no-ext-diff --no-textconv -- "$2" "$5" 2>/dev/null || true; }; f'
    ),
}


def register(git: Git) -> bool:
    """Writes the drivers into the configuration of this clone; returns False where they stand there already."""
    missing = {name: value for name, value in _DRIVERS.items() if _configured(git, name) != value}
    for name, value in missing.items():
        git.answer("config", "--local", "--replace-all", name, value)
    return bool(missing)


def _configured(git: Git, name: str) -> str:
    return git.answer("config", "--local", "--get", name, accept=(0, 1)).decode().rstrip("\n")
