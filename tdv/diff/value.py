"""The difference of two states as a value: what is needed to turn one into the other, and back.

In: what `tdv.diff` found. Out: frozen values of schemas and Arrow tables. Always holds: a complete `DatasetDiff`
can be applied and inverted (`tdv.diff.algebra`) and stored (`tdv.diff.stored`); rows stand in canonical order, so
that equal differences are equal values, NaN included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import pyarrow as pa

from tdv.content.arrow import arrow_schema, arrow_type
from tdv.content.digest import leaf
from tdv.model.diff import TableChange
from tdv.model.manifest import Manifest, ScenarioManifest
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.model.types import LogicalType

NOTHING = pa.table({})
"""The rows of a table that a state does not have."""


def common_type(old: LogicalType, new: LogicalType) -> LogicalType | None:
    """The one of both types that holds every value of the other, None if neither does."""
    if old == new or old.widens_to(new):
        return new
    return old if new.widens_to(old) else None


def common_schema(old: TableSchema, new: TableSchema) -> TableSchema:
    """The columns whose values can be compared, in their wider types; without a key where keys cannot be."""
    columns = []
    before = {column.name: column.type for column in old.columns}
    for column in new.columns:
        kind = common_type(before[column.name], column.type) if column.name in before else None
        if kind is not None:
            columns.append(replace(column, type=kind))
    names = {column.name for column in columns}
    key = new.key if new.key == old.key and names.issuperset(new.key) else ()
    return TableSchema(new.name, tuple(columns), key)


def own_columns(schema: TableSchema, common: TableSchema) -> tuple[str, ...]:
    """The columns of `schema` that `common` lacks."""
    shared = frozenset(common.column_names)
    return tuple(name for name in schema.column_names if name not in shared)


@dataclass(frozen=True, slots=True, eq=False)
class CellChanges:
    """The changed cells of one column: `rows` are positions in `TableDiff.keys`, values have the common type."""

    rows: pa.Array
    before: pa.Array
    after: pa.Array


@dataclass(frozen=True, slots=True, eq=False)
class TableDiff:
    """One table. `removed` has whole rows of the `old` schema, `added` of the `new` one (None: no such table).

    Tables with a comparable key: `keys` are those of the changed rows in the common types, `cells` their changed
    values by column. `lost` and `gained` are the values of columns that only one state has (or that have
    incomparable types), with the key, for all rows that both have; without a comparable key they are these rows
    as a whole; None where both states have the same columns. `change` counts all rows, also those that a diff
    that is not complete leaves out.
    """

    name: str
    old: TableSchema | None
    new: TableSchema | None
    change: TableChange
    removed: pa.Table
    added: pa.Table
    keys: pa.Table
    cells: Mapping[str, CellChanges]
    lost: pa.Table | None = None
    gained: pa.Table | None = None

    @property
    def schema(self) -> TableSchema:
        """The newer schema, the older one of a table that is gone."""
        schema = self.new or self.old
        assert schema is not None
        return schema

    @property
    def common(self) -> TableSchema:
        """What can be compared; without columns for a table that only one state has."""
        if self.old is None or self.new is None:
            return TableSchema(self.name, ())
        return common_schema(self.old, self.new)

    def inverted(self) -> TableDiff:
        """The way back."""
        cells = {name: CellChanges(cell.rows, cell.after, cell.before) for name, cell in self.cells.items()}
        change = replace(self.change, added=self.change.removed, removed=self.change.added)
        return TableDiff(
            self.name, self.new, self.old, change, self.added, self.removed, self.keys, cells, self.gained, self.lost
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TableDiff) and list(self._identity()) == list(other._identity())

    def __hash__(self) -> int:
        return hash((self.name, self.change.added, self.change.removed, self.change.changed))

    def _identity(self) -> Iterator[object]:
        yield from (self.name, self.old, self.new, self.change)
        common = self.common
        yield from (_digest(self.removed, self.old), _digest(self.added, self.new), _digest(self.keys, common))
        for name in sorted(self.cells):
            cell, kind = self.cells[name], common.column(name).type
            yield from (name, cell.rows.to_pylist(), leaf(cell.before, kind), leaf(cell.after, kind))
        yield from (_digest(self.lost, self.old), _digest(self.gained, self.new))


def _digest(rows: pa.Table | None, schema: TableSchema | None) -> tuple[tuple[str, str], ...] | None:
    """The digest of each column; the key columns of `rows` may be in the wider type, where values hash alike."""
    if rows is None or schema is None:
        return None
    return tuple(
        (name, leaf(rows.column(name).cast(arrow_type(schema.column(name).type), safe=False), schema.column(name).type))
        for name in sorted(rows.column_names)
    )


@dataclass(frozen=True, slots=True)
class End:
    """One end of a difference: everything of a state but its rows."""

    digest: str
    schema: DatasetSchema
    scenarios: tuple[ScenarioManifest, ...] = ()

    @classmethod
    def of(cls, manifest: Manifest) -> End:
        """The end that a manifest describes."""
        return cls(manifest.digest, manifest.schema, manifest.scenarios)


@dataclass(frozen=True, slots=True)
class DatasetDiff:
    """What turns `old` into `new`; `tables` holds those whose rows or columns differ.

    `complete` is False where rows were left out: such a value can be shown, not applied.
    """

    dataset: str
    old: End
    new: End
    tables: Mapping[str, TableDiff]
    complete: bool = True


def empty_rows(schema: TableSchema | None) -> pa.Table:
    """No rows of a schema."""
    return NOTHING if schema is None else arrow_schema(schema).empty_table()
