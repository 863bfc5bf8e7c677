"""The tables in which migration tools keep what they did.

In: the schema of a database, or the name of a tool. Out: the same without those tables; their names. Always holds: a
table that another one references stays, since it is data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from tdv.model.schema import DatasetSchema

_TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "alembic": ("alembic_version",),
    "dbmate": ("schema_migrations",),
    "django": ("django_migrations",),
    "flyway": ("flyway_schema_history",),
    "golang-migrate": ("schema_migrations",),
    "goose": ("goose_db_version",),
    "knex": ("knex_migrations", "knex_migrations_lock"),
    "liquibase": ("databasechangelog", "databasechangeloglock"),
    "prisma": ("_prisma_migrations",),
    "rails": ("schema_migrations", "ar_internal_metadata"),
}
_OF_TOOLS: Final = frozenset({"sqlite_sequence"}.union(*_TABLES.values()))


def of_tool(tool: str) -> tuple[str, ...]:
    """The tables, in lower case, in which `tool` keeps what it did; () for one that is not known to have any."""
    return _TABLES.get(tool, ())


def is_of_a_tool(table: str) -> bool:
    """True for a table that says which migrations have run."""
    return table.lower() in _OF_TOOLS


def without_tools(schema: DatasetSchema) -> tuple[DatasetSchema, tuple[str, ...]]:
    """The tables that are data, and a sentence about each of the others."""
    referenced = {reference.table for table in schema.tables for reference in table.references}
    left = [table.name for table in schema.tables if is_of_a_tool(table.name) and table.name not in referenced]
    kept = tuple(table for table in schema.tables if table.name not in left)
    return replace(schema, tables=kept), tuple(f"the table {name}: a migration tool keeps it" for name in left)
