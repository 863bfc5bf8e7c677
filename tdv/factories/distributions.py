"""Numeric distributions without the platform's log, exp and pow, whose bits differ between processors.

In: uniform 64-bit words. Out: float64 arrays. Always holds: only additions, multiplications, divisions and
square roots of IEEE 754 are used on arrays, each one a separate correctly rounded step; logarithms and
exponentials come from tables that are made with decimal arithmetic.
"""

from __future__ import annotations

import math
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tdv.factories.random import Words

Numbers = NDArray[np.float64]

MOST_POISSON: Final = 10_000
_BITS: Final = 53
_PRECISION: Final = 30
_LOG_KNOTS: Final = 1024
_NORMAL_KNOTS: Final = 64
_CENTRE: Final = 0.425
_LOG_2: Final = 0.6931471805599453
_LOG2_E: Final = 1.4426950408889634

# Wichura, Algorithm AS 241: The Percentage Points of the Normal Distribution, 1988 (PPND16), highest power first.
_CENTRE_TOP: Final = (
    2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4, 4.5921953931549871457e4,
    1.3731693765509461125e4, 1.9715909503065514427e3, 1.3314166789178437745e2, 3.3871328727963666080e0,
)  # fmt: skip
_CENTRE_BOTTOM: Final = (
    5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4, 2.1213794301586595867e4,
    5.3941960214247511077e3, 6.8718700749205790830e2, 4.2313330701600911252e1, 1.0,
)  # fmt: skip
_NEAR_TOP: Final = (
    7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
    3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0, 1.42343711074968357734e0,
)  # fmt: skip
_NEAR_BOTTOM: Final = (
    1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
    6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0,
)  # fmt: skip
_FAR_TOP: Final = (
    2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
    2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0, 6.65790464350110377720e0,
)  # fmt: skip
_FAR_BOTTOM: Final = (
    2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
    1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0,
)  # fmt: skip


def normal(words: Words) -> Numbers:
    """Standard normal numbers, by inversion; linear between 64 exact knots per octave of the tail's probability.

    The sign is the highest bit, the tail's probability the 53 bits below it.
    """
    tail = ((words << np.uint64(1)) >> np.uint64(11)) + np.uint64(1)
    fraction, exponent = np.frexp(tail.astype(np.float64))
    position = (fraction - 0.5) * (2.0 * _NORMAL_KNOTS)
    knot = position.astype(np.int64)
    table = _normal_table()
    left = exponent.astype(np.int64) * _NORMAL_KNOTS + knot
    distance = table[left] + (table[left + 1] - table[left]) * (position - knot)
    numbers: Numbers = np.where(words >> np.uint64(63) == 0, -distance, distance)
    return numbers


@lru_cache(maxsize=1)
def _normal_table() -> Numbers:
    """Distances from the mean at the tail probabilities ``(64 + k) / 128 * 2**(e - 54)``, at ``e * 64 + k``."""
    with localcontext() as context:
        context.prec = _PRECISION
        log2 = Decimal(2).ln()
        mantissas = [(_NORMAL_KNOTS + knot) / (2 * _NORMAL_KNOTS) for knot in range(_NORMAL_KNOTS)]
        logs = [Decimal(mantissa).ln() for mantissa in mantissas]
        knots = [
            _distance(math.ldexp(mantissa, exponent - _BITS - 1), -(log + (exponent - _BITS - 1) * log2))
            for exponent in range(_BITS + 2)
            for mantissa, log in zip(mantissas, logs, strict=True)
        ]
    return np.array([*knots, knots[-1]], dtype=np.float64)


def _distance(probability: float, log: Decimal) -> float:
    """How far from the mean a normal number lies that only `probability` (at most 1/2) exceeds; `log` is -ln of it."""
    from_centre = 0.5 - probability
    if from_centre <= _CENTRE:
        square = _CENTRE * _CENTRE - from_centre * from_centre
        return max(from_centre * _ratio(_CENTRE_TOP, _CENTRE_BOTTOM, square), 0.0)
    root = math.sqrt(float(log))
    if root <= 5.0:
        return _ratio(_NEAR_TOP, _NEAR_BOTTOM, root - 1.6)
    return _ratio(_FAR_TOP, _FAR_BOTTOM, root - 5.0)


def _ratio(top: tuple[float, ...], bottom: tuple[float, ...], at: float) -> float:
    above = below = 0.0
    for upper, lower in zip(top, bottom, strict=True):
        above = above * at + upper
        below = below * at + lower
    return above / below


def exponential(words: Words) -> Numbers:
    """Exponential numbers with mean 1: minus the logarithm of uniform numbers in (0, 1]."""
    uniform = ((words >> np.uint64(11)) + np.uint64(1)).astype(np.float64)
    fraction, exponent = np.frexp(uniform)
    position = (fraction - 0.5) * (2.0 * _LOG_KNOTS)
    knot = position.astype(np.int64)
    table = _log_table()
    log = table[knot] + (table[knot + 1] - table[knot]) * (position - knot)
    return (_BITS - exponent) * _LOG_2 - log


@lru_cache(maxsize=1)
def _log_table() -> Numbers:
    """Natural logarithms of ``1/2 … 1`` in 1,024 steps; the last one is exactly 0."""
    with localcontext() as context:
        context.prec = _PRECISION
        steps = (Decimal(_LOG_KNOTS + knot) / (2 * _LOG_KNOTS) for knot in range(_LOG_KNOTS + 1))
        return np.array([float(step.ln()) for step in steps], dtype=np.float64)


def exponentiate(numbers: Numbers) -> Numbers:
    """``e ** numbers``, to about 1e-7 of the value; numbers beyond ±700 count as ±700."""
    scaled = np.clip(numbers, -700.0, 700.0) * _LOG2_E
    octave = np.floor(scaled)
    position = (scaled - octave) * _LOG_KNOTS
    knot = np.minimum(position.astype(np.int64), _LOG_KNOTS - 1)
    table = _power_table()
    fraction = table[knot] + (table[knot + 1] - table[knot]) * (position - knot)
    powers: Numbers = np.ldexp(fraction, octave.astype(np.int32))
    return powers


@lru_cache(maxsize=1)
def _power_table() -> Numbers:
    """Powers of two with exponents ``0 … 1`` in 1,024 steps."""
    with localcontext() as context:
        context.prec = _PRECISION
        return np.array([float(Decimal(2) ** (Decimal(knot) / _LOG_KNOTS)) for knot in range(_LOG_KNOTS + 1)])


@lru_cache(maxsize=64)
def poisson_bounds(mean: str) -> Words:
    """Where the counts 0, 1, 2 … of a Poisson distribution end in the range of 64-bit words."""
    with localcontext() as context:
        context.prec = 60
        expected = Decimal(mean)
        chance = (-expected).exp()
        total, count, bounds = chance, 0, []
        while (bound := int(total * (1 << 64))) < (1 << 64) - 1 and (chance * (1 << 64) >= 1 or count < expected):
            bounds.append(bound)
            count += 1
            chance = chance * expected / count
            total += chance
    return np.array(bounds, dtype=np.uint64)
