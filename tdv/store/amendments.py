"""The text of ``amendments.yaml`` as its head and its entries, for what compares or joins two versions of it.

In: bytes as tdv writes them: a list in block style, an entry from its ``- `` to the next one. Out: `Entries`. Always
holds: nothing is parsed; the texts put together again are the file, but for white space between entries and at the
end.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

# A comment above an entry belongs to it.
_ENTRY: Final = re.compile(r"(?m)^(?:[ \t]*#[^\n]*\n|[ \t]*\n)*(?P<indent> *)- ")


@dataclass(frozen=True, slots=True)
class Entries:
    """The lines before the first entry, and each entry; every text ends its last line."""

    head: str
    items: tuple[str, ...]

    @classmethod
    def of(cls, data: bytes) -> Entries:
        """Takes a file apart; bytes that are no text stay what they are."""
        text = data.decode("utf-8", "surrogateescape").replace("\r\n", "\n")
        found = list(_ENTRY.finditer(text))
        starts = [entry.start() for entry in found if entry["indent"] == found[0]["indent"]]
        head, *items = (text[start:end] for start, end in pairwise([0, *starts, len(text)]))
        return cls(_lines(head), tuple(map(_lines, items)))

    def keeps(self, before: Entries) -> bool:
        """True if all that was there before is here unaltered and in its order, whatever came in between."""
        is_new = not (before.head or before.items)
        return is_new or (self.head == before.head and is_within(before.items, self.items))


def _lines(text: str) -> str:
    stripped = text.strip("\n")
    return f"{stripped}\n" if stripped else ""


def is_within(before: Iterable[object], after: Iterable[object]) -> bool:
    """Whether `after` has all of `before` in the same order, each as often."""
    rest = iter(after)
    return all(item in rest for item in before)
