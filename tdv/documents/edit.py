"""Changes to a YAML file that leave everything else in it as people wrote it.

In: the text of a file, paths into it, and what is to stand there. Out: the new text. Always holds: every byte that
no change is about stays, with comments, alignment and quotation marks; a comment goes only with the line that it
stands on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field
from typing import Final

import yaml

from tdv.documents.document import Path, dotted
from tdv.documents.read import parse
from tdv.errors import ConfigError

_WIDEST_PADDING: Final = 32


@dataclass(frozen=True, slots=True)
class Change:
    """What is to become of one mapping or list: keys (or indices) and YAML texts of values.

    `renamed` maps a key to its new text; `added` are keys with values, in a list the keys are "".
    """

    removed: Set[str | int] = frozenset()
    replaced: Mapping[str | int, str] = field(default_factory=dict)
    renamed: Mapping[str | int, str] = field(default_factory=dict)
    added: Sequence[tuple[str, str]] = ()

    def __bool__(self) -> bool:
        return bool(self.removed or self.replaced or self.renamed or self.added)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One key with its value, or one item of a list; `start` is where the key or the item begins."""

    step: str | int
    start: int
    node: yaml.Node


class YamlEdits:
    """The changes of one file. Each place is changed once; `text` gives the result."""

    def __init__(self, text: str, file: str) -> None:
        self._text = text
        self._file = file
        node = parse(text, file).node
        if node is None:
            raise self._refused((), "is empty")
        self._root = node
        self._edits: dict[tuple[int, int], str] = {}
        self._aliased = _aliased(node)

    def has(self, path: Path) -> bool:
        """True if the file says something at `path`."""
        return self._find(path) is not None

    def source(self, path: Path) -> str:
        """The YAML text of the value at `path`, as it stands in the file; raises `KeyError`."""
        node = self._find(path)
        if node is None:
            raise KeyError(path)
        return self._text[node.start_mark.index : self._end(node)]

    def steps(self, path: Path) -> tuple[str | int, ...]:
        """The keys, or indices, at `path`."""
        node = self._find(path)
        return tuple(entry.step for entry in _entries(node)) if isinstance(node, yaml.CollectionNode) else ()

    def change(self, path: Path, change: Change) -> None:
        """Notes what becomes of the mapping or list at `path`. Raises `ConfigError` where it came from an alias."""
        if not change:
            return
        node = self._find(path)
        if not isinstance(node, yaml.CollectionNode):
            raise self._refused(path, "is neither a mapping nor a list")
        if id(node) in self._aliased:
            raise self._refused(path, "is shared by an anchor")
        entries = _entries(node)
        kept = [entry for entry in entries if entry.step not in change.removed]
        aligned = not node.flow_style and self._padding(entries) > 0
        for entry in kept:
            self._renew(entry, change, aligned=aligned)
        if node.flow_style or not entries:
            self._change_flow(node, entries, change)
        else:
            self._change_block(node, entries, change)

    def replace(self, path: Path, value: str) -> None:
        """Puts `value` in the place of what stands at `path`."""
        self.change(path[:-1], Change(replaced={path[-1]: value}))

    def text(self) -> str:
        """The file with all changes."""
        text = self._text
        for (start, end), new in sorted(self._edits.items(), reverse=True):
            text = text[:start] + new + text[end:]
        return text

    # -- one entry

    def _renew(self, entry: _Entry, change: Change, *, aligned: bool) -> None:
        new_key, value = change.renamed.get(entry.step), change.replaced.get(entry.step)
        if new_key is not None:
            self._rename(entry, new_key, aligned=aligned)
        if value is not None:
            start = entry.node.start_mark.index
            # What is empty stands right behind its colon.
            space = " " if start and self._text[start - 1] == ":" else ""
            self._edit(start, self._end(entry.node), space + value)

    def _rename(self, entry: _Entry, key: str, *, aligned: bool) -> None:
        colon = self._text.index(":", self._key_end(entry))
        start = entry.node.start_mark.index
        between = self._text[colon + 1 : start]
        if between.strip(" ") or not between or not aligned:
            self._edit(entry.start, colon, key)
            return
        width = start - entry.start
        self._edit(entry.start, start, f"{key}:".ljust(width) if len(key) + 2 <= width else f"{key}: ")

    def _key_end(self, entry: _Entry) -> int:
        start = entry.start
        quote = self._text[start]
        return self._text.index(quote, start + 1) if quote in "\"'" else start

    # -- {in: braces}

    def _change_flow(self, node: yaml.Node, entries: Sequence[_Entry], change: Change) -> None:
        """Cuts runs of entries with one comma each, and puts new ones behind the last that stays."""
        new = ", ".join(f"{key}: {value}" if key else value for key, value in change.added)
        gone = [entry.step in change.removed for entry in entries]
        last = max((index for index, is_gone in enumerate(gone) if not is_gone), default=-1)
        index = 0
        while index <= last:
            if gone[index]:
                following = next(at for at in range(index, len(entries)) if not gone[at])
                self._edit(entries[index].start, entries[following].start, "")
                index = following
            index += 1
        if last >= 0:
            end = self._end(entries[last].node)
            self._edit(end, self._end(entries[-1].node), f", {new}" if new else "")
        elif entries:
            self._edit(entries[0].start, self._end(entries[-1].node), new)
        elif new:
            brackets = "[]" if isinstance(node, yaml.SequenceNode) else "{}"
            self._edit(node.start_mark.index, self._end(node), f"{brackets[0]}{new}{brackets[1]}")

    # -- one entry per line

    def _change_block(self, node: yaml.Node, entries: Sequence[_Entry], change: Change) -> None:
        for index, entry in enumerate(entries):
            if entry.step in change.removed:
                following = entries[index + 1].start if index + 1 < len(entries) else None
                self._cut(node, entry, following)
        if change.added:
            kept = [entry for entry in entries if entry.step not in change.removed]
            last = (kept or entries)[-1]
            indent = " " * self._column(node, last)
            lines = [f"\n{indent}{_line(key, value, self._padding(entries))}" for key, value in change.added]
            gap = "\n" if self._is_spaced(last) and len(entries) > 1 else ""
            end = self._line_end(self._end(last.node))
            if kept:
                self._edit(end, end, "".join(gap + line for line in lines))
            else:
                # Where nothing stays, what is new stands behind what is cut.
                self._edit(end + 1, end + 1, "\n".join(line[1:] for line in lines) + "\n")

    def _cut(self, node: yaml.Node, entry: _Entry, following: int | None) -> None:
        """Takes the lines of an entry out; the first of a mapping within a list leaves its dash."""
        start = self._text.rfind("\n", 0, entry.start) + 1
        head = self._text[start : entry.start]
        if isinstance(node, yaml.MappingNode) and head.strip():
            self._edit(entry.start, following if following is not None else self._end(entry.node), "")
            return
        end = self._line_end(self._end(entry.node))
        self._edit(start, min(end + 1, len(self._text)), "")

    def _column(self, node: yaml.Node, entry: _Entry) -> int:
        start = self._text.rfind("\n", 0, entry.start) + 1
        if isinstance(node, yaml.SequenceNode):
            return self._text.rindex("-", start, entry.start) - start
        return entry.start - start

    def indent(self, path: Path) -> int | None:
        """How far the keys of the block at `path` are indented; None where it stands on one line."""
        node = self._find(path)
        entries = _entries(node)
        if not isinstance(node, yaml.CollectionNode) or node.flow_style or not entries:
            return None
        return self._column(node, entries[-1])

    def _is_spaced(self, entry: _Entry) -> bool:
        """Whether a blank line stands above the entry."""
        start = self._text.rfind("\n", 0, entry.start) + 1
        return self._text[:start].endswith("\n\n")

    def _padding(self, entries: Sequence[_Entry]) -> int:
        """How wide keys are with the spaces behind them, where values are aligned; else 0."""
        widths = {entry.node.start_mark.index - entry.start for entry in entries}
        keys = {len(str(entry.step)) for entry in entries}
        aligned = len(widths) == 1 and len(keys) > 1 and len(entries) > 1
        return min(widths) if aligned and min(widths) <= _WIDEST_PADDING else 0

    # -- places

    def _find(self, path: Path) -> yaml.Node | None:
        node: yaml.Node | None = self._root
        for step in path:
            if not isinstance(node, yaml.CollectionNode):
                return None
            node = next((entry.node for entry in _entries(node) if entry.step == step), None)
        return node

    def _end(self, node: yaml.Node) -> int:
        """Where the last character of a value is behind us; the parser ends block values at what follows them."""
        if isinstance(node, yaml.CollectionNode) and not node.flow_style:
            entries = _entries(node)
            return self._end(entries[-1].node) if entries else int(node.start_mark.index)
        end = int(node.end_mark.index)
        if isinstance(node, yaml.ScalarNode) and node.style in ("|", ">"):
            return len(self._text[:end].rstrip("\n "))
        return end

    def _line_end(self, index: int) -> int:
        found = self._text.find("\n", index)
        return found if found >= 0 else len(self._text)

    def _edit(self, start: int, end: int, new: str) -> None:
        if start != end or new:
            self._edits[start, end] = self._edits.get((start, end), "") + new

    def _refused(self, path: Path, reason: str) -> ConfigError:
        place = f"{self._file}: {dotted(path)}" if path else self._file
        return ConfigError(f"{place} {reason}, and cannot be rewritten", hint="Write it out, then run it again.")


def _line(key: str, value: str, pad: int) -> str:
    if not key:
        return f"- {value}"
    separator = "" if value.startswith("\n") else " "
    return f"{key}:{separator}{value}" if len(key) + 2 > pad or not separator else f"{key}:".ljust(pad) + value


def _entries(node: yaml.Node | None) -> list[_Entry]:
    if isinstance(node, yaml.MappingNode):
        return [_Entry(key.value, key.start_mark.index, value) for key, value in node.value]
    if isinstance(node, yaml.SequenceNode):
        return [_Entry(index, item.start_mark.index, item) for index, item in enumerate(node.value)]
    return []


def _aliased(root: yaml.Node) -> frozenset[int]:
    """The collections that stand in more than one place."""
    seen: set[int] = set()
    twice: set[int] = set()
    ahead = [root]
    while ahead:
        node = ahead.pop()
        if not isinstance(node, yaml.CollectionNode):
            continue
        if id(node) in seen:
            twice.add(id(node))
            continue
        seen.add(id(node))
        ahead += [entry.node for entry in _entries(node)]
    return frozenset(twice)
