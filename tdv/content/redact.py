"""Values of private columns, and the only place that decides how they are shown.

In: values on their way to an error, a report or a manifest. Out: text that gives a private value away to
nobody. Always holds: what leaves through `shown` is short and free of control characters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any, Final

from tdv.model.cell import MARKED, Mark
from tdv.model.schema import Column, TableSchema

_LONGEST: Final = 80


def is_private(schema: TableSchema, columns: Sequence[str]) -> bool:
    """True if any of `columns` is declared private."""
    return any(schema.column(name).privacy for name in columns)


def mark(column: Column) -> Mark:
    """What stands in the place of a private value: ``<private: email>``."""
    return Mark(f"{MARKED}{column.privacy}>")


def shown(column: Column, value: Any) -> str:
    """`value` for an error message: as seeds have it, texts in quotes, at most 80 characters; or the mark."""
    if column.privacy:
        return mark(column)
    text = _written(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def shown_key(schema: TableSchema, columns: Sequence[str], values: Sequence[Any]) -> str:
    """``id=7, lang='de'`` for an error message."""
    pairs = zip(columns, values, strict=True)
    return ", ".join(f"{name}={shown(schema.column(name), value)}" for name, value in pairs)


def redacted(schema: TableSchema, row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with the mark in each private column; columns that the schema lacks stay."""
    private = {column.name: mark(column) for column in schema.columns if column.privacy}
    return {name: private.get(name, value) if value is not None else None for name, value in row.items()}


def _written(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, date | time):
        return value.isoformat().replace("+00:00", "Z")
    return format(value, "f") if isinstance(value, Decimal) else ascii(value)


def _quoted(value: str) -> str:
    shown = value[: _LONGEST + 1].replace("\\", "\\\\")
    return "'" + "".join(c if c.isprintable() else ascii(c)[1:-1] for c in shown) + "'"
