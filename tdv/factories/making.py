"""What a worker process makes: the rows of a factory, and values that Faker gives per row.

In: a factory or a Faker provider, row numbers. Out: Arrow arrays of the columns' types. Always holds: a value that
its column cannot hold, a missing or an unknown column is a `FactoryError` that names row and column.
"""

from __future__ import annotations

import difflib
import inspect
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import arrow_type, canonical
from tdv.content.redact import shown
from tdv.errors import DataError, FactoryError, TdvError
from tdv.factories.factory import Block, Factory, Row
from tdv.factories.generators.maker import Cells, Maker, Parents, Request
from tdv.factories.generators.text import FakerCall
from tdv.factories.locales import faker_in
from tdv.factories.random import Rows
from tdv.model.schema import Column, TableSchema
from tdv.model.spec import DatasetSpec, TableSpec

if TYPE_CHECKING:
    from faker import Faker

_HINT: Final = "Mend the factory; `tdv sample` runs it for a few rows."
_EXACT: Final = "A float is no exact decimal: return a decimal.Decimal, or its digits as text."


class FromFactory:
    """Calls a factory for blocks of rows."""

    def __init__(self, factory: Factory, spec: DatasetSpec, table: TableSpec, parents: Parents) -> None:
        self._factory = factory
        self._spec = spec
        self._table = table
        self._parents = parents
        self._by_block = type(factory).columns is not Factory.columns

    def columns(self, wanted: Sequence[Column], rows: Rows) -> dict[str, pa.Array]:
        """The factory's columns for these rows."""
        made = self._block(rows) if self._by_block else self._rows(wanted, rows)
        self._check_names(wanted, made)
        return {column.name: self._array(column, made, rows) for column in wanted}

    def _block(self, rows: Rows) -> dict[str, Any]:
        at = Block(self._spec, self._table.schema, self._parents, rows)
        made = dict(self._factory.columns(at))
        for name, values in made.items():
            if len(values) != len(rows):
                raise FactoryError(
                    f"{self._name}.columns returned {len(values)} values of {name!r} for {len(rows)} rows", hint=_HINT
                )
        return made

    def _rows(self, wanted: Sequence[Column], rows: Rows) -> dict[str, list[Any]]:
        at = Row(self._spec, self._table.schema, self._parents, rows)
        needed = {column.name for column in wanted if not column.nullable}
        made: dict[str, list[Any]] = {column.name: [] for column in wanted}
        for place, index in enumerate(rows.tolist()):
            row = self._factory.row(at.moved(place))
            if not isinstance(row, Mapping):
                raise FactoryError(f"{self._name}.row returned no mapping for row {index}", hint=_HINT)
            if not needed <= row.keys():
                lacking = ", ".join(sorted(needed - row.keys()))
                raise FactoryError(f"{self._name}.row did not return {lacking} for row {index}", hint=_HINT)
            for name in row.keys() - made.keys():
                made[name] = [None] * place
            for name, values in made.items():
                values.append(row.get(name))
        return made

    @property
    def _name(self) -> str:
        return type(self._factory).__name__

    def _check_names(self, wanted: Sequence[Column], made: Mapping[str, Any]) -> None:
        names = {column.name for column in wanted}
        for name in sorted(made.keys() - names):
            reason = "has a generator in the spec" if name in self._table.generators else "is no column of the table"
            raise FactoryError(f"{self._name} returned {name!r}, which {reason}", hint="Return the other columns only.")
        for column in wanted:
            if column.name not in made and not column.nullable:
                raise FactoryError(f"{self._name} did not return {column.name!r}", hint=_HINT)

    def _array(self, column: Column, made: Mapping[str, Any], rows: Rows) -> pa.Array:
        values = made.get(column.name)
        if values is None:
            return pa.nulls(len(rows), arrow_type(column.type))
        return array(values, column, rows, self._name)


def array(values: Any, column: Column, rows: Rows, who: str) -> pa.Array:
    """Python, NumPy or Arrow values as an array of the column's type; raises `FactoryError` naming the row."""
    try:
        if not isinstance(values, pa.Array | pa.ChunkedArray | np.ndarray):
            values = [_plain(value, column) for value in values]
            values = pa.array(values, arrow_type(column.type))
        elif isinstance(values, np.ndarray):
            values = pa.array(values)
        made = canonical(pa.table({column.name: values}), TableSchema(who, (column,))).column(0)
        return made.combine_chunks()
    except (pa.ArrowException, TypeError, ValueError, OverflowError, DataError) as exc:
        if isinstance(values, list) and len(values) > 1:
            _find(values, column, rows, who)
        bad, kind = (shown(column, values[0]), type(values[0])) if isinstance(values, list) else ("a value", None)
        said = f", a value of type {kind.__name__}" if kind else ""
        raise FactoryError(
            f"{who} returned {bad} for {column.name!r} in row {int(rows[0])}{said}, which is no {column.type}",
            hint=_EXACT if column.type.name == "decimal" and kind is float else _HINT,
        ) from exc


def _find(values: Sequence[Any], column: Column, rows: Rows, who: str) -> None:
    """Raises the error of the first value that cannot be converted on its own."""
    for place, value in enumerate(values):
        array([value], column, rows[place : place + 1], who)


def _plain(value: Any, column: Column) -> Any:
    if isinstance(value, uuid.UUID):
        return str(value)
    if column.type.name == "json" and not isinstance(value, str | None):
        return json.dumps(value)
    return value


@dataclass(frozen=True)
class LiveFaker:
    """Values of a Faker provider, seeded for each row."""

    request: Request
    call: FakerCall
    needs: frozenset[str] = frozenset()

    def values(self, cells: Cells) -> pa.Array:
        faker = _faker(self.call.locale, self.call.place)
        method = self._method(faker)
        made = []
        for row in cells.rows.tolist():
            faker.seed_instance(self.request.stream.word(row))
            made.append(self._called(method))
        return array(made, self.request.column, cells.rows, f"Faker's {self.call.provider}")

    def _called(self, method: Callable[..., Any]) -> Any:
        try:
            return method(**self.call.arguments)
        except TdvError:
            raise
        except Exception as exc:
            taken = ", ".join(inspect.signature(method).parameters) or "no arguments"
            raise self.request.options.wrong(
                f"Faker's {self.call.provider} fails: {exc}", hint=f"It takes {taken}."
            ) from exc

    def _method(self, faker: Faker) -> Callable[..., Any]:
        method = getattr(faker, self.call.provider, None)
        if not callable(method):
            near = difflib.get_close_matches(self.call.provider, dir(faker), 1)
            raise self.request.options.wrong(
                f"Faker has no provider {self.call.provider!r} for {self.call.locale}",
                hint=f"Did you mean {near[0]}?" if near else "Faker's documentation lists its providers.",
            )
        found: Callable[..., Any] = method
        return found


_faker = lru_cache(maxsize=8)(faker_in)


def live_faker(request: Request, call: FakerCall) -> Maker:
    """The maker of a Faker call that no frozen table serves."""
    return LiveFaker(request, call)
