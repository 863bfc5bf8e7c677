"""The generated rows of one table.

In: the spec, the table's name, where its parents are, and the columns that a worker process made. Out: blocks of
rows as Arrow tables with all columns of the schema. Always holds: a block is the same whatever other blocks are
made, where and in which order.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import arrow_schema, arrow_type
from tdv.errors import DocumentError, FactoryError
from tdv.factories.domains import MOST, Integers
from tdv.factories.draws import Digit
from tdv.factories.generators import build
from tdv.factories.generators.maker import Counted, Drawn, Maker, Request
from tdv.factories.generators.references import reference_of
from tdv.factories.generators.text import is_live
from tdv.factories.options import Options
from tdv.factories.pick import Jump
from tdv.factories.random import Rows, Stream
from tdv.factories.spool import Spool
from tdv.model.schema import Column, TableSchema
from tdv.model.spec import DatasetSpec, TableSpec

if TYPE_CHECKING:
    from tdv.factories.parents import ParentKeys

_HINT: Final = "Give it a generator, make the table's factory return it, or set nullable: true."


def request(spec: DatasetSpec, table: TableSpec, column: Column, parents: ParentKeys) -> Request:
    """What the generator of a column is made from."""
    generator = table.generators[column.name]
    schema = table.schema
    return Request(
        column=column,
        options=Options.of(spec.path, table.name, column.name, generator.options),
        stream=Stream(spec.seed, (table.name, column.name)),
        table=schema,
        rows=table.rows,
        as_of=spec.as_of,
        locale=spec.locale,
        parents=parents,
        unique=schema.key == (column.name,) or (column.name,) in schema.uniques,
        build=build,
        live_faker=parents.live_faker,
    )


def worker_columns(spec: DatasetSpec, table: TableSpec) -> tuple[str, ...]:
    """The columns that only a worker process can make: those of a factory, and those that call Faker per row."""
    names = []
    for column in table.schema.columns:
        generator = table.generators.get(column.name)
        if generator is None:
            if table.factory is not None:
                names.append(column.name)
        else:
            options = Options.of(spec.path, table.name, column.name, generator.options)
            if is_live(generator.kind, options, spec.locale):
                names.append(column.name)
    return tuple(names) if table.rows else ()


@dataclass(frozen=True)
class _Spooled:
    """Values that a worker process made."""

    spool: Spool | None
    table: str
    column: str
    needs: frozenset[str] = frozenset()

    def values(self, cells: Any) -> pa.Array:
        if self.spool is None:
            raise FactoryError(
                f"{self.table}.{self.column} is made by a factory that has not run yet",
                hint=f"Declare the reference to {self.table} in the spec; in a circle, give its key a `generate:`.",
            )
        return self.spool.values(self.column, cells.rows)


@dataclass(frozen=True)
class _Absent:
    """A nullable column without a generator."""

    kind: pa.DataType
    needs: frozenset[str] = frozenset()

    def values(self, cells: Any) -> pa.Array:
        return pa.nulls(len(cells.rows), self.kind)


class _Rows:
    """Some rows of the table; each column is made once, when it is first asked for."""

    def __init__(self, makers: Mapping[str, Maker], rows: Rows) -> None:
        self.rows = self.index = rows
        self._makers = makers
        self._made: dict[str, pa.Array] = {}

    def column(self, name: str) -> pa.Array:
        found = self._made.get(name)
        if found is None:
            found = self._made[name] = self._makers[name].values(self)
        return found


class TableGenerator:
    """Makes the generated rows 0 … rows-1 of a table."""

    def __init__(self, spec: DatasetSpec, table: str, parents: ParentKeys, spool: Spool | None = None) -> None:
        self._table = spec.table(table)
        self._schema = self._table.schema
        worker = frozenset(worker_columns(spec, self._table))
        self._makers: dict[str, Maker] = {}
        for column in self._schema.columns:
            if column.name in worker and (parents.live_faker is None or column.name not in self._table.generators):
                self._makers[column.name] = _Spooled(spool, table, column.name)
            elif column.name in self._table.generators:
                wanted = request(spec, self._table, column, parents)
                self._makers[column.name] = build(wanted, self._table.generators[column.name])
            else:
                self._makers[column.name] = _absent(spec, self._table, column)
        _order(spec, self._table, self._makers)
        self._makers.update(jointly_unique(spec, self._table, self._makers))
        self._arrow = arrow_schema(self._schema)

    @property
    def rows(self) -> int:
        """How many rows are generated."""
        return self._table.rows

    def block(self, start: int, stop: int) -> pa.Table:
        """Rows `start` to `stop` (excluded), all columns in declared order."""
        cells = _Rows(self._makers, np.arange(start, stop, dtype=np.int64))
        arrays = [cells.column(name) for name in self._schema.column_names]
        return pa.Table.from_arrays(arrays, schema=self._arrow)

    def column(self, name: str, rows: Rows) -> pa.Array:
        """The values of one column in the given rows, in their order."""
        return _Rows(self._makers, rows).column(name)

    def is_cheap(self, column: str) -> bool:
        """True for a column that is quicker computed than looked up."""
        maker = self._makers[column]
        return isinstance(maker, Counted) and isinstance(maker.domain, Integers)


def _absent(spec: DatasetSpec, table: TableSpec, column: Column) -> Maker:
    if table.rows and (not column.nullable or column.name in table.schema.key):
        raise _wrong(spec, table, column.name, f"has no generator, but {table.rows} rows are generated", _HINT)
    return _Absent(arrow_type(column.type))


def _wrong(spec: DatasetSpec, table: TableSpec, column: str, message: str, hint: str) -> DocumentError:
    options = Options(spec.path, f"tables.{table.name}.columns.{column}", None)
    return options.wrong(message, hint=hint)


def _order(spec: DatasetSpec, table: TableSpec, makers: Mapping[str, Maker]) -> None:
    """Raises `DocumentError` when columns of a row are made from each other in a circle."""
    try:
        TopologicalSorter({name: maker.needs for name, maker in makers.items()}).prepare()
    except CycleError as exc:
        circle = " → ".join(exc.args[1])
        hint = "Make one of these columns without the others."
        raise _wrong(spec, table, exc.args[1][0], f"is made from itself: {circle}", hint) from exc


def jointly_unique(spec: DatasetSpec, table: TableSpec, makers: Mapping[str, Maker]) -> dict[str, Maker]:
    """New makers for columns that are unique only together: a permutation of their combinations, row by row."""
    changed: dict[str, Maker] = {}
    done: list[frozenset[str]] = []
    schema = table.schema
    alone = {columns[0] for columns in (schema.key, *schema.uniques) if len(columns) == 1}
    alone |= {name for name, maker in makers.items() if isinstance(maker, Counted)}
    for columns in sorted({schema.key, *schema.uniques}, key=lambda names: (len(names), names)):
        wanted = frozenset(columns)
        if len(columns) < 2 or wanted & alone or any(known <= wanted for known in done) or not table.rows:
            continue
        if any(isinstance(makers[name], _Spooled | _Absent) for name in columns):
            continue
        if wanted & changed.keys():
            hint = "Give the table one composite unique set, or a sequence as key."
            raise _wrong(spec, table, columns[0], f"is in two sets that must be unique: {', '.join(columns)}", hint)
        changed.update(_combined(spec, table, columns, makers))
        done.append(wanted)
    return changed


def _combined(
    spec: DatasetSpec, table: TableSpec, columns: tuple[str, ...], makers: Mapping[str, Maker]
) -> dict[str, Maker]:
    drawn: dict[str, Drawn] = {}
    for name in columns:
        maker = makers[name]
        if not isinstance(maker, Drawn) or (isinstance(maker.draw, Jump) and maker.draw.skew != "0"):
            hint = "Use pick without skew, uniform, choice or datetime for its columns, or make one of them unique."
            message = f"cannot be made unique together with {', '.join(columns)}"
            raise _wrong(spec, table, name, message, hint)
        drawn[name] = maker
    places = _places(table.schema, columns)
    sizes = [0] * (max(places.values()) + 1)
    for name, place in places.items():
        sizes[place] = drawn[name].domain.size
    if not table.rows <= prod(sizes) <= MOST:
        hint = "Widen the ranges, or generate fewer rows."
        message = f"has {prod(sizes)} combinations with {', '.join(columns)} for {table.rows} rows"
        raise _wrong(spec, table, columns[0], message, hint)
    stream = Stream(spec.seed, (table.name, " ".join(columns), "together"))
    return {name: replace(drawn[name], draw=Digit(stream, tuple(sizes), places[name])) for name in columns}


def _places(schema: TableSchema, columns: tuple[str, ...]) -> dict[str, int]:
    """The digit of each column; columns of one composite reference pick one parent and share a digit."""
    places: dict[str, int] = {}
    taken: dict[object, int] = {}
    for name in columns:
        reference = reference_of(schema, name)
        group: object = reference if reference is not None and len(reference.columns) > 1 else name
        places[name] = taken.setdefault(group, len(taken))
    return places
