"""The first rows that stay, in the columns that only one state has, or that have types that cannot be compared.

In: both states of a table. Out: `Kept` rows. Always holds: only as many parts are read as it takes to find the rows
that are kept, all of them only to count those that an expression is true of; other columns are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.diff.expression import columns_of
from tdv.diff.filtering import Filter
from tdv.diff.pair import Pair
from tdv.diff.rows import Plan
from tdv.diff.shared import Shared, shared_rows, units
from tdv.model.diff import TableChange
from tdv.model.schema import TableSchema

_MANY: Final = 500
"""Rows that are kept where the plan keeps all."""


@dataclass(frozen=True, slots=True)
class Kept:
    """`count` rows stay; of the first of them, what tells them apart and the columns `lost` and `gained`.

    What tells them apart is the key, without one all columns that can be compared.
    """

    count: int
    lost: tuple[str, ...]
    gained: tuple[str, ...]
    old: pa.Table
    new: pa.Table


def kept_rows(pair: Pair, plan: Plan, change: TableChange) -> Kept | None:
    """The rows of both states that stay; None where all columns that count can be compared."""
    lost = tuple(name for name in pair.lost if plan.compares(name))
    gained = tuple(name for name in pair.gained if plan.compares(name))
    if not (lost or gained):
        return None
    room, count = _MANY if plan.limit is None else plan.limit, 0
    is_counted = plan.where is not None or not pair.common.key
    names = pair.common.key or pair.common.column_names
    old, new = [pair.old.rows((), _NONE, [*names, *lost])], [pair.new.rows((), _NONE, [*names, *gained])]
    for shared in _found(pair, plan):
        if not room and not is_counted:
            break
        count += len(shared)
        first = shared.taken(np.arange(min(room, len(shared))))
        if len(first):
            old.append(first.old(pair, [*names, *lost]))
            new.append(first.new(pair, [*names, *gained]))
            room -= len(first)
    count = count if is_counted else pair.new.manifest.rows - change.added
    return Kept(count, lost, gained, _joined(old), _joined(new))


_NONE: Final = np.empty(0, np.int64)


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
