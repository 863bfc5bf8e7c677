"""Narrows a difference to the rows that an SQL expression is true of.

In: pieces of a difference with all their rows, and an expression over the table's columns. Out: smaller pieces.
Always holds: a changed row stays if the expression is true of it before or after; of a state whose columns the
expression does not fit, it is true of nothing; the expression runs in the sandbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import empty_table
from tdv.diff.expression import HINT, columns_of, no_column
from tdv.diff.matching import Positions
from tdv.diff.pair import Pair, Side
from tdv.diff.pieces import Piece, Values
from tdv.errors import DataError, StatementError, UsageError
from tdv.model.schema import TableSchema

_NUMBER: Final = "tdv row number"
_REASONS: Final = {
    "ConversionException": "a value cannot be converted to another type",
    "OutOfRangeException": "a value is out of the range of its type",
    "InvalidInputException": "a function does not take a value",
    "InterruptException": "it takes too long",
    "OutOfMemoryException": "it takes too much memory",
}
"""In words, by the name of the engine's error, whose text may hold values of private columns."""
_TRY: Final = "TRY(…) is NULL, and so no match, where what stands in it fails: --where 'TRY(CAST(age AS INT) > 90)'."
_KINDS: Final = re.compile(r"^\w+ Error: ")


def check_expression(expression: str, schemas: Iterable[TableSchema]) -> None:
    """Raises `UsageError` for what is no single expression over the columns of one table, `NotFound` for a column that
    no table has."""
    names, tables, reason = columns_of(expression), tuple(schemas), ""
    with Filter(expression) as keep:
        for schema in tables:
            misfit = keep.misfit(schema)
            if misfit is None:
                return
            reason = reason if _knows(schema, names) < len(names) and reason else misfit
    known = tuple(dict.fromkeys(name for schema in tables for name in schema.column_names))
    folded = {name.casefold() for name in known}
    for name in names:
        if name.casefold() not in folded and name.partition(".")[0].casefold() not in folded:
            raise no_column(name, known)
    if tables:
        if not any(_knows(schema, names) == len(names) for schema in tables):
            reason = f"no table has all of {', '.join(names)}"
        raise UsageError(f"--where {expression!r} fits no table: {reason}", hint=HINT)


def _knows(schema: TableSchema, names: Iterable[str]) -> int:
    """How many of the columns a table has."""
    known = {name.casefold() for name in schema.column_names}
    return sum(name.partition(".")[0].casefold() in known or name.casefold() in known for name in names)


class Filter:
    """The rows that an expression is true of; use it in a ``with`` block."""

    def __init__(self, expression: str) -> None:
        # Most comparisons filter nothing, and should not wait for an engine to be loaded.
        from tdv.content.sandbox import Sandbox, quoted

        self._number = quoted(_NUMBER)
        self._expression = expression
        self._sandbox = Sandbox()
        self._fits: dict[TableSchema, bool] = {}

    def __enter__(self) -> Filter:
        return self

    def __exit__(self, *_: object) -> None:
        self._sandbox.close()

    def misfit(self, schema: TableSchema) -> str | None:
        """Why the expression cannot be asked of a table, None if it can."""
        try:
            self._query(empty_table(schema))
        except StatementError as exc:
            return _KINDS.sub("", exc.reason).removesuffix("!")
        except DataError as exc:
            return _reason(exc)
        return None

    def positions(self, rows: pa.Table, schema: TableSchema) -> Positions:
        """Where the expression is true; raises `UsageError` if it fails on a row."""
        if schema not in self._fits:
            self._fits[schema] = self.misfit(schema) is None
        if not rows.num_rows or not self._fits[schema]:
            return np.empty(0, np.int64)
        try:
            return self._query(rows)
        except DataError as exc:
            problem = f"--where {self._expression!r} fails on rows of {schema.name!r}: {_reason(exc)}"
            raise UsageError(problem, hint=_TRY) from exc

    def piece(self, pair: Pair, piece: Piece, limit: int | None) -> Piece:
        """What is left of a piece, at most `limit` rows of each kind; counts are whole."""
        gone = self._true_of(pair.old, piece.removed_rows)
        come = self._true_of(pair.new, piece.added_rows)
        changed = self._changed(pair, piece)
        values = {name: kept for name, found in piece.values.items() if len((kept := _inside(found, changed)).rows)}
        return Piece(
            len(come),
            len(gone),
            len(changed),
            {name: len(found.rows) for name, found in values.items()},
            _first(piece.added_rows, come[:limit]),
            _first(piece.removed_rows, gone[:limit]),
            _first(piece.keys, changed[:limit]),
            {name: _inside(found, np.arange(len(changed))[:limit]) for name, found in values.items()},
        )

    def _changed(self, pair: Pair, piece: Piece) -> Positions:
        if piece.keys is None or not piece.keys.num_rows:
            return np.empty(0, np.int64)
        sides = (pair.old, pair.new)
        found = [self._true_of(side, side.snapshot.lookup(side.schema.name, piece.keys)) for side in sides]
        return np.union1d(*found)

    def _true_of(self, side: Side, rows: pa.Table | None) -> Positions:
        return np.empty(0, np.int64) if rows is None else self.positions(rows, side.schema)

    def _query(self, rows: pa.Table) -> Positions:
        self._sandbox.add("rows", rows.append_column(_NUMBER, pa.array(np.arange(rows.num_rows))))
        # `check_expression` has seen to it that this is one expression.
        found = self._sandbox.query(f"SELECT {self._number} FROM rows WHERE ({self._expression}\n)")
        return np.sort(found.column(0).to_numpy())


def _reason(error: DataError) -> str:
    return _REASONS.get(str(error.facts.get("error")), "it has no value there")


def _first(rows: pa.Table | None, at: Positions) -> pa.Table | None:
    return None if rows is None else rows.take(pa.array(at))


def _inside(values: Values, changed: Positions) -> Values:
    """The cells in the rows at `changed`, which are numbered anew."""
    inside = np.flatnonzero(np.isin(values.rows, changed))
    at = pa.array(inside)
    return Values(np.searchsorted(changed, values.rows[inside]), values.before.take(at), values.after.take(at))
