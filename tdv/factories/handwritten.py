"""Hand-written rows beside generated ones in one table.

In: seeds and scenarios, blocks of generated rows. Out: the rows of the table. Always holds: no key stands twice;
every row has all columns of the schema; derived columns that the hand-written rows leave out are filled in.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.arrow import arrow_schema, arrow_type
from tdv.content.keys import by_number
from tdv.content.order import ordered
from tdv.content.redact import shown_key
from tdv.errors import DataError
from tdv.factories.generators.derived import derived
from tdv.factories.options import Options
from tdv.model.schema import TableSchema
from tdv.model.spec import DatasetSpec, TableSpec

_RISING: Final = ("int16", "int32", "int64")


class Labelled(Protocol):
    """What is needed of a scenario."""

    @property
    def rows(self) -> Mapping[str, pa.Table]:
        """Its rows by table."""
        ...

    @property
    def standalone(self) -> bool:
        """True if its rows do not belong to the dataset's tables."""
        ...

    @property
    def file(self) -> str:
        """Where it is written."""
        ...


@dataclass(frozen=True)
class Handwritten:
    """The hand-written rows of one table, in key order, and the file that each one comes from."""

    schema: TableSchema
    table: pa.Table
    origins: tuple[tuple[str, pa.Table], ...]

    @classmethod
    def gather(
        cls, spec: DatasetSpec, name: str, seeds: Mapping[str, pa.Table], scenarios: Sequence[Labelled]
    ) -> Handwritten:
        """The rows of a table from the seeds and all scenarios that are not standalone.

        Raises `DataError` for a key that stands in two files.
        """
        table = spec.table(name)
        folder = PurePosixPath(spec.path).parent
        found = [(f"{folder}/seeds/{name}.*", seeds[name])] if name in seeds else []
        found += [(each.file, each.rows[name]) for each in scenarios if not each.standalone and name in each.rows]
        origins = tuple((file, _completed(rows, table, spec.path)) for file, rows in found if rows.num_rows)
        empty = arrow_schema(table.schema).empty_table()
        together = pa.concat_tables([empty, *(rows for _, rows in origins)]).combine_chunks()
        made = cls(table.schema, together, origins)
        made._refuse_repeated()
        return cls(table.schema, ordered(together, table.schema), origins)

    def _refuse_repeated(self) -> None:
        key = self.schema.key
        if not key or self.table.num_rows < 2:
            return
        keys = by_number(self.table, key)
        counted = keys.group_by(keys.column_names).aggregate([([], "count_all")])
        repeated = counted.filter(pc.greater(counted["count_all"], 1))
        if repeated.num_rows:
            values = tuple(repeated.column(name)[0].as_py() for name in keys.column_names)
            files = " and ".join(sorted(set(self._files(values))))
            raise DataError(
                f"{self.schema.name}: the key {shown_key(self.schema, key, values)} is written by hand twice: {files}",
                hint="Give one of the rows another key.",
                table=self.schema.name,
            )

    def _files(self, values: tuple[object, ...]) -> Iterator[str]:
        for file, rows in self.origins:
            keys = rows.select(list(self.schema.key)).to_pylist()
            if values in {tuple(key.values()) for key in keys}:
                yield file

    def merged(self, blocks: Iterable[pa.Table], table: TableSpec) -> Iterator[pa.Table]:
        """The generated blocks with the hand-written rows among or after them.

        Raises `DataError` naming the file and the row number for a key that is generated as well.
        """
        left = self.table
        rising = _rises(table)
        start = 0
        for block in blocks:
            if self.table.num_rows:
                self._refuse_generated(block, start)
            start += block.num_rows
            merged, left = self._among(block, left) if rising and left.num_rows else (block, left)
            yield merged
        if left.num_rows or not start:
            yield left

    def _among(self, block: pa.Table, left: pa.Table) -> tuple[pa.Table, pa.Table]:
        """The block with those of the hand-written rows whose keys lie below its last one, and the others."""
        key = self.schema.key[0]
        last = block.column(key)[block.num_rows - 1]
        count = int(np.searchsorted(left.column(key).to_numpy(), last.as_py()))
        if not count:
            return block, left
        together = pa.concat_tables([block, left.slice(0, count)])
        return ordered(together, self.schema), left.slice(count)

    def _refuse_generated(self, block: pa.Table, start: int) -> None:
        key = list(self.schema.key)
        if not key:
            return
        hits = pc.is_in(block.column(key[0]), value_set=self.table.column(key[0]).combine_chunks())
        places = np.flatnonzero(hits.to_numpy())
        if not len(places):
            return
        written = {tuple(row.values()) for row in self.table.select(key).to_pylist()}
        for place, row in zip(places, block.select(key).take(pa.array(places)).to_pylist(), strict=True):
            values = tuple(row.values())
            if values in written:
                files = " and ".join(self._files(values))
                raise DataError(
                    f"{self.schema.name}: the key {shown_key(self.schema, key, values)} is written by hand in {files}"
                    f" and generated as row {start + int(place)}",
                    hint="Start the generator's keys elsewhere, or give the hand-written row another key.",
                    table=self.schema.name,
                )


def _rises(table: TableSpec) -> bool:
    """True if the generated rows stand in key order because their key is a rising sequence."""
    key = table.schema.key
    if len(key) != 1 or table.schema.column(key[0]).type.name not in _RISING:
        return False
    generator = table.generators.get(key[0])
    if generator is None or generator.kind != "sequence":
        return False
    return not isinstance(generator.options, Mapping) or float(generator.options.get("step", 1)) > 0


def _completed(rows: pa.Table, table: TableSpec, spec: str) -> pa.Table:
    """The rows with all columns of the schema; columns that are derived are computed where they are NULL."""
    schema, given = table.schema, set(rows.column_names)
    for column in schema.columns:
        if column.name not in given:
            rows = rows.append_column(column.name, pa.nulls(rows.num_rows, arrow_type(column.type)))
    rows = rows.select(list(schema.column_names)).cast(arrow_schema(schema))
    for name in _derived_in_order(table):
        place = schema.column_names.index(name)
        missing = pc.is_null(rows.column(name)).combine_chunks()
        if not missing.true_count:
            continue
        numbered = rows.append_column("#row", pa.array(np.arange(rows.num_rows)))
        options = Options.of(spec, table.name, name, table.generators[name].options)
        values = derived(options.below("derive", options.raw), schema.column(name), numbered)
        filled = pc.if_else(missing, values, rows.column(name))
        rows = rows.set_column(place, rows.schema.field(name), filled)
    return rows


def _derived_in_order(table: TableSpec) -> list[str]:
    """The derived columns, each after those that its expression mentions."""
    names = [name for name, generator in table.generators.items() if generator.kind == "derive"]
    ordered_names: list[str] = []
    while names:
        free = [
            name
            for name in names
            if not any(other != name and other in str(table.generators[name].options) for other in names)
        ] or names
        ordered_names += free
        names = [name for name in names if name not in free]
    return ordered_names
