"""Keys as JSON values, as the manifest holds them, and back.

In: canonical tables, or keys out of a manifest. Out: tuples of JSON values, or a table of the key columns.
Always holds: the two are inverse for every type that may be a key (forms in `tdv.content.text`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from tdv.content.redact import is_private
from tdv.content.text import from_plain, to_plain
from tdv.errors import IntegrityError
from tdv.model.canonical import dumps
from tdv.model.schema import TableSchema

Key = tuple[Any, ...]


def keys_of(table: pa.Table, schema: TableSchema) -> list[Key]:
    """The key of each row as JSON values."""
    columns = [to_plain(table.column(name), schema.column(name).type) for name in schema.key]
    return list(zip(*columns, strict=True))


def boundary(table: pa.Table, schema: TableSchema, row: int) -> Key:
    """The key of one row for the manifest: () without a key or without rows, a hash where it is private."""
    if not schema.key or not table.num_rows:
        return ()
    key = keys_of(table.slice(row, 1), schema)[0]
    if is_private(schema, schema.key):
        return ("sha256:" + hashlib.sha256(dumps(list(key))).hexdigest(),)
    return key


def keys_table(keys: Iterable[Sequence[Any]], schema: TableSchema) -> pa.Table:
    """Keys as JSON values into a table of the key columns; `IntegrityError` for what is no key of the table."""
    rows = list(keys)
    if any(len(key) != len(schema.key) for key in rows):
        raise _no_key(schema)
    columns = []
    for index, name in enumerate(schema.key):
        parsed = from_plain([key[index] for key in rows], schema.column(name).type)
        if parsed.misfits:
            raise _no_key(schema)
        columns.append(parsed.array)
    return pa.table(columns, names=list(schema.key))


def _no_key(schema: TableSchema) -> IntegrityError:
    return IntegrityError(
        f"the manifest holds a key that does not fit the table {schema.name!r}",
        hint="Run `tdv verify` to see what is damaged, then `tdv pull` to fetch it again.",
        table=schema.name,
    )
