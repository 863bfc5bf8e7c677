"""Rows as a reader tells them apart.

In: the rows that are shown of one table. Out: the same rows. Always holds: keys that differ look different, and whole
rows without a key; those that do anyway stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tdv.faces.cells import cell_text, letters_text
from tdv.faces.text import folded
from tdv.model.diff_report import RowChange


def rows_told_apart(rows: Sequence[RowChange]) -> list[RowChange]:
    """The rows, with escapes for the letters of those that look like another one."""
    texts = [tuple(map(cell_text, _identity(row).values())) for row in rows]
    looks = [tuple(map(folded, text)) for text in texts]
    alike: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for look, text in zip(looks, texts, strict=True):
        alike.setdefault(look, set()).add(text)
    return [row if len(alike[look]) == 1 else _spelled(row) for row, look in zip(rows, looks, strict=True)]


def _identity(row: RowChange) -> Mapping[str, Any]:
    return row.key or row.after or row.before or {}


def _spelled(row: RowChange) -> RowChange:
    told = {
        name: value if cell_text(value).isascii() else letters_text(value) for name, value in _identity(row).items()
    }
    key = {name: told[name] for name in row.key}
    return replace(row, key=key, before=_with(row.before, told), after=_with(row.after, told))


def _with(values: Mapping[str, Any] | None, told: Mapping[str, Any]) -> dict[str, Any] | None:
    """A side of a row; it holds what tells it apart if it is that of a whole row."""
    return None if values is None else {name: told.get(name, value) for name, value in values.items()}
