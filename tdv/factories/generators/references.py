"""The generator of foreign keys: pick.

Always holds: every value is the key of an existing parent row; the columns of a composite reference pick the
same parent.
"""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from tdv.factories.draws import Draw
from tdv.factories.generators.maker import Counted, Drawn, KeySource, Maker, Request
from tdv.factories.pick import Jump
from tdv.factories.random import Rows
from tdv.model.schema import Reference, TableSchema


@dataclass(frozen=True)
class Keys:
    """The values of one key column of the parent's rows."""

    source: KeySource
    column: str

    @property
    def size(self) -> int:
        return self.source.count

    def at(self, ordinals: Rows) -> pa.Array:
        return self.source.at(self.column, ordinals)


def reference_of(table: TableSchema, column: str) -> Reference | None:
    """The reference that a picked column follows: the one with most columns, the first of several."""
    found = [reference for reference in table.references if column in reference.columns]
    return max(found, key=lambda reference: len(reference.columns), default=None)


def pick(request: Request) -> Maker:
    """The key of a parent row; with ``skew``, earlier parents are picked more often (weight rank**-skew)."""
    options = request.options
    options.mapping("skew")
    name = request.column.name
    reference = reference_of(request.table, name)
    if reference is None:
        raise options.wrong("picks from a parent table, but the column has no references")
    skew = options.number("skew", 0)
    if not 0 <= skew <= 8:
        raise options.wrong(f"skew must lie between 0 (even) and 8, not {skew}")
    source = request.parents.source(reference.table, reference.dataset)
    place = f"{reference.dataset}:{reference.table}" if reference.dataset else reference.table
    if request.rows and not source.count:
        raise options.wrong(f"has nothing to pick: the table {place} has no rows", hint=f"Give {place} rows.")
    keys = Keys(source, reference.to[reference.columns.index(name)])
    if request.unique:
        if source.count < request.rows:
            raise options.wrong(
                f"must pick {request.rows} different rows of {place}, which has {source.count}",
                hint=f"Generate more rows of {place}, or fewer here.",
            )
        return Counted(keys)
    return Drawn(keys, request.stream, draw=_draw(request, reference, source.count, str(skew)))


def _draw(request: Request, reference: Reference, count: int, skew: str) -> Draw:
    stream = request.stream
    if len(reference.columns) > 1:
        stream = type(stream)(stream.seed, (*stream.path[:-1], " ".join(reference.columns)))
    return Jump(stream.named("pick"), max(count, 1), skew)
