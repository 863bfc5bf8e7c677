"""Tests that write: each has a database of its own, and need not clean up."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from bookshop.orders import Book, Customer, Order, SoldOut, buy
from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

NOON = datetime(2026, 1, 2, 12)


@pytest.mark.parametrize("number", range(8))
def test_order_takes_a_copy(session: Session, number: int) -> None:
    book, customer = session.get_one(Book, 1 + number), session.get_one(Customer, 1)
    before = book.stock
    buy(session, customer, book, NOON)
    assert session.scalars(select(func.count(Order.id))).one() == 1001
    assert session.get_one(Book, book.id).stock == before - 1


@pytest.mark.tdv(scenario="last-copy")
def test_last_copy_is_sold_once(session: Session) -> None:
    book = session.scalars(select(Book)).one()
    ada, bob = session.scalars(select(Customer).order_by(Customer.name))
    buy(session, ada, book, NOON)
    with pytest.raises(SoldOut):
        buy(session, bob, book, NOON)


@pytest.mark.parametrize("number", range(2))
def test_even_the_tables_may_be_emptied(session: Session, number: int) -> None:
    session.execute(delete(Order))
    session.commit()
    assert session.scalars(select(func.count(Order.id))).one() == 0


def test_version_of_the_rows_is_known(tdv_database: Any) -> None:
    assert tdv_database.version.startswith("1.")
    assert tdv_database.digest.startswith("tdv1:")
