"""Tables that are there already: whether rows of a dataset fit into them, and what they reference.

In: the catalogue. Out: columns to fill, references that point to nothing, or one `Refused` that names every difference.
Always holds: nothing that others made on a table is changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tdv.content.arrow import one_chunk
from tdv.errors import DataError
from tdv.model.schema import Column, TableSchema
from tdv.targets.fitting import REFERENCED, Theirs, all_fitting, fitted, is_as_wide
from tdv.targets.mysql.catalogue import Found
from tdv.targets.mysql.codec import UUID_TYPES, UuidForm, uuids_as
from tdv.targets.mysql.session import execute
from tdv.targets.mysql.types import length_of, logical
from tdv.targets.mysql.wire import Connection
from tdv.targets.protocol import TableContent
from tdv.targets.sql import quote

if TYPE_CHECKING:
    import pyarrow as pa

_COLUMNS: Final = """
SELECT COLUMN_NAME, COLUMN_TYPE, DATA_TYPE, IS_NULLABLE = 'NO',
    COLUMN_DEFAULT IS NOT NULL OR EXTRA LIKE '%%auto_increment%%', COALESCE(GENERATION_EXPRESSION, '') <> ''
  FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION
"""
_ALL: Final = (
    "SELECT TABLE_NAME, COLUMN_NAME, COLUMN_TYPE FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()"
)
_DECLARED: Final = (
    "SELECT COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLUMNS "
    "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"
)
_FOREIGN_KEYS: Final = """
SELECT CONSTRAINT_NAME, ORDINAL_POSITION, COLUMN_NAME, REFERENCED_TABLE_SCHEMA, REFERENCED_TABLE_NAME,
    REFERENCED_COLUMN_NAME
  FROM information_schema.KEY_COLUMN_USAGE
  WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND REFERENCED_TABLE_NAME IS NOT NULL
