"""Pairs the parts of two states of a keyed table, so that each pair can be compared alone.

In: the parts of both states in order. Out: stretches that cover the same range of keys. Always holds: equal keys
are in one stretch; parts that are equal are in none; memory for a stretch is that of its parts, which is one
part of each state except near insertions and deletions at boundaries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tdv.model.manifest import Part


@dataclass(frozen=True, slots=True)
class Stretch:
    """A range of keys: the parts of both states that cover it. `aligned` ones hold the same keys row for row."""

    old: tuple[Part, ...]
    new: tuple[Part, ...]
    aligned: bool = False


def stretches(old: Sequence[Part], new: Sequence[Part], key: Sequence[str]) -> Iterator[Stretch]:
    """The stretches that may differ, in the order of keys."""
    places = {_keys(part, key): index for index, part in enumerate(old)}
    old_at = new_at = 0
    for index, part in enumerate(new):
        place = places.get(_keys(part, key))
        if place is None:
            continue
        yield from _between(old[old_at:place], new[new_at:index])
        old_at, new_at = place + 1, index + 1
        if old[place].digest != part.digest:
            yield Stretch((old[place],), (part,), aligned=True)
    yield from _between(old[old_at:], new[new_at:])


def _keys(part: Part, key: Sequence[str]) -> tuple[str, ...]:
    """The digests of the key columns, which say which keys a part holds."""
    return tuple(part.columns[name] for name in key)


def _between(old: Sequence[Part], new: Sequence[Part]) -> Iterator[Stretch]:
    """Cuts where a part of each state ends with the same key."""
    ends = {part.last: index for index, part in enumerate(old)}
    old_at = new_at = 0
    for index, part in enumerate(new):
        place = ends.get(part.last)
        if place is not None and place >= old_at:
            yield Stretch(tuple(old[old_at : place + 1]), tuple(new[new_at : index + 1]))
            old_at, new_at = place + 1, index + 1
    if old_at < len(old) or new_at < len(new):
        yield Stretch(tuple(old[old_at:]), tuple(new[new_at:]))
