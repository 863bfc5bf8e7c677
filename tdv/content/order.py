"""The canonical order of rows: by primary key, or by row hash where a table has none.

In: canonical tables. Out: the same rows in canonical order. Always holds: strings and bytes compare byte by
byte, false comes before true, a composite key column by column; keys are unique. Equal rows of a table
without a key stand side by side.
"""

from __future__ import annotations

import shutil
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc

from tdv.content import compute as pc
from tdv.content.arrow import empty_table, one_chunk
from tdv.content.disk import writing
from tdv.content.hashing import FIRST, SECOND, row_hash
from tdv.content.redact import shown_key
from tdv.errors import BadKey
from tdv.model.schema import TableSchema

IN_MEMORY_ROWS: Final = 262_144
IN_MEMORY_BYTES: Final = 64 << 20
"""A table that has more rows or bytes than this waits on the disk until its order is known: as many rows as a bucket,
which is sorted in memory, so that larger tables take no more of it."""
_BATCH: Final = 65_536
_SAMPLED: Final = 256
_BUCKET: Final = 262_144
_MOST_BUCKETS: Final = 200


def sort_keys(table: pa.Table, schema: TableSchema) -> pa.Table:
    """The columns that decide the order, each of one chunk: the key, or two hashes of the row."""
    if not schema.key:
        hashes = [pa.array(row_hash(table, schema, seed)) for seed in (FIRST, SECOND)]
        return pa.table(hashes, names=["0", "1"])
    columns = [one_chunk(table.column(name)) for name in schema.key]
    comparable = [column.cast(pa.uint8()) if pa.types.is_boolean(column.type) else column for column in columns]
    return pa.table(comparable, names=[str(index) for index in range(len(columns))])


def in_order(table: pa.Table, schema: TableSchema) -> bool:
    """True if the rows stand in canonical order and, in a table with a key, no key stands twice."""
    if table.num_rows < 2:
        return True
    return _ascending(sort_keys(table, schema), strictly=bool(schema.key))


def ordered(table: pa.Table, schema: TableSchema) -> pa.Table:
    """The rows in canonical order; raises `DataError` naming a key that stands twice."""
    if table.num_rows < 2:
        return table
    keys = sort_keys(table, schema)
    if _ascending(keys, strictly=bool(schema.key)):
        return table
    indices = _sorted_indices(keys)
    if schema.key:
        _refuse_duplicates(keys.take(indices), table, indices, schema)
    return table.combine_chunks().take(indices)


def ordered_stream(batches: Iterable[pa.Table], schema: TableSchema, scratch: Path) -> Iterator[pa.Table]:
    """The rows of all `batches` in canonical order, in chunks of any size.

    A large table goes through files in `scratch`, which is made when needed and removed afterwards, so that
    memory stays bounded. Raises `DataError` naming a key that stands twice.
    """
    source = iter(batches)
    held, complete = _hold(source)
    if complete:
        yield ordered(pa.concat_tables([empty_table(schema), *held]), schema)
        return
    with writing(scratch):
        scratch.mkdir(parents=True, exist_ok=True)
    try:
        spill = _Spill(schema, scratch)
        while held:
            spill.take(held.popleft())
        for batch in source:
            spill.take(batch)
        yield from spill.rows()
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _hold(source: Iterator[pa.Table]) -> tuple[deque[pa.Table], bool]:
    """What fits into memory, and whether that is all."""
    held: deque[pa.Table] = deque()
    rows = size = 0
    for batch in source:
        held.append(batch)
        rows += batch.num_rows
        size += batch.nbytes
        if rows > IN_MEMORY_ROWS or size > IN_MEMORY_BYTES:
            return held, False
    return held, True


def _ascending(keys: pa.Table, *, strictly: bool) -> bool:
    less, equal = _compared(keys)
    return bool(pc.all(less if strictly else pc.or_(less, equal)).as_py())


def _compared(keys: pa.Table) -> tuple[pa.Array, pa.Array]:
    """For each row but the last: whether it comes before the next, and whether it equals it."""
    less = equal = None
    for column in keys.columns:
        array = one_chunk(column)
        here, after = array[:-1], array[1:]
        comes_before, same = pc.less(here, after), pc.equal(here, after)
        if less is None or equal is None:
            less, equal = comes_before, same
        else:
            less, equal = pc.or_(less, pc.and_(equal, comes_before)), pc.and_(equal, same)
    return less, equal


