"""What is there, in databases where others have tables and columns of types that tdv does not have.

In: a target, or columns as an engine describes them, None for those without a type. Out: schemas, with what was
left out of them. Always holds: a column without a type is left out or refused by name, never read as another one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, cast

from tdv.errors import DataError
from tdv.model.schema import Column, DatasetSchema, TableSchema
from tdv.targets.fitting import Theirs
from tdv.targets.protocol import Shared, Target

_SHOWN: Final = 200


def inspected(target: Target, model: Sequence[TableSchema]) -> Sequence[TableSchema]:
    """What is there of the tables of `model`, whatever tables and columns of others are there, too; may hold others."""
    found = target.inspect_known(model) if isinstance(target, Shared) else target.inspect()
    return found.tables


def with_others(target: Shared, model: Sequence[TableSchema]) -> list[TableSchema]:
    """`model`, and all other tables that are there, of whose columns nothing is known."""
    known = {table.name for table in model}
    return [*model, *(TableSchema(name, ()) for name in target.table_names() if name not in known)]


def surveyed(target: Target, model: Sequence[TableSchema]) -> tuple[DatasetSchema, tuple[str, ...]]:
    """All tables that are there, and the columns that are left out: those that `model` lacks and that have no type."""
    try:
        return target.inspect(), ()
    except DataError as exc:
        return _of_known_types(target, model, exc)


def copyable(target: Target) -> tuple[DatasetSchema, tuple[str, ...]]:
    """All tables that are there, and the columns that are left out: those that have no type.

    Raises `DataError` where a row cannot do without one of these, so that no copy could be loaded there again.
    """
    try:
        return target.inspect(), ()
    except DataError as exc:
        if needed := cast(Sequence[str], exc.facts.get("needed", ())):
            raise DataError(
                f"there is no type for {', '.join(needed)}, without which there is no row",
                hint="Columns that take NULL or have a default are left out: change these, or describe the dataset "
                "by hand: tdv new NAME.",
            ) from exc
        return _of_known_types(target, (), exc)


def _of_known_types(
    target: Target, model: Sequence[TableSchema], refused: DataError
) -> tuple[DatasetSchema, tuple[str, ...]]:
    """What `refused` leaves to look at; raises an error where it is about more than columns that `model` lacks."""
    if not isinstance(target, Shared):
        raise refused
    # This raises again unless all that was refused are columns of others.
    found = target.inspect_known(with_others(target, model))
    return found, tuple(cast(Sequence[str], refused.facts.get("columns", ())))


def without_others(
    columns: Mapping[str, list[Theirs]], described: Mapping[str, list[Column | None]], model: Sequence[TableSchema]
) -> tuple[dict[str, list[Theirs]], dict[str, list[Column | None]]]:
    """The columns of each table and how they are described, without those that `model` lacks and that have no type."""
    known = {table.name: table.column_names for table in model}
    pairs = {
        table: [(t, c) for t, c in zip(found, described[table], strict=True) if c is not None or t.name in known[table]]
        for table, found in columns.items()
    }
    theirs = {table: [their for their, _ in found] for table, found in pairs.items()}
    return theirs, {table: [column for _, column in found] for table, found in pairs.items()}


def refuse_unknown(columns: Mapping[str, list[Theirs]], described: Mapping[str, list[Column | None]]) -> None:
    """Raises `DataError` for columns of a type without a match, which are described as None, all at once."""
    unknown = [
        (f"{table}.{their.name} ({their.type})", their)
        for table, found in columns.items()
        for their, column in zip(found, described[table], strict=True)
        if column is None
    ]
    if unknown:
        raise DataError(
            f"there is no type for {', '.join(name for name, _ in unknown)}",
            hint="Change the columns, or describe the dataset by hand without them: tdv new NAME.",
            columns=[name for name, _ in unknown],
            needed=[name for name, their in unknown if their.needs_value],
        )


def left_out(rule: str, table: str, sql: str, engine: str, *, has_place: bool = True) -> str:
    """A phrase for a rule in the SQL of an engine, that no spec is given unread; `has_place` if it could hold it."""
    words = " ".join(sql.split())
    shown = words if len(words) <= _SHOWN else f"{words[: _SHOWN - 1]}…"
    where = "; write it under `checks:`" if has_place else ", and a spec has no place for it"
    return f"the {rule} of {table}, {shown}: it is in {engine}'s SQL{where}"
