"""Two ways to a session: on a database that the test may do anything to, and on one that is rolled back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.orm import Session


@pytest.fixture
def session(tdv_database: Any) -> Iterator[Session]:
    """A session on a database of this test alone."""
    engine = create_engine(tdv_database.url)
    with Session(engine) as session:
        yield session
    engine.dispose()


@pytest.fixture
def rolled_back(tdv_database: Any) -> Iterator[Session]:
    """A session whose commits are savepoints in a transaction that is undone; for tests marked `rollback=True`."""
    engine = with_real_transactions(create_engine(tdv_database.url))
    with engine.connect() as connection, connection.begin() as transaction:
        with Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        transaction.rollback()
    engine.dispose()


def with_real_transactions(engine: Engine) -> Engine:
    """Lets SQLAlchemy begin transactions itself, since Python's sqlite3 begins none before a SAVEPOINT."""

    @event.listens_for(engine, "connect")
    def leave_it_to_us(connection: Any, record: object) -> None:
        connection.isolation_level = None

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine
