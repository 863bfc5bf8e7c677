"""The base class of factories: code that makes the rows of a table.

In: `at`, one row (`Row`) or a block of rows (`Block`). Out: the values of the columns that have no generator in
the spec. Always holds: what `at` offers is a function of the dataset's seed, the table and the row number; a
factory that uses nothing else is reproducible.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdv.errors import FactoryError
from tdv.factories.distributions import normal
from tdv.factories.locales import faker_in
from tdv.factories.options import Options
from tdv.factories.pick import Jump
from tdv.factories.random import Rows, Stream, bounded, unit

if TYPE_CHECKING:
    from faker import Faker

    from tdv.factories.generators.maker import KeySource, Parents
    from tdv.model.schema import TableSchema
    from tdv.model.spec import DatasetSpec


class Factory:
    """Makes rows of a table: override `row` for one row at a time, or `columns` for blocks of many.

    An instance lives for one build of one table; attributes set in ``__init__`` may hold constants, never what
    one row passes on to the next, since blocks are made in any order.
    """

    def row(self, at: Row) -> Mapping[str, Any]:
        """The row's values by column name."""
        raise NotImplementedError

    def columns(self, at: Block) -> Mapping[str, Any]:
        """The values of all rows of the block by column name: NumPy or Arrow arrays, or lists."""
        raise NotImplementedError


class _Place:
    """What one row and a block of rows have in common."""

    def __init__(self, spec: DatasetSpec, table: TableSchema, parents: Parents) -> None:
        self._spec = spec
        self._table = table
        self._parents = parents
        self._stream = Stream(spec.seed, (table.name, "factory"))

    @property
    def seed(self) -> int:
        """The dataset's seed."""
        return self._spec.seed

    @property
    def as_of(self) -> datetime:
        """The dataset's frozen clock."""
        return self._spec.as_of

    def _source(self, table: str, dataset: str | None) -> tuple[KeySource, tuple[str, ...]]:
        source = self._parents.source(table, dataset)
        if not source.count:
            raise FactoryError(f"there is nothing to pick: {table!r} has no rows", hint=f"Give {table} rows.")
        return source, self._key(table, dataset)

    def _key(self, table: str, dataset: str | None) -> tuple[str, ...]:
        for reference in self._table.references:
            if reference.table == table and reference.dataset == dataset:
                return reference.to
        if dataset is None and self._spec.table(table).schema.key:
            return self._spec.table(table).schema.key
        raise FactoryError(
            f"{self._table.name!r} picks from {table!r}, but declares no reference to it",
            hint=f"Add `references: {table}.<key>` to the column in the spec.",
        )


class Row(_Place):
    """One row, as a factory sees it: number, random numbers, Faker, the clock, and keys of parents."""

    def __init__(self, spec: DatasetSpec, table: TableSchema, parents: Parents, rows: Rows) -> None:
        super().__init__(spec, table, parents)
        self.index = int(rows[0])
        self._rows = rows
        self._place = 0
        self._random: random.Random | None = None
        self._faker: Faker | None = None
        self._seeded = False
        self._keys: dict[tuple[object, ...], list[Any]] = {}
        self._picked = 0

    def __index__(self) -> int:
        return self.index

    def moved(self, place: int) -> Row:
        """This object, now standing at the row in `place` of its block."""
        self._place, self.index = place, int(self._rows[place])
        self._random, self._seeded, self._picked = None, False, 0
        return self

    @property
    def rng(self) -> random.Random:
        """A random number generator of this row's own."""
        if self._random is None:
            self._random = random.Random(self._stream.named("rng").word(self.index))
        return self._random

    @property
    def faker(self) -> Faker:
        """Faker in the dataset's locale, seeded for this row; its clock stands at `as_of`."""
        if self._faker is None:
            locale = self._spec.locale
            self._faker = faker_in(locale, Options(self._spec.path, "locale", locale))
        if not self._seeded:
            self._faker.seed_instance(self._stream.named("faker").word(self.index))
            self._seeded = True
        return self._faker

    def pick(self, table: str, *, skew: float = 0, dataset: str | None = None) -> Any:
        """The key of a row of `table`: one value, or a tuple for a composite key.

        Each call in a row picks anew. Raises `FactoryError` where the table has no rows or no known key.
        """
        call = (table, dataset, skew, self._picked)
        self._picked += 1
        keys = self._keys.get(call)
        if keys is None:
            keys = self._keys[call] = self._keys_of_block(table, dataset, skew, call[-1])
        return keys[self._place]

    def _keys_of_block(self, table: str, dataset: str | None, skew: float, number: object) -> list[Any]:
        """What the call gives in each row of the block: much quicker than one by one."""
        source, key = self._source(table, dataset)
        stream = self._stream.named("pick", table, str(number))
        places = Jump(stream, source.count, str(Decimal(str(skew)))).ordinals(self._rows)
        columns = [source.at(name, places).to_pylist() for name in key]
        return columns[0] if len(columns) == 1 else list(zip(*columns, strict=True))


class Block(_Place):
    """A block of rows, as a factory sees it: their numbers, and arrays of random numbers by name.

    Different names give independent numbers; the same name gives the same numbers again.
    """

    def __init__(self, spec: DatasetSpec, table: TableSchema, parents: Parents, rows: Rows) -> None:
        super().__init__(spec, table, parents)
        self.index = rows

    def __len__(self) -> int:
        return len(self.index)

    @property
    def rng(self) -> random.Random:
        """Not to be had: a generator shared by the rows of a block would make rows depend on its size."""
        raise FactoryError(
            "at.rng belongs to one row and cannot be used in columns(at)",
            hint='Use at.integers("name", low, high), at.uniform("name"), at.normal("name") or at.choice("name", …).',
        )

    def integers(self, name: str, low: int, high: int) -> Rows:
        """Whole numbers from `low` to `high`, both included."""
        return bounded(self._stream.named("block", name).words(self.index), high - low + 1) + low

    def uniform(self, name: str) -> NDArray[np.float64]:
        """Numbers above 0 and up to 1."""
        return unit(self._stream.named("block", name).words(self.index))

    def normal(self, name: str) -> NDArray[np.float64]:
        """Standard normal numbers."""
        return normal(self._stream.named("block", name).words(self.index))

    def choice(self, name: str, values: Sequence[Any]) -> pa.Array:
        """Elements of `values`."""
        return pa.array(values).take(pa.array(self.integers(name, 0, len(values) - 1)))

    def pick(self, table: str, *, skew: float = 0, dataset: str | None = None, name: str = "") -> Any:
        """The keys of rows of `table`: an Arrow array, or a tuple of arrays for a composite key."""
        source, key = self._source(table, dataset)
        stream = self._stream.named("pick", table, name)
        places = Jump(stream, source.count, str(Decimal(str(skew)))).ordinals(self.index)
        arrays = tuple(source.at(column, places) for column in key)
        return arrays[0] if len(arrays) == 1 else arrays
