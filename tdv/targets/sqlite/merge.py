"""One load into a SQLite database that holds other things too: one transaction, rows from an image.

In: a connection, an image with the rows, and the load. Out: a committed transaction, or nothing changed. Always
holds: only the datasets' tables are touched, and those that `also_empty` names; what others made on these tables
(indexes, triggers, columns) stays, and rows are verified before the commit.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote as percent

from tdv.content.order import ordered_stream
from tdv.errors import DataError
from tdv.targets.fitting import other_schema
from tdv.targets.images import Image
from tdv.targets.protocol import Load
from tdv.targets.sql import listed, quote
from tdv.targets.sqlite import state
from tdv.targets.sqlite.rows import of_connection
from tdv.targets.sqlite.theirs import OF_SQLALCHEMY, value
from tdv.targets.survey import Survey, definition, foreign_references, is_whole, refuse_missing
from tdv.targets.verification import check

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.model.schema import TableSchema

_IMAGE: Final = "tdv_image"
_GENERATED: Final = (2, 3)
_HIDDEN: Final = 1


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
        self._found = state.survey(self._connection)
        recorded = self._found.recorded(self._load)
        wanted = self._objects()
        tables = [table for held in self._image.held for table in held.tables]
        refuse_missing(self._found, self._load, tables)
        old = [table for held in self._found.of_load(self._load) for table in held.tables]
        for table in foreign_references(self._found, self._load, tables):
            self._connection.execute(f"DELETE FROM main.{quote(table)}")
        for table in old:
            if table not in tables and self._found.has_table(table):
                self._leave(table, recorded)
        for table in tables:
            self._fill(table, wanted, recorded)

    def _objects(self) -> dict[str, tuple[str, str]]:
        """Each object of the image: "table users" → its table and its statement."""
        query = f"SELECT type, name, tbl_name, sql FROM {_IMAGE}.sqlite_master WHERE sql IS NOT NULL"
        return {f"{kind} {name}": (table, sql) for kind, name, table, sql in self._connection.execute(query)}

    def _leave(self, table: str, recorded: Mapping[str, str]) -> None:
        """A table that the dataset no longer has: tdv's own goes, one that others made or altered is emptied."""
        if self._found.is_own(f"table {table}", recorded) and not self._additions(table, recorded):
            self._connection.execute(f"DROP TABLE main.{quote(table)}")
        else:
            self._connection.execute(f"DELETE FROM main.{quote(table)}")

    def _additions(self, table: str, recorded: Mapping[str, str]) -> list[str]:
        """Statements of indexes and triggers on a table that tdv did not make."""
        query = "SELECT type, name, sql FROM main.sqlite_master WHERE tbl_name = ? AND type <> 'table' AND sql NOT NULL"
        found = self._connection.execute(query, [table]).fetchall()
        return [sql for kind, name, sql in found if not self._found.is_own(f"{kind} {name}", recorded)]

    def _fill(self, table: str, wanted: Mapping[str, tuple[str, str]], recorded: Mapping[str, str]) -> None:
        execute = self._connection.execute
        name = quote(table)
        statement = wanted[f"table {table}"][1]
        present = self._found.objects.get(f"table {table}")
        if present == statement:
            execute(f"DELETE FROM main.{name}")
            execute(f"INSERT INTO main.{name} SELECT * FROM {_IMAGE}.{name}")
            return
        own = self._found.is_own(f"table {table}", recorded)
        columns = self._shared(table) if present is not None and not own else None
        if columns is not None:
            execute(f"DELETE FROM main.{name}")
            values = ", ".join(columns.values())
            execute(f"INSERT INTO main.{name} ({listed(columns)}) SELECT {values} FROM {_IMAGE}.{name}")
            self._set_sequence(table)
            return
        additions = self._additions(table, recorded) if present is not None else []
        if present is not None:
            execute(f"DROP TABLE main.{name}")
        execute(statement)
        execute(f"INSERT INTO main.{name} SELECT * FROM {_IMAGE}.{name}")
        indexes = [sql for object_, (of, sql) in wanted.items() if of == table and not object_.startswith("table ")]
        for sql in [*indexes, *additions]:
            execute(sql)

    def _shared(self, table: str) -> dict[str, str] | None:
        """The columns to fill of somebody else's table, which keeps all that it has besides, and the value of each.

        Where these rows do not fit into it: None to make it anew under ``--replace``, else raises `Refused`.
        """
        theirs = self._connection.execute(f"PRAGMA main.table_xinfo({quote(table)})").fetchall()
        found = self._connection.execute(f"PRAGMA {_IMAGE}.table_info({quote(table)})")
        ours = {row[1]: row[2] for row in found}
        known = {row[1].lower(): row for row in theirs}
        missing = [name for name in ours if name.lower() not in known]
        lowered = {name.lower() for name in ours}
        needed = [row[1] for row in theirs if row[1].lower() not in lowered and _needs_value(row)]
        if (missing or needed) and self._load.replace:
            return None
        if missing or needed:
            raise other_schema(table, _differences(missing, needed), [*missing, *needed])
        by_sqlalchemy = OF_SQLALCHEMY in self._found.objects
        return {
            name: value(quote(name), declared, known[name.lower()][2], by_sqlalchemy=by_sqlalchemy)
            for name, declared in ours.items()
            if known[name.lower()][6] not in _GENERATED
        }

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


def _needs_value(row: Sequence[object]) -> bool:
    """A row of ``table_xinfo`` whose column must be given a value."""
    _, _, _, not_null, default, key, hidden = row
    return bool(not_null) and default is None and hidden not in (*_GENERATED, _HIDDEN) and not key


def _differences(missing: list[str], needed: list[str]) -> list[str]:
    lacks = [f"it lacks {', '.join(map(repr, missing))}"] if missing else []
    return lacks + ([f"it needs values for {', '.join(map(repr, needed))}"] if needed else [])


def _is(sql: str | None, digest: str) -> bool:
    return sql is not None and definition(sql) == digest
