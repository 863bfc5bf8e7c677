"""Rows into and out of collections.

In: contents and collections. Out: documents, canonical rows. Always holds: memory is bounded by a block of rows; the
server may write the documents of a block in any order.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Final

from tdv.model.schema import TableSchema
from tdv.targets.ahead import ahead
from tdv.targets.mongodb.codec import Document, decode, documents
from tdv.targets.mongodb.lock import Lock
from tdv.targets.mongodb.session import Documents
from tdv.targets.protocol import TableContent

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS: Final = 8_192


def fill(collection: Documents, lock: Lock, content: TableContent) -> None:
    """Writes the rows of a table; raises `DataError` for a value that MongoDB cannot hold."""
    schema = content.schema

    def encoded(block: tuple[int, pa.Table]) -> list[Document]:
        return documents(block[1], schema, block[0])

    for block in ahead(encoded, _blocks(content)):
        lock.renew()
        collection.insert_many(block, ordered=False)


def read(collection: Documents, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of a table in canonical form, in any order; raises `IntegrityError` for a value of no such type."""
    with collection.find({}, batch_size=_ROWS) as cursor:
        while found := list(islice(cursor, _ROWS)):
            yield decode(found, table)


def _blocks(content: TableContent) -> Iterator[tuple[int, pa.Table]]:
    """Slices of so many rows, each with the number of its first row, from 1."""
    first = 1
    for batch in content.batches():
        for start in range(0, batch.num_rows, _ROWS):
            rows = batch.slice(start, _ROWS)
            yield first, rows
            first += rows.num_rows
