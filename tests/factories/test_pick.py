"""Parents are picked by weight, and stay picked when parents are added."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.factories.pick import Jump
from tdv.factories.random import Stream

STREAM = Stream(42, ("movies", "user_id", "pick"))
ROWS = np.arange(40_000)
skews = st.sampled_from(["0", "0.5", "1.1", "3"])


@given(st.integers(1, 3000), st.integers(1, 500), skews)
def test_pick_keeps_its_parent_or_moves_to_an_added_one(size: int, added: int, skew: str) -> None:
    rows = ROWS[:2000]
    before = Jump(STREAM, size, skew).ordinals(rows)
    after = Jump(STREAM, size + added, skew).ordinals(rows)
    assert before.min() >= 0
    assert before.max() < size
    assert after.max() < size + added
    assert np.all((after == before) | (after >= size))


@pytest.mark.parametrize("size", [1, 2, 3, 10, 1000])
def test_every_parent_is_as_likely_without_skew(size: int) -> None:
    shares = np.bincount(Jump(STREAM, size).ordinals(ROWS), minlength=size) / len(ROWS)
    assert abs(shares - 1 / size).max() < 5 * (1 / size / len(ROWS)) ** 0.5


@pytest.mark.parametrize("skew", ["0.5", "1.1", "2"])
def test_skew_gives_early_parents_their_share(skew: str) -> None:
    weights = np.arange(1, 501, dtype=float) ** -float(skew)
    expected = weights / weights.sum()
    shares = np.bincount(Jump(STREAM, 500, skew).ordinals(ROWS), minlength=500) / len(ROWS)
    assert np.all(np.abs(shares - expected) < 5 * (expected / len(ROWS)) ** 0.5 + 1e-4)


def test_added_parents_take_only_their_share() -> None:
    before, after = (Jump(STREAM, size).ordinals(ROWS) for size in (1000, 1010))
    assert abs((before != after).mean() - 10 / 1010) < 0.003


@given(st.integers(1, 20_000), skews)
def test_pick_of_a_row_does_not_depend_on_the_rows_beside_it(size: int, skew: str) -> None:
    jump = Jump(STREAM, size, skew)
    rows = np.array([7, 3, 10**12, 0])
    assert jump.ordinals(rows).tolist() == [int(jump.ordinals(rows[at : at + 1])[0]) for at in range(4)]
