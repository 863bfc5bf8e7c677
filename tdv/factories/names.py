"""Names, addresses and the like from value tables that are frozen in the package.

In: a locale, a provider of Faker's by name, row numbers and a stream. Out: text. Always holds: a table is never
changed once released, so that the same spec gives the same values whatever Faker is installed; Faker itself is
not imported. `tools/freeze_faker.py` writes the tables from Faker's data (MIT licence, ``tables/NOTICE``).

A table holds lists (values with whole-number weights) and formats (alternatives of tokens). A token is ``=text``
(itself), ``@provider``, ``#n`` (n digits), ``%`` (a digit above 0), ``$`` (above 1) or ``?`` (a letter from a to z).
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
import pyarrow.compute as pc
from numpy.typing import NDArray

from tdv.factories.random import Rows, Stream, bounded

_SLOTS: Final = 1 << 16
_SHIFT: Final = np.uint64(48)
_TABLES: Final = "tables"
USER_NAME: Final = "user_name"


@lru_cache(maxsize=32)
def name_table(locale: str) -> NameTable | None:
    """The frozen table of a locale such as ``en_US``, or None."""
    if not locale.replace("_", "").isalnum():
        return None
    file = resources.files("tdv.factories").joinpath(_TABLES, f"{locale}.json")
    if not file.is_file():
        return None
    return NameTable(json.loads(file.read_text(encoding="utf-8")))


def frozen_locales() -> tuple[str, ...]:
    """The locales with a table."""
    names = (file.name for file in resources.files("tdv.factories").joinpath(_TABLES).iterdir())
    return tuple(sorted(name.removesuffix(".json") for name in names if name.endswith(".json")))


class NameTable:
    """The lists and formats of one locale."""

    def __init__(self, raw: dict[str, Any]) -> None:
        self._lists = {name: _List(tuple(item["values"]), item.get("weights")) for name, item in raw["lists"].items()}
        self._formats = {name: _Formats(item) for name, item in raw["formats"].items()}

    @property
    def providers(self) -> tuple[str, ...]:
        """The providers that the table serves, sorted."""
        return tuple(sorted(name for name in {*self._lists, *self._formats} if not name.endswith("_slug")))

    def holds(self, provider: str) -> bool:
        """True if the table serves this provider."""
        return provider in self._lists or provider in self._formats

    def has_user_name(self, provider: str) -> bool:
        """True if every value of the provider contains exactly one user name."""
        if provider == USER_NAME:
            return True
        formats = self._formats.get(provider)
        return formats is not None and all(tokens.count(f"@{USER_NAME}") == 1 for tokens in formats.alternatives)

    def values(self, provider: str, rows: Rows, stream: Stream, suffix: pa.Array | None = None) -> pa.Array:
        """One text per row; `suffix` is appended to user names after a dot, which makes them unique."""
        if provider in self._lists:
            return self._lists[provider].at(rows, stream)
        made = self._alternatives(self._formats[provider], rows, stream, suffix)
        if provider == USER_NAME and suffix is not None:
            return pc.binary_join_element_wise(made, suffix, ".")
        return made

    def _alternatives(self, formats: _Formats, rows: Rows, stream: Stream, suffix: pa.Array | None) -> pa.Array:
        if len(formats.alternatives) == 1:
            return self._tokens(formats.alternatives[0], rows, stream, suffix)
        chosen = formats.slots[stream.named("format").words(rows) >> _SHIFT]
        pieces, places = [], []
        for number, tokens in enumerate(formats.alternatives):
            place = np.flatnonzero(chosen == number)
            if len(place):
                below = suffix.take(pa.array(place)) if suffix is not None else None
                pieces.append(self._tokens(tokens, rows[place], stream.named(str(number)), below))
                places.append(place)
        return gathered(pieces, places)

    def _tokens(self, tokens: tuple[str, ...], rows: Rows, stream: Stream, suffix: pa.Array | None) -> pa.Array:
        if len(tokens) == 3 and tokens[1][0] == "=" and tokens[0][0] == "@" == tokens[2][0]:
            first, last = (self._token(tokens[at], rows, stream.named(str(at)), suffix) for at in (0, 2))
            return pc.binary_join_element_wise(first, last, tokens[1][1:])
        parts = [self._token(token, rows, stream.named(str(at)), suffix) for at, token in enumerate(tokens)]
        if len(parts) == 1 and isinstance(parts[0], pa.Array):
            return parts[0]
        empty = pa.repeat(pa.scalar(""), len(rows))
        return pc.binary_join_element_wise(empty, *parts, "")

    def _token(self, token: str, rows: Rows, stream: Stream, suffix: pa.Array | None) -> pa.Array | str:
        sign, rest = token[0], token[1:]
        if sign == "=":
            return rest
        if sign == "@":
            return self.values(rest, rows, stream, suffix)
        return _characters(sign, int(rest or 1)).at(rows, stream)


@lru_cache(maxsize=32)
def _characters(sign: str, count: int) -> _List:
    """All texts of `count` digits (``#``), or the single characters that another sign stands for."""
    if sign == "#":
        return _List(tuple(f"{number:0{count}}" for number in range(10**count)), None)
    return _List(tuple({"%": "123456789", "$": "23456789", "?": string.ascii_lowercase}[sign]), None)


def gathered(pieces: list[pa.Array], places: list[NDArray[np.int64]]) -> pa.Array:
    """One array from pieces whose elements belong to the given places, which together are 0 … n-1."""
    if len(pieces) == 1:
        return pieces[0]
    order = np.concatenate(places)
    back = np.empty(len(order), dtype=np.int64)
    back[order] = np.arange(len(order))
    return pa.concat_arrays(pieces).take(pa.array(back))


@dataclass(frozen=True)
class _List:
    """Values, drawn evenly or by weight."""

    listed: tuple[str, ...]
    weights: list[int] | None

    @cached_property
    def _values(self) -> pa.Array:
        return pa.array(self.listed, pa.string())

    @cached_property
    def _slots(self) -> NDArray[np.uint16] | None:
        return slots(self.weights) if self.weights else None

    def at(self, rows: Rows, stream: Stream) -> pa.Array:
        words = stream.words(rows)
        chosen = bounded(words, len(self.listed)) if self._slots is None else self._slots[words >> _SHIFT]
        return pc.take(self._values, pa.array(chosen), boundscheck=False)


class _Formats:
    """Alternatives of tokens with their weights."""

    def __init__(self, raw: list[list[Any]]) -> None:
        self.alternatives = tuple(tuple(tokens) for _, tokens in raw)
        self.slots = slots([weight for weight, _ in raw])


def slots(weights: list[int]) -> NDArray[np.uint16]:
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
