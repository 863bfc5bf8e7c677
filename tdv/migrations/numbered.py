"""Tools whose files are named by a number or a time, applied in that order.

golang-migrate, dbmate, goose, Rails, Knex and Prisma differ in the names of their files and in their tables. The
patterns are those of the tools' own sources:
golang-migrate ``source/parse.go``, dbmate ``pkg/dbmate/migration.go``, goose ``migrate.go`` (NumericComponent),
Rails ``ActiveRecord::Migration::MigrationFilenameRegexp``, Knex ``fs-migrations.js``, Prisma
``migrations/*/migration.sql``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tdv.errors import ConfigError
from tdv.migrations.protocol import Rows, files
from tdv.model.history import History, Migration, Position


@dataclass(frozen=True)
class Numbered:
    """One such tool.

    `pattern` has the groups ``number`` and ``name``; `by_name`: the whole name is the revision and gives the order,
    else the number; `table` and `column` are where a database notes each migration that was applied; with `last`,
    it notes only the last one; `holds` tells whether a row of the table counts.
    """

    pattern: re.Pattern[str]
    table: str
    column: str
    by_name: bool = False
    deep: bool = False
    last: bool = False
    directories: bool = False

    def read(self, path: Path, source: str) -> History:
        found: dict[Any, Migration] = {}
        for name, shown in self._names(path, source):
            match = self.pattern.fullmatch(name)
            if match is None:
                continue
            migration = self._migration(match, f"{source}/{shown}")
            order = migration.revision if self.by_name else int(match["number"])
            if order in found:
                raise ConfigError(
                    f"Two migrations in {source} have the number {match['number']}: "
                    f"{found[order].file} and {migration.file}",
                    hint="Give one of them the next number; your migration tool would refuse them, too.",
                )
            found[order] = migration
        return History.chain(source, [found[order] for order in sorted(found)])

    def place(self, history: History, rows: Rows) -> Position | None:
        noted = rows(self.table)
        if noted is None:
            return None
        names = [self._revision(str(row[self.column])) for row in self._standing(noted)]
        if self.last:
            return history.at(names[0] if names else "base")
        return history.exactly(names)

    def _standing(self, noted: Any) -> Iterator[Any]:
        """The rows that stand for an applied migration: the last word on it is not that it was taken back."""
        last: dict[Any, Any] = {}
        for row in sorted(noted, key=lambda row: row.get("id") or 0):
            last[row[self.column]] = row
        for row in last.values():
            taken_back = row.get("rolled_back_at") is not None or row.get("is_applied") in (0, False)
            unfinished = "finished_at" in row and row["finished_at"] is None
            if not (taken_back or unfinished):
                yield row

    def _names(self, path: Path, source: str) -> Iterator[tuple[str, str]]:
        if self.directories:
            for file in files(path, source, deep=True):
                if file.name == "migration.sql" and file.parent.parent == path:
                    yield file.parent.name, f"{file.parent.name}/{file.name}"
        else:
            for file in files(path, source, deep=self.deep):
                yield file.name, file.relative_to(path).as_posix()

    def _migration(self, match: re.Match[str], file: str) -> Migration:
        number, name = match["number"] or "", match["name"]
        stem = self._revision(match[0])
        if self.by_name:
            return Migration(stem, aliases=tuple(filter(None, (number, match[0]))), file=file)
        return Migration(number, aliases=tuple(filter(None, (f"{number}_{name}", name, stem))), file=file)

    def _revision(self, name: str) -> str:
        """A file's name, or what the table holds of it, without ending."""
        return re.sub(r"\.[A-Za-z.]+$", "", name) if self.by_name else name


GOLANG_MIGRATE: Final = Numbered(
    re.compile(r"(?P<number>[0-9]+)_(?P<name>.*)\.up\.[^.]+"), "schema_migrations", "version", last=True
)
DBMATE: Final = Numbered(re.compile(r"(?P<number>[0-9]+)_?(?P<name>.*)\.sql"), "schema_migrations", "version")
GOOSE: Final = Numbered(
    re.compile(r"(?P<number>[0-9]+)_(?P<name>.*)(?<!_test)\.(?:sql|go)"), "goose_db_version", "version_id"
)
RAILS: Final = Numbered(
    re.compile(r"(?P<number>[0-9]+)_(?P<name>[_a-z0-9]*)(?:\.[_a-z0-9]*)?\.rb"),
    "schema_migrations",
    "version",
    deep=True,
)
KNEX: Final = Numbered(
    re.compile(r"(?P<number>[0-9]*)_?(?P<name>.*)(?<!\.d)\.(?:[cm]?[jt]s|coffee|eg|iced|litcoffee|ls)"),
    "knex_migrations",
    "name",
    by_name=True,
)
PRISMA: Final = Numbered(
    re.compile(r"(?P<number>[0-9]*)_?(?P<name>.*)"),
    "_prisma_migrations",
    "migration_name",
    by_name=True,
    directories=True,
)
