"""Values and changes of a difference in words, the same in each of its faces.

In: JSON values, changes of the schema. Out: text; that it is no markup is the faces' own business.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tdv.faces.text import Spelled, spelled
from tdv.model.canonical import dumps
from tdv.model.diff_report import SchemaChange


def value_text(value: Any) -> Spelled:
    """A value as text: NULL for None, strings as they are spelled, everything else as JSON."""
    if value is None:
        return Spelled("NULL")
    return spelled(value) if isinstance(value, str) else Spelled(dumps(value).decode("utf-8"))


def key_text(key: Mapping[str, Any]) -> Spelled:
    """``id=7, lang=de``"""
    return Spelled(", ".join(f"{spelled(name)}={value_text(value)}" for name, value in key.items()))


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
