"""What a PostgreSQL database holds: its objects as text, who references whom, and tdv's state.

In: connections. Out: a `Survey`, rows of `_tdv_state`. Always holds: the text of an object is the same on every
server of one version, whatever the search path is; members of extensions belong to the extension.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from tdv.errors import TargetError
from tdv.targets.postgresql.ddl import STATE, STATE_DDL, STATE_SCHEMA, STATE_SCHEMA_DDL
from tdv.targets.postgresql.statements import NOT_ALLOWED, Speaking, execute, tolerating
from tdv.targets.protocol import STATE_COLUMNS, Held
from tdv.targets.sql import quote
from tdv.targets.survey import Survey

_OURS: Final = f"n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', '{STATE_SCHEMA}')"
_MEMBER: Final = (
    "EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = '{0}'::regclass AND d.objid = {1} AND d.objsubid = 0 "
    "AND d.deptype IN ({2}))"
)
"""Whether an object is part of another one; columns of a partition key are part of their own table."""
_KINDS: Final = (
    "CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'view' WHEN 'f' THEN 'foreign table' "
    "WHEN 'S' THEN 'sequence' WHEN 'c' THEN 'type' ELSE 'table' END"
)
_TABLE: Final = """
concat_ws(chr(10), c.relkind, c.relpersistence, c.relrowsecurity, c.relacl,
  (SELECT string_agg(concat_ws(' ', quote_ident(a.attname), format_type(a.atttypid, a.atttypmod), a.attnotnull,
      a.attidentity, a.attgenerated, a.attacl, pg_get_expr(e.adbin, e.adrelid)), chr(10) ORDER BY a.attnum)
    FROM pg_attribute a LEFT JOIN pg_attrdef e ON e.adrelid = a.attrelid AND e.adnum = a.attnum
    WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT string_agg(pg_get_constraintdef(k.oid), chr(10) ORDER BY k.conname)
    FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype <> 'n'),
  (SELECT string_agg(pg_get_indexdef(i.indexrelid), chr(10) ORDER BY i.indexrelid::regclass::text)
    FROM pg_index i WHERE i.indrelid = c.oid),
  (SELECT string_agg(pg_get_triggerdef(t.oid), chr(10) ORDER BY t.tgname)
    FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal),
  (SELECT string_agg(pg_get_ruledef(r.oid), chr(10) ORDER BY r.rulename)
    FROM pg_rewrite r WHERE r.ev_class = c.oid),
  (SELECT string_agg(concat_ws(' ', p.polname, p.polcmd, pg_get_expr(p.polqual, p.polrelid)), chr(10)
      ORDER BY p.polname)
    FROM pg_policy p WHERE p.polrelid = c.oid))
"""
_OBJECTS: Final = f"""
SELECT {_KINDS}, n.nspname, c.relname, {_TABLE}
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE {_OURS} AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND NOT c.relispartition
    AND NOT {_MEMBER.format("pg_class", "c.oid", "'e', 'a', 'i'")}
UNION ALL
SELECT 'function', n.nspname, p.oid::regprocedure::text, md5(p.prosrc)
  FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
  WHERE {_OURS} AND NOT {_MEMBER.format("pg_proc", "p.oid", "'e', 'i'")}
UNION ALL
SELECT 'type', n.nspname, t.typname, t.typtype::text
  FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
  WHERE {_OURS} AND t.typtype IN ('d', 'e', 'r') AND NOT {_MEMBER.format("pg_type", "t.oid", "'e', 'i'")}
UNION ALL
SELECT 'default privileges', coalesce(a.defaclnamespace::regnamespace::text, ''),
    concat_ws(' ', pg_get_userbyid(a.defaclrole), a.defaclobjtype), a.defaclacl::text
  FROM pg_default_acl a
UNION ALL
SELECT 'extension', '', extname, extversion FROM pg_extension WHERE extname <> 'plpgsql'
UNION ALL
SELECT 'schema', '', n.nspname, '' FROM pg_namespace n WHERE {_OURS} AND n.nspname <> 'public'
    AND NOT {_MEMBER.format("pg_namespace", "n.oid", "'e'")}
"""
_REFERENCES: Final = f"""
SELECT DISTINCT n.nspname, c.relname, tn.nspname, t.relname
  FROM pg_constraint k
  JOIN pg_class c ON c.oid = coalesce(pg_partition_root(k.conrelid), k.conrelid)
  JOIN pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_class t ON t.oid = coalesce(pg_partition_root(k.confrelid), k.confrelid)
  JOIN pg_namespace tn ON tn.oid = t.relnamespace
  WHERE k.contype = 'f' AND {_OURS}
"""
"""Those of a partition are its table's."""


@dataclass(frozen=True, slots=True)
class Found:
    """A survey of a database: `schema` is where the dataset's tables go; `places` maps the name of each table in the
    survey to its schema and name."""

    schema: str
    survey: Survey
    places: Mapping[str, tuple[str, str]]

    def qualified(self, table: str) -> str:
        """The identifier of a table of the survey, or of one that is to be made."""
        schema, name = self.places.get(table, (self.schema, table))
        return f"{quote(schema)}.{quote(name)}"


def schema_of(connection: Speaking) -> str:
    """The schema that the search path of the URL names first; raises `TargetError` when there is none."""
    ((schema,),) = execute(connection, "SELECT current_schema()")
    if schema is None:
        ((path,),) = execute(connection, "SHOW search_path")
        raise TargetError(
            f"no schema of the search path {path} exists in the target",
            hint="Create it, or name another one in the URL: …?options=-csearch_path%3Dapp.",
        )
    return str(schema)


