"""Rows as a reader tells them apart.

In: the rows that are shown of one table. Out: the same rows. Always holds: keys that differ look different, and whole
rows without a key; those that do anyway stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tdv.faces.cells import cell_text, from_the_difference, letters_text
from tdv.faces.text import cut, folded
from tdv.model.diff_report import RowChange


def rows_told_apart(rows: Sequence[RowChange], widest: int) -> list[RowChange]:
    """The rows, with escapes for the letters of those that look like another one; of those that do for `widest`
    letters, long values from where they differ."""
    spelled = [_told(row, _letters) if alike else row for row, alike in zip(rows, _alike(rows, folded), strict=True)]
    are_alike = _alike(spelled, partial(cut, widest=widest))
    if not any(are_alike):
        return spelled
    found = {text for row in spelled for text in map(cell_text, _identity(row).values()) if len(text) > widest}
    tails = dict(_tails(sorted(found)))
    return [
        _told(row, lambda value: tails.get(cell_text(value), value)) if alike else row
        for row, alike in zip(spelled, are_alike, strict=True)
    ]


def _alike(rows: Sequence[RowChange], look: Callable[[str], str]) -> list[bool]:
    """Which rows look like another one that differs."""
    texts = [tuple(map(cell_text, _identity(row).values())) for row in rows]
    looks = [tuple(map(look, text)) for text in texts]
    found: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
    for seen, text in zip(looks, texts, strict=True):
        found.setdefault(seen, set()).add(text)
    return [len(found[seen]) > 1 for seen in looks]


def _tails(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each of the texts, which stand in order, with what tells it from its neighbours, which begin most like it."""
    for before, text, after in zip(["", *texts], texts, [*texts[1:], ""], strict=False):
        yield text, min((from_the_difference(text, other)[0] for other in (before, after)), key=len)


def _identity(row: RowChange) -> Mapping[str, Any]:
    return row.key or row.after or row.before or {}


def _letters(value: Any) -> Any:
    return value if cell_text(value).isascii() else letters_text(value)


def _told(row: RowChange, spell: Callable[[Any], Any]) -> RowChange:
    """The row with other words for what tells it apart, on each side that holds it."""
    told = {name: spell(value) for name, value in _identity(row).items()}
    before, after = (
        side and {name: told.get(name, value) for name, value in side.items()} for side in (row.before, row.after)
    )
    return replace(row, key={name: told[name] for name in row.key}, before=before, after=after)
