"""Whether the rows of a table fit into one that somebody else made.

In: the columns of both, and which types hold which. Out: the columns to fill, or one `Refused` that names every
difference. Always holds: a further column is no difference where it can do without a value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar, cast

from tdv.errors import Refused
from tdv.frozen import dataclass
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType

_T = TypeVar("_T")
REFERENCED: Final = "Load the dataset that holds the referenced rows first, or with this one."
"""What helps where a reference points to nothing: that to a table of the load was proved by its build."""
MISFITS: Final = "misfits"
"""The fact of an error that holds what does not fit."""
Misfits = Sequence[tuple[str, str | None]]
"""Tables and their columns, None for a table as a whole."""
_HOLDS_MORE: Final = frozenset({("int16", "int32"), ("int16", "int64"), ("int32", "int64")})


@dataclass(frozen=True, slots=True)
class Theirs:
    """One column of a table as the target has it; `type` and `kind` are in the engine's words."""

    name: str
    type: str
    kind: str
    not_null: bool
    has_default: bool
    generated: bool

    @property
    def needs_value(self) -> bool:
        """True where a new row cannot leave the column out."""
        return self.not_null and not (self.has_default or self.generated)


def fitted(table: TableSchema, theirs: Iterable[Theirs], holds: Callable[[Theirs, Column], bool]) -> tuple[Column, ...]:
    """The columns to fill, generated ones left out; raises `Refused` with all differences."""
    found = {column.name: column for column in theirs}
    differences = {**_unfit(table.columns, found, holds), **_needed(table, found.values())}
    if differences:
        raise other_schema(table.name, differences.values(), differences)
    return tuple(column for column in table.columns if not found[column.name].generated)


def all_fitting(tables: Mapping[str, Callable[[], _T]]) -> dict[str, _T]:
    """What each of these gives for its table; raises one `Refused` with the differences of all tables."""
    found, problems = {}, []
    for name, fit in tables.items():
        try:
            found[name] = fit()
        except Refused as problem:
            problems.append(problem)
    if len(problems) > 1:
        raise Refused(
            "; ".join(problem.message for problem in problems),
            hint=problems[0].hint,
            table=problems[0].facts["table"],
            misfits=[misfit for problem in problems for misfit in cast(Misfits, problem.facts[MISFITS])],
        )
    if problems:
        raise problems[0]
    return found


def fits(look: Callable[[], object]) -> bool:
    """Whether `look`, which asks for the columns to fill of a table, finds no difference."""
    try:
        look()
    except Refused:
        return False
    return True


def differences(missing: Iterable[str], needed: Iterable[str]) -> Iterator[str]:
    """What is said of columns that a table lacks, and of those of it that need values."""
    if lacks := ", ".join(map(repr, missing)):
        yield f"it lacks {lacks}"
    if needs := ", ".join(map(repr, needed)):
        yield f"it needs values for {needs}"


def other_schema(table: str, differences: Iterable[str], columns: Iterable[str]) -> Refused:
    """The error for a table of these differences, which lie in these columns."""
    return Refused(
        f"table {table!r} of the target has another schema: {'; '.join(differences)}",
        hint="Migrate the target to the schema of this version, or add --replace to make the table anew.",
        table=table,
        misfits=[(table, column) for column in columns],
    )


def is_as_wide(kind: LogicalType, wanted: LogicalType) -> bool:
    """True for the same type, an integer of more bytes, or a decimal of the same scale with more digits."""
    if kind == wanted or (wanted.name, kind.name) in _HOLDS_MORE:
        return True
    return kind.name == wanted.name == "decimal" and kind.scale == wanted.scale and kind.precision >= wanted.precision


def _unfit(
    columns: Iterable[Column], theirs: Mapping[str, Theirs], holds: Callable[[Theirs, Column], bool]
) -> dict[str, str]:
    found = {}
    for column in columns:
        their = theirs.get(column.name)
        if their is None:
            found[column.name] = f"it lacks {column.name!r}"
        elif not holds(their, column):
            found[column.name] = f"{column.name!r} is {their.type}, not {column.type}"
        elif their.not_null and column.nullable:
            found[column.name] = f"{column.name!r} takes no NULL"
    return found


def _needed(table: TableSchema, theirs: Iterable[Theirs]) -> dict[str, str]:
    own = set(table.column_names)
    return {
        their.name: f"it needs values for {their.name!r}"
        for their in theirs
        if their.name not in own and their.needs_value
    }
