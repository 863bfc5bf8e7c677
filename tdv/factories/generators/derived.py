"""The generator of values that follow from the row's other columns: derive, an SQL expression.

Always holds: a value depends on its own row only. Functions whose answer depends on time, chance, the session or
other rows are refused before anything runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import canonical
from tdv.content.statements import bare, called, changing, quoted_names, words
from tdv.errors import DataError, StatementError
from tdv.factories.generators.maker import Cells, Maker, Request
from tdv.factories.options import Options
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType

_ROW: Final = "#row"
_ROWS: Final = "rows"
_SQL_TYPES: Final = {
    "bool": "BOOLEAN", "int16": "SMALLINT", "int32": "INTEGER", "int64": "BIGINT", "float64": "DOUBLE",
    "string": "VARCHAR", "uuid": "VARCHAR", "json": "VARCHAR", "binary": "BLOB", "date": "DATE", "time": "TIME",
    "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ",
}  # fmt: skip
_UNORDERED: Final = frozenset({
    "sum", "avg", "mean", "stddev", "product", "fsum", "kahan_sum", "favg", "first", "last", "any_value", "arbitrary",
    "string_agg", "list_agg", "array_agg", "group_concat",
})  # fmt: skip
_OTHER_ROWS: Final = frozenset({"select", "over"})


@dataclass(frozen=True)
class Derived:
    """The value of an SQL expression over the row."""

    options: Options
    column: Column
    needs: frozenset[str]

    def values(self, cells: Cells) -> pa.Array:
        columns = {name: cells.column(name) for name in sorted(self.needs)}
        return derived(self.options, self.column, pa.table({**columns, _ROW: np.arange(len(cells.rows))}))


def derived(options: Options, column: Column, rows: pa.Table) -> pa.Array:
    """The values of the expression for each of `rows`, which carry their number in the column ``#row``.

    Raises `DocumentError` for an expression that cannot run over the table's columns, `DataError` when it fails
    over these rows or gives something that is no value of the column.
    """
    sql = options.text()
    cast = f"CAST(({sql}) AS {_sql_type(column.type)})" if not column.type.is_nested else f"({sql})"
    from tdv.content.sandbox import Sandbox  # imports duckdb, which datasets without `derive` do not need

    with Sandbox() as sandbox:
        sandbox.add(_ROWS, rows)
        try:
            found = sandbox.query(f'SELECT {cast} AS "value" FROM {_ROWS} ORDER BY "{_ROW}"')
        except StatementError as exc:
            hint = "Write an expression of DuckDB's SQL over the row's other columns."
            raise options.wrong(f"{exc.reason}: {sql}", hint=hint) from exc
        except DataError as exc:
            raise DataError(f"{options.key}: {exc.message}", hint=exc.hint) from exc
    if found.num_rows != rows.num_rows:
        raise DataError(
            f"derive of {column.name!r} gave {found.num_rows} values for {rows.num_rows} rows: {sql}",
            hint="Write an expression over the row's own columns, without aggregates.",
        )
    named = found.rename_columns([column.name])
    array = canonical(named, TableSchema(column.name, (column,))).column(0)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _sql_type(kind: LogicalType) -> str:
    if kind.name == "decimal":
        return f"DECIMAL({kind.precision},{kind.scale})"
    return _SQL_TYPES[kind.name]


def derive(request: Request) -> Maker:
    """An SQL expression such as ``price * quantity``; it sees the row's other columns and nothing else."""
    request.never_unique()
    mentioned = _names(request.options, request.options.text())
    names = {column.name.lower(): column.name for column in request.table.columns}
    own = request.column.name
    needs = frozenset(names[word] for word in mentioned if word in names) - {own}
    return Derived(request.options, request.column, needs)


def _names(options: Options, sql: str) -> frozenset[str]:
    """The names that the expression mentions, in lower case; quoted ones included, text literals not."""
    mentioned = words(sql)
    refused = changing(sql) | (mentioned & _OTHER_ROWS) | (called(sql) & _UNORDERED)
    if ";" in bare(sql) or refused:
        which = ", ".join(sorted(refused)) or ";"
        raise options.wrong(
            f"uses {which}, whose answer does not follow from the row alone",
            hint="Use the row's own columns; for the clock write a column of `generate: {constant: as_of}`.",
        )
    return mentioned | quoted_names(sql)
