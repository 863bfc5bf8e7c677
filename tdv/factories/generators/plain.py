"""Generators of listed values, moments and identifiers: constant, choice, datetime, uuid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tdv.content.text import expected, from_text
from tdv.factories.domains import TICKS, Choices, Moments
from tdv.factories.draws import Weighted, thresholds
from tdv.factories.generators.maker import Cells, Drawn, Maker, Request
from tdv.factories.random import Stream

_DAY: Final = 86_400_000_000
_MOST_CHOICES: Final = 100_000
_HEX: Final = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_PLACES: Final = np.array([place for place in range(36) if place not in (8, 13, 18, 23)])


@dataclass(frozen=True)
class Constant:
    """One value for all rows."""

    value: pa.Array
    needs: frozenset[str] = frozenset()

    def values(self, cells: Cells) -> pa.Array:
        return pa.repeat(self.value[0], len(cells.rows))


def constant(request: Request) -> Maker:
    """The same value in every row."""
    if request.rows > 1:
        request.never_unique()
    return Constant(request.plain([request.options.raw]))


def choice(request: Request) -> Maker:
    """One of the listed values; a mapping gives each its weight."""
    options = request.options
    raw = options.raw
    if not isinstance(raw, list | tuple | Mapping) or not raw:
        raise options.wrong("expected a list of values, or a mapping of values to weights")
    if len(raw) > _MOST_CHOICES:
        raise options.wrong(f"takes at most {_MOST_CHOICES} values; use a table of its own and pick")
    if not isinstance(raw, Mapping):
        return request.even(Choices(request.plain(raw)))
    values, weights = _weighted(request, raw)
    if request.unique:
        return request.even(Choices(values))
    return Drawn(Choices(values), request.stream, Weighted(request.stream, thresholds(weights))).within(request)


def _weighted(request: Request, raw: Mapping[Any, Any]) -> tuple[pa.Array, list[int]]:
    exact = [request.options.exact(weight, f"the weight of {value!r}") for value, weight in raw.items()]
    if min(exact) < 0 or sum(exact) <= 0:
        raise request.options.wrong("weights must not be negative and not all be 0")
    digits = max(-int(weight.as_tuple().exponent) for weight in exact)
    weights = [int(weight * Decimal(10) ** max(digits, 0)) for weight in exact]
    parsed = from_text(pa.array([_written(value) for value in raw], pa.string()), request.column.type)
    for misfit in parsed.misfits:
        raise request.options.wrong(f"{misfit.value!r} is not {expected(request.column.type)}")
    return parsed.array, weights


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def moments(request: Request) -> Maker:
    """Dates, times or timestamps from ``from`` (included) to ``to`` (excluded), by whole days or seconds."""
    kind = request.column.type
    request.only(*TICKS)
    options = request.options
    given = options.mapping("from", "to")
    defaults = {"from": "00:00:00", "to": None} if kind.name == "time" else {}
    start, end = (given.get(name, defaults.get(name)) for name in ("from", "to"))
    if start is None or (end is None and kind.name != "time"):
        raise options.wrong("needs 'from' and 'to', such as {from: 2020-01-01, to: as_of}")
    first = options.moment(start, request.as_of)
    last = _DAY if end is None else options.moment(end, request.as_of)
    tick = TICKS[kind.name]
    first = -(-first // tick) * tick
    size = -(-(last - first) // tick)
    if size < 1:
        raise options.wrong(f"from {start} must lie before to {end}")
    return request.even(Moments(first, size, kind))


def uuid(request: Request) -> Maker:
    """Version 4 identifiers, in which the row number is hidden, so that they never repeat."""
    request.only("uuid", "string")
    request.options.mapping()
    return Uuids(request.stream)


@dataclass(frozen=True)
class Uuids:
    """RFC 9562 text: 64 bits are a bijection of the row number, 58 more come from a second word."""

    stream: Stream
    needs: frozenset[str] = frozenset()

    def values(self, cells: Cells) -> pa.Array:
        first, second = self.stream.words(cells.rows), self.stream.named("tail").words(cells.rows)
        high = (first & ~np.uint64(0xFFFF)) | np.uint64(0x4000) | ((first >> np.uint64(4)) & np.uint64(0xFFF))
        low = ((first & np.uint64(0xF)) << np.uint64(58)) | (second & np.uint64((1 << 58) - 1)) | np.uint64(1 << 63)
        digits = np.empty((len(first), 32), dtype=np.uint8)
        for word, half in ((high, 0), (low, 16)):
            raw = word.astype(">u8").view(np.uint8).reshape(-1, 8)
            digits[:, half : half + 16 : 2] = raw >> 4
            digits[:, half + 1 : half + 16 : 2] = raw & 15
        text = np.full((len(first), 36), ord("-"), dtype=np.uint8)
        text[:, _PLACES] = _HEX[digits]
        offsets = np.arange(len(first) + 1, dtype=np.int32) * 36
        return pa.StringArray.from_buffers(len(first), pa.py_buffer(offsets), pa.py_buffer(text))
