"""Rows out of a SQLite database, as canonical tables.

In: a connection or a file, and table schemas. Out: batches in the engine's order, which `ordered_stream` checks.
Always holds: every value is one of its column's type, or the read ends with an `IntegrityError` that names it.

A file is read through ADBC, which makes Arrow columns in C, on two connections where the rowid is the key;
a connection with an open transaction and a file with values that ADBC refuses are read through `sqlite3`.
"""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote as percent

import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_sqlite import dbapi as adbc

from tdv.content.arrow import arrow_schema
from tdv.content.redact import shown
from tdv.errors import IntegrityError, TargetError
from tdv.model.schema import TableSchema
from tdv.targets.sql import quote
from tdv.targets.sqlite.codec import ARROW, Misread, decode, storage
from tdv.targets.sqlite.ddl import is_rowid

_BATCH: Final = 65_536
_THREADS: Final = 2
_ZERO: Final = {"integer": "0", "real": "0.0", "number": "0.0", "text": "''", "blob": "x''"}
_STORED: Final = {
    "integer": {"integer"},
    "real": {"integer", "real"},
    "number": {"integer", "real"},
    "text": {"text"},
    "blob": {"blob"},
}
_TEXTS: Final = frozenset({"string", "json", "decimal"})
"""Types that a number has a text of, where a column is read as text."""
_CLASS: Final = {int: "integer", float: "real", str: "text", bytes: "blob"}


