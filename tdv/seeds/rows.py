"""Rows of one seed file, before and after they get the types of their table.

In: `Rows`, what a reader of one format found. Out: an Arrow table with the columns and types of the spec. Always
holds: every value that does not fit is reported with its file, line and column, and no value of a private column
is shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import pyarrow as pa

from tdv.content.arrow import arrow_schema, arrow_type
from tdv.content.redact import mark
from tdv.content.text import Parsed, expected
from tdv.documents import Mistakes, did_you_mean, quoted
from tdv.errors import Problem
from tdv.model.schema import Column
from tdv.model.spec import TableSpec
from tdv.model.types import LogicalType

_MOST_NULLS = 5


@dataclass(frozen=True, slots=True)
class Rows:
    """What one file holds, not yet typed.

    `file` as errors name it; `names` are the columns that stand in it, each with the line where it first does;
    `read` gives one of them as values of a type; `line` is the line, from 1, of a column in a row, from 0; `null`
    says in one sentence how the format writes NULL; `derived` is whether the build fills columns that the spec
    derives; `noted` are columns whose mistakes are noted already.
    """

    file: str
    count: int
    names: Mapping[str, int]
    read: Callable[[str, LogicalType], Parsed]
    line: Callable[[int, str], int]
    null: str
    derived: bool = True
    noted: frozenset[str] = frozenset()


def typed(rows: Rows, table: TableSpec, mistakes: Mistakes) -> pa.Table:
    """The rows with the table's columns in its types; what is wrong is added to `mistakes`.

    A column that is absent is NULL. With mistakes noted, the table's values mean nothing.
    """
    _unknown_columns(rows, table, mistakes)
    arrays = [_column(rows, column, table, mistakes) for column in table.schema.columns]
    return pa.Table.from_arrays(arrays, schema=arrow_schema(table.schema))


def _unknown_columns(rows: Rows, table: TableSpec, mistakes: Mistakes) -> None:
    known = table.schema.column_names
    for name, line in rows.names.items():
        if table.strict and name not in known:
            message = f"the table {table.name!r} has no such column{did_you_mean(name, known)}"
            hint = f"Remove the column, or add it to {table.name} in dataset.yaml."
            mistakes.add(Problem(rows.file, line, name, message), hint)


def _column(rows: Rows, column: Column, table: TableSpec, mistakes: Mistakes) -> pa.Array:
    generator = table.generators.get(column.name)
    may_miss = column.nullable or (rows.derived and generator is not None and generator.kind == "derive")
    if column.name in rows.noted:
        return pa.nulls(rows.count, arrow_type(column.type))
    if column.name not in rows.names:
        if rows.count and not may_miss:
            message = "the column is missing, and it is not nullable"
            mistakes.add(
                Problem(rows.file, rows.line(0, column.name), column.name, message), "Add the column with its values."
            )
        return pa.nulls(rows.count, arrow_type(column.type))
    parsed = rows.read(column.name, column.type)
    for misfit in parsed.misfits:
        got = mark(column) if column.privacy else quoted(misfit.value)
        message = f"expected {expected(column.type)}, got {got}"
        hint = None if isinstance(misfit.value, str) else "Put text, dates and times in quotation marks."
        mistakes.add(Problem(rows.file, rows.line(misfit.row, column.name), column.name, message), hint)
    if not may_miss and not parsed.misfits:
        for row in _first_nulls(parsed.array):
            message = "NULL in a column that is not nullable"
            mistakes.add(Problem(rows.file, rows.line(row, column.name), column.name, message), rows.null)
    return parsed.array


def _first_nulls(array: pa.Array) -> Iterable[int]:
    if array.null_count == 0:
        return ()
    found = pa.compute.indices_nonzero(array.is_null())
    return [int(row) for row in found[:_MOST_NULLS].to_pylist()]
