"""What ``.dvcignore`` hides from DVC.

In: the ``.dvcignore`` files from the root of the repository down. Out: whether DVC sees a path. Always holds:
the answer is that of ``dvc.ignore.DvcIgnoreFilter``: patterns are those of gitignore, the last one that matches
a path or a directory above it decides, and a nearer file comes after one further up.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tdv.errors import ConfigError

FILE: Final = ".dvcignore"
_ALWAYS: Final = (".hg/", ".git/", ".git", ".dvc/")


@dataclass(frozen=True, slots=True)
class _Pattern:
    """`base` is the directory of the file that holds it, "" or ending with a slash."""

    base: str
    regex: re.Pattern[str]
    hides: bool
    directories_only: bool

    def matches(self, path: str, is_directory: bool) -> bool:
        if self.directories_only and not is_directory:
            return False
        if not path.startswith(self.base):
            return False
        inner = path[len(self.base) :]
        return bool(self.regex.match(inner) or (is_directory and self.regex.match(f"{inner}/")))


class Ignore:
    """The ignore files of the DVC repository at `root`; paths are POSIX, from the root."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._of_directory: dict[str, tuple[_Pattern, ...]] = {}

    def hides(self, path: str, *, is_directory: bool = False) -> bool:
        """True if DVC does not see `path`."""
        parts = path.split("/")
        return any(
            self._hides("/".join(parts[:depth]), is_directory or depth < len(parts))
            for depth in range(1, len(parts) + 1)
        )

    def files(self, directory: str) -> Iterator[str]:
        """The files that DVC sees below `directory`, from the root, in no particular order.

        Links to directories are not followed, a DVC repository within is left out. Raises `ConfigError`
        for a ``.dvcignore`` inside, which DVC refuses in whatever it tracks.
        """
        start = self.root / directory
        for current, directories, names in os.walk(start):
            inside = os.path.relpath(current, self.root).replace(os.sep, "/")
            prefix = "" if inside == "." else f"{inside}/"
            directories[:] = [name for name in directories if self._enters(f"{prefix}{name}")]
            for name in names:
                if self._hides(f"{prefix}{name}", False):
                    continue
                if name == FILE:
                    raise ConfigError(
                        f"{prefix}{FILE} lies in a directory that DVC tracks",
                        hint=f"Move its patterns to the {FILE} at the root; DVC refuses every command otherwise.",
                    )
                yield f"{prefix}{name}"

    def _enters(self, path: str) -> bool:
        return not self._hides(path, True) and not (self.root / path / ".dvc").is_dir()

    def _hides(self, path: str, is_directory: bool) -> bool:
        directory = path.rpartition("/")[0]
        for pattern in reversed(self._patterns(directory)):
            if pattern.matches(path, is_directory):
                return pattern.hides
        return False

    def _patterns(self, directory: str) -> tuple[_Pattern, ...]:
        """All patterns that hold in `directory`, outermost first."""
        if directory not in self._of_directory:
            base = f"{directory}/" if directory else ""
            outer = self._patterns(directory.rpartition("/")[0]) if directory else _compiled("", _ALWAYS)
            self._of_directory[directory] = outer + _compiled(base, self._lines(base))
        return self._of_directory[directory]

    def _lines(self, base: str) -> tuple[str, ...]:
        try:
            text = (self.root / base / FILE).read_text(encoding="utf-8")
        except (FileNotFoundError, NotADirectoryError):
            return ()
        except UnicodeDecodeError as exc:
            raise ConfigError(f"{base}{FILE} is not UTF-8", hint="Save it as UTF-8.") from exc
        lines = (line.strip() for line in text.splitlines())
        return tuple(line for line in lines if line and not line.startswith("#"))


def _compiled(base: str, lines: tuple[str, ...]) -> tuple[_Pattern, ...]:
    if not lines:
        return ()
    # 30 ms, needed only where a directory is hashed.
    from pathspec.patterns.gitignore.spec import GitIgnoreSpecPattern

    found = []
    for line in lines:
        regex, hides = GitIgnoreSpecPattern.pattern_to_regex(line)
        if regex is not None and hides is not None:
            found.append(_Pattern(base, re.compile(regex), hides, line.endswith("/")))
    return tuple(found)
