"""Rows as a reader tells them apart.

In: the rows that are shown of one table. Out: the same rows. Always holds: keys that differ look different, and whole
rows without a key; those that do anyway stay as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from tdv.faces.cells import CONTEXT, cell_text, common_length, letters_text
from tdv.faces.text import Spelled, Whole, cut, folded, whole
from tdv.model.diff_report import RowChange


def rows_told_apart(rows: Sequence[RowChange], widest: int) -> list[RowChange]:
    """The rows, with escapes for the letters of those that look like another one; of those that do for `widest`
    letters, values from where they differ, or whole."""
    spelled = _again(rows, rows, folded, _spelled)
    short = partial(cut, widest=widest)
    return _again(spelled, _again(spelled, spelled, short, _without_beginnings), short, _whole)


def _again(
    rows: Sequence[RowChange],
    shown: Sequence[RowChange],
    look: Callable[[str], str],
    spell: Callable[[Sequence[RowChange]], Sequence[RowChange]],
) -> list[RowChange]:
    """What is `shown` of the rows, but for those that look the same and are not: they are spelled anew."""
    found: dict[tuple[str, ...], list[int]] = {}
    for at, row in enumerate(shown):
        found.setdefault(tuple(map(look, _texts(row).values())), []).append(at)
    told = list(shown)
    for places in found.values():
        if len(places) > 1 and len({tuple(_texts(rows[at]).values()) for at in places}) > 1:
            for at, row in zip(places, spell([rows[at] for at in places]), strict=True):
                told[at] = row
    return told


def _texts(row: RowChange) -> Mapping[str, Spelled]:
    return {name: cell_text(value) for name, value in _identity(row).items()}


def _spelled(rows: Sequence[RowChange]) -> list[RowChange]:
    return [
        _told(row, {n: letters_text(v) for n, v in _identity(row).items() if not cell_text(v).isascii()})
        for row in rows
    ]


def _without_beginnings(rows: Sequence[RowChange]) -> list[RowChange]:
    """Rows of one look without what their values begin with, but for a few letters."""
    texts = list(map(_texts, rows))
    starts = {name: _common(sorted({text[name] for text in texts})) for name in texts[0]}
    return [
        _told(row, {n: Spelled(f"…{text[n][whole(text[n], at) :]}") for n, at in starts.items() if at})
        for row, text in zip(rows, texts, strict=True)
    ]


def _common(texts: Sequence[str]) -> int:
    """How many letters can go from the beginning of texts in order that differ; 0 where there is but one."""
    return max(0, common_length(texts[0], texts[-1]) - CONTEXT) if len(texts) > 1 else 0


def _whole(rows: Sequence[RowChange]) -> list[RowChange]:
    return [_told(row, {name: Whole(text) for name, text in _texts(row).items()}) for row in rows]


def _identity(row: RowChange) -> Mapping[str, Any]:
    return row.key or row.after or row.before or {}


def _told(row: RowChange, told: Mapping[str, Any]) -> RowChange:
    """The row with other words for what tells it apart, on each side that holds it."""
    before, after = (side and {**side, **{n: told[n] for n in told if n in side}} for side in (row.before, row.after))
    return replace(row, key={**row.key, **{n: told[n] for n in told if n in row.key}}, before=before, after=after)
