"""Tests on the movies that fit the head of the migrations: nobody says which release that is."""

from __future__ import annotations

from datetime import date

from cinema.listing import front_page, watch_next
from sqlalchemy import Engine


def test_front_page_shows_movies_with_a_day(engine: Engine) -> None:
    shown = front_page(engine)
    assert len(shown) == 5
    assert all(isinstance(movie.released, date) and movie.votes >= 3 for movie in shown)


def test_watchlist_is_empty_at_first(engine: Engine) -> None:
    assert watch_next(engine, user=1, movie=2) == 1
