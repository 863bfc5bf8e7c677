"""The schema of a PostgreSQL database as others made it.

In: a connection. Out: a `DatasetSchema`. Always holds: a column of a type that tdv has no exact match for, such as a
composite one, is refused by name, never read as something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote as percent

from tdv.model.schema import Column, DatasetSchema, Reference, Rules, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.fitting import Theirs
from tdv.targets.inspecting import left_out, refuse_unknown, without_others
from tdv.targets.postgresql.catalogue import schema_of, survey
from tdv.targets.postgresql.session import Connection
from tdv.targets.postgresql.statements import execute
from tdv.targets.postgresql.tables import columns_of
from tdv.targets.postgresql.types import is_of_one_length, length_of, logical
from tdv.targets.sql import quote

_TABLES: Final = """
SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid
      AND d.deptype = 'e') ORDER BY c.oid
"""
_CONSTRAINTS: Final = """
SELECT k.contype::text, t.relname, tn.nspname,
    (SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.conkey) WITH ORDINALITY AS u (n, o)
      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n),
    (SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(k.confkey) WITH ORDINALITY AS u (n, o)
      JOIN pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n)
  FROM pg_constraint k LEFT JOIN pg_class t ON t.oid = k.confrelid LEFT JOIN pg_namespace tn ON tn.oid = t.relnamespace
  WHERE k.conrelid = %s::regclass AND k.contype IN ('p', 'u', 'f') ORDER BY k.conname
"""
_ENUM: Final = """
SELECT e.enumlabel FROM pg_enum e JOIN pg_attribute a ON a.atttypid = e.enumtypid
  WHERE a.attrelid = %s::regclass AND a.attname = %s ORDER BY e.enumsortorder
"""
_RULES: Final = """
SELECT CASE k.contype WHEN 'c' THEN 'CHECK' ELSE 'EXCLUDE' END, k.conname, pg_get_constraintdef(k.oid, true)
  FROM pg_constraint k WHERE k.conrelid = %s::regclass AND k.contype IN ('c', 'x') ORDER BY k.conname
"""
_UNIQUE_INDEXES: Final = """
SELECT i.relname FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid
  WHERE x.indrelid = %s::regclass AND x.indisunique
    AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = x.indexrelid) ORDER BY i.relname
"""
_ELSEWHERE: Final = """
SELECT (SELECT string_agg(a.attname, ', ' ORDER BY o) FROM unnest(k.conkey) WITH ORDINALITY AS u (n, o)
      JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n), tn.nspname, t.relname
  FROM pg_constraint k JOIN pg_class t ON t.oid = k.confrelid JOIN pg_namespace tn ON tn.oid = t.relnamespace
  WHERE k.conrelid = %s::regclass AND k.contype = 'f' AND k.conparentid = 0 AND tn.nspname <> %s ORDER BY k.conname
"""
_INDEXES: Final = """
SELECT (SELECT array_agg(a.attname::text ORDER BY o) FROM unnest(x.indkey) WITH ORDINALITY AS u (n, o)
      JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = u.n WHERE o <= x.indnkeyatts)
  FROM pg_index x WHERE x.indrelid = %s::regclass AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL
"""
_DECLARED: Final = """
SELECT c.relname::text, a.attname::text, format_type(CASE t.typtype WHEN 'd' THEN t.typbasetype ELSE a.atttypid END,
    CASE t.typtype WHEN 'd' THEN t.typtypmod ELSE a.atttypmod END)
  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
  JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
"""
_READERS: Final = """
SELECT c.relname::text, a.attname::text,
    coalesce('the view ' || v.relname, 'the generated column ' || c.relname || '.' || g.attname)
  FROM pg_depend d JOIN pg_class c ON c.oid = d.refobjid JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = d.refobjsubid
  LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
  LEFT JOIN pg_class v ON v.oid = r.ev_class AND v.oid <> c.oid
  LEFT JOIN pg_attrdef e ON d.classid = 'pg_attrdef'::regclass AND e.oid = d.objid
  LEFT JOIN pg_attribute g ON g.attrelid = c.oid AND g.attgenerated <> '' AND g.attnum <> a.attnum
    AND g.attnum = CASE d.classid WHEN 'pg_class'::regclass THEN d.objsubid ELSE e.adnum END
  WHERE d.refclassid = 'pg_class'::regclass AND n.nspname = %s AND c.relkind IN ('r', 'p')
    AND coalesce(v.oid, g.attrelid) IS NOT NULL ORDER BY 1, 2, 3
"""
_ROUNDS: Final = (
    (re.compile(r"(?:timestamp|time)\([0-5]\)"), "rounds fractions of a second"),
    (re.compile(r"real"), "rounds numbers"),
    (re.compile(r"character\("), "adds spaces at the end"),
)
_ENUMERATION: Final = "e"


def inspect(connection: Connection, model: Sequence[TableSchema] | None = None) -> DatasetSchema:
    """The tables of the target's schema, in the order in which they were made; raises `DataError` for columns that
    tdv cannot hold, all at once. With a `model`, its tables, and no columns of others that tdv cannot hold."""
    schema = schema_of(connection)
    wanted = None if model is None else {table.name for table in model}
    names = [name for (name,) in execute(connection, _TABLES, schema) if wanted is None or name in wanted]
    places = {name: f"{quote(schema)}.{quote(name)}" for name in names}
    columns = {name: [c for c in columns_of(connection, place) if not c.generated] for name, place in places.items()}
    described = {name: [_column(connection, places[name], c) for c in found] for name, found in columns.items()}
    if model is not None:
        columns, described = without_others(columns, described, model)
    refuse_unknown(columns, described)
    return DatasetSchema(
        tuple(_table(connection, schema, name, [c for c in described[name] if c is not None]) for name in names)
    )


def table_names(connection: Connection) -> list[str]:
    """All tables of the target's schema."""
    return [name for (name,) in execute(connection, _TABLES, schema_of(connection))]


