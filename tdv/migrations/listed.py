"""A plain list: one revision per line of a file, the oldest first; ``#`` begins a comment.

For tools that have no reader of their own. A revision comes after the one on the line before, or after those that
stand behind a colon on its own line (``c3: a1 b2``, and ``d4:`` for none).
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tdv.errors import ConfigError
from tdv.migrations.protocol import Rows, text_of
from tdv.model.history import History, Migration, Position


class _List:
    """Reads one file; there is no table to look into."""

    def read(self, path: Path, source: str) -> History:
        if not path.is_file():
            raise ConfigError(f"There is no file {source} with a list of migrations", hint="One revision per line.")
        found: list[Migration] = []
        for number, line in enumerate(text_of(path).splitlines(), 1):
            revision, colon, parents = line.partition("#")[0].partition(":")
            if not revision.strip():
                continue
            before = tuple(parents.split()) if colon else tuple(item.revision for item in found[-1:])
            found.append(Migration(revision.strip(), before, file=f"{source}:{number}"))
        return History.of(source, found)

    def place(self, history: History, rows: Rows) -> Position | None:
        return None


LIST: Final = _List()
