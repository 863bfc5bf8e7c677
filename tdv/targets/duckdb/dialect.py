"""SQL for DuckDB that somebody else runs.

In: schemas and canonical columns. Out: statements and literals. Always holds: numbers with a point are written as
text, since DuckDB would take them for decimals first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.text import to_text
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.targets import sql
from tdv.targets.dialect import Outline, Rebuilds, holds, text_literal
from tdv.targets.duckdb.catalogue import create_table, refuse_names
from tdv.targets.duckdb.types import declared
from tdv.targets.sql import quote

_MOST_PARTS: Final = 100
"""Parts of one text that are put together: DuckDB takes expressions of a depth of 1,000."""
_BARE: Final = frozenset({"bool", "int16", "int32", "int64", "decimal"})
_TEXT: Final = "VARCHAR"
_MOMENTS: Final[Mapping[str, str]] = {
    "date": "(DATE '1970-01-01' + CAST({} AS INTEGER))",
    "timestamp": "make_timestamp({})",
    "timestamptz": "make_timestamptz({})",
}
"""How moments outside of the years 1 to 9999 are written: by their ticks."""


@dataclass(frozen=True, slots=True)
class DuckdbDialect(Rebuilds):
    """See `tdv.targets.dialect.Dialect`; `theirs` are the types of the columns of a database, each with its table."""

    name: str = "duckdb"
    theirs: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def notes(self, outline: Outline) -> list[str]:
        return ["For DuckDB; `duckdb -bail` stops at the first error."]

    def refuse(self, tables: Iterable[TableSchema]) -> None:
        refuse_names(tables)

    def literals(self, array: pa.Array, column: Column, table: str) -> list[str]:
        return _literals(array, column.type)

    def equal(self, column: Column, literal: str, table: str) -> str:
        name = quote(column.name)
        if self.theirs.get((table, column.name)) == _TEXT and column.type.name not in ("string", *_BARE):
            # A text may write a value in another way than this literal.
            name = f"TRY_CAST({name} AS {declared(column.type)})"
        return f"{name} = {literal}"

    def cast(self, name: str, old: LogicalType, new: LogicalType) -> str | None:
        return f"CAST({quote(name)} AS {declared(new)})"

    def holds(self, found: LogicalType, wanted: LogicalType) -> bool:
        return holds(self, found, wanted)

    def delete_one(self, table: TableSchema, condition: str) -> str | None:
        if "rowid" in (name.lower() for name in table.column_names):
            return None
        place = quote(table.name)
        return f"DELETE FROM {place} WHERE rowid = (SELECT min(rowid) FROM {place} WHERE {condition})"

    def unround(self, table: TableSchema, names: Iterable[str]) -> list[str]:
        place, columns = quote(table.name), map(table.column, names)
        return [f"ALTER TABLE {place} ALTER {quote(c.name)} TYPE {declared(c.type)}" for c in columns]

    def create(self, table: TableSchema, known: frozenset[str]) -> list[str]:
        return [create_table(table)]

    def begin(self, outline: Outline) -> list[str]:
        return ["BEGIN"]

    def end(self, outline: Outline) -> list[str]:
        return ["COMMIT"]


def _literals(array: pa.Array, kind: LogicalType) -> list[str]:
    if kind.is_nested:
        return [_cast(value, kind) for value in _nested(array, kind)]
    if kind.name in _MOMENTS:
        return _moments(array, kind)
    write = _WRITERS.get(kind.name, sql.text)
    return ["NULL" if text is None else write(text) for text in to_text(array, kind).to_pylist()]


def _cast(value: str | None, kind: LogicalType) -> str:
    return "NULL" if value is None else f"CAST({value} AS {declared(kind)})"


def _nested(array: pa.Array, kind: LogicalType) -> list[str | None]:
    if kind.element is not None:
        items = iter(_literals(array.flatten(), kind.element))
        lengths = pc.list_value_length(array).to_pylist()
        return [None if n is None else f"[{', '.join(next(items) for _ in range(n))}]" for n in lengths]
    names = [sql.text(name) for name, _ in kind.fields]
    fields = [_literals(array.field(index), inner) for index, (_, inner) in enumerate(kind.fields)]
    rows = zip(*fields, strict=True)
    texts = [", ".join(f"{name}: {value}" for name, value in zip(names, row, strict=True)) for row in rows]
    return [f"{{{text}}}" if valid else None for text, valid in zip(texts, array.is_valid().to_pylist(), strict=True)]


def _moments(array: pa.Array, kind: LogicalType) -> list[str]:
    years = pc.year(array).to_pylist()
    texts = to_text(array, kind).to_pylist()
    ticks = pc.cast(array, pa.int32() if kind.name == "date" else pa.int64()).to_pylist()
    return [
        "NULL" if year is None else sql.text(text) if 0 < year < 10_000 else _MOMENTS[kind.name].format(tick)
        for year, text, tick in zip(years, texts, ticks, strict=True)
    ]


def _text(value: str) -> str:
    parts = text_literal(value, sql.text, lambda part: " || ".join(f"chr({ord(letter)})" for letter in part))
    written = " || ".join(parts)
    return written if written.count("||") < _MOST_PARTS else f"decode(unhex('{value.encode().hex()}'))"


def _bytes(value: str) -> str:
    return f"unhex('{value}')"


_WRITERS: Final[Mapping[str, Callable[[str], str]]] = {
    **dict.fromkeys(_BARE, str),
    **dict.fromkeys(("string", "json"), _text),
    "binary": _bytes,
}
DIALECT: Final = DuckdbDialect()
