"""The schema of a MySQL database as others made it.

In: a connection. Out: a `DatasetSchema`. Always holds: a column of a type that tdv has no exact match for, such as a
geometry, is refused by name, never read as something else.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from tdv.model.schema import Column, DatasetSchema, Reference, Rules, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.fitting import Theirs
from tdv.targets.inspecting import left_out, refuse_unknown, without_others
from tdv.targets.mysql.ddl import STATE_PREFIX
from tdv.targets.mysql.session import execute, is_mariadb
from tdv.targets.mysql.tables import columns_of, foreign_keys
from tdv.targets.mysql.types import length_of, logical
from tdv.targets.mysql.wire import Connection
from tdv.targets.sql import quote

_TABLES: Final = (
    "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() "
    "AND TABLE_TYPE NOT IN ('VIEW', 'SEQUENCE') ORDER BY 1"
)
_INDEXES: Final = (
    "SELECT INDEX_NAME, GROUP_CONCAT(COLUMN_NAME ORDER BY SEQ_IN_INDEX SEPARATOR x'00') "
    "FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND NON_UNIQUE IN (0, %s) "
    "GROUP BY INDEX_NAME HAVING SUM(SUB_PART IS NOT NULL) = 0 AND COUNT(COLUMN_NAME) = COUNT(*) ORDER BY 1"
)
"""An index of MySQL over expressions has parts without a column."""
_JSON_CHECKS: Final = (
    "SELECT CONSTRAINT_NAME FROM information_schema.CHECK_CONSTRAINTS "
    "WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = %s AND CHECK_CLAUSE LIKE 'json_valid(%%'"
)
_CHECKS: Final = (
    "SELECT c.CONSTRAINT_NAME, c.CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS c "
    "JOIN information_schema.TABLE_CONSTRAINTS t USING (CONSTRAINT_SCHEMA, CONSTRAINT_NAME) "
    "WHERE c.CONSTRAINT_SCHEMA = DATABASE() AND t.TABLE_NAME = %s AND t.CONSTRAINT_TYPE = 'CHECK' ORDER BY 1"
)
"""MySQL names them once in a database, and has no table beside them."""
_MARIADB_CHECKS: Final = (
    "SELECT CONSTRAINT_NAME, CHECK_CLAUSE FROM information_schema.CHECK_CONSTRAINTS "
    "WHERE CONSTRAINT_SCHEMA = DATABASE() AND TABLE_NAME = %s AND CHECK_CLAUSE NOT LIKE 'json_valid(%%' ORDER BY 1"
)
_UUIDS: Final = (
    "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s "
    "AND COLUMN_TYPE = 'char(36)' AND CHARACTER_SET_NAME = 'ascii'"
)
_PRIMARY: Final = "PRIMARY"
_LABEL: Final = re.compile(r"'((?:[^']|'')*)'")


def inspect(connection: Connection, model: Sequence[TableSchema] | None = None) -> DatasetSchema:
    """The tables by name; raises `DataError` for columns that tdv cannot hold, all at once. With a `model`, its tables,
    and no columns of others that tdv cannot hold."""
    wanted = None if model is None else {table.name for table in model}
    names = [name for name in table_names(connection) if wanted is None or name in wanted]
    columns = {name: [c for c in columns_of(connection, name) if not c.generated] for name in names}
    described = {name: _described(connection, name, found) for name, found in columns.items()}
    if model is not None:
        columns, described = without_others(columns, described, model)
    refuse_unknown(columns, described)
    ((database,),) = execute(connection, "SELECT DATABASE()")
    return DatasetSchema(
        tuple(_table(connection, str(database), name, [c for c in described[name] if c is not None]) for name in names)
    )


def table_names(connection: Connection) -> list[str]:
    """All tables but those of tdv's state."""
    return [name for (name,) in execute(connection, _TABLES) if not name.startswith(STATE_PREFIX)]


def omitted(connection: Connection) -> tuple[str, ...]:
    """What a schema does not say of these tables: generated columns, checks."""
    checks = _MARIADB_CHECKS if is_mariadb(connection) else _CHECKS
    found: list[str] = []
    for (name,) in execute(connection, _TABLES):
        if not name.startswith(STATE_PREFIX):
            found += [f"the generated column {name}.{c.name}" for c in columns_of(connection, name) if c.generated]
            for rule, sql in execute(connection, checks, name):
                found.append(left_out(f"CHECK constraint {rule}", name, f"CHECK ({sql})", "MySQL"))
    return tuple(found)


def indexes(connection: Connection, table: str) -> list[tuple[str, ...]]:
    """The columns of the indexes of a table, without those over expressions or the beginning of a column."""
    return list(_indexes(connection, table, unique=False).values())


def _described(connection: Connection, table: str, columns: Iterable[Theirs]) -> list[Column | None]:
    """None for a type that has no match."""
    uuids = {name for (name,) in execute(connection, _UUIDS, table)}
    documents = {name for (name,) in execute(connection, _JSON_CHECKS, table)} if is_mariadb(connection) else set()
    return [_column(their, is_uuid=their.name in uuids, is_json=their.name in documents) for their in columns]


def _column(their: Theirs, *, is_uuid: bool, is_json: bool) -> Column | None:
    kind = logical(their.type)
    if is_uuid or is_json:
        return Column(their.name, LogicalType("uuid" if is_uuid else "json"), not their.not_null)
    if kind is None:
        return None
    if their.kind == "enum":
        labels = tuple(label.replace("''", "'") for label in _LABEL.findall(their.type))
        return Column(their.name, kind, not their.not_null, Rules(enum=labels))
    return Column(their.name, kind, not their.not_null, Rules(max_length=length_of(their.type)))


def _table(connection: Connection, database: str, name: str, columns: Iterable[Column]) -> TableSchema:
    described = tuple(columns)
    kinds = {column.name: column.type for column in described}
    keys = _indexes(connection, name, unique=True)
    primary = keys.pop(_PRIMARY, ())
    usable = bool(primary) and all(c in kinds and kinds[c].may_be_key for c in primary)
    references = [
        Reference(tuple(column for column, _ in pairs), table, tuple(to for _, to in pairs))
        for place, pairs in foreign_keys(connection, name)
        for table in _beside(place, database)
    ]
    return TableSchema(
        name=name,
        columns=described,
        key=primary if usable else (),
        uniques=tuple(unique for unique in keys.values() if kinds.keys() >= set(unique)),
        references=tuple(reference for reference in references if kinds.keys() >= set(reference.columns)),
    )


def _indexes(connection: Connection, table: str, *, unique: bool) -> dict[str, tuple[str, ...]]:
    """The columns of each index of a table, or of each unique one."""
    rows = execute(connection, _INDEXES, table, 0 if unique else 1)
    return {index: tuple(columns.split("\0")) for index, columns in rows}


def _beside(place: str, database: str) -> list[str]:
    """The table at `place`, if it is in this database."""
    prefix = f"{quote(database)}."
    return [place.removeprefix(prefix)[1:-1].replace('""', '"')] if place.startswith(prefix) else []
