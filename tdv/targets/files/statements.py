"""SQL text of tables and values, for files that any SQL database can run.

In: schemas and canonical columns. Out: statements and literals. Always holds: a value is one literal, whatever
characters it holds; types and forms are those of the SQLite adapter, which PostgreSQL and MySQL read too but for
blobs.
"""

from __future__ import annotations

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tdv.model.schema import Column, TableSchema
from tdv.targets.losses import refused_value
from tdv.targets.sql import listed, quote
from tdv.targets.sqlite import ddl
from tdv.targets.sqlite.literals import literals as sqlite_literals

_SQL: Final = "SQL"


def create_table(table: TableSchema) -> str:
    """``CREATE TABLE`` without references, since the tables' files may be run in any order."""
    return ddl.create_table(table, ())


def insert(table: TableSchema) -> str:
    """The beginning of an ``INSERT``, up to the first row."""
    return f"INSERT INTO {quote(table.name)} ({listed(table.column_names)}) VALUES\n"


def literals(array: pa.Array, column: Column, table: str) -> pa.Array:
    """Each value as a literal; raises `DataError` for NUL in text, and for what not every SQL database can hold."""

    def text(stored: pa.Array) -> pa.Array:
        if pc.any(pc.match_substring(stored, "\0"), min_count=0).as_py():
            raise refused_value(table, column.name, "NUL characters in text", _SQL)
        return pc.binary_join_element_wise("'", pc.replace_substring(stored, "'", "''"), "'", "")

    return sqlite_literals(array, column, table, text, _SQL)
