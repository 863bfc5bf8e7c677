"""Rows added, removed and changed between two states of a table.

In: two snapshots, a table's name, a `Plan`. Out: a `TableDiff`. Always holds: parts of equal digest are left out on
both sides; parts with the same keys are compared column by column where leaves differ; rows of other parts are
matched by key stretch by stretch, so that memory is that of a few parts. NULL equals NULL and NaN equals NaN.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

import numpy as np
import pyarrow as pa

from tdv.content.arrow import one_chunk
from tdv.content.snapshot import Snapshot
from tdv.diff.alignment import Stretch, stretches
from tdv.diff.bags import compare_bags
from tdv.diff.cells import Mask, unequal
from tdv.diff.filtering import Filter
from tdv.diff.matching import Positions, matched, picked, rest
from tdv.diff.pair import Pair, Side
from tdv.diff.pieces import Piece, Values, table_diff
from tdv.diff.value import TableDiff
from tdv.model.diff import TableChange
from tdv.model.manifest import Part

_THREADS: Final = min(4, os.cpu_count() or 1)
_TOGETHER: Final = 4
In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class Plan:
    """How to compare. `limit` is how many rows of each kind are kept (None: all); counts are always whole.

    `columns` (None: all) and `ignore` choose what is compared; `tolerance` is that of `cells.unequal`; `where` is an
    SQL expression, and rows that it is not true of are neither counted nor kept. `whole` keeps the values of columns
    that only one state has, so that the diff can be applied.
    """

    limit: int | None = None
    columns: frozenset[str] | None = None
    ignore: frozenset[str] = field(default_factory=frozenset)
    tolerance: float = 0.0
    where: str | None = None
    whole: bool = False

    def compares(self, column: str) -> bool:
        """Whether the values of a column count."""
        return (self.columns is None or column in self.columns) and column not in self.ignore

    def first(self, at: Positions) -> Positions:
        """As many positions as are kept."""
        return at if self.limit is None else at[: self.limit]


def compare_rows(old: Snapshot, new: Snapshot, table: str, plan: Plan) -> TableDiff:
    """Compares the rows of a table that both snapshots have; raises `IntegrityError` for a damaged part."""
    pair = Pair.of(old, new, table)
    pieces = tuple(_pieces(pair, plan))
    return table_diff(pair, _counts(pair, pieces), pieces, plan.limit)


def stream_rows(old: Snapshot, new: Snapshot, table: str, plan: Plan) -> Iterator[TableDiff]:
    """The same, stretch by stretch, so that no more than the rows of one are held; `limit` is that of each."""
    pair = Pair.of(old, new, table)
    for piece in _pieces(pair, plan):
        yield table_diff(pair, _counts(pair, (piece,)), (piece,), plan.limit)


def _pieces(pair: Pair, plan: Plan) -> Iterator[Piece]:
    if pair.old.manifest.digest == pair.new.manifest.digest and not (plan.whole and (pair.lost or pair.gained)):
        return
    if plan.where is None:
        yield from _compared(pair, plan)
        return
    with Filter(plan.where) as keep:
        # What is left cannot be known before all rows were looked at.
        for piece in _compared(pair, replace(plan, limit=None)):
            yield keep.piece(pair, piece, plan.limit)


def _compared(pair: Pair, plan: Plan) -> Iterator[Piece]:
    if not pair.common.key:
        return compare_bags(pair, plan.compares, plan.limit, whole=plan.whole)
    units = stretches(pair.old.manifest.parts, pair.new.manifest.parts, pair.common.key)
    return _in_threads(lambda stretch: _compare(pair, stretch, plan), units)


def _in_threads(work: Callable[[In], Out], items: Iterable[In]) -> Iterator[Out]:
    """The results in order; no more items are at work than there are threads, and one more."""
    waiting: deque[Future[Out]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for item in items:
            waiting.append(pool.submit(work, item))
            if len(waiting) > _THREADS:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _counts(pair: Pair, pieces: Iterable[Piece]) -> TableChange:
    added = removed = changed = 0
    cells: dict[str, int] = {}
    for piece in pieces:
        added, removed, changed = added + piece.added, removed + piece.removed, changed + piece.changed
        for name, count in piece.cells.items():
            cells[name] = cells.get(name, 0) + count
    return TableChange(
        added, removed, changed, {name: cells[name] for name in pair.common.column_names if name in cells}
    )


def _compare(pair: Pair, stretch: Stretch, plan: Plan) -> Piece:
    names = [name for name in pair.common.column_names if name not in pair.common.key and plan.compares(name)]
    if stretch.aligned:
        (old,), (new,) = stretch.old, stretch.new
        names = [name for name in names if pair.may_differ(old, new, name)]
        everything = np.arange(new.rows)
        return _piece(pair, stretch, plan, names, (everything, everything))
    old_at, new_at = matched(pair.old.keys(stretch.old), pair.new.keys(stretch.new), pair.common)
    return _piece(pair, stretch, plan, names, (old_at, new_at))


def _piece(pair: Pair, stretch: Stretch, plan: Plan, names: list[str], at: tuple[Positions, Positions]) -> Piece:
    """Compares the rows at the positions `at`, which have equal keys; all others were added or removed."""
    old_at, new_at = at
    masks = {}
    values: dict[str, tuple[pa.Array, pa.Array]] = {}
    old_column, new_column = _columns(pair.old, stretch.old, names), _columns(pair.new, stretch.new, names)
    for name in names:
        before, after = _among(old_column(name), old_at), _among(new_column(name), new_at)
        mask = unequal(before, after, pair.common.column(name).type, plan.tolerance)
        if mask.any():
            masks[name] = mask
            shown = plan.first(np.flatnonzero(mask))
            values[name] = picked(before, shown), picked(after, shown)
    gone = rest(sum(part.rows for part in stretch.old), old_at)
    come = rest(sum(part.rows for part in stretch.new), new_at)
    changed = np.flatnonzero(_any(masks, len(new_at)))
    keep = plan.first(changed)
    piece = Piece(len(come), len(gone), len(changed), {name: int(mask.sum()) for name, mask in masks.items()})
    if plan.limit != 0:
        piece.removed_rows = pair.old.rows(stretch.old, plan.first(gone))
        piece.added_rows = pair.new.rows(stretch.new, plan.first(come))
        if len(keep):
            piece.keys = picked(pair.new.keys(stretch.new), new_at[keep])
            piece.values = {name: _values(keep, masks[name], values[name]) for name in masks}
    if plan.whole:
        piece.lost = _own(pair, stretch, old_at, old=True)
        piece.gained = _own(pair, stretch, new_at, old=False)
    return piece


def _columns(side: Side, parts: Sequence[Part], names: list[str]) -> Callable[[str], pa.Array]:
    """Reads columns: of few parts all at once, since opening a file costs; of many one by one, to bound memory."""
    if len(parts) > _TOGETHER:
        return lambda name: one_chunk(side.read(parts, [name]).column(0))
    table = side.read(parts, names)
    return lambda name: one_chunk(table.column(name))


def _among(array: pa.Array, at: Positions) -> pa.Array:
    return array if len(at) == len(array) else picked(array, at)


def _any(masks: dict[str, Mask], length: int) -> Mask:
    changed = np.zeros(length, np.bool_)
    for mask in masks.values():
        changed |= mask
    return changed


def _values(keep: Positions, mask: Mask, values: tuple[pa.Array, pa.Array]) -> Values:
    """The cells of one column in the rows that are kept; `values` are those of its first changed rows."""
    at = np.flatnonzero(mask)[: len(values[0])]
    inside = np.flatnonzero(np.isin(at, keep, assume_unique=True))
    before, after = (picked(array, inside) for array in values)
    return Values(np.searchsorted(keep, at[inside]), before, after)


def _own(pair: Pair, stretch: Stretch, at: Positions, *, old: bool) -> pa.Table | None:
    """The key and the columns that only one state has, of the rows that both have."""
    side, parts, columns = (pair.old, stretch.old, pair.lost) if old else (pair.new, stretch.new, pair.gained)
    return side.rows(parts, at, [*pair.common.key, *columns]) if columns else None
