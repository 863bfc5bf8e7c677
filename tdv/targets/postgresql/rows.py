"""Rows into and out of tables by ``COPY``, the fastest way that PostgreSQL has.

In: contents and connections. Out: filled tables, canonical rows. Always holds: memory is bounded by a few
parts; while one block is sent, the next one is encoded on another thread. Decoding on one would be slower: it and the
loop over the rows that arrive would wait for each other at every row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import closing
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from psycopg import errors

from tdv.content.order import ordered_stream
from tdv.errors import IntegrityError, TargetError
from tdv.model.schema import TableSchema
from tdv.targets.ahead import prepared
from tdv.targets.postgresql import binary
from tdv.targets.postgresql.codec import decode, encode, selected
from tdv.targets.postgresql.copying import received
from tdv.targets.postgresql.session import Connection
from tdv.targets.protocol import TableContent
from tdv.targets.sql import listed
from tdv.targets.verification import check

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS: Final = 16_384
"""Rows that are encoded at once: few enough that the server need not wait long for the first ones, and that all that is
made on the way fits into memory that was used before."""
_MOST_BYTES: Final = 256 << 20


def fill(connection: Connection, place: str, content: TableContent) -> None:
    """Puts the rows into a table that others made; raises `DataError` for a value that PostgreSQL cannot hold."""
    _send_text(connection, place, content, "FORMAT csv")


def fill_new(connection: Connection, place: str, content: TableContent) -> str | None:
    """Puts the rows into a table that this transaction made for them, as `fill`.

    Returns a digest of what was sent, for `verify`; None where what comes back has other bytes.
    """
    schema = content.schema
    if not binary.has_binary(schema):
        _send_text(connection, place, content, "FORMAT csv, FREEZE")
        return None
    sent = hashlib.sha256()

    def encoded() -> Iterator[Any]:
        rows: Iterator[Any] = (binary.encode(piece, schema) for piece in _pieces(content))
        for data in chain([binary.HEADER], rows, [binary.TRAILER]):
            sent.update(data)
            yield data

    _send(connection, _into(place, schema, "FORMAT binary, FREEZE"), encoded())
    return sent.hexdigest()


def verify(connection: Connection, place: str, table: TableContent, sent: str | None, scratch: Path) -> None:
    """Reads a table back; raises `IntegrityError` for other rows than those of `table`.

    The same bytes as were sent are the same rows. Other bytes may be, too: they are decoded, as they are stored, which
    is as they came, and sorted where they are not.
    """
    if sent is not None and _fingerprint(connection, place) == sent:
        return

    def stored(schema: TableSchema) -> Iterator[pa.Table]:
        return read(connection, place, schema)

    try:
        check(stored, [table], "PostgreSQL")
    except IntegrityError:
        check(lambda schema: ordered_stream(stored(schema), schema, scratch), [table], "PostgreSQL")


def read(connection: Connection, place: str, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of the table at `place` in canonical form, in the order of the file.

    Raises `IntegrityError` for a value of no such type, `TargetError` for a table or column that is missing.
    """
    statement = f"COPY (SELECT {selected(table)} FROM {place}) TO STDOUT WITH (FORMAT csv)"
    try:
        with closing(received(connection, statement)) as blocks:
            yield from (decode(data, table) for data in blocks)
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName) as exc:
        raise TargetError(
            f"table {table.name!r} cannot be read: {exc.diag.message_primary}",
            hint="Look whether the table has the columns of the release; `tdv checkout` brings it back.",
            table=table.name,
        ) from exc


def _fingerprint(connection: Connection, place: str) -> str:
    """A digest of all rows of a table in the server's own bytes and order."""
    found = hashlib.sha256()
    for data in received(connection, f"COPY {place} TO STDOUT WITH (FORMAT binary)"):
        found.update(data)
    return found.hexdigest()


def _send_text(connection: Connection, place: str, content: TableContent, options: str) -> None:
    schema = content.schema
    _send(connection, _into(place, schema, options), (memoryview(encode(rows, schema)) for rows in _pieces(content)))


def _send(connection: Connection, statement: str, blocks: Iterator[Any]) -> None:
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for data in prepared(blocks):
            copy.write(data)


def _into(place: str, table: TableSchema, options: str) -> str:
    return f"COPY {place} ({listed(table.column_names)}) FROM STDIN WITH ({options})"


def _pieces(content: TableContent) -> Iterator[pa.Table]:
    """The rows in pieces that are encoded at once."""
    for rows in content.batches():
        for start in range(0, rows.num_rows, _ROWS):
            yield from _halves(rows.slice(start, _ROWS))


def _halves(rows: pa.Table) -> Iterator[pa.Table]:
    """The rows in pieces of so many bytes at most, as long as these have more than one row."""
    if rows.nbytes <= _MOST_BYTES or rows.num_rows < 2:
        yield rows
        return
    half = rows.num_rows // 2
    yield from _halves(rows.slice(0, half))
    yield from _halves(rows.slice(half))
