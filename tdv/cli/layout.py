"""Tables and lines that fit the terminal.

In: cells and their widths. Out: text. Always holds: nothing is wider than asked for, wide characters counted as two; no
column is narrowed while a wider one is not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from tdv.faces.cells import from_the_difference
from tdv.faces.text import whole

GAP: Final = "  "
_NARROWEST: Final = 6
"""A column is left out before it gets narrower than this."""
_ARROW: Final = " → "


class Sides(NamedTuple):
    """A cell of two values, which are cut one by one."""

    before: str
    after: str

    def __str__(self) -> str:
        return f"{self.before}{_ARROW}{self.after}"


def cut(cell: str | Sides, width: int) -> str:
    """The cell in no more than `width` columns of the terminal; ``…`` stands where something is missing."""
    from rich.cells import cell_len, set_cell_size

    text = str(cell)
    if cell_len(text) <= width:
        return text
    if isinstance(cell, Sides) and width >= len(_ARROW) + 4:
        room = fitted([cell_len(side) for side in cell], width - len(_ARROW) + len(GAP), narrowest=2)
        shown = [cut(side, wide) for side, wide in zip(cell, room, strict=True)]
        if shown[0] == shown[1] and cell.before != cell.after:
            apart = from_the_difference(cell.before, cell.after, min(room) // 4)
            shown = [cut(side, wide) for side, wide in zip(apart, room, strict=True)]
        return _ARROW.join(shown)
    head = set_cell_size(text, width - 1).rstrip() if width > 1 else ""
    return f"{text[: whole(text, len(head))]}…"[:width]


def fitted(widths: Sequence[int], room: int, *, narrowest: int = _NARROWEST) -> list[int]:
    """The widths of as many columns as fit side by side into `room`, the widest ones narrowed."""
    for count in range(len(widths), 1, -1):
        shown = widths[:count]
        most = _most(shown, room - len(GAP) * (count - 1))
        if most >= min(narrowest, max(shown)):
            return [min(width, most) for width in shown]
    return [min(width, room) for width in widths[:1]]


def _most(widths: Sequence[int], room: int) -> int:
    """The greatest width of a column with which all of them fit."""
    for index, width in enumerate(ordered := sorted(widths)):
        share = room // (len(ordered) - index)
        if width > share:
            return share
        room -= width
    return max(widths)


def wrapped(text: str, width: int, indent: str) -> list[str]:
    """The text in lines, broken between words where that is possible; all but the first begin with `indent`."""
    from rich.cells import cell_len, chop_cells

    if cell_len(text) <= width:
        return [text]
    width = max(width, len(indent) + _NARROWEST)
    lines, line, is_empty = [], text[: len(text) - len(text.lstrip(" "))], True
    for word in text.split():
        if not is_empty and cell_len(line) + 1 + cell_len(word) > width:
            lines.append(line)
            line, is_empty = indent, True
        line, is_empty = (line if is_empty else f"{line} ") + word, False
        while cell_len(line) > width:
            length = len(chop_cells(line, width)[0])
            before = whole(line, length)
            # An escape that is as long as the line is broken all the same.
            length = before if before > len(indent) else length
            lines.append(line[:length])
            line = indent + line[length:]
    return [*lines, line]
