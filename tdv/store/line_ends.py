"""Files whose bytes Git does not keep as they are: a spreadsheet writes CRLF, and Git commits LF.

In: a `Git`, paths. Out: a `LineEnds`. Always holds: nothing is written. ``git status`` calls such a file unchanged,
while its rows and its md5 are others in every other clone. Whoever asks whether sources are committed asks here, too.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tdv.store.git import Git

_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class LineEnds:
    """The tracked files whose line ends are not those that Git keeps; `kept` are those that a fresh checkout mends."""

    files: tuple[str, ...]
    kept: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.files)

    def among(self, paths: Iterable[str]) -> LineEnds:
        """Those at or below `paths`."""
        asked = tuple(paths)
        below = tuple(f"{path}/" for path in asked)
        files = tuple(file for file in self.files if file in asked or file.startswith(below))
        return LineEnds(files, self.kept)

    @property
    def message(self) -> str:
        """``Git keeps other line ends than these files have here: …``"""
        more = " …" if len(self.files) > _SHOWN else ""
        return f"Git keeps other line ends than these files have here: {', '.join(self.files[:_SHOWN])}{more}"

    @property
    def hint(self) -> str:
        """What gives the files the bytes that others get; safe only where nothing else in them was edited."""
        named = shlex.join(self.files)
        mend = f"rm {named} && git checkout -- {named}, then tdv build"
        loose = [file for file in self.files if file not in self.kept]
        return f"Say `{loose[0]} text eol=lf` in .gitattributes; {mend}" if loose else mend


def unlike_committed(git: Git, paths: Iterable[str]) -> LineEnds:
    """The files at or below `paths` whose line ends Git changes between the work tree and a commit."""
    asked = tuple(paths)
    listed = git.answer("ls-files", "--eol", "-z", "--", *asked) if asked else b""
    found = {}
    for entry in filter(None, listed.decode("utf-8", "surrogateescape").split("\0")):
        facts, path = entry.split("\t", 1)
        index, tree, attributes = facts.split(None, 2)
        if tree in ("w/crlf", "w/mixed") and index.removeprefix("i/") != tree.removeprefix("w/"):
            found[path] = "eol=lf" in attributes
    return LineEnds(tuple(found), tuple(path for path, kept in found.items() if kept))
