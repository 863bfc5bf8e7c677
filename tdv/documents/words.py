"""How values and words of a file are shown in an error.

In: words and values from untrusted files. Out: short text without control characters, and the valid word that
comes nearest to a wrong one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

_LONGEST: Final = 60
_CLOSE_ENOUGH: Final = 0.55


def quoted(value: Any) -> str:
    """A value as one short piece of text; control characters are escaped, long values are cut."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def nearest(word: str, words: Iterable[str]) -> str | None:
    """The word of `words` that `word` was most likely meant to be, or None when none is close."""
    from difflib import get_close_matches

    known = {known.casefold(): known for known in words}
    found = get_close_matches(word.casefold(), known, n=1, cutoff=_CLOSE_ENOUGH)
    return known[found[0]] if found else None


def did_you_mean(word: Any, words: Iterable[str]) -> str:
    """``; did you mean 'x'?`` or nothing: the end of a sentence about a wrong word."""
    found = nearest(word, words) if isinstance(word, str) else None
    return f"; did you mean {found!r}?" if found else ""
