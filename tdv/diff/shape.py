"""What changed in a schema, item by item, for a reader.

In: two `DatasetSchema`s. Out: `SchemaChange`s. Always holds: each item names the place and both values; renames are
not told here, since only content tells them (`tdv.diff.renames`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tdv.model.diff_report import SchemaChange
from tdv.model.schema import Column, DatasetSchema, TableSchema


def schema_changes(old: DatasetSchema, new: DatasetSchema) -> Iterator[SchemaChange]:
    """All changes, table by table in the newer order, tables that are gone last."""
    before = {table.name: table for table in old.tables}
    for table in new.tables:
        earlier = before.pop(table.name, None)
        if earlier is None:
            yield SchemaChange("table-added", table.name, after=_columns(table))
        else:
            yield from _table(earlier, table)
    for table in before.values():
        yield SchemaChange("table-removed", table.name, before=_columns(table))
    yield from _listed("invariant", "", old.invariants, new.invariants)


def _columns(table: TableSchema) -> dict[str, str]:
    return {column.name: str(column.type) for column in table.columns}


def _table(old: TableSchema, new: TableSchema) -> Iterator[SchemaChange]:
    before = {column.name: column for column in old.columns}
    for column in new.columns:
        earlier = before.pop(column.name, None)
        if earlier is None:
            yield SchemaChange("column-added", new.name, column.name, after=_said(column))
        else:
            yield from _column(new.name, earlier, column)
    for column in before.values():
        yield SchemaChange("column-removed", new.name, column.name, before=_said(column))
    if old.key != new.key:
        yield SchemaChange("key-changed", new.name, before=list(old.key), after=list(new.key))
    yield from _listed("unique", new.name, [_set(item) for item in old.uniques], [_set(item) for item in new.uniques])
    yield from _listed("reference", new.name, [*map(str, old.references)], [*map(str, new.references)])
    yield from _listed("check", new.name, old.checks, new.checks)


def _column(table: str, old: Column, new: Column) -> Iterator[SchemaChange]:
    pairs: tuple[tuple[str, Any, Any], ...] = (
        ("type-changed", str(old.type), str(new.type)),
        ("nullability-changed", _null(old), _null(new)),
        ("privacy-changed", old.privacy, new.privacy),
    )
    for kind, before, after in pairs:
        if before != after:
            yield SchemaChange(kind, table, new.name, before, after)
    words, later = old.rules.to_plain(), new.rules.to_plain()
    for word in {**words, **later}:
        if words.get(word) != later.get(word):
            yield SchemaChange(f"{word}-changed", table, new.name, words.get(word), later.get(word))


def _listed(what: str, table: str, old: Sequence[str], new: Sequence[str]) -> Iterator[SchemaChange]:
    for item in new:
        if item not in old:
            yield SchemaChange(f"{what}-added", table, after=item)
    for item in old:
        if item not in new:
            yield SchemaChange(f"{what}-removed", table, before=item)


def _said(column: Column) -> str:
    return f"{column.type}{' nullable' if column.nullable else ''}"


def _null(column: Column) -> str:
    return "nullable" if column.nullable else "not null"


def _set(columns: Sequence[str]) -> str:
    return f"({', '.join(columns)})"
