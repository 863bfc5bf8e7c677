"""SQL text of tables and values, for files that any SQL database can run.

In: schemas and canonical columns. Out: statements and literals. Always holds: a value is one literal, whatever
characters it holds; types and forms are those of the SQLite adapter, which PostgreSQL and MySQL read too but for
blobs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tdv.model.schema import Column, TableSchema
from tdv.targets.losses import refused_value
from tdv.targets.sql import listed, quote
from tdv.targets.sqlite import ddl
from tdv.targets.sqlite.codec import encode, storage

_INFINITE: Final[Mapping[str, str]] = {"inf": "9e999", "-inf": "-9e999"}


def create_table(table: TableSchema) -> str:
    """``CREATE TABLE`` without references, since the tables' files may be run in any order."""
    return ddl.create_table(table, ())


def insert(table: TableSchema) -> str:
    """The beginning of an ``INSERT``, up to the first row."""
    return f"INSERT INTO {quote(table.name)} ({listed(table.column_names)}) VALUES\n"


def literals(array: pa.Array, column: Column, table: str) -> pa.Array:
    """Each value as a literal; raises `DataError` for NUL in text, which SQL text cannot hold."""
    how = storage(column.type)
    stored = encode(array, column, table)
    if how == "integer":
        texts = pc.cast(stored, pa.string())
    elif how in ("real", "number"):
        texts = _numbers(stored)
    elif how == "blob":
        texts = pa.array([None if value is None else f"X'{value.hex()}'" for value in stored.to_pylist()], pa.string())
    else:
        if pc.any(pc.match_substring(stored, "\0"), min_count=0).as_py():
            raise refused_value(table, column.name, "NUL characters in text", "SQL")
        texts = pc.binary_join_element_wise("'", pc.replace_substring(stored, "'", "''"), "'", "")
    return texts.fill_null("NULL")


def _numbers(array: pa.Array) -> pa.Array:
    """The shortest text that reads back as the same number."""
    texts = [None if value is None else repr(value) for value in array.to_pylist()]
    return pa.array([None if text is None else _INFINITE.get(text, text) for text in texts], pa.string())
