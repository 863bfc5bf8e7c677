"""Selling books: the application under test. It gets a database by its URL and knows nothing of how rows got there."""

from __future__ import annotations

import os
from datetime import datetime
from decimal import Decimal
from typing import ClassVar

from sqlalchemy import BigInteger, ForeignKey, Numeric, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


class Base(DeclarativeBase):
    """The tables of the shop. Keys of scenarios need 64 bits, which PostgreSQL counts where SQLite does not."""

    type_annotation_map: ClassVar = {int: BigInteger}


class Book(Base):
    """A title, and how many copies are left."""

    __tablename__ = "books"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(8, 2))
    stock: Mapped[int]


class Customer(Base):
    """Somebody who may order."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str] = mapped_column(unique=True)


class Order(Base):
    """One copy of one book."""

    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"))
    book_id: Mapped[int] = mapped_column(ForeignKey("books.id"))
    ordered_at: Mapped[datetime]


class SoldOut(Exception):
    """There is no copy left."""


def buy(session: Session, customer: Customer, book: Book, moment: datetime) -> Order:
    """Sells a copy; raises `SoldOut`."""
    if book.stock == 0:
        raise SoldOut(book.title)
    book.stock -= 1
    order = Order(customer_id=customer.id, book_id=book.id, ordered_at=moment)
    session.add(order)
    session.commit()
    return order


def revenue(session: Session) -> Decimal:
    """What all orders brought."""
    return session.scalars(select(func.sum(Book.price)).join(Order, Order.book_id == Book.id)).one() or Decimal(0)


def best_sellers(session: Session, count: int) -> list[tuple[str, int]]:
    """Titles with the number of copies sold, the most sold first."""
    sold = func.count(Order.id)
    query = select(Book.title, sold).join(Order, Order.book_id == Book.id).group_by(Book.id)
    return [(title, number) for title, number in session.execute(query.order_by(sold.desc(), Book.id).limit(count))]


if __name__ == "__main__":
    with Session(create_engine(os.environ["DATABASE_URL"])) as shop:
        print(f"revenue: {revenue(shop)}")
        for name, copies in best_sellers(shop, 3):
            print(f"{copies:>5}  {name}")