def of_connection(connection: sqlite3.Connection, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of a table as `connection` sees them, in an open transaction too."""
    try:
        with closing(connection.execute(_select(table, _loose(connection, table)))) as cursor:
            start = 0
            while rows := cursor.fetchmany(_BATCH):
                yield _decoded(_columns(rows, table, start), table, start)
                start += len(rows)
    except sqlite3.Error as exc:
        raise _unreadable(table, exc) from exc


def of_file(path: Path, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of a table of a database file that nobody writes to."""
    with closing(sqlite3.connect(f"file:{percent(str(path))}?mode=ro", uri=True)) as connection:
        done = 0
        try:
            for batch in _by_adbc(connection, path, table):
                yield batch
                done += batch.num_rows
        except (pa.ArrowException, OSError, adbc.Error):
            # ADBC met a value of another storage class: the careful reader says which and where.
            yield from _rest(of_connection(connection, table), done)


def _rest(batches: Iterator[pa.Table], done: int) -> Iterator[pa.Table]:
    for batch in batches:
        if done < batch.num_rows:
            yield batch.slice(done)
        done = max(0, done - batch.num_rows)


def _select(table: TableSchema, loose: frozenset[str], where: str = "") -> str:
    order = ", ".join(f"{quote(name)} COLLATE BINARY" for name in table.key)
    ordered = f" ORDER BY {order}" if order else ""
    selected = ", ".join(_exact(name) if name in loose else quote(name) for name in table.column_names)
    return f"SELECT {selected} FROM {quote(table.name)}{where}{ordered}"


def _exact(column: str) -> str:
    """A column of texts with its numbers as the shortest text that gives them; ADBC would keep seven digits."""
    name = quote(column)
    real = f"iif(CAST(CAST({name} AS TEXT) AS REAL) = {name}, CAST({name} AS TEXT), printf('%!.17g', {name}))"
    return f"CASE typeof({name}) WHEN 'real' THEN {real} WHEN 'integer' THEN CAST({name} AS TEXT) ELSE {name} END"


def _loose(connection: sqlite3.Connection, table: TableSchema) -> frozenset[str]:
    """The columns to read as text in which SQLite may hold numbers, going by what they were declared as."""
    found = connection.execute(f"PRAGMA table_info({quote(table.name)})").fetchall()
    declared = {name.lower(): kind.upper() for _, name, kind, *_ in found}
    return frozenset(
        column.name
        for column in table.columns
        if column.type.name in _TEXTS
        and storage(column.type) == "text"
        and _holds_numbers(declared.get(column.name.lower(), ""))
    )


def _holds_numbers(declared: str) -> bool:
    """Whether the column turns no number into text: SQLite's rule of affinity."""
    return "INT" in declared or not any(word in declared for word in ("CHAR", "CLOB", "TEXT"))


def _by_adbc(connection: sqlite3.Connection, path: Path, table: TableSchema) -> Iterator[pa.Table]:
    ranges, loose = _ranges(connection, table), _loose(connection, table)
    if len(ranges) == 1:
        with _Reader(path) as reader:
            yield from reader.batches(table, _select(table, loose))
        return
    with ThreadPoolExecutor(_THREADS) as pool:
        pending: deque[Future[list[pa.Table]]] = deque()
        for where in ranges:
            pending.append(pool.submit(_range, path, table, _select(table, loose, where)))
            if len(pending) > _THREADS + 1:
                yield from pending.popleft().result()
        while pending:
            yield from pending.popleft().result()


def _range(path: Path, table: TableSchema, query: str) -> list[pa.Table]:
    with _Reader(path) as reader:
        return list(reader.batches(table, query))


def _ranges(connection: sqlite3.Connection, table: TableSchema) -> list[str]:
    """Conditions that part a table by its rowid into pieces of `_BATCH` rows; one that is empty for all rows."""
    if not (table.key and is_rowid(table, table.key[0])):
        return [""]
    key, name = quote(table.key[0]), quote(table.name)
    bounds: list[int] = []
    step = f"SELECT {key} FROM {name} WHERE {key} > ? ORDER BY {key} LIMIT 1 OFFSET {_BATCH - 1}"
    found = connection.execute(f"SELECT {key} FROM {name} ORDER BY {key} LIMIT 1 OFFSET {_BATCH - 1}").fetchone()
    while found is not None:
        bounds.append(int(found[0]))
        found = connection.execute(step, (found[0],)).fetchone()
    if not bounds:
        return [""]
    pairs = pairwise(bounds)
    middle = [f" WHERE {key} > {low} AND {key} <= {high}" for low, high in pairs]
    return [f" WHERE {key} <= {bounds[0]}", *middle, f" WHERE {key} > {bounds[-1]}"]


class _Reader:
    """One ADBC connection to a file."""

    def __init__(self, path: Path) -> None:
        self._connection = adbc.connect(f"file:{percent(str(path))}?mode=ro", autocommit=True)
        self._cursor = self._connection.cursor()
        self._cursor.adbc_statement.set_options(**{"adbc.sqlite.query.batch_rows": str(_BATCH)})

    def __enter__(self) -> _Reader:
        return self

    def __exit__(self, *exc: object) -> None:
        self._cursor.close()
        self._connection.close()

    def batches(self, table: TableSchema, query: str) -> Iterator[pa.Table]:
        """The rows of `query`. A first row of zeros, not given back, tells ADBC each column's type."""
        zeros = ", ".join(_ZERO[storage(column.type)] for column in table.columns)
        self._cursor.execute(f"SELECT {zeros} UNION ALL SELECT * FROM ({query})")
        start = -1
        for batch in self._cursor.fetch_record_batch():
            columns = batch.columns
            for column, wanted in zip(columns, table.columns, strict=True):
                column.validate(full=True)
                if column.type != ARROW[storage(wanted.type)]:
                    raise pa.ArrowInvalid(f"{wanted.name} has values of another type")
            if start < 0:
                columns = [column.slice(1) for column in columns]
            yield _decoded(columns, table, max(start, 0))
            start += batch.num_rows


def _columns(rows: Sequence[tuple[Any, ...]], table: TableSchema, start: int) -> list[pa.Array]:
    """Rows of Python values as the columns of Arrow that their storage classes stand for."""
    arrays = []
    for values, column in zip(zip(*rows, strict=True), table.columns, strict=True):
        how = storage(column.type)
        allowed = _STORED[how]
        for row, value in enumerate(values):
            if value is not None and _CLASS[type(value)] not in allowed:
                raise _misread(table, column.name, start + row, value)
        arrays.append(pa.array(values, ARROW[how]))
    return arrays


def _decoded(columns: Sequence[pa.Array], table: TableSchema, start: int) -> pa.Table:
    arrays = []
    for array, column in zip(columns, table.columns, strict=True):
        try:
            arrays.append(decode(_zoned(array) if column.type.name == "timestamptz" else array, column.type))
        except Misread as exc:
            raise _misread(table, column.name, start + exc.row, exc.value) from exc
    return pa.Table.from_arrays(arrays, schema=arrow_schema(table))


def _zoned(texts: pa.Array) -> pa.Array:
    """Moments that say no time zone are in UTC: so do applications write them into columns that have none."""
    naive = pc.match_substring_regex(texts, r"[ T]\d\d:\d\d:\d\d(\.\d{1,6})?$")
    if not pc.any(naive, min_count=0).as_py():
        return texts
    return pc.if_else(naive, pc.binary_join_element_wise(texts, "Z", ""), texts)


def _misread(table: TableSchema, name: str, row: int, value: Any) -> IntegrityError:
    column = table.column(name)
    return IntegrityError(
        f"table {table.name!r}, column {name!r}, row {row + 1}: {shown(column, value)} is no {column.type}",
        hint="Something else than tdv wrote it; `tdv checkout` brings the release back.",
        table=table.name,
        column=name,
    )


def _unreadable(table: TableSchema, exc: sqlite3.Error) -> TargetError:
    return TargetError(
        f"table {table.name!r} cannot be read: {exc}",
        hint="Look whether the table has the columns of the release; `tdv checkout` brings it back.",
        table=table.name,
    )