def omitted(connection: Connection) -> tuple[str, ...]:
    """What a schema does not say of these tables: generated columns, constraints in SQL, unique indexes, and what is in
    other schemas."""
    schema = schema_of(connection)
    found: list[str] = []
    for (name,) in execute(connection, _TABLES, schema):
        place = f"{quote(schema)}.{quote(name)}"
        found += [f"the generated column {name}.{c.name}" for c in columns_of(connection, place) if c.generated]
        for kind, rule, sql in execute(connection, _RULES, place):
            found.append(left_out(f"{kind} constraint {rule}", name, sql, "PostgreSQL", has_place=kind == "CHECK"))
        for (index,) in execute(connection, _UNIQUE_INDEXES, place):
            found.append(f"the unique index {index} of {name}, which is no constraint; `unique:` takes columns")
        for columns, other, table in execute(connection, _ELSEWHERE, place, schema):
            found.append(f"the reference of {name}.{columns} to {other}.{table}, which is in another schema")
    way = "the URL says which schema is copied, as ?options=-csearch_path%3D"
    for other in _schemas_of_others(connection, schema):
        found.append(f"the tables of the schema {other}: {way}{percent(other)}")
    return tuple(found)


def _schemas_of_others(connection: Connection, schema: str) -> list[str]:
    """The other schemas that have tables, without those of the server, of extensions and of tdv."""
    places = survey(connection, ()).places.values()
    return sorted({place for place, _ in places} - {schema})


def indexes(connection: Connection, table: str) -> list[tuple[str, ...]]:
    """The columns of the indexes of a table, without partial ones and those over expressions."""
    place = f"{quote(schema_of(connection))}.{quote(table)}"
    return [tuple(names) for (names,) in execute(connection, _INDEXES, place)]


def declarations(connection: Connection) -> dict[tuple[str, str], str]:
    """The type of each column, by its table and its name; of a domain, what it is made of."""
    rows = execute(connection, _DECLARED, schema_of(connection))
    return {(table, column): kind for table, column, kind in rows}


def readers(connection: Connection) -> dict[tuple[str, str], str]:
    """What is made of columns and stops them from being altered: a view or a generated column, by table and column."""
    rows = execute(connection, _READERS, schema_of(connection))
    return {(table, column): what for table, column, what in rows}


def rounding(connection: Connection) -> dict[tuple[str, str], str]:
    """What is done to values by the columns that alter some, each with its table."""
    return {
        place: what
        for place, kind in declarations(connection).items()
        for pattern, what in _ROUNDS
        if pattern.match(kind)
    }


def _column(connection: Connection, place: str, their: Theirs) -> Column | None:
    """None for a type that has no match."""
    if their.kind == _ENUMERATION:
        labels = tuple(label for (label,) in execute(connection, _ENUM, place, their.name))
        return Column(their.name, LogicalType("string"), not their.not_null, Rules(enum=labels))
    if their.type == "numeric":
        kind: LogicalType | None = _of_values(connection, place, their.name)
    elif is_of_one_length(their.type):
        kind = LogicalType("string")
    else:
        kind = logical(their.type)
    return Column(their.name, kind, not their.not_null, Rules(max_length=length_of(their.type))) if kind else None


def _of_values(connection: Connection, place: str, column: str) -> LogicalType | None:
    """The decimal that holds all values of a ``numeric`` without a size; None where 38 digits are too few."""
    name = quote(column)
    ((whole, scale),) = execute(
        connection,
        f"SELECT coalesce(max(length(trunc(abs({name}))::text)), 1), coalesce(max(scale({name})), 0) "
        f"FROM {place} WHERE {name} IS NOT NULL",
    )
    if scale is None or whole + scale > 38:
        return None
    return LogicalType("decimal", 38, scale)


def _table(connection: Connection, schema: str, name: str, columns: Iterable[Column]) -> TableSchema:
    rows = execute(connection, _CONSTRAINTS, f"{quote(schema)}.{quote(name)}")
    described = tuple(columns)
    kinds = {column.name: column.type for column in described}
    keys = [tuple(own) for kind, _, _, own, _ in rows if kind == "p"]
    usable = bool(keys) and all(c in kinds and kinds[c].may_be_key for c in keys[0])
    return TableSchema(
        name=name,
        columns=described,
        key=keys[0] if usable else (),
        uniques=tuple(tuple(own) for kind, _, _, own, _ in rows if kind == "u" and kinds.keys() >= set(own)),
        references=tuple(
            Reference(tuple(own), table, tuple(to))
            for kind, table, place, own, to in rows
            if kind == "f" and place == schema and kinds.keys() >= set(own)
        ),
    )
