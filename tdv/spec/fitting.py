"""A schema without what no spec can say.

In: the schema of a database. Out: the same without the references that a spec cannot hold, and a sentence about each.
Always holds: tables, columns and keys stay as they are.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from tdv.model.schema import DatasetSchema, Reference, TableSchema

_WHOLE: Final = frozenset({"int16", "int32", "int64"})


def fitting(schema: DatasetSchema) -> tuple[DatasetSchema, tuple[str, ...]]:
    """The schema to write down, and what was left out of it."""
    tables: list[TableSchema] = []
    notes: list[str] = []
    for table in schema.tables:
        obstacles = {reference: _obstacle(table, reference, schema) for reference in table.references}
        kept = tuple(reference for reference, obstacle in obstacles.items() if not obstacle)
        tables.append(replace(table, references=kept))
        notes += [
            f"the foreign key {table.name}{reference}: {obstacle}"
            for reference, obstacle in obstacles.items()
            if obstacle
        ]
    return replace(schema, tables=tuple(tables)), tuple(notes)


def _obstacle(table: TableSchema, reference: Reference, schema: DatasetSchema) -> str:
    """Why a spec cannot hold the reference, or ""."""
    if reference.dataset is not None:
        return ""
    there = schema.table(reference.table)
    for owner, names in ((table, reference.columns), (there, reference.to)):
        missing = [name for name in names if name not in owner.column_names]
        if missing:
            return f"{owner.name} has no column {', '.join(missing)} of its own"
    if not any(set(reference.to) == set(unique) for unique in (there.key, *there.uniques)):
        return f"{there.name}({', '.join(reference.to)}) is neither the key nor unique"
    for name, to in zip(reference.columns, reference.to, strict=True):
        mine, its = table.column(name).type, there.column(to).type
        if mine != its and not {mine.name, its.name} <= _WHOLE:
            return f"{name} is {mine}, but {there.name}.{to} is {its}"
    return ""
