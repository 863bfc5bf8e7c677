"""Text that matches a pattern, each value exactly once per number.

In: a subset of regular expressions: literals, ``.``-free classes ``[A-Z0-9]``, ``\\d \\w``, groups with ``|``, and
the counts ``{n} {m,n} ?``. Out: text. Always holds: the numbers ``0 … size-1`` map to distinct texts as long as
the pattern itself is unambiguous, and every text matches.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.factories.domains import MOST
from tdv.factories.draws import Even, Permuted
from tdv.factories.generators.maker import Cells, Maker, Request
from tdv.factories.mosaic import Pieces, texts
from tdv.factories.random import Rows, Stream

_DIGITS: Final = string.digits
_WORD: Final = string.digits + string.ascii_uppercase + "_" + string.ascii_lowercase
_CLASSES: Final = {"d": _DIGITS, "w": _WORD}
_MOST_REPEATS: Final = 1000
_SPECIAL: Final = set("*+.^$)|{}]")


@dataclass(frozen=True)
class _Characters:
    """One of a set of characters, which stand in the dictionary at `places`."""

    places: tuple[int, ...]
    width: int = 1

    @property
    def size(self) -> int:
        return len(self.places)

    def fill(self, pieces: Pieces, ordinals: Rows) -> None:
        pieces[:, 0] = np.array(self.places, dtype=np.int32)[ordinals]


@dataclass(frozen=True)
class _Sequence:
    """Parts one after another; the last one counts fastest."""

    parts: tuple[_Node, ...]

    @cached_property
    def size(self) -> int:
        return prod(part.size for part in self.parts)

    @cached_property
    def width(self) -> int:
        return sum(part.width for part in self.parts)

    def fill(self, pieces: Pieces, ordinals: Rows) -> None:
        end = self.width
        for part in reversed(self.parts):
            above = ordinals // part.size
            part.fill(pieces[:, end - part.width : end], ordinals - above * part.size)
            ordinals = above
            end -= part.width


@dataclass(frozen=True)
class _Either:
    """One of several alternatives; shorter ones end with no character."""

    options: tuple[_Node, ...]

    @cached_property
    def size(self) -> int:
        return sum(option.size for option in self.options)

    @cached_property
    def width(self) -> int:
        return max(option.width for option in self.options)

    def fill(self, pieces: Pieces, ordinals: Rows) -> None:
        start = 0
        for option in self.options:
            places = np.flatnonzero((ordinals >= start) & (ordinals < start + option.size))
            own = np.zeros((len(places), self.width), dtype=np.int32)
            option.fill(own[:, : option.width], ordinals[places] - start)
            pieces[places] = own
            start += option.size


_Node = _Characters | _Sequence | _Either


class _Parser:
    """Recursive descent over a pattern; raises `ValueError` with a reason."""

    def __init__(self, text: str) -> None:
        self.dictionary: dict[str, int] = {"": 0}
        self._text = text.removeprefix("^")
        if self._text.endswith("$") and not self._text.endswith("\\$"):
            self._text = self._text[:-1]
        self._at = 0

    def parse(self) -> _Node:
        node = self._either()
        if self._at < len(self._text):
            raise ValueError(f"unexpected {self._text[self._at]!r} at {self._at + 1}")
        return node

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise ValueError("ends too early")
        self._at += 1
        return character

    def _either(self) -> _Node:
        options = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            options.append(self._sequence())
        return options[0] if len(options) == 1 else _Either(tuple(options))

    def _sequence(self) -> _Node:
        parts: list[_Node] = []
        while self._peek() not in ("", "|", ")"):
            parts.extend(self._counted(self._atom()))
        return _Sequence(tuple(parts))

    def _atom(self) -> _Node:
        character = self._next()
        if character == "(":
            if self._text.startswith("?:", self._at):
                self._at += 2
            node = self._either()
            if self._next() != ")":
                raise ValueError("a group is not closed")
            return node
        if character == "[":
            return self._characters(self._class())
        if character == "\\":
            return self._characters(self._escape())
        if character in _SPECIAL or character == "?":
            raise ValueError(f"{character!r} at {self._at} is not supported; write \\{character} for the character")
        return self._characters(character)

    def _characters(self, characters: str) -> _Characters:
        return _Characters(tuple(self.dictionary.setdefault(each, len(self.dictionary)) for each in characters))

    def _escape(self) -> str:
        character = self._next()
        if character in _CLASSES:
            return _CLASSES[character]
        if character.isalnum():
            raise ValueError(f"\\{character} is not supported")
        return character

    def _class(self) -> str:
        found: list[str] = []
        if self._peek() == "^":
            raise ValueError("a negated class is not supported")
        while (character := self._next()) != "]":
            characters = self._escape() if character == "\\" else character
            if len(characters) == 1 and self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                self._at += 1
                last = self._next()
                last = self._escape() if last == "\\" else last
                characters = "".join(map(chr, range(ord(characters), ord(last) + 1)))
                if not characters:
                    raise ValueError("a range of characters runs backwards")
            found.extend(characters)
        if not found:
            raise ValueError("a class is empty")
        return "".join(dict.fromkeys(found))

    def _counted(self, node: _Node) -> list[_Node]:
        low, high = self._count()
        if low == high:
            return [node] * low
        optional = [_Sequence((node,) * count) for count in range(high - low + 1)]
        return [*([node] * low), _Either(tuple(optional))]

    def _count(self) -> tuple[int, int]:
        if self._peek() == "?":
            self._at += 1
            return 0, 1
        if self._peek() != "{":
            return 1, 1
        end = self._text.find("}", self._at)
        bounds = self._text[self._at + 1 : end].split(",") if end > 0 else []
        if not 1 <= len(bounds) <= 2 or not all(bound.isdecimal() for bound in bounds):
            raise ValueError("a count must be {n} or {m,n}")
        self._at = end + 1
        low, high = int(bounds[0]), int(bounds[-1])
        if not 0 <= low <= high <= _MOST_REPEATS:
            raise ValueError(f"a count must rise and be at most {_MOST_REPEATS}")
        return low, high


def _flat(node: _Node) -> list[_Node]:
    return [inner for part in node.parts for inner in _flat(part)] if isinstance(node, _Sequence) else [node]


def _chunks(node: _Node) -> tuple[_Sequence, ...]:
    """The pattern's parts in runs of at most 2**62 texts each; raises `ValueError` if one part has more."""
    runs: list[list[_Node]] = [[]]
    for part in _flat(node):
        if part.size > MOST:
            raise ValueError("a part with a variable count has too many values; write several smaller parts")
        if prod(other.size for other in runs[-1]) * part.size > MOST:
            runs.append([])
        runs[-1].append(part)
    return tuple(_Sequence(tuple(run)) for run in runs)


