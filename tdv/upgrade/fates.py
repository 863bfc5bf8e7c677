"""What becomes of the generator of each column.

In: a table of the spec, and where its generated rows went. Out: `Fates`. Always holds: a generator is kept only where
every generated row holds what it made; what no generator of the spec can make is named with its reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from tdv.model.spec import TableSpec
from tdv.upgrade.moves import GONE, Move

WHOLE: Final = ""
"""Stands for the table itself among the columns that are lost."""


@dataclass(frozen=True, slots=True)
class Fates:
    """By column as it is named now: the constant that makes it, no generator at all, or why none can make it."""

    constants: Mapping[str, Any] = field(default_factory=dict)
    dropped: frozenset[str] = frozenset()
    lost: Mapping[str, str] = field(default_factory=dict)


def fates(move: Move, table: TableSpec, generated: Sequence[int]) -> Fates:
    """Looks at every column; `generated` are the places before of the generated rows."""
    if not table.rows:
        return Fates()
    lost = _lost_rows(move, table, generated)
    kept = [row for row in generated if move.to[row] != GONE]
    constants: dict[str, Any] = {}
    dropped = set()
    for column in move.after.schema.column_names:
        old = move.after.columns.get(column)
        from_factory = table.factory is not None and (old is None or old not in table.generators)
        if old is not None and all(move.is_same(column, row) for row in kept):
            if from_factory and old != column:
                lost[column] = f"the factory {table.factory} makes it as {old}"
            continue
        values = {move.text(column, move.to[row]) for row in kept}
        if len(values) > 1:
            lost[column] = "its values differ from row to row" if old is None else "its generated values changed"
        elif values == {None} and not from_factory:
            dropped.add(column)
        elif values:
            constants[column] = move.plain(column, move.to[kept[0]])
    return Fates(constants, frozenset(dropped), lost)


def _lost_rows(move: Move, table: TableSpec, generated: Sequence[int]) -> dict[str, str]:
    gone = sum(move.to[row] == GONE for row in generated)
    if gone:
        return {WHOLE: f"{gone} of its generated rows are gone"}
    made = [name for name in move.before.column_names if name not in table.generators]
    missing = [name for name in made if name not in move.new_names]
    if table.factory is not None and missing:
        return {WHOLE: f"the factory {table.factory} makes {', '.join(missing)}, which is gone"}
    return {}
