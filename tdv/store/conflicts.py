"""Files that Git left in conflict, and Git's own merge of lines.

In: a `Git`. Out: the versions of each file. Always holds: a file is taken out of conflict only by `settle`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from tdv.errors import NotFound
from tdv.store.git import Git

_BEGUN: Final = {
    "MERGE_HEAD": "merge",
    "rebase-merge": "rebase",
    "rebase-apply": "rebase",
    "CHERRY_PICK_HEAD": "cherry-pick",
    "REVERT_HEAD": "revert",
}
_OTHER: Final = ("MERGE_HEAD", "REBASE_HEAD", "CHERRY_PICK_HEAD")


def begun(git: Git) -> str | None:
    """What is begun here and not finished: merge, rebase, cherry-pick or revert; None when nothing is."""
    asked = [word for name in _BEGUN for word in ("--git-path", name)]
    places = git.answer("rev-parse", *asked).decode("utf-8", "surrogateescape").splitlines()
    return next(
        (verb for place, verb in zip(places, _BEGUN.values(), strict=True) if (git.root / place).exists()), None
    )


def other_side(git: Git) -> str | None:
    """The commit whose changes meet those of HEAD, while something is begun."""
    for name in _OTHER:
        with suppress(NotFound):
            return git.resolve(name)
    return None


def unmerged(git: Git, paths: Sequence[str] = ()) -> dict[str, tuple[bytes | None, bytes | None, bytes | None]]:
    """Path from the root → the bytes of the common ancestor, of ours and of theirs; None where one lacks the file."""
    listed = git.answer("ls-files", "--unmerged", "-z", "--", *(paths or ["."])).decode("utf-8", "surrogateescape")
    stages: dict[str, dict[int, str]] = {}
    for entry in filter(None, listed.split("\0")):
        facts, _, path = entry.partition("\t")
        _, name, stage = facts.split()
        stages.setdefault(path, {})[int(stage)] = name
    wanted = [(path, stage, name) for path, known in stages.items() for stage, name in known.items()]
    contents = {
        (path, stage): data
        for (path, stage, _), data in zip(wanted, git.objects(name for *_, name in wanted), strict=True)
    }
    return {path: (contents.get((path, 1)), contents.get((path, 2)), contents.get((path, 3))) for path in stages}


def merge_lines(git: Git, versions: tuple[bytes, bytes, bytes], size: int) -> tuple[bytes, bool]:
    """What ``git merge-file`` makes of base, ours and theirs, and whether lines clash in it."""
    with tempfile.TemporaryDirectory(prefix="tdv-merge-") as scratch:
        paths = [Path(scratch, name) for name in ("base", "ours", "theirs")]
        for path, data in zip(paths, versions, strict=True):
            path.write_bytes(data)
        base, ours, theirs = map(str, paths)
        labels = ("-L", "ours", "-L", "base", "-L", "theirs")
        # The exit code counts the conflicts, and stops counting at 127; 255 is an error.
        arguments = ("merge-file", "-p", f"--marker-size={size}", *labels, ours, base, theirs)
        clean = git.answer(*arguments, accept=range(128))
        clashes = bool(git.answer("merge-file", "-p", "-q", "--ours", ours, base, theirs) != clean)
    return clean, clashes


def settle(git: Git, paths: Sequence[str]) -> None:
    """Takes merged files out of conflict, as ``git add`` does."""
    if paths:
        git.answer("add", "--", *paths)
