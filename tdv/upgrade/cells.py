"""One hand-written row in a format that names each value: JSON Lines, YAML, a row of a scenario.

In: the names that a row mentions, and where the row went. Out: `Cells`, what becomes of each name. Always holds: a
value that the migrations left alone keeps what stands there; a column that the row does not mention is added only
where its value is not what would be there anyway.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from tdv.documents.edit import Change
from tdv.spec.text import flow
from tdv.upgrade.moves import Move

_NUMBERS: Final = frozenset({"int16", "int32", "int64", "decimal"})


@dataclass(frozen=True, slots=True)
class Cells:
    """`removed` and `renamed` are by name in the row; `values` are new ones by the name in the row, `added` by the
    name of the column."""

    removed: frozenset[str] = frozenset()
    renamed: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    added: Mapping[str, Any] = field(default_factory=dict)

    def change(self) -> Change:
        """The same as a change of a YAML mapping."""
        return Change(
            removed=self.removed,
            renamed={old: flow(new) for old, new in self.renamed.items()},
            replaced={old: flow(value) for old, value in self.values.items()},
            added=[(flow(name), flow(value)) for name, value in self.added.items()],
        )


@dataclass(frozen=True, slots=True)
class RowRules:
    """`stands` says whether the text in a cell still means the value, although the type is another one;
    `implied` whether a column that is left out has its value by itself."""

    stands: Callable[[str, str], bool] = lambda column, name: False
    implied: Callable[[str], bool] = lambda column: False


def cells(move: Move, row: int, names: Collection[str], rules: RowRules) -> Cells:
    """What becomes of a row before that is still there and mentions `names`."""
    place = move.to[row]
    new_names = move.new_names
    removed = frozenset(name for name in names if name in move.before.column_names and name not in new_names)
    renamed = {name: new_names[name] for name in names if new_names.get(name, name) != name}
    values = {
        name: move.plain(new_names[name], place)
        for name in names
        if name in new_names and not _stays(move, row, name, rules)
    }
    said = {new_names.get(name, name) for name in names} - removed
    added = {}
    for column in move.after.schema.column_names:
        if column in said or rules.implied(column) or _is_derived(move, row, column):
            continue
        value = move.plain(column, place)
        if value is not None:
            added[column] = value
    return Cells(removed, renamed, values, added)


def _stays(move: Move, row: int, name: str, rules: RowRules) -> bool:
    column = move.new_names[name]
    kinds = {move.before.column(name).type, move.after.schema.column(column).type}
    alike = len(kinds) == 1 or {kind.name for kind in kinds} <= _NUMBERS
    return (move.is_same(column, row) and alike) or rules.stands(column, name)


def _is_derived(move: Move, row: int, column: str) -> bool:
    old = move.after.columns.get(column)
    return old in move.derived and move.is_same(column, row)