@dataclass(frozen=True)
class Matching:
    """Texts of a pattern; the first run is drawn without repetition where the column is unique."""

    request: Request
    dictionary: pa.Array
    runs: tuple[_Sequence, ...]
    stream: Stream
    needs: frozenset[str] = frozenset()

    def values(self, cells: Cells) -> pa.Array:
        pieces = np.empty((len(cells.rows), sum(run.width for run in self.runs)), dtype=np.int32)
        at = 0
        for number, run in enumerate(self.runs):
            stream = self.stream.named(f"run {number}") if number else self.stream
            draw = Permuted if self.request.unique and not number else Even
            run.fill(pieces[:, at : at + run.width], draw(stream, run.size).ordinals(cells.rows))
            at += run.width
        return self.request.read(texts(self.dictionary, pieces))


def pattern(request: Request) -> Maker:
    """Text that matches a regular expression with a limited number of matches."""
    try:
        parser = _Parser(request.options.text())
        runs = _chunks(parser.parse())
    except ValueError as exc:
        raise request.options.wrong(f"cannot use the pattern {request.options.raw!r}: {exc}") from exc
    if request.unique and runs[0].size < request.rows:
        raise request.options.wrong(
            f"has {runs[0].size} possible values, but {request.rows} rows must all differ",
            hint="Lengthen the pattern, or generate fewer rows.",
        )
    return Matching(request, pa.array(list(parser.dictionary), pa.string()), runs, request.stream)
