"""Narrows a difference to the rows that an SQL expression is true of.

In: pieces of a difference with all their rows, and an expression over the table's columns. Out: smaller pieces.
Always holds: a changed row stays if the expression is true of it before or after; of a state whose columns the
expression does not fit, it is true of nothing; the expression runs in the sandbox.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import empty_table
from tdv.diff.matching import Positions
from tdv.diff.pair import Pair, Side
from tdv.diff.pieces import Piece, Values
from tdv.errors import DataError, StatementError, UsageError
from tdv.model.schema import TableSchema

_NUMBER: Final = "tdv row number"
_HINT: Final = "--where takes an SQL expression over the columns of a table, as in --where 'age > 90'."
_ELSEWHERE: Final = "not found in FROM"
"""Says that a column is none of this table, which another table may have."""


def check_expression(expression: str, schemas: Iterable[TableSchema]) -> None:
    """Raises `UsageError` for an expression that fits no table."""
    reasons = []
    for schema in schemas:
        with Filter(expression) as keep:
            reason = keep.misfit(schema)
        if reason is None:
            return
        reasons.append(reason)
    if reasons:
        reason = next((reason for reason in reasons if _ELSEWHERE not in reason), reasons[0])
        raise UsageError(f"--where {expression!r} fits no table: {reason.removesuffix('!')}", hint=_HINT)


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
            return exc.reason
        except DataError as exc:
            return str(exc.facts.get("error"))
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
            problem = f"--where {self._expression!r} fails on rows of {schema.name!r} ({exc.facts.get('error')})"
            raise UsageError(problem, hint="Let it hold for every row, as TRY_CAST does where CAST fails.") from exc

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
        found = self._sandbox.query(f"SELECT {self._number} FROM rows WHERE ({self._expression}\n)")
        return np.sort(found.column(0).to_numpy())


def _first(rows: pa.Table | None, at: Positions) -> pa.Table | None:
    return None if rows is None else rows.take(pa.array(at))


def _inside(values: Values, changed: Positions) -> Values:
    """The cells in the rows at `changed`, which are numbered anew."""
    inside = np.flatnonzero(np.isin(values.rows, changed))
    at = pa.array(inside)
    return Values(np.searchsorted(changed, values.rows[inside]), values.before.take(at), values.after.take(at))
