"""Names, addresses and the like from value tables that are frozen in the package.

In: a locale, a provider of Faker's by name, row numbers and a stream. Out: text. Always holds: a table is never
changed once released, so that the same spec gives the same values whatever Faker is installed; Faker itself is
not imported. `tools/freeze_faker.py` writes the tables from Faker's data (MIT licence, ``tables/NOTICE``).

A table holds lists (values with whole-number weights) and formats (alternatives of tokens). A token is ``=text``
(itself), ``@provider``, ``#n`` (n digits), ``%`` (a digit above 0), ``$`` (above 1), ``?`` (a letter from a to z)
or ``!`` (where unique values carry a number of their own).
"""

from __future__ import annotations

import json
import string
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tdv.factories.mosaic import Pieces, texts
from tdv.factories.random import Rows, Stream, bounded

_SLOTS: Final = 1 << 16
_SHIFT: Final = np.uint64(48)
_TABLES: Final = "tables"
_MARK: Final = "!"
_NOTHING: Final = 0
_SIGNS: Final = {"%": "123456789", "$": "23456789", "?": string.ascii_lowercase}

Slots = NDArray[np.uint16]


@lru_cache(maxsize=32)
def name_table(locale: str) -> NameTable | None:
    """The frozen table of a locale such as ``en_US``, or None."""
    if not locale.replace("_", "").isalnum():
        return None
    file = resources.files("tdv.factories").joinpath(_TABLES, f"{locale}.json")
    if not file.is_file():
        return None
    return NameTable(json.loads(file.read_text(encoding="utf-8")))


class NameTable:
    """The lists and formats of one locale."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._lists: dict[str, Any] = raw["lists"]
        self._formats: dict[str, Any] = raw["formats"]
        self._plans: dict[str, _Plan] = {}

    def holds(self, provider: str) -> bool:
        """True if the table serves this provider."""
        return provider in self._lists or provider in self._formats

    def can_be_unique(self, provider: str) -> bool:
        """True if every value of the provider has a place for a number of its own."""
        return provider in self._formats and all(_MARK in tokens for _, tokens in self._formats[provider])

    def values(self, provider: str, rows: Rows, stream: Stream, suffix: pa.Array | None = None) -> pa.Array:
        """One text per row; `suffix` goes where a format has a place for it, which makes the texts unique."""
        plan = self._plans.get(provider)
        if plan is None:
            plan = self._plans[provider] = _Planner(self._lists, self._formats).plan(provider)
        pieces = np.empty((len(rows), plan.root.width), dtype=np.int32)
        dictionary = plan.dictionary
        marks = np.zeros(len(rows), dtype=np.int32)
        if suffix is not None:
            marks = np.arange(len(dictionary), len(dictionary) + len(rows), dtype=np.int32)
            dictionary = pa.concat_arrays([dictionary, suffix])
        plan.root.fill(pieces, rows, stream, marks)
        return texts(dictionary, pieces)


@dataclass(frozen=True)
class _Plan:
    """How to make a provider's texts: a tree of choices over one dictionary, in which number 0 is no text."""

    dictionary: pa.Array
    root: _Node


@dataclass(frozen=True)
class _List:
    """One of the pieces from `first` on."""

    first: int
    size: int
    slots: Slots | None
    width: int = 1

    def fill(self, pieces: Pieces, rows: Rows, stream: Stream, marks: Pieces) -> None:
        words = stream.words(rows)
        chosen = bounded(words, self.size) if self.slots is None else self.slots[words >> _SHIFT]
        np.add(chosen, self.first, out=pieces[:, 0], casting="unsafe")


@dataclass(frozen=True)
class _Mark:
    """The row's own number, where there is one."""

    width: int = 1

    def fill(self, pieces: Pieces, rows: Rows, stream: Stream, marks: Pieces) -> None:
        pieces[:, 0] = marks


@dataclass(frozen=True)
class _Tokens:
    """Parts one after another; each has a stream named by its place."""

    parts: tuple[_Node, ...]
    names: tuple[str, ...]

    @cached_property
    def width(self) -> int:
        return sum(part.width for part in self.parts)

    def fill(self, pieces: Pieces, rows: Rows, stream: Stream, marks: Pieces) -> None:
        at = 0
        for part, name in zip(self.parts, self.names, strict=True):
            part.fill(pieces[:, at : at + part.width], rows, stream.named(name), marks)
            at += part.width


