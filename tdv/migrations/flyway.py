"""Flyway: versioned migrations in the order of their versions.

In: a location, searched with its directories. Out: a `History`. Always holds: undo scripts and repeatable migrations
are no places a schema can stand at; a baseline script stands for its version where no versioned one does.

Names are ``V1_2__what.sql`` (https://documentation.red-gate.com/fd/migrations-271585107.html); versions are compared
number by number, so that ``1.10`` comes after ``1.9`` and ``1.0`` equals ``1``.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from tdv.errors import ConfigError
from tdv.migrations.protocol import Rows, files
from tdv.model.history import History, Migration, Position

TABLES: Final = ("flyway_schema_history", "schema_version")
_NAME: Final = re.compile(r"(?P<kind>[VB])(?P<version>[0-9]+(?:[._][0-9]+)*)(?:__(?P<name>.*))?\.(?:sql|java|py|class)")
_UNDONE: Final = frozenset({"UNDO_SQL", "UNDO_SCRIPT", "UNDO_JDBC", "DELETE"})

Numbers = tuple[int, ...]


class _Flyway:
    """Reads names of files."""

    def read(self, path: Path, source: str) -> History:
        found: dict[Numbers, tuple[str, Migration]] = {}
        for file in files(path, source, deep=True):
            match = _NAME.fullmatch(file.name)
            if match is None:
                continue
            order = numbers(match["version"])
            kind, migration = match["kind"], _migration(match, file.relative_to(path).as_posix())
            there = found.get(order)
            if there is None or there[0] == "B":
                found[order] = (kind, migration)
            elif kind == there[0]:
                raise ConfigError(
                    f"Two migrations in {source} have the version {migration.revision}: "
                    f"{there[1].file} and {migration.file}",
                    hint="Give one of them the next version; Flyway would refuse them, too.",
                )
        return History.chain(source, [found[order][1] for order in sorted(found)])

    def place(self, history: History, rows: Rows) -> Position | None:
        noted = next((found for found in map(rows, TABLES) if found is not None), None)
        if noted is None:
            return None
        applied: dict[Numbers, str] = {}
        for row in sorted(noted, key=lambda row: int(row.get("installed_rank") or 0)):
            if row.get("version") is None or row.get("success") in (0, False):
                continue
            order = numbers(str(row["version"]))
            if str(row.get("type")) in _UNDONE:
                applied.pop(order, None)
            else:
                applied[order] = str(row["version"])
        if not applied:
            return history.at("base")
        # A baseline stands for everything before it, so the highest version counts with all below.
        return history.at(".".join(map(str, max(applied))))


def numbers(version: str) -> Numbers:
    """``1_10`` → (1, 10); zeros at the end say nothing."""
    found = [int(number) for number in re.split(r"[._]", version)]
    while len(found) > 1 and found[-1] == 0:
        found.pop()
    return tuple(found)


def _migration(match: re.Match[str], file: str) -> Migration:
    written = match["version"].replace("_", ".")
    plain = ".".join(map(str, numbers(match["version"])))
    return Migration(written, aliases=(plain, match["version"], f"V{match['version']}", match[0]), file=file)


FLYWAY: Final = _Flyway()
