"""The rules that compare two schemas.

In: two `DatasetSchema`s. Out: findings, table by table in the order of the older one. Always holds: order,
descriptions and privacy are no difference.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from tdv.diff.findings import Rules
from tdv.diff.value import common_type
from tdv.model.diff import Finding
from tdv.model.schema import Column, DatasetSchema, TableSchema


def compare_schema(old: DatasetSchema, new: DatasetSchema, rules: Rules) -> Iterator[Finding]:
    """What a user of the old schema would meet in the new one."""
    before = {table.name: table for table in old.tables}
    after = {table.name: table for table in new.tables}
    for name, table in before.items():
        if name in after:
            yield from _table(table, after[name], rules)
        else:
            yield rules.found("table-removed", "the table is gone", name)
    for name in after:
        if name not in before:
            yield rules.found("table-added", "the table is new", name)
    if set(old.invariants) != set(new.invariants):
        yield rules.found("constraint-changed", "the invariants differ")


def _table(old: TableSchema, new: TableSchema, rules: Rules) -> Iterator[Finding]:
    for column in old.columns:
        if column.name in new.column_names:
            yield from _column(new.name, column, new.column(column.name), rules)
        else:
            yield rules.found("column-removed", "the column is gone", new.name, column.name)
    for column in new.columns:
        if column.name not in old.column_names:
            yield rules.found("column-added", "the column is new", new.name, column.name)
    if old.key != new.key:
        yield rules.found("key-changed", f"the key was {_set(old.key)} and is {_set(new.key)}", new.name)
    yield from _uniques(old, new, rules)
    yield from _references(old, new, rules)
    if set(old.checks) != set(new.checks):
        yield rules.found("constraint-changed", "the checks differ", new.name)


def _column(table: str, old: Column, new: Column, rules: Rules) -> Iterator[Finding]:
    if old.type != new.type:
        rule = "type-widened" if old.type.widens_to(new.type) else "type-incompatible"
        ending = "" if common_type(old.type, new.type) else "; its values are not counted as changed"
        yield rules.found(rule, f"the type was {old.type} and is {new.type}{ending}", table, new.name)
    if new.nullable and not old.nullable:
        yield rules.found("nullability-loosened", "NULL may occur now", table, new.name)
    elif old.nullable and not new.nullable:
        yield rules.found("constraint-changed", "NULL may not occur any more", table, new.name)
    gone = [value for value in old.rules.enum or () if new.rules.enum is not None and value not in new.rules.enum]
    if gone:
        listed = ", ".join(map(str, gone))
        yield rules.found("enum-value-removed", f"no longer among the values: {listed}", table, new.name)
    elif _enum_values(old) != _enum_values(new):
        yield rules.found("constraint-changed", "the listed values differ", table, new.name)
    for word in _changed_words(old, new):
        yield rules.found("constraint-changed", f"{word} differs", table, new.name)


def _enum_values(column: Column) -> frozenset[tuple[str, object]] | None:
    return (
        None if column.rules.enum is None else frozenset((type(value).__name__, value) for value in column.rules.enum)
    )


def _changed_words(old: Column, new: Column) -> list[str]:
    before, after = replace(old.rules, enum=None).to_plain(), replace(new.rules, enum=None).to_plain()
    return [word for word in {**before, **after} if before.get(word) != after.get(word)]


def _uniques(old: TableSchema, new: TableSchema, rules: Rules) -> Iterator[Finding]:
    before = {frozenset(unique): unique for unique in old.uniques}
    after = {frozenset(unique) for unique in (*new.uniques, new.key)}
    for columns, unique in before.items():
        if columns not in after:
            yield rules.found("unique-dropped", f"{_set(unique)} may repeat now", new.name)
    for unique in new.uniques:
        if frozenset(unique) not in before and frozenset(unique) != frozenset(old.key):
            yield rules.found("constraint-changed", f"{_set(unique)} is unique now", new.name)


def _references(old: TableSchema, new: TableSchema, rules: Rules) -> Iterator[Finding]:
    before, after = set(old.references), set(new.references)
    for reference in old.references:
        if reference not in after:
            yield rules.found("reference-removed", f"the reference {reference} is gone", new.name)
    for reference in new.references:
        if reference not in before:
            yield rules.found("constraint-changed", f"the reference {reference} is new", new.name)


def _set(columns: Sequence[str]) -> str:
    return f"({', '.join(columns)})" if columns else "none"
