"""Tables that are there already: whether rows of a dataset fit into them, and what has to stand aside for a load.

In: the catalogue. Out: columns to fill, references to drop and make again, sequences to set, or one `Refused` that
names every difference. Always holds: nothing that others made on a table is lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from tdv.model.schema import Column, TableSchema
from tdv.targets.fitting import Theirs, fitted, is_as_wide
from tdv.targets.postgresql.session import Connection
from tdv.targets.postgresql.statements import execute
from tdv.targets.postgresql.types import is_of_one_length, logical
from tdv.targets.sql import quote

_COLUMNS: Final = """
SELECT a.attname, format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END,
      CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END),
    t.typtype::text, a.attnotnull OR t.typnotnull, a.attidentity <> '' OR coalesce(e.adbin::text, t.typdefault) <> '',
    a.attgenerated <> ''
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  LEFT JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
  WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum
"""
_FOREIGN_KEYS: Final = """
SELECT conrelid::regclass::text, quote_ident(conname), pg_get_constraintdef(oid) FROM pg_constraint
  WHERE contype = 'f' AND conparentid = 0
    AND coalesce(pg_partition_root(conrelid), conrelid) = ANY(%s::regclass[]) ORDER BY conname
"""
_SEQUENCES: Final = """
SELECT s.oid::regclass::text, a.attname, q.seqmin, q.seqmax, q.seqincrement, q.seqstart
  FROM pg_attribute a
  LEFT JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
  JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum
      AND d.deptype IN ('a', 'i')
    OR d.classid = 'pg_attrdef'::regclass AND d.objid = e.oid AND d.refclassid = 'pg_class'::regclass
  JOIN pg_class s ON s.oid = CASE d.classid WHEN 'pg_class'::regclass THEN d.objid ELSE d.refobjid END
      AND s.relkind = 'S'
  JOIN pg_sequence q ON q.seqrelid = s.oid
  WHERE a.attrelid = %s::regclass AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1, 2, 3, 4, 5, 6
"""
_DEPENDING: Final = """
WITH RECURSIVE first AS (SELECT 'pg_class'::regclass::oid AS classid, oid AS objid FROM pg_class
    WHERE oid = ANY(%s::regclass[])),
  gone AS (SELECT * FROM first
    UNION SELECT d.classid, d.objid FROM gone JOIN pg_depend d ON d.refclassid = gone.classid
      AND d.refobjid = gone.objid AND d.deptype IN ('a', 'i', 'P', 'S')),
  others AS (
    SELECT d.*, (d.refclassid, d.refobjid) IN (SELECT * FROM first) AS is_direct
      FROM gone JOIN pg_depend d ON d.refclassid = gone.classid AND d.refobjid = gone.objid
      WHERE d.deptype = 'n' AND (d.classid, d.objid) NOT IN (SELECT * FROM gone))
(SELECT concat_ws(' depends on ',
    coalesce((SELECT pg_describe_object(o.refclassid, o.refobjid, 0) FROM pg_depend o
      WHERE o.classid = d.classid AND o.objid = d.objid AND o.deptype = 'i' LIMIT 1),
      pg_describe_object(d.classid, d.objid, d.objsubid)),
    pg_describe_object(d.refclassid, d.refobjid, 0))
  FROM others d ORDER BY NOT is_direct, d.classid, d.objid LIMIT 1)
UNION ALL
(SELECT concat_ws(' requires ', pg_describe_object(d.refclassid, d.refobjid, 0),
    pg_describe_object(d.classid, d.objid, 0))
  FROM first JOIN pg_depend d USING (classid, objid) WHERE d.deptype = 'e' LIMIT 1)
"""
"""What keeps tables from being dropped. All that is bound to them goes with them; a view depends by its rule."""
_AS_TEXT: Final = frozenset({"e"})
"""Enumerations hold text, or refuse it by themselves."""


@dataclass(frozen=True, slots=True)
class ForeignKey:
    """A reference of the table at `place`, which is ready for SQL, as are the other two."""

    place: str
    name: str
    definition: str


def columns_of(connection: Connection, place: str) -> list[Theirs]:
    """The columns of the table at `place`, domains as what they are made of."""
    return [Theirs(*row) for row in execute(connection, _COLUMNS, place)]


def fitting(connection: Connection, place: str, table: TableSchema) -> tuple[Column, ...]:
    """The columns to fill in the table at `place`, generated ones left out; raises `Refused` with all differences."""
    return fitted(table, columns_of(connection, place), _holds)


def foreign_keys(connection: Connection, places: Sequence[str]) -> list[ForeignKey]:
    """The references that these tables and their partitions declare."""
    return [ForeignKey(*row) for row in execute(connection, _FOREIGN_KEYS, list(places))]


def depending(connection: Connection, places: Sequence[str]) -> str | None:
    """What depends on these tables and would not go with them, such as ``view ids depends on table users``."""
    found = execute(connection, _DEPENDING, list(places))
    return str(found[0][0]) if found else None


def sequences(connection: Connection, place: str) -> list[tuple[Any, ...]]:
    """The sequences of a table's columns: name, column, bounds, step and start."""
    return execute(connection, _SEQUENCES, place)


def set_sequences(connection: Connection, place: str) -> None:
    """Lets each sequence of a table's columns go on after the greatest value, as far as its bounds let it; undone with
    the transaction."""
    for sequence, column, least, most, step, start in sequences(connection, place):
        extreme = "max" if step > 0 else "min"
        ((last,),) = execute(connection, f"SELECT {extreme}({quote(column)}) FROM {place}")
        following = start if last is None else last + step
        execute(connection, f"ALTER SEQUENCE {sequence} RESTART WITH {int(max(least, min(following, most)))}")


def _holds(their: Theirs, column: Column) -> bool:
    if their.kind in _AS_TEXT:
        return column.type.name == "string"
    wanted = column.type
    if is_of_one_length(their.type):
        return wanted.name == "string"
    kind = logical(their.type)
    if their.type in ("json", "jsonb"):
        return wanted.name in ("json", "struct", "list")
    if their.type == "numeric":
        return wanted.name == "decimal"
    return kind is not None and is_as_wide(kind, wanted)
