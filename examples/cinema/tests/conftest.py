"""An engine on a database of the test's own, with the application's schema and the movies that fit it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine


@pytest.fixture
def engine(tdv_database: Any) -> Iterator[Engine]:
    engine = create_engine(tdv_database.url)
    yield engine
    engine.dispose()
