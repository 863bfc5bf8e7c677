"""Text out of data as a reader sees it.

In: names and values out of data. Out: text of one line. Always holds: characters that are not seen, or that turn the
direction of what follows, are written as escapes; markup is the faces' own business.
"""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_NAMED: Final = {"\n": "⏎", "\t": "⇥"}


def visible(text: str, widest: int | None = None) -> str:
    """`text` on one line, cut after `widest` characters."""
    cut = text if widest is None or len(text) <= widest else text[: widest - 1] + "…"
    return _UNSEEN.sub(lambda match: _NAMED.get(match[0], f"\\u{ord(match[0]):04x}"), cut)


def told_apart(before: Any, after: Any) -> tuple[Any, Any]:
    """Both values of a cell; texts that differ and look the same, as an é of one letter and of two, as escapes."""
    if isinstance(before, str) and isinstance(after, str) and before != after and folded(before) == folded(after):
        return escaped_letters(before), escaped_letters(after)
    return before, after


def cell_sides(before: Any, after: Any) -> tuple[Any, ...]:
    """What is shown of a changed cell: both values, told apart; only one where both are hidden by the same mark."""
    return (before,) if before == after and type(before) is type(after) else told_apart(before, after)


def folded(text: str) -> str:
    """What texts that look the same have in common."""
    return unicodedata.normalize("NFKC", text)


def escaped_letters(text: str) -> str:
    """`text` with an escape for each letter that another one could look like."""
    return text.encode("ascii", "backslashreplace").decode("ascii")
