"""A finished SQLite file: tables, rows, indexes and `_tdv_state`, verified.

In: contents and a path where nothing is. Out: the file, and what it holds. Always holds: the file is written for
nobody to see, so that it needs no journal; when the function returns, its rows were read back and are right.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from tdv.content.order import ordered_stream
from tdv.errors import DataError
from tdv.model.schema import TableSchema
from tdv.targets.protocol import Content, Held, Item, Load, TableContent
from tdv.targets.sql import listed, quote
from tdv.targets.sqlite import ddl, pages, rows, state
from tdv.targets.sqlite.codec import encode
from tdv.targets.sqlite.deciding import refuse_tables
from tdv.targets.survey import definition
from tdv.targets.verification import check

_BATCH = 65_536


def build(path: Path, load: Load) -> tuple[Held, ...]:
    """Writes the file at `path`; raises `DataError` for what SQLite cannot hold, `IntegrityError` for other rows."""
    contents = [item.content() for item in load.items]
    tables = [table for content in contents for table in content.tables]
    schemas = [table.schema for table in tables]
    refuse_tables(schemas)
    names = {schema.name for schema in schemas}
    with closing(state.private(path)) as connection:
        for schema in schemas:
            connection.execute(ddl.create_table(schema, names))
        roots = dict(connection.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table'"))
    for table in tables:
        _fill(path, table, roots[table.name])
    with closing(state.private(path)) as connection:
        _finish(connection, schemas, names)
        held = tuple(_held(connection, item, content, load) for item, content in zip(load.items, contents, strict=True))
        state.write(connection, held)
    check(lambda schema: _read_back(path, schema), tables, "SQLite")
    return held


def _read_back(path: Path, table: TableSchema) -> Iterator[pa.Table]:
    """The rows in canonical order; SQLite sorts decimals that it keeps as text by their letters."""
    found = rows.of_file(path, table)
    kinds = [table.column(name).type for name in table.key]
    if all(kind.name != "decimal" or ddl.is_number(kind) for kind in kinds):
        return found
    return ordered_stream(found, table, path.with_name(f"{path.name}-order"))


def _fill(path: Path, table: TableContent, root: int) -> None:
    try:
        with open(path, "r+b") as file:
            pages.write_table(file, root, _rows(table))
    except pages.TooLarge:
        with closing(state.private(path)) as connection:
            _insert(connection, table)


def _encoded(table: TableContent) -> Iterator[list[pa.Array]]:
    for batch in table.batches():
        for start in range(0, batch.num_rows, _BATCH):
            part = batch.slice(start, _BATCH)
            yield [encode(_array(part, name), table.schema.column(name), table.name) for name in part.column_names]


def _array(batch: pa.Table, name: str) -> pa.Array:
    column = batch.column(name)
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _rows(table: TableContent) -> Iterator[pages.Rows]:
    schema = table.schema
    numbers = [ddl.is_number(column.type) for column in schema.columns]
    rowid = next((index for index, name in enumerate(schema.column_names) if ddl.is_rowid(schema, name)), None)
    first = 1
    for arrays in _encoded(table):
        _refuse_nulls(arrays, schema)
        count = len(arrays[0])
        if rowid is None:
            yield pages.Rows(np.arange(first, first + count), arrays, numbers)
        else:
            keys = arrays[rowid].to_numpy()
            yield pages.Rows(keys, [None if i == rowid else array for i, array in enumerate(arrays)], numbers)
        first += count


def _refuse_nulls(arrays: Sequence[pa.Array], schema: TableSchema) -> None:
    for array, column in zip(arrays, schema.columns, strict=True):
        if array.null_count and not column.nullable:
            raise DataError(
                f"table {schema.name!r}, column {column.name!r}: NULL in a column that is not nullable",
                hint="Run `tdv validate`, then mend the rows or declare the column nullable.",
                table=schema.name,
                column=column.name,
            )


def _insert(connection: sqlite3.Connection, table: TableContent) -> None:
    names = table.schema.column_names
    statement = f"INSERT INTO {quote(table.name)} ({listed(names)}) VALUES ({', '.join('?' * len(names))})"
    connection.execute("BEGIN")
    for arrays in _encoded(table):
        _refuse_nulls(arrays, table.schema)
        connection.executemany(statement, zip(*(array.to_pylist() for array in arrays), strict=True))
    connection.execute("COMMIT")


def _finish(connection: sqlite3.Connection, schemas: Sequence[TableSchema], names: set[str]) -> None:
    """Fills the indexes of keys, and makes those of references."""
    try:
        for schema in schemas:
            connection.execute(f"REINDEX {quote(schema.name)}")
            for statement in ddl.create_indexes(schema, names):
                connection.execute(statement)
    except sqlite3.IntegrityError as exc:
        raise DataError(
            f"SQLite refuses the rows: {exc}", hint="Run `tdv validate` to see which rows break which rule."
        ) from exc


def _held(connection: sqlite3.Connection, item: Item, content: Content, load: Load) -> Held:
    held = load.mark(item, content.tables)
    found = connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master WHERE sql IS NOT NULL")
    objects = {f"{kind} {name}": definition(sql) for kind, name, table, sql in found if table in held.tables}
    return replace(held, objects=objects, whole=True)