"""
_TEXTS: Final = frozenset({"tinytext", "text", "mediumtext", "longtext", "varchar", "json"})
_BYTES: Final = ("binary(16)", "varbinary(16)")
_NO_TEXTS: Final = frozenset({"bit", "year"})
_DIGITS: Final = 32
_HYPHENATED: Final = 36


def columns_of(connection: Connection, name: str) -> list[Theirs]:
    """The columns of the table that the server calls `name`."""
    rows = execute(connection, _COLUMNS, name)
    return [
        Theirs(column, kind, word, bool(not_null), bool(default), bool(generated))
        for column, kind, word, not_null, default, generated in rows
    ]


def fitting(connection: Connection, name: str, table: TableSchema) -> tuple[Column, ...]:
    """The columns to fill in the table that the server calls `name`, generated ones left out; raises `Refused` with
    all differences."""
    return fitted(table, columns_of(connection, name), _holds)


def columns_to_fill(
    connection: Connection, found: Found, tables: Iterable[TableContent]
) -> dict[str, tuple[Column, ...]]:
    """`fitting` of tables that are there; raises `Refused` with the differences of all that do not fit."""
    return all_fitting(
        {table.name: partial(fitting, connection, found.name_of(table.name), table.schema) for table in tables}
    )


def uuid_forms(connection: Connection) -> dict[tuple[str, str], UuidForm]:
    """The columns of the database, each with its table, that have no room for the hyphens of a uuid."""
    forms = {(table, column): _form(kind) for table, column, kind in execute(connection, _ALL)}
    return {place: form for place, form in forms.items() if form is not None}


def as_held(connection: Connection, name: str, content: TableContent) -> TableContent:
    """The rows as the table that the server calls `name` takes them: uuids as digits or bytes, where it has these.

    Applications look for them so, since MySQL has no type for them.
    """
    held = {their.name: form for their in columns_of(connection, name) if (form := _form(their.type))}
    forms = {
        place: held[column.name]
        for place, column in enumerate(content.schema.columns)
        if column.type.name == "uuid" and column.name in held
    }
    if not forms:
        return content
    columns = list(content.schema.columns)
    for place, form in forms.items():
        columns[place] = replace(columns[place], type=UUID_TYPES[form])
    return replace(
        content,
        schema=replace(content.schema, columns=tuple(columns)),
        batches=lambda: (_with_uuids(rows, forms) for rows in content.batches()),
    )


def needs_numbers(connection: Connection, name: str) -> bool:
    """True if a column of the table that the server calls `name` reads a text in another way than the number in it: a
    bit as the bits of its letters, a year of 0 as 2000."""
    return any(their.kind in _NO_TEXTS for their in columns_of(connection, name))


def _with_uuids(rows: pa.Table, forms: Mapping[int, UuidForm]) -> pa.Table:
    for place, form in forms.items():
        rows = rows.set_column(place, rows.column_names[place], uuids_as(form, one_chunk(rows.column(place))))
    return rows


def _form(kind: str) -> UuidForm | None:
    if kind in _BYTES:
        return "bytes"
    return "digits" if length_of(kind) == _DIGITS else None


def types_of_parents(
    connection: Connection, names: Mapping[str, str], tables: Iterable[TableSchema]
) -> dict[tuple[str, str], str]:
    """How columns of `tables`, which are to be made, have to be declared where they reference one that is there.

    `names` maps all tables to what the server calls them. A key and what references it have one type, character set
    and collation.
    """
    made = {table.name: table for table in tables}
    found = {
        (table, column): f"{kind} CHARACTER SET {charset} COLLATE {collation}" if charset else str(kind)
        for table, name in names.items()
        if table not in made
        for column, kind, charset, collation in execute(connection, _DECLARED, name)
    }
    while True:
        more = {
            (table.name, column): found[reference.table, to]
            for table in made.values()
            for reference in table.references
            for column, to in zip(reference.columns, reference.to, strict=True)
            if (reference.table, to) in found and (table.name, column) not in found
        }
        if not more:
            return found
        found |= more


def foreign_keys(connection: Connection, name: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The references of a table: what they point to in SQL, and pairs of a column and one over there."""
    # Of tables with long names MariaDB tells the names of references cut, one reference after the other.
    found: dict[tuple[str, int], dict[int, tuple[Any, ...]]] = {}
    seen = Counter[tuple[str, int]]()
    for key, position, *rest in execute(connection, _FOREIGN_KEYS, name):
        found.setdefault((key, seen[key, position]), {})[position] = tuple(rest)
        seen[key, position] += 1
    for _, columns in sorted(found.items()):
        rows = [columns[position] for position in sorted(columns)]
        yield f"{quote(rows[0][1])}.{quote(rows[0][2])}", [(str(row[0]), str(row[3])) for row in rows]


def refuse_dangling(connection: Connection, names: Iterable[str]) -> None:
    """Raises `DataError` for a row of these tables that references nothing: a load does not check each row."""
    for name in names:
        for place, pairs in foreign_keys(connection, name):
            given = " AND ".join(f"c.{quote(column)} IS NOT NULL" for column, _ in pairs)
            same = " AND ".join(f"p.{quote(to)} = c.{quote(column)}" for column, to in pairs)
            query = f"SELECT 1 FROM {quote(name)} c WHERE {given} AND NOT EXISTS (SELECT 1 FROM {place} p WHERE {same})"
            if execute(connection, f"{query} LIMIT 1"):
                columns = ", ".join(repr(column) for column, _ in pairs)
                raise DataError(
                    f"MySQL refuses rows of table {name!r}: a reference of {columns} points to nothing in {place}",
                    hint=REFERENCED,
                    table=name,
                )


def _holds(their: Theirs, column: Column) -> bool:
    wanted = column.type
    if wanted.name == "json" or wanted.is_nested:
        return their.kind in _TEXTS
    if wanted.name == "uuid":
        return their.kind == "uuid" or length_of(their.type) == _HYPHENATED or _form(their.type) is not None
    if wanted.name == "timestamptz":
        return their.kind in ("datetime", "timestamp")
    kind = logical(their.type)
    return kind is not None and is_as_wide(kind, wanted)
