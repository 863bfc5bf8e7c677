"""The markers that Git and ``tdv merge`` leave in a file around what clashes.

In: the bytes of a text file. Out: the `Clash`es in it, or one `DocumentError` that names their lines. Always holds: a
clash has its beginning, its middle and its end, each at the start of a line, so that no single line of text is taken
for one; nothing is parsed.
"""

from __future__ import annotations

import re
from typing import Final

from tdv.errors import DocumentError, Problem
from tdv.frozen import dataclass

_BEGIN: Final = b"<<<<<<<"
_SETTLE: Final = "`tdv merge` settles what it can; mend by hand what stays marked, then git add {file}."
# As text, so that it is compiled when the first marker is met.
_MARKER: Final = rb"(?m)^(?P<word><{7,}|\|{7,}|={7,}|>{7,})(?: (?P<label>[^\r\n]*))?\r?$"


@dataclass(frozen=True, slots=True)
class Clash:
    """The lines from `first` to `last`, from 1, and what Git calls both sides, "" where it does not say."""

    first: int
    last: int
    ours: str
    theirs: str

    @property
    def lines(self) -> str:
        """``lines 3-7``"""
        return f"lines {self.first}-{self.last}"


def clashes(data: bytes) -> tuple[Clash, ...]:
    """What is left in conflict in a file, in the order of the lines."""
    if _BEGIN not in data:
        return ()
    found, seen = [], ""
    first, ours = 0, ""
    for marker in re.finditer(_MARKER, data):
        word = marker["word"][:1].decode()
        line, label = data.count(b"\n", 0, marker.start()) + 1, (marker["label"] or b"").decode("utf-8", "replace")
        if word == "<":
            first, ours, seen = line, label, word
        elif word == ">" and seen == "=":
            found.append(Clash(first, line, ours, label))
            seen = ""
        elif word == "=" and seen == "<":
            seen = word
    return tuple(found)


def refuse(data: bytes, file: str, hint: str = "") -> None:
    """Raises `DocumentError` with each clash in `data`; `file` is the name in it, `hint` what settles this one."""
    found = clashes(data)
    if not found:
        return
    problems = [Problem(file, clash.first, "", f"in conflict, {clash.lines}{_sides(clash)}") for clash in found]
    raise DocumentError(problems, hint=hint or _SETTLE.format(file=file))


def our_side(data: bytes) -> bytes:
    """A file with markers as our side has it."""
    kept: list[bytes] = []
    ours = True
    for line in data.splitlines(keepends=True):
        marker = re.match(_MARKER, line)
        if marker is None:
            kept += [line] if ours else []
        else:
            ours = marker["word"][:1] in b"<>"
    return b"".join(kept)


def _sides(clash: Clash) -> str:
    """Where tdv marked it, what clashes, else what Git calls both sides."""
    what = clash.ours.removeprefix("ours: ")
    if clash.ours == f"ours: {what}" and clash.theirs == f"theirs: {what}":
        return f": {what}"
    return f": {clash.ours} or {clash.theirs}" if clash.ours and clash.theirs else ""
