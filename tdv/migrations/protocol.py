"""What a reader of one migration tool's files is.

In: a path in the work tree; rows of the tool's own table. Out: a `History`, a `Position` in it. Always holds: reading
the same files gives the same history on every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from tdv.errors import ConfigError
from tdv.model.history import History, Position

Rows = Callable[[str], Sequence[Mapping[str, Any]] | None]
"""Gives the rows of a table of a live database, column names in lower case; None when there is no such table."""


class MigrationTool(Protocol):
    """One tool. An adapter is a value without state; plug-ins offer one in the entry point group ``tdv.migrations``."""

    def read(self, path: Path, source: str) -> History:
        """The history in `path`; `source` names it in errors. Raises `ConfigError`."""

    def place(self, history: History, rows: Rows) -> Position | None:
        """Where a live database stands by the tool's own table; None when the tool was never there."""


def files(directory: Path, source: str, *, deep: bool = False) -> Iterator[Path]:
    """The files in a directory, and below it if `deep`, sorted by path; raises `ConfigError` when it is none."""
    if not directory.is_dir():
        raise ConfigError(
            f"There is no directory {source} for migrations", hint="Correct migrations.path in tdv.yaml.", path=source
        )
    found = directory.rglob("*") if deep else directory.iterdir()
    yield from sorted(path for path in found if path.is_file() and "__pycache__" not in path.parts)


def text_of(path: Path) -> str:
    """The text of a file; raises `ConfigError` when it is no text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"The migration {path.name} cannot be read: {exc}", hint="Is it text in UTF-8?") from exc
