"""A table that only one of two states has: all its rows were added, or removed.

In: the snapshot that has it. Out: `TableDiff`s. Always holds: no more than the rows of one part are held when they are
streamed.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import pyarrow as pa

from tdv.content.snapshot import Snapshot
from tdv.diff.filtering import Filter
from tdv.diff.rows import Plan
from tdv.diff.value import NOTHING, TableDiff, empty_rows
from tdv.model.diff import TableChange
from tdv.model.schema import TableSchema


def one_sided(snapshot: Snapshot, table: str, plan: Plan, *, added: bool) -> TableDiff:
    """The whole table, with as many rows as the plan keeps."""
    schema = snapshot.manifest.table(table).schema
    count, kept, rows = 0, 0, [empty_rows(schema)]
    for batch in _batches(snapshot, schema, plan):
        count += batch.num_rows
        room = batch.num_rows if plan.limit is None else plan.limit - kept
        if room > 0:
            rows.append(batch.slice(0, room))
            kept += rows[-1].num_rows
        elif plan.where is None:
            break
    if plan.where is None:
        count = snapshot.manifest.table(table).rows
    return _difference(schema, count, pa.concat_tables(rows).combine_chunks(), added=added)


def stream_one_sided(snapshot: Snapshot, table: str, plan: Plan, *, added: bool) -> Iterator[TableDiff]:
    """The same, part by part."""
    schema = snapshot.manifest.table(table).schema
    for batch in _batches(snapshot, schema, plan):
        yield _difference(schema, batch.num_rows, batch.slice(0, plan.limit).combine_chunks(), added=added)


def _batches(snapshot: Snapshot, schema: TableSchema, plan: Plan) -> Iterator[pa.Table]:
    batches = iter(snapshot.batches(schema.name))
    if plan.where is None:
        yield from islice(batches, 0 if plan.limit == 0 else None)
        return
    with Filter(plan.where) as keep:
        for batch in batches:
            yield batch.take(pa.array(keep.positions(batch, schema)))


def _difference(schema: TableSchema, count: int, rows: pa.Table, *, added: bool) -> TableDiff:
    if added:
        return TableDiff(schema.name, None, schema, TableChange(added=count), NOTHING, rows, NOTHING, {})
    return TableDiff(schema.name, schema, None, TableChange(removed=count), rows, NOTHING, NOTHING, {})
