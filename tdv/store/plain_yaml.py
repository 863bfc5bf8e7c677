"""YAML without quotes, comments and other art, as DVC writes nearly all of its files: read line by line.

In: the bytes of a file. Out: the mapping that PyYAML's `BaseLoader` gives, all scalars text, or None where a line is
not of the plainest kinds, ``key: text``, ``- text``, and the rest of a long text. Always holds: what is given equals
what PyYAML gives; a text that it refuses or might read otherwise gives None.

Importing PyYAML takes 15 ms, a tenth of a call that has nothing to do; it also reads the lines three times as slowly.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

_WORD: Final = r"[A-Za-z0-9_./@=+,()-]"
_TEXT: Final = rf"[A-Za-z0-9_./]{_WORD}*(?: {_WORD}+)*"
_LINE: Final = re.compile(
    rf"( *)(- )?(?:([A-Za-z0-9_.][A-Za-z0-9_./@-]*):(?: ({_TEXT}) *| '({_TEXT})')?|(?<=- )({_TEXT}) *)"
)
_MORE: Final = re.compile(rf"( *)({_TEXT}) *")


class _Line(NamedTuple):
    """A line, or what follows the dash of one: `key` is None for an item that is a text."""

    indent: int
    is_item: bool
    key: str | None = None
    text: str | None = None
    is_quoted: bool = False

    def folded(self, line: str) -> _Line | None:
        """With the text that goes on in the next line; None if that cannot be."""
        more = _MORE.fullmatch(line)
        if more is None or self.text is None or self.is_quoted or len(more[1]) < self.indent + (self.key is not None):
            return None
        return self._replace(text=f"{self.text} {more[2]}")


class _NotPlain(ValueError):
    """The lines do not fit into each other in the way that is read here."""


def read(data: bytes) -> Mapping[str, Any] | None:
    """The mapping in `data`, None if it has to be read by PyYAML."""
    lines: list[_Line] = []
    for text in data.decode("ascii", "replace").removesuffix("\n").split("\n"):
        found = _LINE.fullmatch(text)
        if found is not None:
            lines.extend(_told(found))
            continue
        folded = lines[-1].folded(text) if lines else None
        if folded is None:
            return None
        lines[-1] = folded
    try:
        content, end = _node(lines, 0)
    except _NotPlain:
        return None
    return content if end == len(lines) and isinstance(content, dict) else None


def _told(found: re.Match[str]) -> Iterator[_Line]:
    """The one or two `_Line`s of a line."""
    indent, dash, key, text, quoted, item = found.groups()
    if dash:
        yield _Line(len(indent), True)
    yield _Line(len(indent) + len(dash or ""), False, key, text or quoted or item, quoted is not None)


def _node(lines: list[_Line], at: int) -> tuple[Any, int]:
    """The value that begins at a line, and the line after it."""
    first = lines[at]
    if first.is_item:
        return _items(lines, at)
    return _mapping(lines, at) if first.key is not None else (first.text, at + 1)


def _items(lines: list[_Line], at: int) -> tuple[list[Any], int]:
    indent, items = lines[at].indent, []
    while at < len(lines) and lines[at].is_item and lines[at].indent == indent:
        item, at = _node(lines, at + 1)
        items.append(item)
    return items, at


def _mapping(lines: list[_Line], at: int) -> tuple[dict[str, Any], int]:
    indent, content = lines[at].indent, dict[str, Any]()
    while at < len(lines) and lines[at].indent == indent and not lines[at].is_item:
        key, value = lines[at].key, lines[at].text
        if key is None or key in content:
            raise _NotPlain
        at += 1
        content[key] = value
        if value is None:
            content[key], at = _below(lines, at, indent)
    if at < len(lines) and lines[at].indent > indent:
        raise _NotPlain
    return content, at


def _below(lines: list[_Line], at: int, indent: int) -> tuple[Any, int]:
    """The value of a key that has none in its own line: what is indented more, or items that are indented as much."""
    if at < len(lines) and lines[at].indent + lines[at].is_item > indent:
        return _node(lines, at)
    return "", at
