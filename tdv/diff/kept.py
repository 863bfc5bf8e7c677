"""The first rows that stay, in the columns that only one state has, or that have types that cannot be compared.

In: both states of a table. Out: `Kept` rows. Always holds: values that are equal although their types differ make no
row; only as many parts are read as it takes to find the rows that are kept, all of them only where values of another
type are compared, or to count the rows that an expression is true of; other columns are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import one_chunk
from tdv.diff.cells import Mask
from tdv.diff.expression import columns_of
from tdv.diff.filtering import Filter
from tdv.diff.matching import Positions
from tdv.diff.pair import Pair
from tdv.diff.rows import Plan
from tdv.diff.shared import Shared, shared_rows, units
from tdv.model.diff import TableChange
from tdv.model.schema import TableSchema

_MANY: Final = 500
"""Rows that are kept where the plan keeps all."""
_NONE: Final = np.empty(0, np.int64)
Masks = Mapping[str, Mask]


@dataclass(frozen=True, slots=True)
class Kept:
    """`count` rows stay; of the first of them, what tells them apart and the columns `lost` and `gained`.

    What tells them apart is the key, without one all columns that can be compared. A column that is both lost and
    gained has another type; `same` says in which of these rows its values are equal. Where no other column came or
    went, only rows that differ in one count.
    """

    count: int
    lost: tuple[str, ...]
    gained: tuple[str, ...]
    old: pa.Table
    new: pa.Table
    same: Masks


def kept_rows(pair: Pair, plan: Plan, change: TableChange) -> Kept | None:
    """The rows of both states that stay; None where all columns that count can be compared, or have equal values."""
    lost, gained = (tuple(name for name in names if plan.compares(name)) for names in (pair.lost, pair.gained))
    if not (lost or gained):
        return None
    retyped = [name for name in gained if name in lost]
    is_told_whole = len(retyped) < len({*lost, *gained})
    is_counted = bool(plan.where is not None or not pair.common.key or retyped)
    first = _First(_MANY if plan.limit is None else plan.limit)
    count, differing = 0, set[str]()
    for shared in _found(pair, plan):
        if not first.room and not is_counted:
            break
        masks = _differing(pair, shared, retyped, plan.tolerance)
        differing |= {name for name, mask in masks.items() if mask.any()}
        at = np.arange(len(shared)) if is_told_whole else np.flatnonzero(np.logical_or.reduce(list(masks.values())))
        count += len(at)
        first.add(shared, masks, at)
    if not (is_told_whole or count):
        return None
    equal = set(retyped) - differing
    lost, gained = (tuple(name for name in names if name not in equal) for names in (lost, gained))
    return first.kept(pair, count if is_counted else pair.new.manifest.rows - change.added, lost, gained)


@dataclass(slots=True)
class _First:
    """The first rows, as long as there is room, and where their values of another type differ."""

    room: int
    shared: list[Shared] = field(default_factory=list)
    differ: list[Masks] = field(default_factory=list)

    def add(self, shared: Shared, masks: Masks, at: Positions) -> None:
        """Keeps what there is room for of the rows at these positions."""
        first = at[: self.room]
        if len(first):
            self.shared.append(shared.taken(first))
            self.differ.append({name: mask[first] for name, mask in masks.items()})
            self.room -= len(first)

    def kept(self, pair: Pair, count: int, lost: tuple[str, ...], gained: tuple[str, ...]) -> Kept:
        """These rows with their values."""
        names = pair.common.key or pair.common.column_names
        before, after = [*names, *lost], [*names, *gained]
        old = [pair.old.rows((), _NONE, before), *(shared.old(pair, before) for shared in self.shared)]
        new = [pair.new.rows((), _NONE, after), *(shared.new(pair, after) for shared in self.shared)]
        retyped = [name for name in gained if name in lost] if self.differ else []
        same = {name: ~np.concatenate([masks[name] for masks in self.differ]) for name in retyped}
        return Kept(count, lost, gained, _joined(old), _joined(new), same)


def _differing(pair: Pair, shared: Shared, retyped: Sequence[str], tolerance: float) -> Masks:
    """Where the values of columns of another type differ."""
    if not retyped:
        return {}
    # Most tables keep the types of their columns.
    from tdv.diff.across import unequal_across

    old, new = shared.old(pair, retyped), shared.new(pair, retyped)
    kinds = {name: (pair.old.schema.column(name).type, pair.new.schema.column(name).type) for name in retyped}
    return {
        name: unequal_across(one_chunk(old.column(name)), one_chunk(new.column(name)), kinds[name], tolerance)
        for name in retyped
    }


def _found(pair: Pair, plan: Plan) -> Iterator[Shared]:
    if plan.where is None:
        yield from (shared_rows(pair, stretch) for stretch in units(pair))
        return
    asked = [_asked(schema, columns_of(plan.where)) for schema in (pair.old.schema, pair.new.schema)]
    with Filter(plan.where) as keep:
        for stretch in units(pair):
            shared = shared_rows(pair, stretch)
            before = keep.positions(shared.old(pair, asked[0].column_names), asked[0])
            after = keep.positions(shared.new(pair, asked[1].column_names), asked[1])
            yield shared.taken(np.union1d(before, after))


def _asked(schema: TableSchema, names: Sequence[str]) -> TableSchema:
    """What an expression asks of a table: its columns, or any one where it names none."""
    wanted = {name.casefold() for name in (*names, *(name.partition(".")[0] for name in names))}
    columns = tuple(column for column in schema.columns if column.name.casefold() in wanted)
    return TableSchema(schema.name, columns or schema.columns[:1])


def _joined(tables: Sequence[pa.Table]) -> pa.Table:
    return pa.concat_tables(tables).combine_chunks()
