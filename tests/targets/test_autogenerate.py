"""``alembic revision --autogenerate`` proposes nothing on a restored database, with models written as people do."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tdv.content.arrow import arrow_schema
from tdv.model.schema import Reference, TableSchema
from tdv.targets.protocol import Target
from tdv.testing import checkout, snapshot, table
from tests.targets.builders import target

USERS = table(
    "users",
    {
        "id": "int64",
        "email": "string",
        "name": "string?",
        "age": "int16?",
        "visits": "int32",
        "balance": "decimal(10,2)",
        "ratio": "float64?",
        "active": "bool",
        "born": "date?",
        "seen": "timestamp?",
    },
    uniques=(("email",),),
)
ORDERS = table(
    "orders",
    {"id": "int64", "user_id": "int64", "parent_id": "int64?", "note": "string?"},
    references=(Reference(("user_id",), "users", ("id",)), Reference(("parent_id",), "orders", ("id",))),
)
LINES = table(
    "order_lines",
    {"order_id": "int64", "line": "int32", "amount": "decimal(12,4)"},
    key=("order_id", "line"),
    references=(Reference(("order_id",), "orders", ("id",)),),
)
MODELS = """
import datetime, decimal
from sqlalchemy import BigInteger, Date, DateTime, Double, ForeignKey, Integer, Numeric, SmallInteger, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    pass


class User(Base):
    __tablename__ = "users"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    email: Mapped[str] = mapped_column(Text, unique=True)
    name: Mapped[str | None] = mapped_column(Text)
    age: Mapped[int | None] = mapped_column(SmallInteger)
    visits: Mapped[int]
    balance: Mapped[decimal.Decimal] = mapped_column(Numeric(10, 2))
    ratio: Mapped[float | None] = mapped_column(Double)
    active: Mapped[bool]
    born: Mapped[datetime.date | None]
    seen: Mapped[datetime.datetime | None]


class Order(Base):
    __tablename__ = "orders"
    id: Mapped[int] = mapped_column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)
    user_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("users.id"), index=True)
    parent_id: Mapped[int | None] = mapped_column(BigInteger, ForeignKey("orders.id"), index=True)
    note: Mapped[str | None] = mapped_column(Text)


class Line(Base):
    __tablename__ = "order_lines"
    order_id: Mapped[int] = mapped_column(BigInteger, ForeignKey("orders.id"), primary_key=True)
    line: Mapped[int] = mapped_column(primary_key=True)
    amount: Mapped[decimal.Decimal] = mapped_column(Numeric(12, 4))
"""
ENV = """
import os, sys
from alembic import context
from sqlalchemy import create_engine

sys.path.insert(0, os.path.dirname(__file__))
from models import Base

with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
    context.configure(connection=connection, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
"""
SCRIPT = """
revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}

def upgrade():
    ${upgrades if upgrades else "pass"}
"""


def restored(directory: Path, place: Target) -> None:
    tables: dict[TableSchema, object] = {one: arrow_schema(one).empty_table() for one in (USERS, ORDERS, LINES)}
    checkout(directory, place, snapshot(directory, tables))


def proposed(directory: Path, url: str) -> list[str]:
    """What the command writes into a revision for a database."""
    home = directory / "migrations"
    (home / "versions").mkdir(parents=True)
    (directory / "alembic.ini").write_text("[alembic]\nscript_location = migrations\n")
    for name, text in (("models.py", MODELS), ("env.py", ENV), ("script.py.mako", SCRIPT)):
        (home / name).write_text(text)
    command = [sys.executable, "-m", "alembic", "revision", "--autogenerate", "-m", "any"]
    environment = {**os.environ, "DATABASE_URL": url}
    done = subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (revision,) = (home / "versions").glob("*.py")
    lines = revision.read_text().partition("def upgrade():")[2].splitlines()
    return [line.strip() for line in lines if line.strip() and not line.strip().startswith("#")]


def test_postgresql(tmp_path: Path, empty_postgresql: str) -> None:
    restored(tmp_path, target(tmp_path, empty_postgresql))
    assert proposed(tmp_path, empty_postgresql.replace("postgresql:", "postgresql+psycopg:")) == ["pass"]


def test_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'app.db'}"
    restored(tmp_path, target(tmp_path, url))
    assert proposed(tmp_path, url) == ["pass"]
