"""Keys of rows as a reader tells them apart.

In: the rows that are shown of one table. Out: the same rows. Always holds: keys that differ look different; those that
do anyway stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from tdv.faces.text import escaped_letters, folded
from tdv.model.diff_report import RowChange


def keys_told_apart(rows: Sequence[RowChange]) -> list[RowChange]:
    """The rows, with the letters of keys that look like another one as escapes."""
    looks: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for row in rows:
        looks.setdefault(_look(row), set()).add(tuple(map(str, row.key.values())))
    return [row if len(looks[_look(row)]) == 1 else _spelled(row) for row in rows]


def _look(row: RowChange) -> tuple[str, ...]:
    return tuple(folded(str(value)) for value in row.key.values())


def _spelled(row: RowChange) -> RowChange:
    key = {name: escaped_letters(value) if isinstance(value, str) else value for name, value in row.key.items()}
    return replace(row, key=key, before=_with(row.before, key), after=_with(row.after, key))


def _with(values: Mapping[str, Any] | None, key: Mapping[str, Any]) -> dict[str, Any] | None:
    """A side of a row; it holds the key if it is that of a whole row."""
    return None if values is None else {name: key.get(name, value) for name, value in values.items()}
