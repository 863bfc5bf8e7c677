"""Distributions are close to the exact ones, although they come from tables."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from tdv.factories.distributions import exponential, exponentiate, normal, poisson_bounds
from tdv.factories.random import Stream

WORDS = Stream(42, ("t", "c")).words(np.arange(50_000))


def test_normal_numbers_are_the_quantiles() -> None:
    words = np.array([2**63 + 2**62, 2**62, 2**63 + (1 << 40), 2**64 - 1, 2**63 - 1], dtype=np.uint64)
    probabilities = [0.25 / 1, 0.25]
    found = normal(words)
    assert abs(abs(found[0]) - abs(NormalDist().inv_cdf(probabilities[0]))) < 1e-4
    assert abs(abs(found[1]) - abs(NormalDist().inv_cdf(probabilities[1]))) < 1e-4
    assert abs(found[2]) > 5
    assert abs(found[3]) < 1e-3
    assert abs(found[4]) < 1e-3


def test_normal_numbers_have_mean_deviation_and_tails() -> None:
    numbers = normal(WORDS)
    assert abs(numbers.mean()) < 0.02
    assert abs(numbers.std() - 1) < 0.02
    for limit in (-2.0, -0.5, 0.0, 1.0, 2.5):
        assert abs((numbers < limit).mean() - NormalDist().cdf(limit)) < 0.01


def test_exponential_is_minus_the_logarithm() -> None:
    uniform = ((WORDS >> np.uint64(11)) + np.uint64(1)).astype(np.float64) * 2.0**-53
    exact = -np.log(uniform)
    assert np.abs(exponential(WORDS) - exact).max() < 1e-6
    assert exponential(np.array([2**64 - 1], dtype=np.uint64))[0] == 0.0


def test_exponentiate_is_close() -> None:
    numbers = np.linspace(-50, 50, 1001)
    assert np.abs(exponentiate(numbers) / np.exp(numbers) - 1).max() < 1e-6


def test_poisson_counts_have_their_shares() -> None:
    counts = np.searchsorted(poisson_bounds("2.5"), WORDS, side="right")
    for count in range(8):
        exact = math.exp(-2.5) * 2.5**count / math.factorial(count)
        assert abs((counts == count).mean() - exact) < 0.01
    large = np.searchsorted(poisson_bounds("10000"), WORDS, side="right")
    assert abs(large.mean() - 10_000) < 5
    assert abs(large.std() - 100) < 3
