"""A live target's tables as they are declared, for a script that is to change them.

In: the tables of a state, and those that the target tells. Out: schemas to read the target's rows with. Always holds:
of tables that tdv made, everything counts that the engine keeps; of tables that others made only what would refuse the
rows of the state, so that no script takes away what an application declared.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from tdv.diff.value import common_type
from tdv.model.schema import Column, Reference, TableSchema
from tdv.project.narrower import is_short
from tdv.targets.dialect import Dialect
from tdv.targets.protocol import Target

_TABLE: Final = "table "


@dataclass(frozen=True, slots=True)
class Declared:
    """`ours` are the tables that tdv made."""

    dialect: Dialect
    ours: frozenset[str]

    @classmethod
    def of(cls, target: Target, dialect: Dialect) -> Declared:
        """What the target says that it holds."""
        names = (name for held in target.held() for name in held.objects)
        return cls(dialect, frozenset(name.removeprefix(_TABLE) for name in names if name.startswith(_TABLE)))

    def describe(self, wanted: TableSchema, found: TableSchema) -> TableSchema:
        """`wanted`, a table in the words of a state, as it is declared in the target."""
        columns = tuple(self._column(column, found) for column in wanted.columns)
        if wanted.name not in self.ours:
            return replace(wanted, columns=columns)
        references = tuple(_named(reference, wanted.references) for reference in found.references)
        return replace(wanted, columns=columns, key=found.key, uniques=found.uniques, references=references)

    def _column(self, column: Column, table: TableSchema) -> Column:
        found = table.column(column.name)
        # A narrower type refuses values of the state, or rounds them without a word.
        is_held = common_type(found.type, column.type) == found.type or self.dialect.holds(found.type, column.type)
        kind = column.type if is_held else found.type
        rules = replace(column.rules, max_length=found.rules.max_length)
        if table.name in self.ours:
            return replace(column, type=kind, nullable=found.nullable, rules=rules)
        nullable = column.nullable and found.nullable
        return replace(
            column, type=kind, nullable=nullable, rules=rules if is_short(self.dialect, found, column) else column.rules
        )


def _named(reference: Reference, known: Iterable[Reference]) -> Reference:
    """With the dataset that the state says it points to."""
    return next((other for other in known if replace(other, dataset=None) == reference), reference)