@dataclass(frozen=True)
class _Either:
    """One of several alternatives; shorter ones end with no text.

    All rows are filled with the most frequent one first, since most of them keep it.
    """

    alternatives: tuple[_Tokens, ...]
    slots: Slots
    usual: int

    @cached_property
    def width(self) -> int:
        return max(tokens.width for tokens in self.alternatives)

    def fill(self, pieces: Pieces, rows: Rows, stream: Stream, marks: Pieces) -> None:
        chosen = self.slots[stream.named("format").words(rows) >> _SHIFT]
        usual = self.alternatives[self.usual]
        usual.fill(pieces[:, : usual.width], rows, stream.named(str(self.usual)), marks)
        pieces[:, usual.width :] = _NOTHING
        others = np.flatnonzero(chosen != self.usual)
        chosen = chosen[others]
        for number, tokens in enumerate(self.alternatives):
            places = others[chosen == number]
            if not len(places):
                continue
            own = np.full((len(places), self.width), _NOTHING, dtype=np.int32)
            tokens.fill(own[:, : tokens.width], rows[places], stream.named(str(number)), marks[places])
            pieces[places] = own


_Node = _List | _Mark | _Tokens | _Either


class _Planner:
    """Turns a provider's formats into a plan; a literal becomes part of the pieces beside it."""

    def __init__(self, lists: dict[str, Any], formats: dict[str, Any]) -> None:
        self._lists = lists
        self._formats = formats
        self._pieces: list[str] = [""]
        self._first: dict[tuple[str, str, str], int] = {}
        self._slots: dict[str, Slots] = {}

    def plan(self, provider: str) -> _Plan:
        root = self._node(f"@{provider}", "", "")
        return _Plan(pa.array(self._pieces, pa.string()), root)

    def _node(self, token: str, before: str, after: str) -> _Node:
        if token == _MARK:
            return _Mark()
        formats = self._formats.get(token[1:]) if token[0] == "@" else None
        if formats is None:
            return self._list(token, before, after)
        alternatives = tuple(self._tokens(tokens) for _, tokens in formats)
        if len(alternatives) == 1:
            return alternatives[0]
        weights = [weight for weight, _ in formats]
        return _Either(alternatives, slots(weights), weights.index(max(weights)))

    def _list(self, token: str, before: str, after: str) -> _List:
        values, weights = self._values(token)
        key = (token, before, after)
        if key not in self._first:
            self._first[key] = len(self._pieces)
            self._pieces.extend(f"{before}{value}{after}" for value in values)
        if weights and token not in self._slots:
            self._slots[token] = slots(weights)
        return _List(self._first[key], len(values), self._slots.get(token))

    def _values(self, token: str) -> tuple[list[str], list[int] | None]:
        if token[0] == "@":
            listed = self._lists[token[1:]]
            return listed["values"], listed.get("weights")
        if token[0] == "#":
            count = int(token[1:])
            return [f"{number:0{count}}" for number in range(10**count)], None
        return ([token[1:]] if token[0] == "=" else list(_SIGNS[token[0]])), None

    def _tokens(self, tokens: list[str]) -> _Tokens:
        """Literals go to the list after them, or else to the one before; streams keep the tokens' places."""
        parts: list[_Node] = []
        names: list[str] = []
        before = ""
        for place, token in enumerate(tokens):
            follower = tokens[place + 1] if place + 1 < len(tokens) else "="
            if token[0] == "=" and self._is_list(follower):
                before = token[1:]
                continue
            last = place + 2 == len(tokens) and follower[0] == "=" and self._is_list(token)
            parts.append(self._node(token, before, follower[1:] if last else ""))
            names.append(str(place))
            before = ""
            if last:
                break
        return _Tokens(tuple(parts), tuple(names))

    def _is_list(self, token: str) -> bool:
        return token[0] in "#%$?" or (token[0] == "@" and token[1:] in self._lists)


def slots(weights: list[int]) -> Slots:
    """65,536 slots shared out by weight, at least one to each: borders are rounded down, order is kept."""
    total, running, start = sum(weights), 0, 0
    shares = np.empty(_SLOTS, dtype=np.uint16)
    for number, weight in enumerate(weights):
        running += weight
        end = max(running * _SLOTS // total, start + 1)
        end = min(end, _SLOTS - (len(weights) - number - 1))
        shares[start:end] = number
        start = end
    return shares
