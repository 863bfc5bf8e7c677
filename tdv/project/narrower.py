"""What the columns of a live target are declared as, where that takes less than the state it is compared with.

In: tables in the words of a state, and as the target tells them. Out: a sentence. Always holds: what a checkout
declares, and a type that the engine merely spells in its own way, is not told of; what is told is no difference, since
the rows are the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from tdv.diff.value import common_type
from tdv.model.schema import Column, TableSchema
from tdv.targets.dialect import Dialect, definition

_WATCH_LENGTHS: Final = frozenset({"postgresql", "mysql"})
"""The engines in which the length of a text that a column declares is more than a word."""
_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Narrower:
    """Collects what is narrower while the tables of a target are described; nothing of an engine without a schema.

    `rounding` is what columns, each with its table, do to some values.
    """

    dialect: Dialect | None
    rounding: Mapping[tuple[str, str], str] = field(default_factory=dict)
    found: list[str] = field(default_factory=list)

    def describe(self, wanted: TableSchema, found: TableSchema) -> TableSchema:
        """The table as the state has it: what is compared with a live target is its tables, columns and rows."""
        if self.dialect is not None:
            self.found.extend(_narrower(self.dialect, wanted, found))
            done = ((name, self.rounding.get((wanted.name, name))) for name in wanted.column_names)
            self.found.extend(f"{wanted.name}.{name} {what}" for name, what in done if what)
        return wanted

    def note(self, target: str, state: str) -> tuple[str, ...]:
        """One sentence about all columns, none where there is nothing to say."""
        more = f" and {len(self.found) - _SHOWN} more" if len(self.found) > _SHOWN else ""
        named = "; ".join(self.found[:_SHOWN])
        return (f"{target} is declared to take less than {state}: {named}{more}.",) if self.found else ()


def _narrower(dialect: Dialect, wanted: TableSchema, found: TableSchema) -> Iterator[str]:
    for column in wanted.columns:
        theirs = found.column(column.name)
        if not _holds(dialect, theirs, column) and _differs(dialect, wanted, replace(column, type=theirs.type)):
            yield f"{wanted.name}.{column.name} is {theirs.type}, not {column.type}"
        elif is_short(dialect, theirs, column) and _differs(dialect, wanted, replace(column, rules=theirs.rules)):
            yield f"{wanted.name}.{column.name} takes {theirs.rules.max_length} characters"


def _holds(dialect: Dialect, theirs: Column, column: Column) -> bool:
    """A text takes the values of every type in its own form, and is none of them."""
    is_text = theirs.type.name == "string"
    return common_type(theirs.type, column.type) == theirs.type or (
        not is_text and dialect.holds(theirs.type, column.type)
    )


def is_short(dialect: Dialect, theirs: Column, column: Column) -> bool:
    """Whether the column of a target refuses texts of the state for their length."""
    length, wanted = theirs.rules.max_length, column.rules.max_length
    return dialect.name in _WATCH_LENGTHS and length is not None and (wanted is None or length < wanted)


def _differs(dialect: Dialect, table: TableSchema, column: Column) -> bool:
    """Whether the engine has other words for a table with this column in the place of its own."""
    columns = tuple(column if own.name == column.name else own for own in table.columns)
    known = frozenset({table.name})
    return definition(dialect, table, known) != definition(dialect, replace(table, columns=columns), known)
