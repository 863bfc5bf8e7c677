"""Moments as specs and scenarios write them: ISO 8601 text, or the frozen clock with a distance from it.

In: text such as ``as_of``, ``as_of - 30d`` or ``as_of + 1h30m``. Out: what is to be added to the dataset's
`as_of`. Always holds: a day has 24 hours and a week 7 days; months and years have no fixed length and are
therefore no units.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

UNITS: Final = {
    "us": timedelta(microseconds=1),
    "ms": timedelta(milliseconds=1),
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_UNIT: Final = "|".join(sorted(UNITS, key=len, reverse=True))
_DURATION: Final = re.compile(rf"(?:\s*\d{{1,12}}\s*(?:{_UNIT})(?![a-z]))+\s*")
_PIECE: Final = re.compile(rf"(\d+)\s*({_UNIT})")
_CLOCK: Final = re.compile(r"\s*as_of\s*(?:([+-])(.*))?", re.DOTALL)


def duration(text: str) -> timedelta:
    """``30s``, ``1h30m``, ``2w`` as a distance in time; raises `ValueError` with one sentence otherwise."""
    if not _DURATION.fullmatch(text):
        raise ValueError(f"{text.strip()!r} is no duration; write a number and a unit such as 30s, 5m, 2h, 1d or 2w")
    try:
        return sum((int(count) * UNITS[unit] for count, unit in _PIECE.findall(text)), timedelta())
    except OverflowError as exc:
        raise ValueError(f"{text.strip()!r} is longer than time goes") from exc


def since_as_of(text: str) -> timedelta | None:
    """The distance from `as_of` that `text` names, or None when `text` does not speak of `as_of`.

    Raises `ValueError` when it does, but what follows is no ``+`` or ``-`` with a duration.
    """
    match = _CLOCK.fullmatch(text)
    if match is None:
        if re.match(r"\s*as_of\b", text):
            raise ValueError(f"{text.strip()!r} cannot be read; write as_of, as_of + 30s or as_of - 7d")
        return None
    sign, rest = match.groups()
    if sign is None:
        return timedelta()
    return duration(rest) if sign == "+" else -duration(rest)
