"""The rows that references point to, wherever they come from.

In: the spec, the rows that are not generated in this process (`Given`). Out: a `KeySource` per table. Always
holds: generated parents are computed from their row numbers and need not exist anywhere, so that references may
be cyclic and tables can be built in any order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tdv.errors import ConfigError, FactoryError
from tdv.factories.generators.maker import KeySource, LiveFaker
from tdv.factories.random import Rows
from tdv.factories.spool import Spool
from tdv.factories.table import TableGenerator
from tdv.model.spec import DatasetSpec

_REMEMBERED: Final = 1 << 18


@dataclass(frozen=True)
class Given:
    """What the generators of a dataset are made from; may be sent to other processes.

    `handwritten` holds the key columns of hand-written rows, in key order; `others` those of tables of other
    datasets by (dataset, table); `spools` the columns that worker processes made, by table.
    """

    spec: DatasetSpec
    handwritten: Mapping[str, pa.Table] = field(default_factory=dict)
    others: Mapping[tuple[str, str], pa.Table] = field(default_factory=dict)
    spools: Mapping[str, Spool] = field(default_factory=dict)


class ParentKeys:
    """Finds the rows of parents; a table's generated rows, or its hand-written rows where none are generated."""

    def __init__(self, given: Given, live_faker: LiveFaker | None = None) -> None:
        self.given = given
        self.live_faker = live_faker
        self._generators: dict[str, TableGenerator] = {}

    def __reduce__(self) -> tuple[type[ParentKeys], tuple[Given]]:
        """Travels to other processes without what was computed here."""
        return ParentKeys, (self.given,)

    def generator(self, table: str) -> TableGenerator:
        """The generator of a table's rows."""
        found = self._generators.get(table)
        if found is None:
            found = TableGenerator(self.given.spec, table, self, self.given.spools.get(table))
            self._generators[table] = found
        return found

    def source(self, table: str, dataset: str | None = None) -> KeySource:
        """The rows of a table; raises `ConfigError` for a table that nobody gave."""
        if dataset is not None:
            return _listed(self.given.others.get((dataset, table)), f"{dataset}:{table}")
        try:
            spec = self.given.spec.table(table)
        except KeyError:
            raise FactoryError(f"there is no table {table!r} to pick from", hint="Name a table of the spec.") from None
        if spec.rows:
            return _Generated(self, table, spec.rows)
        return _Listed(self.given.handwritten.get(table, pa.table({})))


def _listed(table: pa.Table | None, place: str) -> KeySource:
    if table is None:
        raise ConfigError(
            f"the rows of {place} are not at hand",
            hint=f"Name the dataset under requires: in the spec, and build or pull it ({place.split(':')[0]}).",
        )
    return _Listed(table)


@dataclass(frozen=True)
class _Listed:
    """Rows in a table in memory."""

    table: pa.Table

    @property
    def count(self) -> int:
        return int(self.table.num_rows)

    def at(self, column: str, ordinals: Rows) -> pa.Array:
        found = pc.take(self.table.column(column), pa.array(ordinals))
        return found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found


class _Generated:
    """Rows that are computed when they are asked for; small columns are remembered."""

    def __init__(self, parents: ParentKeys, table: str, count: int) -> None:
        self._parents = parents
        self._table = table
        self.count = count
        self._remembered: dict[str, pa.Array] = {}

    def at(self, column: str, ordinals: Rows) -> pa.Array:
        generator = self._parents.generator(self._table)
        if generator.is_cheap(column) or self.count > _REMEMBERED:
            return generator.column(column, ordinals)
        if column not in self._remembered:
            self._remembered[column] = generator.column(column, np.arange(self.count, dtype=np.int64))
        return self._remembered[column].take(pa.array(ordinals))
