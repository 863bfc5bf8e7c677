"""Rows that worker processes made, kept in files so that any of them can be read again.

In: Arrow IPC files with consecutive rows. Out: the values of their columns for any rows. Always holds: the files
are complete, and are mapped into memory and not copied.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa

from tdv.factories.random import Rows


@dataclass(frozen=True)
class Spool:
    """The workers' columns of one table, from row `first` on, in `paths` one after the other."""

    paths: tuple[Path, ...]
    first: int = 0

    def values(self, column: str, rows: Rows) -> pa.Array:
        """The column's values in these rows; each must be in the files."""
        data = _mapped(self.paths).column(column)
        if not len(rows):
            return pa.array([], data.type)
        start = int(rows[0]) - self.first
        if int(rows[-1]) - int(rows[0]) + 1 == len(rows) and bool((np.diff(rows) == 1).all()):
            found = data.slice(start, len(rows))
        else:
            found = data.take(pa.array(rows - self.first))
        return found.combine_chunks() if found.num_chunks != 1 else found.chunk(0)


@lru_cache(maxsize=64)
def _mapped(paths: tuple[Path, ...]) -> pa.Table:
    tables = []
    for path in paths:
        with pa.memory_map(str(path)) as file:
            tables.append(pa.ipc.open_file(file).read_all())
    return pa.concat_tables(tables)
