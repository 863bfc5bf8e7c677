"""A small database brought back to how it was, row by row in the tables that somebody wrote to.

In: a connection to a database that is as it should be. Out: the database as it was then, or word that this cannot be
proved. Always holds: what counts are the server's counters of written rows, which grow even for transactions that were
rolled back; they are trusted once every other session is gone, since a session hands its counts in before it goes. Any
write to the catalogue, anything but rows and sequences, and any doubt mean no. A version of a row is known by its place
and the transaction that made it: no other version ever has both.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import psycopg

from tdv.targets.postgresql.copying import received
from tdv.targets.postgresql.proof import SINCE, hand_in
from tdv.targets.postgresql.session import Connection
from tdv.targets.postgresql.statements import execute
from tdv.targets.sql import text

MOST_BYTES: Final = 32 << 20
"""The rows are kept in memory."""
_MOST_RESETS: Final = 200
"""What is deleted stays in the files until somebody cleans up: a fresh database is better then."""
_LEAVING: Final = 0.2
_POLL: Final = 0.0005
_OTHERS: Final = """
SELECT EXISTS (SELECT 1 FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> ALL(%s) AND usesysid IS NOT NULL)
  OR EXISTS (SELECT 1 FROM pg_prepared_xacts WHERE database = current_database())
"""
"""Of another role's session only its number and its role are shown; those of the server's own upkeep have no role."""
_WRITTEN: Final = """
SELECT CASE WHEN c.relnamespace = 'pg_catalog'::regnamespace THEN '' ELSE c.oid::regclass::text END, sum(
    pg_stat_get_tuples_inserted(c.oid) + pg_stat_get_tuples_updated(c.oid) + pg_stat_get_tuples_deleted(c.oid))::bigint
  FROM pg_class c
  WHERE c.relkind IN ('r', 'm') AND NOT c.relisshared AND c.relname <> 'pg_statistic' GROUP BY 1
"""
"""Rows written to each table, and to all of the catalogue together but for what the server's own analysis writes."""
_TABLES: Final = """
SELECT c.oid::regclass::text,
    (SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute
      WHERE attrelid = c.oid AND attnum > 0 AND NOT attisdropped AND attgenerated = '')
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind = 'r' AND n.nspname <> 'information_schema' AND n.nspname NOT LIKE 'pg\\_%'
    AND NOT EXISTS (SELECT 1 FROM pg_trigger WHERE tgrelid = c.oid AND tgenabled = 'A')
    AND NOT EXISTS (SELECT 1 FROM pg_rewrite WHERE ev_class = c.oid AND ev_enabled = 'A')
"""
"""Tables that a replica fills without anything else happening, each with its columns."""
_SEQUENCES: Final = "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'S' ORDER BY oid"
_SIZE: Final = """
SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class WHERE relkind = 'r' AND oid >= 16384
"""
_MADE_NOW: Final = "WHERE xmin = pg_current_xact_id()::xid"
_SILENTLY: Final = "SET session_replication_role = replica"
"""References and triggers see nothing: afterwards all rows are those that they have seen before."""

Sequences = tuple[tuple[Any, ...], ...]


@dataclass(frozen=True, slots=True)
class _Mark:
    """How a database is: rows written to each table so far, and where each sequence stands."""

    written: Mapping[str, int]
    sequences: Sequences


@dataclass(frozen=True, slots=True)
class _Table:
    """What a table is to hold: each row as the server writes it, by its place and the transaction that made it."""

    columns: str
    rows: dict[bytes, bytes]


