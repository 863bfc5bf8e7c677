"""Rows read back from a target against the digests of the release.

In: a way to read tables. Out: nothing, or an `IntegrityError` that names the first table that differs. Always
holds: what is digested is what the engine gave back, in canonical form and order, never what was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from tdv.content.digest import TableDigester
from tdv.content.tree import content_digest
from tdv.errors import IntegrityError
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.protocol import TableContent, Target

if TYPE_CHECKING:
    import pyarrow as pa

Reader = Callable[[TableSchema], Iterator["pa.Table"]]


def table_digest(read: Reader, table: TableSchema) -> tuple[int, str]:
    """Rows and ``tdv1:<hex>`` of one table as `read` gives it."""
    digester = TableDigester(table)
    rows = 0
    for batch in read(table):
        rows += batch.num_rows
        digester.update(batch)
    return rows, digester.finish()


def check(read: Reader, tables: Iterable[TableContent], place: str) -> None:
    """Raises `IntegrityError` when a table that comes back is not the one that was sent."""
    for table in tables:
        rows, digest = table_digest(read, table.schema)
        if digest != table.digest:
            raise IntegrityError(
                f"table {table.name!r} came back from {place} with other rows: "
                f"{rows} rows with digest {digest}, expected {table.rows} rows with {table.digest}",
                hint="Look for triggers and defaults on the table; nothing was kept of this load.",
                table=table.name,
            )


def target_digest(target: Target, schema: DatasetSchema) -> str:
    """The content digest of a dataset's tables as `target` holds them; raises `IntegrityError` for values of
    no such type, `TargetError` for a table that is missing."""
    return content_digest({table.name: table_digest(target.read, table)[1] for table in schema.tables})