def _refuse_duplicates(keys: pa.Table, table: pa.Table, indices: pa.Array, schema: TableSchema) -> None:
    """`keys` are sorted; `indices` say where each stood in `table`."""
    _, equal = _compared(keys)
    twice = pc.index(equal, True).as_py()
    if twice < 0:
        return
    row = table.slice(indices[twice].as_py(), 1)
    key = tuple(row.column(name)[0].as_py() for name in schema.key)
    count = pc.sum(equal).as_py()
    raise BadKey(
        f"table {schema.name!r}: the key {shown_key(schema, schema.key, key)} stands twice"
        + (f" (and {count - 1} more)" if count > 1 else ""),
        hint="Give each row a key of its own, in the seeds, the scenarios or the generator of the key.",
        table=schema.name,
        columns=list(schema.key),
        count=count,
    )


class _Spill:
    """Rows on the disk: given back as they came when they came in order, sorted bucket by bucket otherwise.

    The sort is a distribution sort: a sample of the keys gives pivots, each row goes into the file of its
    bucket, and one bucket at a time is sorted in memory.
    """

    def __init__(self, schema: TableSchema, scratch: Path) -> None:
        self._schema = schema
        self._scratch = scratch
        self._type = empty_table(schema).schema
        self._writer = ipc.new_stream(scratch / "rows", self._type)
        self._last: pa.Table | None = None
        self._in_order = True
        self._samples: list[pa.Table] = []
        self._rows = 0

    def take(self, table: pa.Table) -> None:
        """Writes the next rows."""
        for batch in table.to_batches(max_chunksize=_BATCH):
            if not batch.num_rows:
                continue
            with writing(self._scratch):
                self._writer.write_batch(batch)
            keys = sort_keys(pa.Table.from_batches([batch]), self._schema)
            self._look_at(keys)
            self._samples.append(keys.take(np.arange(self._rows % _SAMPLED, batch.num_rows, _SAMPLED)))
            self._rows += batch.num_rows

    def rows(self) -> Iterator[pa.Table]:
        """All rows in canonical order."""
        self._writer.close()
        if self._in_order:
            yield from self._read("rows")
            return
        with writing(self._scratch):
            names = self._distribute()
        for name in names:
            yield ordered(pa.concat_tables([self._type.empty_table(), *self._read(name)]), self._schema)
            (self._scratch / name).unlink()

    def _look_at(self, keys: pa.Table) -> None:
        if not self._in_order:
            return
        seen = keys if self._last is None else pa.concat_tables([self._last, keys]).combine_chunks()
        self._in_order = seen.num_rows < 2 or _ascending(seen, strictly=bool(self._schema.key))
        self._last = keys.slice(keys.num_rows - 1)

    def _read(self, name: str) -> Iterator[pa.Table]:
        with pa.OSFile(str(self._scratch / name)) as file:
            for batch in ipc.open_stream(file):
                yield pa.Table.from_batches([batch])

    def _distribute(self) -> list[str]:
        """Moves the rows into files of buckets, in order among each other."""
        pivots = self._pivots()
        names = [f"bucket-{index}" for index in range(pivots.num_rows + 1)]
        writers = [ipc.new_stream(self._scratch / name, self._type) for name in names]
        for table in self._read("rows"):
            order, ends = _placed(sort_keys(table, self._schema), pivots)
            rows = table.take(order)
            for writer, start, end in zip(writers, [0, *ends], [*ends, len(rows)], strict=True):
                if end > start:
                    writer.write_table(rows.slice(start, end - start))
        for writer in writers:
            writer.close()
        (self._scratch / "rows").unlink()
        return names

    def _pivots(self) -> pa.Table:
        """Keys that part the rows into buckets of about equal size."""
        samples = pa.concat_tables(self._samples)
        samples = samples.take(_sorted_indices(samples))
        step = max(_BUCKET, self._rows // _MOST_BUCKETS) // _SAMPLED
        return samples.take(np.arange(step, samples.num_rows, step)).combine_chunks()


def _sorted_indices(keys: pa.Table) -> pa.Array:
    return pc.sort_indices(keys, sort_keys=[(name, "ascending") for name in keys.column_names])


def _placed(keys: pa.Table, pivots: pa.Table) -> tuple[Any, list[int]]:
    """The order that sorts `keys`, and the place of each pivot in it, before the keys that equal it."""
    marks = np.concatenate((np.zeros(pivots.num_rows, np.int8), np.ones(keys.num_rows, np.int8)))
    both = pa.concat_tables([pivots, keys]).combine_chunks().append_column("mark", pa.array(marks))
    indices = _sorted_indices(both).to_numpy()
    is_pivot = indices < pivots.num_rows
    ends = np.flatnonzero(is_pivot) - np.arange(pivots.num_rows)
    return indices[~is_pivot] - pivots.num_rows, [int(end) for end in ends]
