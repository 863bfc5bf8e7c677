"""Values as SQLite stores them, as SQL for it or for files.

In: canonical columns. Out: literals. Always holds: a number is written in the shortest form that reads back as the same
one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tdv.model.schema import Column
from tdv.targets.sqlite.codec import SQLITE, encode, storage

_INFINITE: Final[Mapping[str, str]] = {"inf": "9e999", "-inf": "-9e999"}


def literals(
    array: pa.Array, column: Column, table: str, text: Callable[[pa.Array], pa.Array], engine: str = SQLITE
) -> pa.Array:
    """Each value as a literal, NULL for null; `text` makes those of texts. Raises `DataError` as `encode` does."""
    how = storage(column.type)
    stored = encode(array, column, table, engine)
    if how == "integer":
        texts = pc.cast(stored, pa.string())
    elif how in ("real", "number"):
        texts = _numbers(stored)
    elif how == "blob":
        texts = pa.array([None if value is None else f"X'{value.hex()}'" for value in stored.to_pylist()], pa.string())
    else:
        texts = text(stored)
    return texts.fill_null("NULL")


def _numbers(array: pa.Array) -> pa.Array:
    texts = [None if value is None else repr(value) for value in array.to_pylist()]
    return pa.array([None if text is None else _INFINITE.get(text, text) for text in texts], pa.string())
