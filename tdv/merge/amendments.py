"""``amendments.yaml``: what both sides learnt about releases, put together.

In: three versions of the file. Out: `Merged`. Always holds: every entry of both sides is there once, each side's in its
own order and otherwise by date, so that the merge is the same whichever branch it is made on; an entry that was altered
or dropped is left to a person, and so are two new ones that say different things about one release.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Final

from tdv.errors import DocumentError
from tdv.merge.texts import Merged, Unmergeable, Versions, marked
from tdv.model.release import Amendment
from tdv.store.amendments import Entries
from tdv.store.records import parse_amendments

_ALTERED: Final = "amendments that {} altered or dropped: they are only appended, so keep each as it was"
_REORDERED: Final = "amendments that stand in different orders on the two sides"
_BOTH: Final = (
    "{field} of v{version}, which both sides set: the later holds, of {date}; git add the file if it shall, "
    "else append what is right with tdv compat or tdv yank before"
)

Known = Mapping[str, Amendment]
Said = Mapping[tuple[str, str], tuple[Any, str]]


def merge_amendments(versions: Versions, size: int) -> Merged:
    """Merges by entry; raises `Unmergeable` for a file that is no list of amendments, or with two heads."""
    base, ours, theirs = (Entries.of(data) for data in (versions.base, versions.ours, versions.theirs))
    known = {**_known(ours, versions.ours), **_known(theirs, versions.theirs)}
    if ours.head != theirs.head:
        raise Unmergeable("the head of the file")
    altered = [name for name, side in (("ours", ours), ("theirs", theirs)) if not side.keeps(base)]
    items = [] if altered else list(_union(list(ours.items), list(theirs.items), known))
    if altered or not set(ours.items) | set(theirs.items) <= set(items):
        sides = ["".join(side.items) for side in (ours, theirs)]
        conflict = _ALTERED.format(" and ".join(altered)) if altered else _REORDERED
        return Merged((ours.head + marked("amendments", sides, size)).encode("utf-8"), (conflict,))
    clashes = tuple(_clashes(_said(ours, base, known), _said(theirs, base, known)))
    return Merged((ours.head + "".join(items)).encode("utf-8"), clashes)


def _known(entries: Entries, data: bytes) -> Known:
    try:
        return dict(zip(entries.items, parse_amendments(data, "amendments.yaml"), strict=True))
    except (DocumentError, ValueError) as exc:
        raise Unmergeable("no list of amendments") from exc


def _union(ours: list[str], theirs: list[str], known: Known) -> Iterator[str]:
    """The entries of both sides; ends early where the sides have the same ones in another order."""
    while ours or theirs:
        heads = [side[0] for side, other in ((ours, theirs), (theirs, ours)) if side and side[0] not in other[1:]]
        if not heads:
            return
        first = min(heads, key=lambda item: (known[item].date, item))
        for side in (ours, theirs):
            if side and side[0] == first:
                side.pop(0)
        yield first


def _said(side: Entries, base: Entries, known: Known) -> Said:
    """Version and field → what the new entries of a side say last, and the date of that."""
    said: dict[tuple[str, str], tuple[Any, str]] = {}
    old = Counter(base.items)
    for item in side.items:
        amendment = known[item]
        old[item] -= 1
        for field in ("compat", "yanked"):
            value = getattr(amendment, field)
            if value is not None and old[item] < 0:
                said[amendment.version, field] = (value, amendment.date)
    return said


def _clashes(ours: Said, theirs: Said) -> Iterator[str]:
    for place, (mine, when) in ours.items():
        other, then = theirs.get(place, (mine, when))
        if mine != other:
            yield _BOTH.format(version=place[0], field=place[1], date=max(when, then))
