"""Values as SQLite stores them, as SQL for it or for files.

In: canonical columns. Out: literals. Always holds: a number is written in the shortest form that reads back as the same
one, in SQLite too, which does not read every number as the nearest float.
"""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tdv.model.schema import Column
from tdv.targets.losses import refused_value
from tdv.targets.sqlite.codec import SQLITE, encode, storage

_INFINITE: Final[Mapping[str, str]] = {"inf": "9e999", "-inf": "-9e999"}
_AT_ONCE: Final = 1_000
"""Numbers of one statement."""
_DIGITS: Final = 16
_MOST_DIGITS: Final = 30
"""Digits after the point."""
_BITS: Final = 53
_STEP: Final = 60
"""Powers of two that SQLite reads as whole numbers of 64 bits."""


def literals(
    array: pa.Array, column: Column, table: str, text: Callable[[pa.Array], pa.Array], engine: str = SQLITE
) -> pa.Array:
    """Each value as a literal, NULL for null; `text` makes those of texts. Raises `DataError` as `encode` does."""
    how = storage(column.type)
    stored = encode(array, column, table, engine)
    if how == "integer":
        texts = pc.cast(stored, pa.string())
    elif how == "real":
        texts = pa.array(_floats(stored.to_pylist(), column, table, engine), pa.string())
    elif how == "number":
        texts = _numbers(stored)
    elif how == "blob":
        texts = pa.array([None if value is None else f"X'{value.hex()}'" for value in stored.to_pylist()], pa.string())
    else:
        texts = text(stored)
    return texts.fill_null("NULL")


def _floats(values: list[float | None], column: Column, table: str, engine: str) -> list[str | None]:
    """Literals of floats; raises `DataError` for one that cannot be written but for SQLite itself."""
    texts = _numbers(pa.array(values, pa.float64())).to_pylist()
    with closing(sqlite3.connect(":memory:")) as connection:
        for start in range(0, len(texts), _AT_ONCE):
            rows = ", ".join(f"({text or 'NULL'})" for text in texts[start : start + _AT_ONCE])
            for place, (found,) in enumerate(connection.execute(f"VALUES {rows}"), start):
                value = values[place]
                if value is not None and found != value:
                    texts[place] = _digits(connection, value) or _quotient(value)
                    if engine != SQLITE and str(texts[place]).startswith("("):
                        raise refused_value(table, column.name, "a float so near to zero: SQLite misreads it", engine)
    return list(texts)


def _digits(connection: sqlite3.Connection, value: float) -> str | None:
    """More digits than it takes, with which SQLite comes to the same float as everybody else; None if none help."""
    for count in range(_DIGITS, _MOST_DIGITS):
        text = f"{value:.{count}e}"
        if connection.execute(f"SELECT {text}").fetchone() == (value,):
            return text
    return None


def _quotient(value: float) -> str:
    """A float as a whole number over powers of two, or times them, which no step of the calculation rounds."""
    fraction, exponent = math.frexp(value)
    shift = exponent - _BITS
    steps, rest = divmod(abs(shift), _STEP)
    sign = "*" if shift > 0 else "/"
    return f"({int(math.ldexp(fraction, _BITS))}.0{f'{sign}{1 << _STEP}.0' * steps}{sign}{1 << rest}.0)"


def _numbers(array: pa.Array) -> pa.Array:
    texts = [None if value is None else repr(value) for value in array.to_pylist()]
    return pa.array([None if text is None else _INFINITE.get(text, text) for text in texts], pa.string())
