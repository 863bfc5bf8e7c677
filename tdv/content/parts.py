"""Tables cut into parts at places that only the keys decide.

In: canonical rows in canonical order, in chunks of any size. Out: the parts in order. Always holds: a table
of fewer than 262,144 rows is one part (also the empty one); otherwise the boundaries depend on the keys
alone, so that edits of values never move one and an insertion moves only those near it. The parameters
belong to the format version (docs/formats/digest.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import empty_table
from tdv.content.hashing import Hashes, key_hash
from tdv.model.schema import TableSchema

SMALL: Final = 262_144
SHORTEST: Final = 32_768
NORMAL: Final = 65_536
LONGEST: Final = 131_072
_STRICT: Final = np.uint64((1 << 18) - 1)
_LOOSE: Final = np.uint64((1 << 14) - 1)


def cut(batches: Iterable[pa.Table], schema: TableSchema) -> Iterator[pa.Table]:
    """The parts of a table; each is a view of the batches, not yet combined into one chunk."""
    cutter = Cutter(schema)
    for batch in batches:
        yield from cutter.push(batch)
    yield from cutter.finish()


class Cutter:
    """Takes rows as they come and gives back the parts that are complete.

    The cut is FastCDC's (Xia et al. 2016) with rows for bytes and the key's hash for the rolling hash: none
    within `SHORTEST` rows, then after a row whose hash has 18 zero bits until `NORMAL` rows, then after one
    with 14 until `LONGEST`.
    """

    def __init__(self, schema: TableSchema) -> None:
        self._schema = schema
        self._pending: list[pa.Table] = [empty_table(schema)]
        self._hashes: Hashes = np.empty(0, np.uint64)
        self._rows = 0
        self._cut_any = False
        self._large = False

    def push(self, table: pa.Table) -> list[pa.Table]:
        """Takes the next rows; returns the parts that end within what was taken so far."""
        if not table.num_rows:
            return []
        self._pending.append(table)
        self._rows += table.num_rows
        if self._large:
            self._hashes = np.concatenate((self._hashes, key_hash(table, self._schema)))
        elif self._rows >= SMALL:
            self._large = True
            self._hashes = np.concatenate([key_hash(item, self._schema) for item in self._pending])
        else:
            return []
        return self._complete()

    def finish(self) -> list[pa.Table]:
        """The rest as the last part."""
        if self._cut_any and not self._rows:
            return []
        rest = pa.concat_tables(self._pending)
        self._pending, self._rows = [empty_table(self._schema)], 0
        return [rest]

    def _complete(self) -> list[pa.Table]:
        whole = pa.concat_tables(self._pending)
        ends = list(_ends(self._hashes))
        parts = [whole.slice(start, end - start) for start, end in zip([0, *ends], ends, strict=False)]
        if ends:
            self._cut_any = True
            self._rows -= ends[-1]
            self._hashes = self._hashes[ends[-1] :].copy()
            self._pending = [whole.slice(ends[-1])]
        return parts


def _ends(hashes: Hashes) -> Iterator[int]:
    """The ends of the parts that `hashes` decide, counted in rows from the first."""
    strict = np.flatnonzero((hashes & _STRICT) == 0) + 1
    loose = np.flatnonzero((hashes & _LOOSE) == 0) + 1
    start = 0
    while True:
        end = _first(strict, start + SHORTEST, start + NORMAL) or _first(loose, start + NORMAL, start + LONGEST)
        if end is None:
            end = start + LONGEST
            if end > len(hashes):
                return
        yield end
        start = end


def _first(ends: np.ndarray[tuple[int], np.dtype[np.int64]], low: int, high: int) -> int | None:
    """The first of `ends` in [low, high)."""
    index = int(np.searchsorted(ends, low))
    return int(ends[index]) if index < len(ends) and ends[index] < high else None
