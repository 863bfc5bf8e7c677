"""What every generator is made of and what it makes.

In: a `Request`, one column of the spec with its place in the seed's tree of streams. Out: a `Maker`. Always
holds: ``maker.values(cells)`` is a function of the row numbers of `cells`, whatever rows stand beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.text import expected, from_plain, from_text
from tdv.errors import DataError, DocumentError
from tdv.factories.domains import MOST, Domain
from tdv.factories.draws import Draw, Even, Permuted
from tdv.factories.options import Options
from tdv.factories.random import Rows, Stream, bounded
from tdv.model.schema import Column, TableSchema
from tdv.model.spec import GeneratorSpec

NULL_UNITS: Final = 10_000
_SHOWN: Final = 3


class Cells(Protocol):
    """The rows for which values are wanted, and the values of their other columns."""

    @property
    def rows(self) -> Rows:
        """A number per row that is unique in the table; what random words hang on."""
        ...

    @property
    def index(self) -> Rows:
        """The row's number for people: in a list the place of the element, else the same as `rows`."""
        ...

    def column(self, name: str) -> pa.Array:
        """The values of another column of the same rows."""
        ...


class Maker(Protocol):
    """Makes the values of one column."""

    @property
    def needs(self) -> frozenset[str]:
        """The other columns that `values` looks at."""
        ...

    def values(self, cells: Cells) -> pa.Array:
        """One value of the column's Arrow type for each row."""
        ...


class KeySource(Protocol):
    """The rows of a parent table that references may point to."""

    @property
    def count(self) -> int:
        """How many there are; appending rows leaves the ordinals of the others."""
        ...

    def at(self, column: str, ordinals: Rows) -> pa.Array:
        """The values of a key column in these rows."""
        ...


class Parents(Protocol):
    """Finds the rows that references point to."""

    def source(self, table: str, dataset: str | None) -> KeySource:
        """The rows of a table; `dataset` is None for the dataset that is being built."""
        ...


@dataclass(frozen=True)
class Request:
    """All that a generator may depend on: `rows` is how many rows the table has, for limits only."""

    column: Column
    options: Options
    stream: Stream
    table: TableSchema
    rows: int
    as_of: datetime
    locale: str
    parents: Parents
    unique: bool = False
    build: Callable[[Request, GeneratorSpec], Maker] = field(kw_only=True)
    live_faker: LiveFaker | None = None

    def nested(self, name: str, column: Column, raw: Any) -> Maker:
        """The maker of a value inside this one, with a stream of its own; `raw` is its ``generate:``."""
        options = self.options.below(name, raw)
        spec = generator_spec(options)
        inner = replace(self, column=column, options=replace(options, raw=spec.options), unique=False)
        return self.build(replace(inner, stream=self.stream.named(name)), spec)

    def only(self, *kinds: str) -> None:
        """Raises `DocumentError` unless the column's type is one of `kinds`."""
        if self.column.type.name not in kinds:
            raise self.options.wrong(f"makes {' or '.join(kinds)}, but the column is {self.column.type}")

    def never_unique(self) -> None:
        """Raises `DocumentError` for a column that must be unique and whose generator may repeat itself."""
        if self.unique:
            raise self.options.wrong(
                "may repeat values, but the column is unique or the key",
                hint="Use sequence, uuid, pattern, uniform over a wide range, or a template around a unique column.",
            )

    def even(self, domain: Domain) -> Drawn:
        """Draws evenly from a domain, without repetition where the column is unique."""
        return Drawn(domain, self.stream, unique=self.unique).within(self)

    def plain(self, values: Sequence[Any]) -> pa.Array:
        """Values as the spec writes them, as an array of the column's type."""
        kind = self.column.type
        if kind.name in ("date", "timestamp", "timestamptz"):
            values = [_moment(self, value) for value in values]
        parsed = from_plain(values, kind)
        for misfit in parsed.misfits:
            raise self.options.wrong(f"{misfit.value!r} is not {expected(kind)}")
        return parsed.array

    def read(self, texts: pa.Array) -> pa.Array:
        """Generated text as values of the column's type."""
        kind = self.column.type
        if kind.name == "string":
            return texts
        parsed = from_text(texts, kind)
        for misfit in parsed.misfits:
            raise DataError(
                f"the generator of {self.options.key} made {misfit.value!r}, which is not {expected(kind)}",
                hint="Change the generator, or make the column a string.",
            )
        return parsed.array


def _moment(request: Request, value: Any) -> Any:
    if not isinstance(value, str) or not value.lstrip().startswith("as_of"):
        return value
    micros = request.options.moment(value, request.as_of)
    text = str(np.datetime64(micros, "us"))
    if request.column.type.name == "date":
        return text[:10]
    return text + "Z" if request.column.type.name == "timestamptz" else text


def generator_spec(options: Options) -> GeneratorSpec:
    """Reads a nested ``generate:`` mapping: one generator, and ``null:`` beside it."""
    raw = options.raw
    if isinstance(raw, str):
        return GeneratorSpec(raw)
    if not isinstance(raw, Mapping):
        raise options.wrong("expected a generator such as {uniform: {min: 1, max: 6}}")
    kinds = [name for name in raw if name != "null"]
    if len(kinds) != 1:
        raise options.wrong("expected exactly one generator")
    share = options.exact(raw.get("null", 0), "null") * NULL_UNITS
    return GeneratorSpec(str(kinds[0]), raw[kinds[0]], int(share))


@dataclass(frozen=True)
class Drawn:
    """Values of a finite domain, chosen by a draw; `unique` draws never repeat."""

    domain: Domain
    stream: Stream
    draw: Draw | None = None
    unique: bool = False
    needs: frozenset[str] = frozenset()

    def within(self, request: Request) -> Drawn:
        """This maker, after a check that a unique column has values enough for all rows."""
        if self.domain.size < 1 or self.domain.size > MOST:
            raise request.options.wrong(f"must have between 1 and {MOST} possible values, not {self.domain.size}")
        if self.unique and self.domain.size < request.rows:
            raise request.options.wrong(
                f"has {self.domain.size} possible values, but {request.rows} rows must all differ",
                hint="Widen the generator's range, or generate fewer rows.",
            )
        return self

    def values(self, cells: Cells) -> pa.Array:
        draw = self.draw
        if draw is None:
            draw = (Permuted if self.unique else Even)(self.stream, self.domain.size)
        return self.domain.at(draw.ordinals(cells.rows))


@dataclass(frozen=True)
class Counted:
    """Row n gets value n of the domain."""

    domain: Domain
    needs: frozenset[str] = frozenset()

    def values(self, cells: Cells) -> pa.Array:
        return self.domain.at(cells.index)


@dataclass(frozen=True)
class Sparse:
    """The values of another maker with a share of nulls, in 1/10,000."""

    maker: Maker
    stream: Stream
    share: int

    @property
    def needs(self) -> frozenset[str]:
        return self.maker.needs

    def values(self, cells: Cells) -> pa.Array:
        absent = bounded(self.stream.words(cells.rows), NULL_UNITS) < self.share
        values = self.maker.values(cells)
        return pc.if_else(pa.array(absent), pa.scalar(None, values.type), values)


Builder = Callable[[Request], Maker]
LiveFaker = Callable[[Request, Any], Maker]
"""Makes the maker of a Faker call that no frozen table serves; only worker processes have one."""
__all__ = [
    "Builder",
    "Cells",
    "Counted",
    "DocumentError",
    "Drawn",
    "KeySource",
    "LiveFaker",
    "Maker",
    "Parents",
    "Request",
    "Sparse",
    "generator_spec",
]
