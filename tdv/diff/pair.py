"""The two states of one table, and how to read from both in types that can be compared.

In: two snapshots and a table's name. Out: Arrow tables. Always holds: only the parts and columns that are asked
for are read; comparable columns come in their common type, whole rows in the type of their own state.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from tdv.content.arrow import arrow_schema, arrow_type
from tdv.content.snapshot import Snapshot
from tdv.diff.matching import Positions, picked
from tdv.diff.value import common_schema, own_columns
from tdv.model.manifest import Part, TableManifest
from tdv.model.schema import TableSchema


@dataclass(frozen=True, slots=True)
class Side:
    """One state of the table; `common` is what both states have in comparable types."""

    snapshot: Snapshot
    manifest: TableManifest
    common: TableSchema

    @classmethod
    def alone(cls, snapshot: Snapshot, table: str) -> Side:
        """The state of a table that the other one does not have."""
        manifest = snapshot.manifest.table(table)
        return cls(snapshot, manifest, manifest.schema)

    @property
    def schema(self) -> TableSchema:
        """The schema of this state."""
        return self.manifest.schema

    def read(self, parts: Sequence[Part], columns: Sequence[str]) -> pa.Table:
        """Comparable columns of `parts` in their common types; no file is opened for no column."""
        if not columns:
            return pa.table({})
        wanted = pa.schema([pa.field(name, arrow_type(self.common.column(name).type)) for name in columns])
        tables = [self._cast(self.snapshot.part(self.schema.name, part, columns), wanted) for part in parts]
        return pa.concat_tables([wanted.empty_table(), *tables]).combine_chunks() if len(tables) != 1 else tables[0]

    def keys(self, parts: Sequence[Part]) -> pa.Table:
        """The keys of `parts` in their common types."""
        return self.read(parts, self.common.key)

    def rows(self, parts: Sequence[Part], at: Positions, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows at these ascending positions, counted over `parts`, in the types of this state."""
        schema = arrow_schema(self.schema)
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        found = [schema.empty_table()]
        for part, inside in _per_part(parts, at):
            rows = self.snapshot.part(self.schema.name, part, columns)
            found.append(rows if len(inside) == part.rows else picked(rows, inside))
        return pa.concat_tables(found).combine_chunks()

    @staticmethod
    def _cast(table: pa.Table, wanted: pa.Schema) -> pa.Table:
        return table if table.schema == wanted else table.cast(wanted)


def _per_part(parts: Sequence[Part], at: Positions) -> Iterator[tuple[Part, Positions]]:
    start = 0
    for part in parts:
        low, high = np.searchsorted(at, [start, start + part.rows])
        if high > low:
            yield part, at[low:high] - start
        start += part.rows


@dataclass(frozen=True)
class Pair:
    """Both states of one table."""

    old: Side
    new: Side

    @classmethod
    def of(cls, old: Snapshot, new: Snapshot, table: str, later: str = "") -> Pair:
        """The pair of a table that both snapshots have, the newer one as `later` where it has another name."""
        before, after = old.manifest.table(table), new.manifest.table(later or table)
        common = common_schema(before.schema, after.schema)
        return cls(Side(old, before, common), Side(new, after, common))

    @property
    def common(self) -> TableSchema:
        """The columns that can be compared."""
        return self.new.common

    @cached_property
    def lost(self) -> tuple[str, ...]:
        """Columns of the older state that the newer one lacks, or has in another kind of type."""
        return own_columns(self.old.schema, self.common)

    @cached_property
    def gained(self) -> tuple[str, ...]:
        """Columns of the newer state that the older one lacks, or has in another kind of type."""
        return own_columns(self.new.schema, self.common)

    def may_differ(self, old: Part, new: Part, column: str) -> bool:
        """Whether a column of two parts with the same keys can hold other values, told from digests."""
        same_type = self.old.schema.column(column).type == self.new.schema.column(column).type
        return not same_type or old.columns[column] != new.columns[column]
