"""Rows into and out of tables by ``COPY``, the fastest way that PostgreSQL has.

In: contents and connections. Out: filled tables, canonical rows. Always holds: memory is bounded by a few parts;
while one block is sent, the next one is encoded on another thread. Decoding on one would be slower: it and the loop
over the rows that arrive would wait for each other at every row.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from psycopg import errors

from tdv.errors import TargetError
from tdv.model.schema import TableSchema
from tdv.targets.ahead import ahead
from tdv.targets.postgresql.codec import decode, encode, selected
from tdv.targets.postgresql.session import Connection
from tdv.targets.protocol import TableContent
from tdv.targets.sql import listed

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS: Final = 65_536
_BYTES: Final = 8 << 20


def fill(connection: Connection, place: str, content: TableContent, columns: Sequence[str], *, freeze: bool) -> None:
    """Puts the rows into the table at `place`; `freeze` where this transaction made or truncated it.

    Raises `DataError` for a value that PostgreSQL cannot hold.
    """
    options = "FORMAT csv, FREEZE" if freeze else "FORMAT csv"
    statement = f"COPY {place} ({listed(columns)}) FROM STDIN WITH ({options})"
    schema = content.schema
    blocks = (rows.slice(start, _ROWS) for rows in content.batches() for start in range(0, rows.num_rows, _ROWS))
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for data in ahead(lambda rows: encode(rows, schema), blocks):
            copy.write(memoryview(cast(Any, data)))


def read(connection: Connection, place: str, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of the table at `place` in canonical form, in the order of the file.

    Raises `IntegrityError` for a value of no such type, `TargetError` for a table or column that is missing.
    """
    statement = f"COPY (SELECT {selected(table)} FROM {place}) TO STDOUT WITH (FORMAT csv)"
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            yield from (decode(data, table) for data in _blocks(copy))
    except (errors.UndefinedTable, errors.UndefinedColumn, errors.InvalidSchemaName) as exc:
        raise TargetError(
            f"table {table.name!r} cannot be read: {exc.diag.message_primary}",
            hint="Look whether the table has the columns of the release; `tdv checkout` brings it back.",
            table=table.name,
        ) from exc


def _blocks(messages: Iterable[Any]) -> Iterator[bytearray]:
    """Rows together, some megabytes each.

    They are copied at once: hundreds of thousands of views would keep the garbage collector busy.
    """
    data = bytearray()
    for message in messages:
        data += message
        if len(data) >= _BYTES:
            yield data
            data = bytearray()
    if data:
        yield data
