"""Generators of numbers: sequence, uniform, normal, lognormal, exponential, poisson.

Always holds: whole numbers and decimals are drawn with integer arithmetic where the distribution is even; the
others are rounded half to even at the column's scale; numbers outside of ``min`` and ``max`` are drawn again
from words of their own, and lie at the border only if that fails several times.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any, Final

import numpy as np
import pyarrow as pa

from tdv.factories.distributions import (
    MOST_POISSON,
    Numbers,
    exponential,
    exponentiate,
    normal,
    poisson_bounds,
)
from tdv.factories.domains import Integers, whole
from tdv.factories.generators.maker import Cells, Counted, Maker, Request
from tdv.factories.options import Options
from tdv.factories.random import Stream, Words, unit
from tdv.model.types import LogicalType

_WHOLE: Final = ("int16", "int32", "int64")
_NUMERIC: Final = (*_WHOLE, "decimal", "float64")
_WIDTH: Final = {"int16": 15, "int32": 31, "int64": 63}
_TRIES: Final = 8


def sequence(request: Request) -> Maker:
    """``start``, ``start + step``, … in the order of the rows."""
    request.only(*_WHOLE, "decimal", "string")
    options = request.options
    options.mapping("start", "step")
    start, step = (options.number(name, 1) for name in ("start", "step"))
    if step == 0:
        raise options.wrong("step must not be 0")
    unit_size = 10**request.column.type.scale
    first, width = start * unit_size, step * unit_size
    if first != int(first) or width != int(width):
        raise options.wrong(f"start and step must be whole numbers of the scale of {request.column.type}")
    last = int(first) + int(width) * max(request.rows - 1, 0)
    low, high = _limits(request.column.type)
    if not (low <= int(first) <= high and low <= last <= high):
        raise options.wrong(f"runs to {last}, beyond the range of {request.column.type}")
    return Counted(Integers(int(first), max(request.rows, 1), request.column.type, int(width)))


def _limits(kind: LogicalType) -> tuple[int, int]:
    """The smallest and largest value, in units of the scale, that fits both the type and 64 bits."""
    if kind.name == "decimal" and kind.precision <= 18:
        return -(10**kind.precision) + 1, 10**kind.precision - 1
    bits = _WIDTH.get(kind.name, 63)
    return -(1 << bits), (1 << bits) - 1


def uniform(request: Request) -> Maker:
    """Every number from ``min`` to ``max``, both included, is as likely as any other."""
    request.only(*_NUMERIC)
    options = request.options
    options.mapping("min", "max")
    rules = request.column.rules
    low, high = options.number("min", rules.minimum), options.number("max", rules.maximum)
    if low > high:
        raise options.wrong(f"min {low} is above max {high}")
    if request.column.type.name == "float64":
        request.never_unique()
        return Spread(request.column.type, _Flat(float(low), float(high)), request.stream, _Bounds(None, None))
    size = 10**request.column.type.scale
    first, last = -int(-low * size // 1), int(high * size // 1)
    smallest, largest = _limits(request.column.type)
    if first < smallest or last > largest:
        raise options.wrong(f"min and max must lie in the range of {request.column.type}")
    return request.even(Integers(first, last - first + 1, request.column.type))


def gaussian(request: Request) -> Maker:
    """Normally distributed around ``mean`` with standard deviation ``sd``."""
    _numeric(request, "mean", "sd")
    mean, deviation = float(request.options.number("mean")), float(_positive(request, "sd"))
    return _spread(request, _Normal(mean, deviation))


def lognormal(request: Request) -> Maker:
    """Skewed to the right: half lie below ``median``; ``sigma`` is the standard deviation of the logarithm."""
    _numeric(request, "median", "sigma")
    with localcontext() as context:
        context.prec = 30
        location = float(_positive(request, "median").ln())
    return _spread(request, _LogNormal(location, float(_positive(request, "sigma"))))


def memoryless(request: Request) -> Maker:
    """Exponentially distributed with ``mean``."""
    _numeric(request, "mean")
    return _spread(request, _Exponential(float(_positive(request, "mean"))))


def poisson(request: Request) -> Maker:
    """Counts of rare events, ``mean`` of them on average."""
    _numeric(request, "mean")
    mean = _positive(request, "mean")
    if mean > MOST_POISSON:
        raise request.options.wrong(f"mean must be at most {MOST_POISSON}; use normal for larger counts")
    return _spread(request, _Poisson(str(mean)))


def _numeric(request: Request, *names: str) -> None:
    request.only(*_NUMERIC)
    request.never_unique()
    request.options.mapping(*names, "min", "max")


def _positive(request: Request, name: str) -> Decimal:
    number = request.options.number(name)
    if number <= 0:
        raise request.options.wrong(f"{name} must be above 0")
    return number


Distribution = Callable[[Words], Numbers]


@dataclass(frozen=True)
class _Flat:
    low: float
    high: float

    def __call__(self, words: Words) -> Numbers:
        return self.low + (self.high - self.low) * unit(words)


@dataclass(frozen=True)
class _Normal:
    mean: float
    deviation: float

    def __call__(self, words: Words) -> Numbers:
        return self.mean + self.deviation * normal(words)


@dataclass(frozen=True)
class _LogNormal:
    location: float
    width: float

    def __call__(self, words: Words) -> Numbers:
        return exponentiate(self.location + self.width * normal(words))


@dataclass(frozen=True)
class _Exponential:
    mean: float

    def __call__(self, words: Words) -> Numbers:
        return self.mean * exponential(words)


@dataclass(frozen=True)
class _Poisson:
    mean: str

    def __call__(self, words: Words) -> Numbers:
        return np.searchsorted(poisson_bounds(self.mean), words, side="right").astype(np.float64)


@dataclass(frozen=True)
class _Bounds:
    """What the numbers may be, None leaves a side open."""

    low: float | None
    high: float | None

    def broken(self, numbers: Numbers) -> Any:
        """True where a number is out of bounds."""
        outside = np.zeros(len(numbers), dtype=np.bool_)
        if self.low is not None:
            outside |= numbers < self.low
        if self.high is not None:
            outside |= numbers > self.high
        return outside


def _spread(request: Request, distribution: Distribution) -> Maker:
    kind, options, rules = request.column.type, request.options, request.column.rules
    low = _bound(options, "min", rules.minimum)
    high = _bound(options, "max", rules.maximum)
    if kind.name != "float64":
        smallest, largest = (Decimal(limit) / 10**kind.scale for limit in _limits(kind))
        low = smallest if low is None else max(low, smallest)
        high = largest if high is None else min(high, largest)
    if low is not None and high is not None and low > high:
        raise options.wrong(f"min {low} is above max {high}")
    bounds = _Bounds(None if low is None else float(low), None if high is None else float(high))
    return Spread(kind, distribution, request.stream, bounds)


def _bound(options: Options, name: str, rule: Any) -> Decimal | None:
    """The option, or else the column's rule, or None where neither is given."""
    value = options.raw.get(name, rule)
    return None if value is None else options.exact(value, name)


@dataclass(frozen=True)
class Spread:
    """Numbers of a distribution, rounded to the type and kept within bounds."""

    kind: LogicalType
    distribution: Distribution
    stream: Stream
    bounds: _Bounds
    needs: frozenset[str] = frozenset()

    def values(self, cells: Cells) -> pa.Array:
        numbers = self._rounded(self.distribution(self.stream.words(cells.rows)))
        outside = np.flatnonzero(self.bounds.broken(numbers))
        for attempt in range(1, _TRIES):
            if not len(outside):
                break
            again = self.stream.named(f"again {attempt}").words(cells.rows[outside])
            numbers[outside] = self._rounded(self.distribution(again))
            outside = outside[self.bounds.broken(numbers[outside])]
        if len(outside):
            numbers[outside] = np.clip(numbers[outside], self.bounds.low, self.bounds.high)
        if self.kind.name == "float64":
            return pa.array(numbers)
        return whole(np.rint(numbers * 10**self.kind.scale).astype(np.int64), self.kind)

    def _rounded(self, numbers: Numbers) -> Numbers:
        if self.kind.name == "float64":
            return numbers
        if self.kind.scale == 0:
            return np.rint(numbers)
        size = float(10**self.kind.scale)
        return np.rint(numbers * size) / size
