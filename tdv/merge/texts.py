"""What the merges of all formats share: three versions of a file in, one out, and markers for what clashes.

In: bytes of the common ancestor and of both sides. Out: `Merged`. Always holds: markers look as Git writes them and
say after the words ``ours`` and ``theirs`` what clashes, as in ``<<<<<<< ours: users id=7, age``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Versions:
    """One file as the common ancestor and both sides have it; b"" where there is none."""

    base: bytes
    ours: bytes
    theirs: bytes


@dataclass(frozen=True, slots=True)
class Merged:
    """The merged file; `conflicts` names what is left to a person, each with markers in `data` unless the file is
    generated."""

    data: bytes
    conflicts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MergeOptions:
    """`path` from the root of the project; `keys` gives the key of a table of a dataset, () for none; `texts` merges
    line by line, None where lines clash; `size` is the length of markers."""

    path: str
    keys: Callable[[str, str], tuple[str, ...]]
    texts: Callable[[Versions], bytes | None]
    size: int = 7


class Unmergeable(Exception):
    """The three versions have no common shape; the lines are merged instead."""


def marked(name: str, sides: Sequence[str], size: int) -> str:
    """Both sides of a clash between markers, ours first; a side is whole lines or empty."""
    ours, theirs = sides
    begin, middle, end = ("<" * size, "=" * size, ">" * size)
    return f"{begin} ours: {name}\n{ours}{middle}\n{theirs}{end} theirs: {name}\n"


def in_order(ours: Sequence[Hashable], theirs: Sequence[Hashable], kept: Mapping[Any, Any]) -> list[Any]:
    """The names of `kept` in the order of ours; those of theirs alone follow the name that they follow there, after
    what ours put in the same place."""
    mine = set(ours)
    common = mine & set(theirs)
    order = [name for name in ours if name in kept]
    places = {name: place for place, name in enumerate(order)}
    added: dict[int, list[Any]] = {}
    previous = -1
    for name in theirs:
        if name in common:
            previous = places.get(name, previous)
        elif name in kept:
            place = previous
            while place + 1 < len(order) and order[place + 1] not in common:
                place += 1
            added.setdefault(place, []).append(name)
    merged = [*added.get(-1, ())]
    for place, name in enumerate(order):
        merged += [name, *added.get(place, ())]
    return merged
