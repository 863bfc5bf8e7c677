"""Rows into and out of hashes.

In: contents and sessions. Out: hashes, canonical rows. Always holds: memory is bounded by a block of rows, and eight
bytes for each row that is read; while one block is sent the next one is encoded. ``SCAN`` may give a key twice, which
is noticed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from tdv.errors import IntegrityError
from tdv.model.schema import TableSchema
from tdv.targets.ahead import ahead
from tdv.targets.protocol import TableContent
from tdv.targets.redis import scripts
from tdv.targets.redis.codec import Block, commands, decode
from tdv.targets.redis.lock import Lock
from tdv.targets.redis.names import OWN, Rows, rows_of
from tdv.targets.redis.session import Session

if TYPE_CHECKING:
    import pyarrow as pa

_ROWS: Final = 8_192
_BYTES: Final = 4 << 20
_SLICE: Final = 1_000


def fill(session: Session, lock: Lock, content: TableContent, before: str) -> None:
    """Writes the rows of a table under names that begin with `before`, and reads each of them back.

    The same bytes as were sent are the same rows; raises `IntegrityError` for others.
    """
    schema = content.schema
    prefix = rows_of(schema, before).prefix

    def encoded(block: tuple[int, pa.Table]) -> Block:
        first, rows = block
        return commands(rows, schema, prefix, first)

    def sent() -> Iterator[Block]:
        for block in ahead(encoded, _blocks(content.batches())):
            lock.renew()
            yield block

    if not session.pour(sent()):
        raise IntegrityError(
            f"table {content.name!r} came back from Redis with other rows",
            hint=f"Look what else writes keys that begin with {OWN}; nothing was kept of this load.",
            table=content.name,
        )


def read(session: Session, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of a table in canonical form, in any order.

    Raises `IntegrityError` for a value of no such type, and for a key of a row's name that is no hash.
    """
    rows = rows_of(table)
    seen = Seen()
    words = (rows.pattern, _SLICE, len(rows.prefix.encode()), rows.parts, *table.column_names)
    parsed = ahead(lambda answer: decode(answer[0], answer[1], table), session.slices(scripts.READ, *words))
    for names, found in parsed:
        fresh = seen.fresh(names)
        yield found if fresh.all() else found.filter(fresh)


def counts(session: Session, tables: Iterable[Rows]) -> list[int]:
    """How many rows each of these tables has."""
    words = [word for rows in tables for word in (rows.prefix, rows.parts)]
    if not words or session.call("DBSIZE") == 0:
        return [0] * (len(words) // 2)
    slices = list(session.slices(scripts.COUNT, _SLICE, *words))
    return [sum(found) for found in zip(*slices, strict=True)]


def _blocks(batches: Iterable[pa.Table]) -> Iterator[tuple[int, pa.Table]]:
    """Slices of some megabytes at most, each with the number of its first row, from 1."""
    first = 1
    for batch in batches:
        size = max(batch.nbytes // max(batch.num_rows, 1), 1)
        step = max(min(_ROWS, _BYTES // size), 1)
        for start in range(0, batch.num_rows, step):
            rows = batch.slice(start, step)
            yield first, rows
            first += rows.num_rows


class Seen:
    """The names that came already, as hashes in a few sorted runs.

    Two names of one hash, less likely than a fault of the memory, would make a row missing, which its digest shows.
    """

    def __init__(self) -> None:
        self._runs: list[np.ndarray[Any, Any]] = []

    def fresh(self, names: pa.Array) -> np.ndarray[Any, Any]:
        """For each name whether it comes for the first time."""
        hashes = np.array([hash(name) for name in names.to_pylist()], np.int64)
        unique, places = np.unique(hashes, return_index=True)
        fresh = np.zeros(len(hashes), np.bool_)
        fresh[places] = True
        for run in self._runs:
            nearest = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            fresh &= run[nearest] != hashes
        if len(unique):
            self._runs.append(unique)
        while len(self._runs) > 1 and 2 * len(self._runs[-1]) > len(self._runs[-2]):
            self._runs[-2:] = [np.sort(np.concatenate(self._runs[-2:]))]
        return fresh
