"""Values as a reader sees them.

In: JSON values and names out of data. Out: text of one line. Always holds: characters that are not seen, or that turn
the direction of what follows, are written as escapes; markup is the faces' own business.
"""

from __future__ import annotations

import re
from typing import Any, Final

from tdv.model.canonical import dumps
from tdv.model.diff_report import SchemaChange

_UNSEEN: Final = re.compile("[\x00-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]")
_NAMED: Final = {"\n": "⏎", "\t": "⇥"}


def visible(text: str, widest: int | None = None) -> str:
    """`text` on one line, cut after `widest` characters."""
    cut = text if widest is None or len(text) <= widest else text[: widest - 1] + "…"
    return _UNSEEN.sub(lambda match: _NAMED.get(match[0], f"\\u{ord(match[0]):04x}"), cut)


def value_text(value: Any) -> str:
    """A value as text: NULL for None, strings bare, everything else as JSON."""
    if value is None:
        return "NULL"
    return value if isinstance(value, str) else dumps(value).decode("utf-8")


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
