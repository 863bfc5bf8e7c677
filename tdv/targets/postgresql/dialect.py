"""SQL for PostgreSQL that somebody else runs.

In: schemas and canonical columns. Out: statements and literals. Always holds: a table that changes is altered, so that
what others declared on it stays; references that stand in the way are dropped for the transaction and come back as they
were, whatever they are called; names are found by the search path.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.text import to_text
from tdv.errors import Refused
from tdv.model.schema import Column, DatasetSchema, Reference, TableSchema
from tdv.model.types import LogicalType
from tdv.targets import sql
from tdv.targets.dialect import Outline, Reshape, escape_steering, holds, if_missing, is_steering
from tdv.targets.losses import refuse_types
from tdv.targets.postgresql import ddl
from tdv.targets.postgresql.codec import stored
from tdv.targets.postgresql.types import LOSSES, TEXTS, declared, declared_column, is_array
from tdv.targets.sql import keys_of, quote

_BARE: Final = frozenset({"bool", "int16", "int32", "int64", "decimal", "float64"})
_LENGTH: Final = re.compile(r"\(\d+\)$")
_LOOSE_TEXTS: Final = {"citext": "text", "character": "bpchar"}
"""Types whose texts are equal without regard to case or to spaces at the end, and what they are compared as."""
_INTEGERS: Final = frozenset({"int16", "int32", "int64"})
_NO_NUMBERS: Final = frozenset({"NaN", "Infinity", "-Infinity"})
_ASIDE: Final = quote("_tdv_references")
_HERE: Final = ""


@dataclass(frozen=True, slots=True)
class PostgresqlDialect:
    """See `tdv.targets.dialect.Dialect`; `theirs` are the types of the columns of a database, each with its table,
    `readers` what is made of columns, such as a view, and has to go before they can change."""

    name: str = "postgresql"
    theirs: Mapping[tuple[str, str], str] = field(default_factory=dict)
    readers: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def notes(self, outline: Outline) -> list[str]:
        return ["For PostgreSQL; `psql -v ON_ERROR_STOP=1` stops at the first error."]

    def beside(self, wanted: DatasetSchema) -> PostgresqlDialect:
        return self

    def refuse(self, tables: Iterable[TableSchema]) -> None:
        tables = list(tables)
        ddl.refuse_names(tables)
        refuse_types(tables, LOSSES, "PostgreSQL")

    def literals(self, array: pa.Array, column: Column, table: str) -> list[str]:
        values = stored(array, column, table)
        is_text = bool(self._text_of(column.name, table))
        if column.type.name == "bool" and is_text:
            values = pc.if_else(values, "t", "f")
        texts = values if values.type == pa.string() else to_text(values, column.type)
        is_bare = column.type.name in _BARE and not is_text
        return ["NULL" if text is None else _literal(text, is_bare=is_bare) for text in texts.to_pylist()]

    def equal(self, column: Column, literal: str, table: str) -> str:
        as_json = column.type.name == "json" or (column.type.is_nested and not is_array(column.type))
        kind = declared(column.type)
        if column.type.name == "string":
            other = _LOOSE_TEXTS.get(self._text_of(column.name, table))
        else:
            # The type json has no equality, and a text may write a value in another way than this literal.
            other = kind if as_json or self._text_of(column.name, table) else None
        return f"{quote(column.name)}{f'::{other}' if other else ''} = {literal}"

    def _text_of(self, column: str, table: str) -> str:
        """The type of a column in which others keep text, without its length; nothing for one of another type."""
        name = _LENGTH.sub("", self.theirs.get((table, column), ""))
        return name if name in TEXTS else ""

    def cast(self, name: str, old: LogicalType, new: LogicalType) -> str | None:
        nested = [kind for kind in (old, new) if kind.is_nested and not is_array(kind)]
        return None if nested else f"{quote(name)}::{declared(new)}"

    def holds(self, found: LogicalType, wanted: LogicalType) -> bool:
        return holds(self, found, wanted)

    def comparable(self, found: LogicalType, wanted: LogicalType) -> bool:
        return found.name == wanted.name or {found.name, wanted.name} <= _INTEGERS

    def overriding(self, table: TableSchema) -> str:
        # Others may have declared the counter of a key as GENERATED ALWAYS.
        return " OVERRIDING SYSTEM VALUE" if _counters(table) else ""

    def delete_one(self, table: TableSchema, condition: str) -> str | None:
        place = quote(table.name)
        # Each partition numbers its rows by itself.
        row = "tableoid, ctid"
        return f"DELETE FROM {place} WHERE ({row}) = (SELECT {row} FROM {place} WHERE {condition} LIMIT 1)"

    def create(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        return [ddl.create_table(table, _HERE)]

    def finish(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        return [*ddl.create_keys(table, _HERE), *map(if_missing, ddl.create_indexes(table, _HERE, known))]

    def unround(self, table: TableSchema, names: Iterable[str]) -> list[str]:
        # A uuid in a text of 36 characters gets no spaces at the end.
        found = map(table.column, names)
        columns = [c for c in found if c.type.name == "string" or not self._text_of(c.name, table.name)]
        for column in columns:
            self._refuse_reader(table.name, column.name)
        return _altered(quote(table.name), (self._exact(table.name, column) for column in columns))

    def _exact(self, table: str, column: Column) -> str:
        name, kind = quote(column.name), declared(column.type)
        # A real is read as the shortest number that it stands for, and widened to another one.
        using = f" USING {name}::text::{kind}" if self.theirs.get((table, column.name)) == "real" else ""
        return f"ALTER COLUMN {name} TYPE {kind}{using}"

    def refer(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        return ddl.create_references(table, _HERE, known)

    def place(self, reshape: Reshape) -> str:
        return reshape.name

    def loosen(self, reshape: Reshape) -> list[str]:
        place = quote(reshape.name)
        return [
            *([f"DELETE FROM {place}"] if reshape.anew else ()),
            *(_drop_key(reshape.name, columns, primary=False) for columns in _dropped_uniques(reshape)),
            *([_drop_key(reshape.name, reshape.old.key, primary=True)] if _loses_key(reshape) else ()),
            *(f"DROP INDEX IF EXISTS {name}" for name in _dropped_indexes(reshape)),
            *_altered(place, (f"ALTER COLUMN {quote(n)} DROP IDENTITY IF EXISTS" for n in _lost_counters(reshape))),
            *_altered(place, _looser(reshape)),
        ]

    def clear(self, reshape: Reshape) -> list[str]:
        return []

    def tighten(self, reshape: Reshape) -> list[str]:
        old, new = reshape.old, reshape.new
        dropped = _dropped_uniques(reshape)
        kept = [unique for unique in keys_of(old) if unique not in dropped]
        missing = replace(
            new,
            key=new.key if old.key != new.key else (),
            uniques=tuple(unique for unique in keys_of(new) if unique not in kept),
        )
        present = ddl.create_indexes(old, _HERE, reshape.known.old)
        indexes = [text for text in ddl.create_indexes(new, _HERE, reshape.known.new) if text not in present]
        return [
            *_altered(quote(new.name), _tighter(reshape)),
            *ddl.create_keys(missing, _HERE),
            *_altered(quote(new.name), _counting(reshape)),
            *map(if_missing, indexes),
        ]

    def begin(self, outline: Outline) -> list[str]:
        self._refuse_readers(outline)
        start = ["BEGIN", "SET LOCAL client_encoding = 'UTF8'"]
        return [*start, *_put_aside(outline)] if outline.aside else start

    def end(self, outline: Outline) -> list[str]:
        back = [_do(_BACK)] if outline.aside else []
        added = [text for reshape in outline.reshaped for text in _new_references(reshape)]
        tables = [outline.new.table(name) for name in outline.filled]
        return [*back, *added, *(text for table in tables for text in self._go_on(table)), "COMMIT"]

    def _go_on(self, table: TableSchema) -> list[str]:
        """Lets the counter of a key go on after its greatest value."""
        return [
            f"SELECT setval(pg_get_serial_sequence({sql.text(quote(table.name))}, {sql.text(name)}), "
            f"max({quote(name)})) FROM {quote(table.name)} HAVING max({quote(name)}) > 0"
            for name in table.key
            if ddl.has_identity(table, name) and not self._text_of(name, table.name)
        ]

    def _refuse_readers(self, outline: Outline) -> None:
        """Raises `Refused` for what would stop a column from being altered or dropped."""
        kept = {table.name for table in outline.new.tables}
        touched = [(r.name, name) for r in outline.reshaped for name in r.old.column_names if _is_touched(r, name)]
        touched += [(t.name, name) for t in outline.old.tables if t.name not in kept for name in t.column_names]
        for table, name in touched:
            self._refuse_reader(table, name)

    def _refuse_reader(self, table: str, name: str) -> None:
        if (table, name) in self.readers:
            raise Refused(
                f"{self.readers[table, name]} reads {table}.{name}, which changes its type or goes",
                hint="Drop it, run the command again, and make it anew after the script.",
                table=table,
                column=name,
            )


def _literal(text: str, *, is_bare: bool) -> str:
    if is_bare and text not in _NO_NUMBERS:
        return text
    if not is_steering(text):
        return sql.text(text)
    escaped = text.replace("\\", "\\\\").replace("'", "''")
    return f"E'{escape_steering(escaped, _escape)}'"


def _escape(letters: str) -> str:
    return "".join(f"\\u{ord(letter):04x}" for letter in letters)


def _do(body: str) -> str:
    tag = "$tdv$"
    while tag in body:
        tag = f"{tag[:-1]}_$"
    return f"DO {tag}{body}{tag}"


def _table(name: str) -> str:
    """A table in the catalogue."""
    return f"{sql.text(quote(name))}::regclass"


def _array(names: Iterable[str]) -> str:
    return f"ARRAY[{', '.join(map(sql.text, names))}]::text[]"


def _drop_key(table: str, columns: Iterable[str], *, primary: bool) -> str:
    """Whatever the constraint is called."""
    kind = "p" if primary else "u"
    return _do(
        "DECLARE r record; BEGIN FOR r IN SELECT k.conname FROM pg_constraint k "
        f"WHERE k.contype = '{kind}' AND k.conrelid = {_table(table)} AND {_COLUMNS} = {_array(columns)} "
        f"LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', {_table(table)}, r.conname); END LOOP; END"
    )


def _dropped_uniques(reshape: Reshape) -> list[tuple[str, ...]]:
    stay = [unique for unique in keys_of(reshape.new) if unique not in reshape.clashing]
    return [unique for unique in keys_of(reshape.old) if unique not in stay]


def _loses_key(reshape: Reshape) -> bool:
    return bool(reshape.old.key) and reshape.old.key != reshape.new.key


def _dropped_indexes(reshape: Reshape) -> list[str]:
    present = ddl.create_indexes(reshape.old, _HERE, reshape.known.old)
    wanted = ddl.create_indexes(reshape.new, _HERE, reshape.known.new)
    names = [text.partition(f"ON {quote(reshape.name)} (")[0] for text in present if text not in wanted]
    return [name for name in (text.removeprefix("CREATE INDEX ").strip() for text in names) if name]


def _altered(place: str, actions: Iterable[str]) -> list[str]:
    joined = ", ".join(actions)
    return [f"ALTER TABLE {place} {joined}"] if joined else []


def _looser(reshape: Reshape) -> Iterator[str]:
    """Columns go and come, and take the values of both states."""
    old = reshape.old
    yield from (f"DROP COLUMN {quote(name)}" for name in _lost(reshape))
    for column in reshape.loose.columns:
        place = f"ALTER COLUMN {quote(column.name)}"
        if column.name not in old.column_names:
            yield f"ADD COLUMN {quote(column.name)} {declared(column.type)}"
            continue
        if _loses_not_null(reshape, column.name):
            yield f"{place} DROP NOT NULL"
        if column.name not in reshape.stays:
            yield f"{place} TYPE {declared(column.type)} USING NULL"
        elif _changes_type(reshape, column.name) and declared_column(old.column(column.name)) != declared(column.type):
            yield f"{place} TYPE {declared(column.type)}"


def _tighter(reshape: Reshape) -> Iterator[str]:
    """Columns get the types and rules that they keep."""
    for column in reshape.loose.columns:
        wanted, place = reshape.new.column(column.name), f"ALTER COLUMN {quote(column.name)}"
        if _changes_type(reshape, column.name) and declared_column(wanted) != declared(column.type):
            yield f"{place} TYPE {declared_column(wanted)}"
        has_rule = column.name in reshape.old.column_names and not _loses_not_null(reshape, column.name)
        if not wanted.nullable and not (has_rule and not reshape.old.column(column.name).nullable):
            yield f"{place} SET NOT NULL"


def _counters(table: TableSchema) -> list[str]:
    return [name for name in table.column_names if ddl.has_identity(table, name)]


def _lost_counters(reshape: Reshape) -> list[str]:
    """Those of columns that count no more, or whose smaller type may have no room for the next number."""
    old, new = reshape.old, reshape.new
    return [
        name
        for name in _counters(old)
        if name in new.column_names
        and not (name in _counters(new) and _is_as_wide(new.column(name).type, old.column(name).type))
    ]


def _is_as_wide(kind: LogicalType, other: LogicalType) -> bool:
    return kind == other or other.widens_to(kind)


def _counting(reshape: Reshape) -> Iterator[str]:
    kept = set(_counters(reshape.old)) - set(_lost_counters(reshape))
    for name in _counters(reshape.new):
        if name not in kept:
            yield f"ALTER COLUMN {quote(name)} ADD GENERATED BY DEFAULT AS IDENTITY"


def _changes_type(reshape: Reshape, name: str) -> bool:
    """Whether the type of a column is another one at the end, or was given to it anew."""
    is_kept = name in reshape.stays
    return not is_kept or declared_column(reshape.old.column(name)) != declared_column(reshape.new.column(name))


def _loses_not_null(reshape: Reshape, name: str) -> bool:
    if reshape.old.column(name).nullable:
        return False
    return reshape.new.column(name).nullable or not (reshape.anew or name in reshape.stays)


def _references_that_stay(reshape: Reshape) -> list[Reference]:
    return [
        reference
        for reference in reshape.new.references
        if reference in reshape.old.references and reference.table in reshape.known.old
    ]


def _new_references(reshape: Reshape) -> list[str]:
    stay = _references_that_stay(reshape)
    added = tuple(reference for reference in reshape.new.references if reference not in stay)
    return ddl.create_references(replace(reshape.new, references=added), _HERE, reshape.known.new)


def _put_aside(outline: Outline) -> list[str]:
    tables = ", ".join(sql.text(quote(table.name)) for table in outline.old.tables)
    found = f"ARRAY[{tables}]::regclass[]::oid[]"
    gone = [
        f"DELETE FROM {_ASIDE} WHERE source = {_table(reshape.name)} AND target = {_table(reference.table)} "
        f"AND columns = {_array(reference.columns)}"
        for reshape in outline.reshaped
        for reference in reshape.old.references
        if reference.table in reshape.known.old and reference not in _references_that_stay(reshape)
    ]
    return [_FIND.format(tables=found), _do(_OUT), *gone, *map(_forget, filter(_lost, outline.reshaped))]


def _lost(reshape: Reshape) -> list[str]:
    """The columns that go."""
    return [name for name in reshape.old.column_names if name not in reshape.new.column_names]


def _forget(reshape: Reshape) -> str:
    """The references of and to columns that go."""
    place, lost = _table(reshape.name), _array(_lost(reshape))
    return f"DELETE FROM {_ASIDE} WHERE source = {place} AND columns && {lost} OR target = {place} AND over && {lost}"


def _is_touched(reshape: Reshape, name: str) -> bool:
    return name not in reshape.new.column_names or _changes_type(reshape, name)


_COLUMNS: Final = (
    "ARRAY(SELECT a.attname::text FROM unnest(k.conkey) WITH ORDINALITY AS u (number, place) JOIN pg_attribute a "
    "ON a.attrelid = k.conrelid AND a.attnum = u.number ORDER BY u.place)"
)
_OVER: Final = _COLUMNS.replace("conkey", "confkey").replace("conrelid", "confrelid")
_FIND: Final = (
    f"CREATE TEMPORARY TABLE {_ASIDE} ON COMMIT DROP AS SELECT k.conrelid AS source, k.conname AS name, "
    f"k.confrelid AS target, {_COLUMNS} AS columns, {_OVER} AS over, pg_get_constraintdef(k.oid) AS definition "
    "FROM pg_constraint k "
    "WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY ({tables}) OR k.confrelid = ANY ({tables}))"
)
_OUT: Final = (
    f"DECLARE r record; BEGIN FOR r IN SELECT source::regclass AS source, name FROM {_ASIDE} "
    "LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', r.source, r.name); END LOOP; END"
)
_BACK: Final = (
    f"DECLARE r record; BEGIN FOR r IN SELECT a.source::regclass AS source, a.name, a.definition FROM {_ASIDE} a "
    "JOIN pg_class c ON c.oid = a.source "
    "LOOP EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', r.source, r.name, r.definition); END LOOP; END"
)
DIALECT: Final = PostgresqlDialect()
