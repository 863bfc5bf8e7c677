"""Rows into and out of tables by the fastest ways that MySQL has for a client.

In: contents and connections. Out: filled tables, canonical rows. Always holds: memory is bounded by a few parts; a
value that the server would alter is an error, never a warning.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, cast

import numpy as np
from pymysql import err
from pymysql.constants import ER

from tdv.errors import TargetError
from tdv.model.schema import TableSchema
from tdv.targets.ahead import prepared
from tdv.targets.mysql.codec import CSV, VALUES, Form, comes_as_sent, data_of, decode, encode, selected, selected_of_own
from tdv.targets.mysql.ddl import counts_on
from tdv.targets.mysql.session import execute, number_of, refused_rows
from tdv.targets.mysql.wire import Connection
from tdv.targets.protocol import TableContent
from tdv.targets.sql import quote

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS: Final = 32_768
_STATEMENT: Final = 1 << 20
"""Bytes of one ``INSERT``; the least that a server takes by default is four times as much."""
_FORMAT: Final = (
    "CHARACTER SET utf8mb4 FIELDS TERMINATED BY ',' ENCLOSED BY '\"' ESCAPED BY '' LINES TERMINATED BY x'0A'"
)


def takes_files(connection: Connection) -> bool:
    """Whether the server allows ``LOAD DATA LOCAL``."""
    ((allowed,),) = execute(connection, "SELECT @@local_infile")
    return bool(allowed)


def fill(connection: Connection, place: str, content: TableContent, *, as_file: bool) -> str | None:
    """Puts the rows into the table at `place`; `as_file` by ``LOAD DATA LOCAL``, else by ``INSERT``.

    Returns what `fingerprint` gives of a table with these rows alone; None where that is not known. Raises `DataError`
    for a value that MySQL cannot hold, or that the table refuses.
    """
    way: Callable[[Connection, str, TableContent], str | None] = _load if as_file else _insert
    return way(connection, place, content)


def fingerprint(connection: Connection, place: str, table: TableSchema) -> str:
    """A digest of all rows of a table of tdv's own, as the server writes them, in the order of the key."""
    found = hashlib.sha256()
    order = " FORCE INDEX (PRIMARY)" if table.key else ""
    for data in connection.values(f"SELECT {selected_of_own(table)} FROM {place}{order}"):
        found.update(data)
    return found.hexdigest()


def read(connection: Connection, place: str, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of the table at `place` in canonical form, in the order in which the server finds them.

    Raises `IntegrityError` for a value of no such type, `TargetError` for a table or column that is missing.
    """
    try:
        for data in connection.values(f"SELECT {selected(table)} FROM {place}"):
            yield decode(data, table)
    except err.MySQLError as exc:
        if number_of(exc) not in (ER.NO_SUCH_TABLE, ER.BAD_FIELD_ERROR):
            raise
        raise TargetError(
            f"table {table.name!r} cannot be read: {exc.args[1]}",
            hint="Look whether the table has the columns of the release; `tdv checkout` brings it back.",
            table=table.name,
        ) from exc


def _load(connection: Connection, place: str, content: TableContent) -> str | None:
    names, assigned = [], []
    has_bytes = any(column.type.name == "binary" for column in content.schema.columns)
    for index, column in enumerate(content.schema.columns):
        name = quote(column.name)
        if column.type.name == "binary":
            assigned.append(f"{name} = UNHEX(@v{index})")
        elif has_bytes and counts_on(content.schema, column.name):
            # Where anything is assigned, the server takes a 0 for a counter that nobody gave.
            assigned.append(f"{name} = @v{index}")
        else:
            names.append(name)
            continue
        names.append(f"@v{index}")
    statement = f"LOAD DATA LOCAL INFILE 'rows' INTO TABLE {place} {_FORMAT} ({', '.join(names)})"
    statement += f" SET {', '.join(assigned)}" if assigned else ""
    sent = hashlib.sha256()

    def blocks() -> Iterator[pa.Buffer]:
        for data in map(data_of, _lines(content, CSV)):
            sent.update(data)
            yield data

    # With LOCAL the server only warns of what is an error elsewhere.
    if connection.load(statement, blocks()):
        rows = execute(connection, "SHOW WARNINGS LIMIT 1")
        number, reason = (int(rows[0][1]), str(rows[0][2])) if rows else (0, "")
        raise refused_rows(number, reason, content.name)
    return sent.hexdigest() if comes_as_sent(content.schema) else None


def _insert(connection: Connection, place: str, content: TableContent) -> None:
    names = ", ".join(quote(column.name) for column in content.schema.columns)
    start = f"INSERT INTO {place} ({names}) VALUES ".encode()
    for lines in _lines(content, VALUES):
        for rows in _statements(lines):
            connection.query(start + memoryview(cast("bytes", data_of(rows)))[:-1])


def _lines(content: TableContent, form: Form) -> Iterator[pa.Array]:
    schema = content.schema
    blocks = (rows.slice(start, _ROWS) for rows in content.batches() for start in range(0, rows.num_rows, _ROWS))
    return prepared(encode(rows, schema, form) for rows in blocks)


def _statements(lines: pa.Array) -> Iterator[pa.Array]:
    """The lines in slices that fit into one statement, or of a single line."""
    ends = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
    start = 0
    while start < len(lines):
        stop = int(np.searchsorted(ends, ends[start] + _STATEMENT, side="right")) - 1
        stop = max(stop, start + 1)
        yield lines.slice(start, stop - start)
        start = stop
