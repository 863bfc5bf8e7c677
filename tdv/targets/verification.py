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
                + (_changed_columns(read, table) or f"{rows} and not {table.rows}, or others in their place"),
                hint="Look for triggers, defaults and column types that round; nothing was kept of this load.",
                table=table.name,
            )


def _changed_columns(read: Reader, table: TableContent) -> str:
    """Names the columns with other values, where the keys say that the rows are the same ones; else ""."""
    schema = table.schema
    sent, came = _column_digests(table.batches(), schema), _column_digests(read(schema), schema)
    changed = [name for name in schema.column_names if sent[name] != came[name]]
    if not schema.key or not changed or set(changed) & set(schema.key):
        return ""
    return f"{', '.join(map(repr, changed))} {'has' if len(changed) == 1 else 'have'} other values"


def _column_digests(batches: Iterable[pa.Table], schema: TableSchema) -> dict[str, str]:
    digesters = {item.name: TableDigester(TableSchema(schema.name, (item,))) for item in schema.columns}
    for batch in batches:
        for name, digester in digesters.items():
            digester.update(batch.select([name]))
    return {name: digester.finish() for name, digester in digesters.items()}


def target_digest(target: Target, schema: DatasetSchema) -> str:
    """The content digest of a dataset's tables as `target` holds them; raises `IntegrityError` for values of
    no such type, `TargetError` for a table that is missing."""
    return content_digest({table.name: table_digest(target.read, table)[1] for table in schema.tables})
