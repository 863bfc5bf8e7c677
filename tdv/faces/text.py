"""Text out of data as a reader sees it, the same in the terminal, in Markdown and on a page.

In: names and values out of data. Out: text. Always holds: characters that are not seen, or that turn the direction of
what follows, are written as escapes, and a line break and a tab as ⏎ and ⇥; two values or names that differ are never
written alike; markup is the faces' own business.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

_UNSEEN: Final = (
    "\x00-\x08\x0b-\x1f\x7f-\xa0\xad\u034f\u061c\u115f\u1160\u1680\u17b4\u17b5\u180b-\u180f\u2000-\u200f"
    "\u2028-\u202f\u205f-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb"
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff"
)
"""Controls, what Unicode says to ignore, and blanks that are none of ASCII (but for the wide one of Japanese)."""
_UNSEEN_ONE: Final = re.compile(f"[{_UNSEEN}]")
_WRITTEN: Final = re.compile(r"\\+(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)", re.DOTALL)
_LONGEST: Final = 10
"""Characters of an escape."""
_MARKS: Final = {"\n": "⏎", "\t": "⇥"}
_STAND_FOR_OTHERS: Final = "".join(_MARKS.values())
_BEYOND_ASCII: Final = re.compile("[^\\x00-\\x7f]")
_BUT_PLAIN_ASCII: Final = r"^\n\t\x20-\x7e"


class Spelled(str):
    """A text that `spelled` leaves alone, since it is written out already."""

    __slots__ = ()


class Whole(Spelled):
    """A text that `cut` leaves alone, too, since its beginning does not tell it from others."""

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
    return text if len(text) <= widest or isinstance(text, Whole) else f"{text[: whole(text, widest - 1)]}…"


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


def folded(text: str) -> str:
    """What texts that look the same have in common."""
    from unicodedata import normalize

    return normalize("NFKC", text)


def escaped_letters(text: str) -> Spelled:
    """`text` with an escape for each letter that another one could look like."""
    return Spelled(_escaped(text, _BUT_PLAIN_ASCII))


def ascii_json(text: str) -> Spelled:
    """JSON on one line with an escape for each letter beyond ASCII."""
    return Spelled(_BEYOND_ASCII.sub(lambda match: _escape(match[0]), text))


def _escaped(text: str, letters: str) -> str:
    return _pattern(letters).sub(lambda match: match[0] * 2 if match[0][0] == "\\" else _escape(match[0]), text)


@cache
def _pattern(letters: str) -> re.Pattern[str]:
    """The letters to escape, and the backslashes before one of them or before what reads as an escape."""
    return re.compile(rf"\\+(?=[{letters}]|u[0-9a-fA-F]{{4}}|U[0-9a-fA-F]{{8}})|[{letters}]")


def _escape(letter: str) -> str:
    number = ord(letter)
    return f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"
