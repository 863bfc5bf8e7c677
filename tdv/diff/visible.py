"""Changes of the schema in words, the same in each face of a difference.

In: changes of the schema. Out: text; that it is no markup is the faces' own business.
"""

from __future__ import annotations

from typing import Any

from tdv.model.diff_report import SchemaChange


def brief(value: Any) -> str:
    """One side of a change of the schema."""
    if isinstance(value, dict):
        return ", ".join(value)
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)


def place_of(change: SchemaChange) -> str:
    """``users.age``, ``users``, or ``dataset``; a renamed column is told by its table."""
    if change.kind.endswith("-renamed"):
        return change.table if change.column else "dataset"
    return ".".join(part for part in (change.table, change.column) if part) or "dataset"
