"""Databases made ahead: each is handed out once, and none is left."""

from __future__ import annotations

import itertools
from threading import Event
from typing import Any

import pytest

import tdv
from tdv.project.databases import DatabaseWish
from tdv.project.pool import Pool
from tests.conftest import RepositoryBuilder


class Made:
    """What a pool made and removed."""

    def __init__(self) -> None:
        self.numbers = itertools.count()
        self.made: list[int] = []
        self.removed: list[int] = []

    def make(self) -> int:
        number = next(self.numbers)
        self.made.append(number)
        return number

    def pool(self, size: int = 2) -> Pool[int]:
        return Pool(self.make, self.removed.append, size)


def test_pool_gives_each_once_and_removes_the_others() -> None:
    made = Made()
    pool = made.pool()
    taken = [pool.take() for _ in range(5)]
    assert taken == [0, 1, 2, 3, 4]
    pool.remove(taken[0])
    pool.close()
    assert set(made.made) - set(made.removed) == {1, 2, 3, 4}


def test_nothing_is_made_ahead_of_who_asks_once() -> None:
    made = Made()
    pool = made.pool()
    assert pool.take() == 0
    pool.close()
    assert made.made == [0]


def test_pool_makes_no_more_than_its_size_ahead() -> None:
    made = Made()
    pool = made.pool(3)
    pool.take()
    pool.take()
    reached = Event()
    pool._thread.submit(reached.set)
    assert reached.wait(10)
    assert made.made == [0, 1, 2, 3, 4]
    pool.close()


def test_error_reaches_who_asks_and_the_next_one_works() -> None:
    outcomes = iter([RuntimeError("full"), 1])

    def make() -> int:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    pool = Pool(make, lambda number: None, 0)
    with pytest.raises(RuntimeError, match="full"):
        pool.take()
    assert pool.take() == 1
    pool.close()


def test_error_of_a_removal_is_told_at_the_end() -> None:
    def remove(number: int) -> None:
        raise RuntimeError(f"{number} is in use")

    pool = Pool(Made().make, remove, 0)
    pool.remove(pool.take())
    with pytest.raises(RuntimeError, match="0 is in use"):
        pool.close()


@pytest.mark.parametrize("fails", ["first", "second"])
def test_every_pool_of_a_run_is_closed_whatever_another_one_raises(repo: RepositoryBuilder, fails: str) -> None:
    def broken(number: int) -> None:
        raise ZeroDivisionError(number)

    made = {"first": Made(), "second": Made()}
    databases = tdv.open(repo().prepared().root).databases()
    for name, one in made.items():
        pool: Any = Pool(one.make, broken if name == fails else one.removed.append, 1)
        pool.take()
        pool.take()
        databases._pools[DatabaseWish((name,))] = pool
    with pytest.raises(ZeroDivisionError):
        databases.close()
    (other,) = (one for name, one in made.items() if name != fails)
    assert other.removed
