"""One load into a SQLite database that holds other things too: one transaction, rows from an image.

In: a connection, an image with the rows, and the load. Out: a committed transaction, or nothing changed. Always
holds: only the datasets' tables are touched, and those that `also_empty` names; what others made on these tables
(indexes, triggers, columns) stays, and rows are verified before the commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote as percent

from tdv.content.order import ordered_stream
from tdv.errors import DataError
from tdv.targets.images import Image
from tdv.targets.protocol import Load
from tdv.targets.sql import listed, quote
from tdv.targets.sqlite import state
from tdv.targets.sqlite.deciding import Steps, decided, refuse_encoding
from tdv.targets.sqlite.rows import of_connection
from tdv.targets.survey import Survey, definition, foreign_references, is_whole, referenced
from tdv.targets.verification import check

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.model.schema import TableSchema

_IMAGE: Final = "tdv_image"


class Merge:
    """The transaction; `run` does it."""

    def __init__(self, connection: sqlite3.Connection, image: Image, load: Load, scratch: Path) -> None:
        self._connection = connection
        self._image = image
        self._load = load
        self._scratch = scratch
        self._found = Survey({})

    def run(self) -> None:
        """Does the whole transaction; after an error the database is as it was."""
        execute = self._connection.execute
        refuse_encoding(self._connection)
        execute("PRAGMA foreign_keys=OFF")
        execute(f"ATTACH DATABASE ? AS {_IMAGE}", [f"file:{percent(str(self._image.path))}?mode=ro&immutable=1"])
        execute("BEGIN IMMEDIATE")
        try:
            self._replace_rows()
            self._mark()
            self._check()
            execute("COMMIT")
        except sqlite3.IntegrityError as exc:
            self._undo()
            raise DataError(
                f"a rule of the target refuses the rows: {exc}",
                hint="Migrate the target to a schema that takes this version, or name another version.",
            ) from exc
        except BaseException:
            self._undo()
            raise

    def _undo(self) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")

    def _replace_rows(self) -> None:
        steps = decided(self._connection, self._load)
        self._found = steps.found
        recorded = self._found.recorded(self._load)
        wanted = self._objects()
        tables = list(steps.statements)
        old = [table for held in self._found.of_load(self._load) for table in held.tables]
        for table in foreign_references(self._found, self._load, tables):
            self._connection.execute(f"DELETE FROM main.{quote(table)}")
        for table in old:
            if table not in tables and self._found.has_table(table):
                self._leave(table, recorded)
        for table in tables:
            self._fill(table, steps, wanted)

    def _objects(self) -> dict[str, tuple[str, str]]:
        """Each object of the image: "table users" → its table and its statement."""
        query = f"SELECT type, name, tbl_name, sql FROM {_IMAGE}.sqlite_master WHERE sql IS NOT NULL"
        return {f"{kind} {name}": (table, sql) for kind, name, table, sql in self._connection.execute(query)}

    def _leave(self, table: str, recorded: Mapping[str, str]) -> None:
        """A table that the dataset no longer has: tdv's own goes, one that others made, altered or reference is
        emptied."""
        needed = table in referenced(self._found, self._load, ()) or self._additions(table, recorded)
        if self._found.is_own(f"table {table}", recorded) and not needed:
            self._connection.execute(f"DROP TABLE main.{quote(table)}")
        else:
            self._connection.execute(f"DELETE FROM main.{quote(table)}")

    def _additions(self, table: str, recorded: Mapping[str, str]) -> list[str]:
        """Statements of indexes and triggers on a table that tdv did not make."""
        query = "SELECT type, name, sql FROM main.sqlite_master WHERE tbl_name = ? AND type <> 'table' AND sql NOT NULL"
        found = self._connection.execute(query, [table]).fetchall()
        return [sql for kind, name, sql in found if not self._found.is_own(f"{kind} {name}", recorded)]

    def _fill(self, table: str, steps: Steps, wanted: Mapping[str, tuple[str, str]]) -> None:
        execute = self._connection.execute
        name = quote(table)
        if table in steps.same:
            execute(f"DELETE FROM main.{name}")
            execute(f"INSERT INTO main.{name} SELECT * FROM {_IMAGE}.{name}")
            return
        columns = steps.values.get(table)
        if columns is not None:
            execute(f"DELETE FROM main.{name}")
            values = ", ".join(columns.values())
            execute(f"INSERT INTO main.{name} ({listed(columns)}) SELECT {values} FROM {_IMAGE}.{name}")
            self._set_sequence(table)
            return
        present = self._found.has_table(table)
        additions = self._additions(table, self._found.recorded(self._load)) if present else []
        if present:
            execute(f"DROP TABLE main.{name}")
        execute(steps.statements[table])
        execute(f"INSERT INTO main.{name} SELECT * FROM {_IMAGE}.{name}")
        indexes = [sql for object_, (of, sql) in wanted.items() if of == table and not object_.startswith("table ")]
        for sql in [*indexes, *additions]:
            execute(sql)

    def _set_sequence(self, table: str) -> None:
        if self._found.has_table("sqlite_sequence") or self._has_sequences():
            name = quote(table)
            self._connection.execute(
                f"UPDATE main.sqlite_sequence SET seq = (SELECT coalesce(max(rowid), 0) FROM main.{name})"
                " WHERE name = ?",
                [table],
            )

    def _has_sequences(self) -> bool:
        query = "SELECT 1 FROM main.sqlite_master WHERE name = 'sqlite_sequence'"
        return self._connection.execute(query).fetchone() is not None

    def _mark(self) -> None:
        """Writes `_tdv_state`: what tdv made here is recorded, tables that others made are not."""
        now = state.survey(self._connection).objects
        whole = is_whole(self._found, self._load)
        state.write(
            self._connection,
            [
                replace(held, whole=whole, objects={n: d for n, d in held.objects.items() if _is(now.get(n), d)})
                for held in self._load.stamped(self._image.held)
            ],
        )

    def _check(self) -> None:
        tables = [table for item in self._load.items for table in item.content().tables]
        check(self._read, tables, "SQLite")
        if self._load.schema is not None:
            self._refuse_loose(table.name for table in tables)

    def _refuse_loose(self, tables: Iterable[str]) -> None:
        """Raises `DataError` for references of the application that lead nowhere: SQLite does not look at them while
        tables are filled in any order."""
        for table in tables:
            found = self._connection.execute(f"PRAGMA main.foreign_key_check({quote(table)})").fetchone()
            if found is not None:
                raise DataError(
                    f"a rule of the target refuses the rows: rows of table {table!r} reference rows of {found[2]!r} "
                    "that are not there",
                    hint="Migrate the target to a schema that takes this version, or name another version.",
                    table=table,
                )

    def _read(self, table: TableSchema) -> Iterator[pa.Table]:
        return ordered_stream(of_connection(self._connection, table), table, self._scratch)


def _is(sql: str | None, digest: str) -> bool:
    return sql is not None and definition(sql) == digest