def select(connection: Speaking, table: str) -> list[dict[str, Any]] | None:
    """All rows of a table, by its name in the search path or ``schema.table``; None where there is none."""
    name = ".".join(map(quote, table.split(".", 1)))
    ((found,),) = execute(connection, "SELECT to_regclass(%s)::text", name)
    if found is None:
        return None
    cursor = connection.execute(f"SELECT * FROM {name}")
    names = [column.name.lower() for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def survey(connection: Speaking, tables: Iterable[str]) -> Found:
    """Looks at the catalogue, `_tdv_state`, and which of `tables`, and of those that reference them, have rows."""
    schema = schema_of(connection)
    held = held_in(connection)
    names = {*tables, *(table for item in held for table in item.tables)}
    with _bare_path(connection):
        objects, places = _objects(connection, schema)
        references = tuple(
            (_label(schema, *pair[:2]), _label(schema, *pair[2:])) for pair in execute(connection, _REFERENCES)
        )
        looked = [name for name in names if name in places]
        looked += [table for table, referenced in references if referenced in names and table not in names]
        filled = _filled(connection, {name: places[name] for name in looked if name in places})
    return Found(schema, Survey(objects, held, filled, references), places)


def is_empty(connection: Speaking) -> bool:
    """True for a database without any table but tdv's own and those of extensions."""
    objects, _ = _objects(connection, schema_of(connection))
    return not any(name.startswith(("table ", "foreign table ")) for name in objects)


def has_state(connection: Speaking) -> bool:
    """True if tdv has marked anything here."""
    ((found,),) = execute(connection, "SELECT to_regclass(%s) IS NOT NULL", STATE)
    return bool(found)


def held_in(connection: Speaking) -> tuple[Held, ...]:
    """What `_tdv_state` says; raises `TargetError` for one that is damaged."""
    if not has_state(connection):
        return ()
    rows = execute(connection, f"SELECT {', '.join(STATE_COLUMNS)} FROM {STATE} ORDER BY dataset")
    try:
        return tuple(map(Held.from_row, rows))
    except (ValueError, TypeError) as exc:
        raise TargetError(
            f"the table {STATE} cannot be read: {exc}",
            hint=f"Drop the schema {STATE_SCHEMA} and run the checkout with --replace.",
        ) from exc


def write_state(connection: Speaking, held: Iterable[Held], gone: Iterable[str] = ()) -> None:
    """Replaces the rows of these datasets, and removes those of `gone`."""
    items = list(held)
    if not has_state(connection):
        _make_state_schema(connection)
        execute(connection, STATE_DDL)
    datasets = [*(item.dataset for item in items), *gone]
    execute(connection, f"DELETE FROM {STATE} WHERE dataset = ANY(%s)", datasets)
    marks = ", ".join(["%s"] * len(STATE_COLUMNS))
    for item in items:
        plain = item.to_plain()
        values = [_stored(plain[name]) for name in STATE_COLUMNS]
        execute(connection, f"INSERT INTO {STATE} ({', '.join(STATE_COLUMNS)}) VALUES ({marks})", *values)


def _make_state_schema(connection: Speaking) -> None:
    """Where it is there already, nobody needs the right to make it, which `IF NOT EXISTS` would ask for."""
    if execute(connection, "SELECT 1 FROM pg_namespace WHERE nspname = %s", STATE_SCHEMA):
        return
    try:
        execute(connection, STATE_SCHEMA_DDL)
    except Exception as exc:
        if getattr(exc, "sqlstate", None) != NOT_ALLOWED:
            raise
        raise no_state_schema() from exc


def no_state_schema() -> TargetError:
    """The error for a database in which this user cannot make the schema of the state."""
    return TargetError(
        f"permission denied for database: its schema {STATE_SCHEMA}, for what tdv says of it, cannot be made",
        hint=f"Grant CREATE on the database, or have CREATE SCHEMA {STATE_SCHEMA} AUTHORIZATION … run.",
    )


@contextmanager
def _bare_path(connection: Speaking) -> Iterator[None]:
    """With no schema in the search path, the server writes every name in full."""
    ((path,),) = execute(connection, "SHOW search_path")
    execute(connection, "SELECT set_config('search_path', 'pg_catalog', false)")
    yield
    execute(connection, "SELECT set_config('search_path', %s, false)", path)


def _objects(connection: Speaking, schema: str) -> tuple[dict[str, str], dict[str, tuple[str, str]]]:
    objects, places = {}, {}
    for kind, place, name, text in execute(connection, _OBJECTS):
        if kind == "schema" and name == schema:
            continue
        label = _label(schema, place, name) if place else name
        objects[f"{kind} {label}"] = text
        if kind in ("table", "foreign table"):
            places[label] = (place, name)
    return objects, places


def _label(own: str, schema: str, name: str) -> str:
    """A table as people write it: with its schema where that is another one."""
    return name if schema == own else f"{schema}.{name}"


def _filled(connection: Speaking, places: Mapping[str, tuple[str, str]]) -> frozenset[str]:
    """Which of these tables have rows; one that this user may not read counts as filled."""
    if not places:
        return frozenset()
    probes = [f"EXISTS (SELECT 1 FROM {quote(schema)}.{quote(name)})" for schema, name in places.values()]
    flags = [True] * len(places)
    with tolerating(NOT_ALLOWED), connection.transaction():
        ((*flags,),) = execute(connection, f"SELECT {', '.join(probes)}")
    return frozenset(name for name, flag in zip(places, flags, strict=True) if flag)


def _stored(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
