"""How the schema of a table comes out of migrations.

In: the schema that the spec declares, and what the database says before and after. Out: the schema to declare.
Always holds: only what differs *in the database* is changed, so that a type that an engine keeps as another one, or a
rule that it does not know, stays as the spec has it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from tdv.model.schema import Column, Reference, Rules, TableSchema
from tdv.model.types import LogicalType
from tdv.upgrade.names import Names

_NUMBERS: Final = frozenset({"int16", "int32", "int64", "decimal", "float64"})
_MOMENTS: Final = frozenset({"date", "time", "timestamp", "timestamptz"})
_OF_TEXT: Final = ("pattern", "format", "min_length", "max_length")
_OF_DATABASE: Final = ("enum", "max_length")
"""Rules that a database can say."""


def changed(declared: Column, before: Column | None, after: Column) -> Column:
    """The column as the spec will declare it; `before` is None where the database did not have it."""
    if before is None:
        return replace(after, privacy=declared.privacy, description=declared.description)
    kind = _type(declared.type, before.type, after.type)
    nullable = after.nullable if after.nullable != before.nullable else declared.nullable
    rules = _fitting(_rules(declared.rules, before.rules, after.rules), kind)
    return replace(declared, name=after.name, type=kind, nullable=nullable, rules=rules)


def _type(declared: LogicalType, before: LogicalType, after: LogicalType) -> LogicalType:
    """Where the spec says it more exactly than the database, a change among types of one kind is no change of it."""
    if before == after or declared == after:
        return declared
    if declared == before:
        return after
    both_numbers = {before.name, after.name} <= _NUMBERS
    return declared if before.name == after.name or both_numbers else after


def _rules(declared: Rules, before: Rules, after: Rules) -> Rules:
    found = declared
    for word in _OF_DATABASE:
        own, old, new = (getattr(rules, word) for rules in (declared, before, after))
        if old != new and own == old:
            found = replace(found, **{word: new})
    return found


def _fitting(rules: Rules, kind: LogicalType) -> Rules:
    """Without the rules that mean nothing for the type."""
    found = rules
    if kind.name != "string":
        found = replace(found, **dict.fromkeys(_OF_TEXT))
    if kind.name not in _NUMBERS | _MOMENTS:
        found = replace(found, minimum=None, maximum=None)
    return found


def with_values(column: Column, values: Sequence[str], *, has_nulls: bool) -> Column:
    """The column with what its new values need: NULL where there is one, and members of its enumeration."""
    found = replace(column, nullable=column.nullable or has_nulls)
    if column.rules.enum is not None and column.type.name == "string":
        more = [value for value in dict.fromkeys(values) if value not in column.rules.enum]
        found = replace(found, rules=replace(column.rules, enum=(*column.rules.enum, *more)))
    return found


def constrained(
    table: TableSchema, declared: TableSchema, sides: tuple[TableSchema, TableSchema], names: Names
) -> TableSchema:
    """`table`, which has its columns already, with key, unique sets and references; `sides` are the database's before
    and after."""
    before, after = sides
    columns = names.columns.get(declared.name, {})
    held = set(table.column_names)
    key = _renamed(declared.key, columns)
    if _renamed(before.key, columns) != after.key or not set(key) <= held:
        key = after.key
    old, new = ({_renamed(unique, columns) for unique in before.uniques}, set(after.uniques))
    uniques = [_renamed(unique, columns) for unique in declared.uniques]
    kept = [unique for unique in uniques if set(unique) <= held and unique not in old - new]
    added = [unique for unique in after.uniques if unique not in old and unique not in kept]
    return replace(
        table,
        key=key,
        uniques=tuple(unique for unique in (*kept, *added) if unique != key),
        references=_references(declared, sides, names, held),
    )


def _references(
    declared: TableSchema, sides: tuple[TableSchema, TableSchema], names: Names, held: set[str]
) -> tuple[Reference, ...]:
    before, after = sides
    old = {moved_reference(reference, declared.name, names) for reference in before.references}
    new = set(after.references)
    own = [moved_reference(reference, declared.name, names) for reference in declared.references]
    kept = [reference for reference in own if set(reference.columns) <= held and reference not in old - new]
    return (*kept, *(item for item in after.references if item not in old and item not in kept))


def moved_reference(reference: Reference, table: str, names: Names) -> Reference:
    """A reference of the table called `table` before, with the names of now."""
    if reference.dataset is not None:
        return replace(reference, columns=_renamed(reference.columns, names.columns.get(table, {})))
    return Reference(
        _renamed(reference.columns, names.columns.get(table, {})),
        names.tables.get(reference.table, reference.table),
        _renamed(reference.to, names.columns.get(reference.table, {})),
    )


def _renamed(columns: Sequence[str], names: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(names.get(name, name) for name in columns)
