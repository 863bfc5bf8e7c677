"""Tests that share one database per worker: what they write is rolled back."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

import pytest
from bookshop.orders import Book, Customer, best_sellers, buy, revenue
from sqlalchemy.orm import Session

pytestmark = pytest.mark.tdv("bookshop@^1.0", rollback=True)


@pytest.mark.parametrize("number", range(5))
def test_revenue_grows_by_the_price(rolled_back: Session, number: int) -> None:
    book = rolled_back.get_one(Book, 10 + number)
    before = revenue(rolled_back)
    buy(rolled_back, rolled_back.get_one(Customer, 2), book, datetime(2026, 1, 3))
    assert revenue(rolled_back) == before + book.price


def test_best_sellers_are_in_order(rolled_back: Session) -> None:
    copies = [number for _, number in best_sellers(rolled_back, 10)]
    assert copies == sorted(copies, reverse=True)
    assert revenue(rolled_back) > Decimal(10_000)
