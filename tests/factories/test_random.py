"""Random numbers depend on their place alone, and permutations reach every value once."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tdv.factories.draws import Digit, Weighted, thresholds
from tdv.factories.random import Stream, bounded, permuted, unit

STREAM = Stream(42, ("users", "id"))
rows_of_any_kind = st.lists(st.integers(0, 2**50), min_size=1, max_size=50).map(np.array)


@given(rows_of_any_kind)
def test_word_of_a_row_does_not_depend_on_the_rows_beside_it(rows: np.ndarray) -> None:
    together = STREAM.words(rows)
    alone = [STREAM.words(rows[at : at + 1])[0] for at in range(len(rows))]
    assert together.tolist() == alone
    assert [STREAM.word(int(row)) for row in rows] == together.tolist()


def test_streams_differ_by_seed_and_by_every_name() -> None:
    streams = [STREAM, Stream(43, STREAM.path), Stream(42, ("users", "i", "d")), Stream(42, ("usersi", "d"))]
    keys = {stream.key for stream in [*streams, STREAM.named("null"), STREAM.named("", "null")]}
    assert len(keys) == 6


@given(st.integers(1, 2**62), st.integers(0, 2**63))
def test_bounded_is_the_upper_part_of_the_product(size: int, start: int) -> None:
    words = Stream(start, ("x",)).words(np.arange(20))
    found = bounded(words, size)
    if size > 1 << 20:
        assert found.tolist() == [int(word) * size >> 64 for word in words]
    assert found.min() >= 0
    assert found.max() < size


def test_bounded_is_even() -> None:
    counts = np.bincount(bounded(STREAM.words(np.arange(60_000)), 6), minlength=6)
    assert np.all(np.abs(counts - 10_000) < 400)


def test_unit_is_above_zero_and_at_most_one() -> None:
    ends = unit(np.array([0, 2**64 - 1], dtype=np.uint64))
    assert ends.tolist() == [2.0**-53, 1.0]


@given(st.integers(1, 5000), st.integers(0, 2**32))
def test_permutation_reaches_every_value_once(size: int, seed: int) -> None:
    images = permuted(np.arange(size), size, Stream(seed, ("p",)))
    assert sorted(images.tolist()) == list(range(size))


@given(st.integers(2, 2**62))
def test_permutation_of_a_large_domain_stays_inside_and_repeats_nothing(size: int) -> None:
    rows = np.unique(np.linspace(0, size - 1, 50).astype(np.int64).clip(0, size - 1))
    images = permuted(rows, size, STREAM)
    assert len(set(images.tolist())) == len(rows)
    assert 0 <= images.min() <= images.max() < size


@given(st.lists(st.integers(1, 9), min_size=2, max_size=4), st.integers(0, 100))
def test_digits_together_never_repeat(sizes: list[int], seed: int) -> None:
    rows = np.arange(int(np.prod(sizes)))
    digits = [Digit(Stream(seed, ("d",)), tuple(sizes), place).ordinals(rows).tolist() for place in range(len(sizes))]
    assert len(set(zip(*digits, strict=True))) == len(rows)
    assert [max(digit) + 1 for digit in digits] == sizes


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40).filter(any))
def test_weights_decide_how_often_a_value_comes(weights: list[int]) -> None:
    drawn = Weighted(STREAM, thresholds(weights)).ordinals(np.arange(20_000))
    shares = np.bincount(drawn, minlength=len(weights)) / 20_000
    assert np.abs(shares - np.array(weights) / sum(weights)).max() < 0.02
    assert all(weight or not share for weight, share in zip(weights, shares, strict=True))
