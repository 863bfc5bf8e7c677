"""The tables in which migration tools keep what they did.

In: the schema of a database. Out: the same without those tables. Always holds: a table that another one references
stays, since it is data.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tdv.model.schema import DatasetSchema

_OF_TOOLS: Final = frozenset(
    {
        "alembic_version", "django_migrations", "flyway_schema_history", "databasechangelog", "databasechangeloglock",
        "schema_migrations", "ar_internal_metadata", "goose_db_version", "_prisma_migrations", "knex_migrations",
        "knex_migrations_lock", "sqlite_sequence",
    }
)  # fmt: skip


def is_of_a_tool(table: str) -> bool:
    """True for a table that says which migrations have run."""
    return table.lower() in _OF_TOOLS


def without_tools(schema: DatasetSchema) -> tuple[DatasetSchema, tuple[str, ...]]:
    """The tables that are data, and a sentence about each of the others."""
    referenced = {reference.table for table in schema.tables for reference in table.references}
    left = [table.name for table in schema.tables if is_of_a_tool(table.name) and table.name not in referenced]
    kept = tuple(table for table in schema.tables if table.name not in left)
    return replace(schema, tables=kept), tuple(f"the table {name}: a migration tool keeps it" for name in left)
