"""Keys as JSON values, as the manifest holds them, and back.

In: canonical tables, or keys out of a manifest. Out: tuples of JSON values, or a table of the key columns.
Always holds: the two are inverse for every type that may be a key (forms in `tdv.content.text`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from tdv.content import compute as pc
from tdv.content.arrow import one_chunk
from tdv.content.redact import is_private
from tdv.content.text import from_plain, to_plain
from tdv.errors import IntegrityError
from tdv.model.canonical import dumps
from tdv.model.manifest import Part
from tdv.model.schema import TableSchema

Key = tuple[Any, ...]


def by_number(table: pa.Table, names: Iterable[str]) -> pa.Table:
    """These columns, called ``0``, ``1`` and so on, to be grouped or joined: Arrow takes ``.a`` for a path."""
    selected = table.select(list(names))
    return selected.rename_columns([str(number) for number in range(selected.num_columns)])


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


def may_hold(part: Part, schema: TableSchema, wanted: pa.Table) -> pa.Table:
    """The rows of `wanted` that may occur in the part, as far as its key range tells."""
    if not part.first or len(part.first) != len(schema.key) or schema.key[0] not in wanted.column_names:
        return wanted
    if is_private(schema, schema.key):
        return wanted
    ends = one_chunk(keys_table([part.first, part.last], schema).column(0))
    if pa.types.is_boolean(ends.type):
        return wanted
    values = wanted.column(schema.key[0])
    return wanted.filter(pc.and_(pc.greater_equal(values, ends[0]), pc.less_equal(values, ends[1])))


def matching(keys: pa.Table, wanted: pa.Table) -> pa.Array:
    """The numbers of the rows of `keys` that equal a row of `wanted`, ascending; a null equals nothing."""
    names = keys.column_names
    if len(names) == 1:
        return pc.indices_nonzero(pc.is_in(keys.column(0), value_set=one_chunk(wanted.column(0)).drop_null()))
    sought = by_number(wanted, names)
    numbered = by_number(keys, names).append_column("row", pa.array(np.arange(keys.num_rows)))
    joined = numbered.join(sought, sought.column_names, join_type="left semi", use_threads=False)
    return one_chunk(joined.column("row")).sort()


def _no_key(schema: TableSchema) -> IntegrityError:
    return IntegrityError(
        f"the manifest holds a key that does not fit the table {schema.name!r}",
        hint="`tdv pull --verify` fetches what is damaged anew; `tdv verify` names it.",
        table=schema.name,
    )
