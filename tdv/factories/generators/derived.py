"""The generator of values that follow from the row's other columns: derive, an SQL expression.

Always holds: a value depends on its own row only. Functions whose answer depends on time, chance, the session or
other rows are refused before anything runs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa

from tdv.content.arrow import canonical
from tdv.errors import DataError
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
_STRINGS: Final = re.compile(r"'(?:[^']|'')*'|--[^\n]*|/\*.*?\*/", re.DOTALL)
_QUOTED: Final = re.compile(r'"((?:[^"]|"")*)"')
_WORD: Final = re.compile(r"[A-Za-z_]\w*")
_CALL: Final = re.compile(r'([A-Za-z_]\w*)"?\s*\(')
_FUNCTIONS: Final = frozenset({
    "random", "setseed", "uuid", "gen_random_uuid", "uuidv4", "uuidv7", "now", "get_current_timestamp",
    "get_current_time", "current_date", "transaction_timestamp", "today", "txid_current", "nextval", "currval",
    "getenv", "getvariable", "current_setting", "version", "sum", "avg", "mean", "stddev", "product", "fsum",
    "kahan_sum", "favg", "first", "last", "any_value", "arbitrary", "string_agg", "list_agg", "array_agg",
    "group_concat",
})  # fmt: skip
_KEYWORDS: Final = frozenset({
    "select", "over", "current_timestamp", "current_date", "current_time", "localtime", "localtimestamp",
})  # fmt: skip


@dataclass(frozen=True)
class Derived:
    """The value of an SQL expression over the row."""

    sql: str
    column: Column
    needs: frozenset[str]

    def values(self, cells: Cells) -> pa.Array:
        columns = {name: cells.column(name) for name in sorted(self.needs)}
        return derived(self.sql, self.column, pa.table({**columns, _ROW: np.arange(len(cells.rows))}))


def derived(sql: str, column: Column, rows: pa.Table) -> pa.Array:
    """The values of the expression for each of `rows`, which carry their number in the column ``#row``.

    Raises `DataError` when the expression fails or gives something that is no value of the column.
    """
    cast = f"CAST(({sql}) AS {_sql_type(column.type)})" if not column.type.is_nested else f"({sql})"
    from tdv.content.sandbox import Sandbox  # imports duckdb, which datasets without `derive` do not need

    with Sandbox() as sandbox:
        sandbox.add(_ROWS, rows)
        found = sandbox.query(f'SELECT {cast} AS "value" FROM {_ROWS} ORDER BY "{_ROW}"')
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
    sql = request.options.text()
    words = _words(request.options, sql)
    names = {column.name.lower(): column.name for column in request.table.columns}
    own = request.column.name
    return Derived(sql, request.column, frozenset(names[word] for word in words if word in names) - {own})


def _words(options: Options, sql: str) -> frozenset[str]:
    """The names that the expression mentions, in lower case; quoted ones included, text literals not."""
    bare = _STRINGS.sub(" ", sql)
    quoted = {name.replace('""', '"').lower() for name in _QUOTED.findall(bare)}
    plain = {word.lower() for word in _WORD.findall(_QUOTED.sub(" ", bare))}
    called = {word.lower() for word in _CALL.findall(bare)}
    refused = (plain & _KEYWORDS) | (called & _FUNCTIONS)
    if ";" in bare or refused:
        which = ", ".join(sorted(refused)) or ";"
        raise options.wrong(
            f"uses {which}, whose answer does not follow from the row alone",
            hint="Use the row's own columns; for the clock write a column of `generate: {constant: as_of}`.",
        )
    return frozenset(plain | quoted)
