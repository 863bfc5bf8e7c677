"""The rows that some rows need: all that they reference, directly or through others.

In: rows by table, the schema, and a way to look rows up. Out: the rows themselves with what they reference. Always
holds: the answer holds each row once, and is closed under the references within the dataset as far as the rows exist.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pyarrow as pa

from tdv.content.keys import by_number
from tdv.content.order import ordered
from tdv.model.schema import DatasetSchema

Lookup = Callable[[str, pa.Table], pa.Table]
"""Table and values of some of its columns → the rows that hold them."""


def closure(rows: Mapping[str, pa.Table], schema: DatasetSchema, lookup: Lookup) -> dict[str, pa.Table]:
    """`rows` and all that they reference, in canonical order, by table in the order of the schema.

    References into other datasets are left out, and so are rows that do not exist: `validate` names them. A row of
    `rows` stands for the row with the same referenced values that `lookup` would find.
    """
    held = {name: table for name, table in rows.items() if table.num_rows}
    fresh = dict(held)
    while fresh:
        found: dict[str, pa.Table] = {}
        for (name, to), values in _referenced(fresh, schema).items():
            missing = _without(values, held.get(name), to)
            new = lookup(name, missing) if missing.num_rows else missing
            if new.num_rows:
                held[name] = pa.concat_tables([held[name], new]) if name in held else new
                found[name] = pa.concat_tables([found[name], new]) if name in found else new
        fresh = found
    return {table.name: ordered(held[table.name], table) for table in schema.tables if table.name in held}


def _referenced(rows: Mapping[str, pa.Table], schema: DatasetSchema) -> dict[tuple[str, tuple[str, ...]], pa.Table]:
    """The values that `rows` reference, by table and referenced columns; a NULL in one references nothing."""
    wanted: dict[tuple[str, tuple[str, ...]], list[pa.Table]] = {}
    for name, table in rows.items():
        for reference in schema.table(name).references:
            if reference.dataset is None:
                values = by_number(table, reference.columns).drop_null()
                wanted.setdefault((reference.table, reference.to), []).append(values)
    return {place: _distinct(pa.concat_tables(values)).rename_columns(place[1]) for place, values in wanted.items()}


def _distinct(values: pa.Table) -> pa.Table:
    return values.group_by(values.column_names).aggregate([])


def _without(values: pa.Table, held: pa.Table | None, to: tuple[str, ...]) -> pa.Table:
    if held is None or not values.num_rows:
        return values
    wanted, there = by_number(values, to), by_number(held, to)
    return wanted.join(there, wanted.column_names, join_type="left anti").rename_columns(to)
