"""Text out of data as a reader sees it, the same in the terminal, in Markdown and on a page.

In: names and values out of data. Out: text. Always holds: characters that are not seen, or that turn the direction of
what follows, are written as escapes, and a line break and a tab as ⏎ and ⇥; two values or names that differ are never
written alike; markup is the faces' own business.
"""

from __future__ import annotations

import json
import re
from functools import cache
from typing import Any, Final

_UNSEEN: Final = "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
_UNSEEN_ONE: Final = re.compile(f"[{_UNSEEN}]")
_WRITTEN: Final = re.compile(r"\\+(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_LONGEST: Final = 10
"""Characters of an escape."""
_MARKS: Final = {"\n": "⏎", "\t": "⇥"}
_STAND_FOR_OTHERS: Final = "".join(_MARKS.values())
_BUT_PLAIN_ASCII: Final = r"^\n\t\x20-\x7e"


class Spelled(str):
    """A text that `spelled` leaves alone, since it is written out already."""

    __slots__ = ()


def safe(text: str) -> str:
    """`text` without what steers a terminal or is not seen; line breaks and tabs stay."""
    return _UNSEEN_ONE.sub(lambda match: _escape(match[0]), text)


def visible(text: str, widest: int | None = None) -> str:
    """`text` on one line, cut after `widest` characters; what is visible already stays as it is."""
    shown = text if widest is None else cut(text, widest)
    for letter, mark in _MARKS.items():
        shown = shown.replace(letter, mark)
    return safe(shown)


def named(name: str) -> str:
    """The name of a table or column, or a text with such names, as values are spelled, on one line."""
    return visible(spelled(name))


def cut(text: str, widest: int) -> str:
    """`text` with ``…`` in the place of what follows so many characters."""
    return text if len(text) <= widest else f"{text[: whole(text, widest - 1)]}…"


def whole(text: str, length: int) -> int:
    """The greatest length up to `length` that ends inside of no escape."""
    for found in _WRITTEN.finditer(text, 0, length + _LONGEST):
        if found.start() < length < found.end():
            return found.start()
    return length


def spelled(value: str) -> Spelled:
    """A value such that no two look the same once they are visible: backslashes are doubled before what is an escape
    or reads as one, and the marks of line breaks and tabs are escapes where they stand in the data."""
    return value if isinstance(value, Spelled) else Spelled(_escaped(value, _STAND_FOR_OTHERS + _UNSEEN))


def told_apart(before: Any, after: Any) -> tuple[Any, Any]:
    """Both values of a cell; texts that differ and look the same, as an é of one letter and of two, as escapes,
    also in lists and structs."""
    if isinstance(before, str) and isinstance(after, str) and before != after and folded(before) == folded(after):
        return escaped_letters(before), escaped_letters(after)
    if isinstance(before, list | dict) and isinstance(after, list | dict) and before != after:
        shown = [json.dumps(value, ensure_ascii=False) for value in (before, after)]
        if folded(shown[0]) == folded(shown[1]):
            return Spelled(json.dumps(before)), Spelled(json.dumps(after))
    return before, after


def cell_sides(before: Any, after: Any) -> tuple[Any, ...]:
    """What is shown of a changed cell: both values, told apart; only one where both are hidden by the same mark."""
    return (before,) if before == after and type(before) is type(after) else told_apart(before, after)


def folded(text: str) -> str:
    """What texts that look the same have in common."""
    from unicodedata import normalize

    return normalize("NFKC", text)


def escaped_letters(text: str) -> Spelled:
    """`text` with an escape for each letter that another one could look like."""
    return Spelled(_escaped(text, _BUT_PLAIN_ASCII))


def _escaped(text: str, letters: str) -> str:
    return _pattern(letters).sub(lambda match: match[0] * 2 if match[0][0] == "\\" else _escape(match[0]), text)


@cache
def _pattern(letters: str) -> re.Pattern[str]:
    """The letters to escape, and the backslashes before one of them or before what reads as an escape."""
    return re.compile(rf"\\+(?=[{letters}]|u[0-9a-fA-F]{{4}}|U[0-9a-fA-F]{{8}})|[{letters}]")


def _escape(letter: str) -> str:
    number = ord(letter)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