class Resetting:
    """A database as it is now; `connection` is one of its own, in autocommit mode."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._left = _MOST_RESETS
        # Planned once: to plan it takes as long as to run it.
        execute(connection, f"PREPARE written AS {_WRITTEN}")
        self._names = [name for (name,) in execute(connection, _SEQUENCES)]
        self._tables = {
            table: _Table(columns, self._read(table, columns))
            for table, columns in execute(connection, _TABLES)
            if columns is not None
        }
        self._mark = self._now()

    @property
    def pid(self) -> int:
        """The number of the session."""
        return self._connection.info.backend_pid

    def close(self) -> None:
        """Ends the session."""
        self._connection.close()

    def undo(self, *others: int) -> bool:
        """Brings the rows back; False where it cannot be proved that the database is as it was.

        `others` are sessions that may be there, since they have handed their counts in and do nothing meanwhile.
        """
        self._left -= 1
        try:
            return self._left >= 0 and is_alone(self._connection, *others) and self._brought_back()
        except psycopg.Error:
            return False

    def _brought_back(self) -> bool:
        now = self._now()
        dirty = {table for table, count in now.written.items() if count != self._mark.written.get(table)}
        if now.written.keys() != self._mark.written.keys() or not dirty <= self._tables.keys():
            return False
        with self._connection.transaction():
            for table in dirty:
                self._bring_back(table, self._tables[table])
            self._set_sequences(now.sequences)
        hand_in(self._connection)
        # Nobody else is here: what was counted since is what was done to bring the rows back.
        self._mark = replace(self._mark, written=self._written())
        return True

    def _read(self, table: str, columns: str, which: str = "") -> dict[bytes, bytes]:
        """Rows of a table, those `which` names, without those of tables that inherit from it."""
        rows = (line.split(b"\t", 2) for line in self._lines(f"SELECT ctid, xmin, {columns} FROM ONLY {table} {which}"))
        return {place + b"\t" + made: row for place, made, row in rows}

    def _lines(self, query: str) -> list[bytes]:
        """Rows as text, where every line is one, the fields apart by tabs."""
        return b"".join(received(self._connection, f"COPY ({query}) TO STDOUT")).splitlines()

    def _written(self) -> dict[str, int]:
        return {str(table): int(count) for table, count in execute(self._connection, "EXECUTE written")}

    def _now(self) -> _Mark:
        each = [f"SELECT {text(name)}, last_value, is_called FROM {name}" for name in self._names]
        return _Mark(self._written(), tuple(execute(self._connection, " UNION ALL ".join(each))) if each else ())

    def _bring_back(self, table: str, wanted: _Table) -> None:
        """Deletes the versions of rows that were not there, and writes again those that are gone."""
        present = set(self._lines(f"SELECT ctid, xmin FROM ONLY {table}"))
        new = [version.partition(b"\t")[0].decode() for version in present - wanted.rows.keys()]
        if new:
            execute(self._connection, f"DELETE FROM ONLY {table} WHERE ctid = ANY(%s::tid[])", new)
        gone = [wanted.rows.pop(version) for version in wanted.rows.keys() - present]
        if gone:
            statement = f"COPY {table} ({wanted.columns}) FROM STDIN"
            with self._connection.cursor() as cursor, cursor.copy(statement) as copy:
                copy.write(b"\n".join(gone) + b"\n")
            wanted.rows.update(self._read(table, wanted.columns, _MADE_NOW))

    def _set_sequences(self, now: Sequences) -> None:
        for name, last, called in set(self._mark.sequences) - set(now):
            execute(self._connection, "SELECT setval(%s::regclass, %s, %s)", name, last, called)


def is_alone(connection: Connection, *others: int) -> bool:
    """True when no session but `others` is left; waits a moment for those that were just closed."""
    deadline = time.monotonic() + _LEAVING
    while execute(connection, _OTHERS, [connection.info.backend_pid, *others])[0][0]:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def resetting(connection: Connection) -> Resetting | None:
    """What brings a database back; None where it is too large, or the server is too old or does not allow it."""
    if connection.info.server_version < SINCE:
        return None
    try:
        execute(connection, "SET track_counts = on")
        execute(connection, _SILENTLY)
        hand_in(connection)
        ((size,),) = execute(connection, _SIZE)
        return Resetting(connection) if size <= MOST_BYTES and is_alone(connection) else None
    except psycopg.errors.InsufficientPrivilege:
        return None
