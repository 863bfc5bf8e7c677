"""Errors for what was read from a target and is no row of the table.

In: a table's name, a column. Out: an `IntegrityError`. Always holds: no value is said.
"""

from __future__ import annotations

from typing import Final

from tdv.errors import IntegrityError
from tdv.model.schema import Column, TableSchema

OTHERS: Final = "Something else than tdv wrote it; `tdv checkout` mends it."


def misread(table: str, column: Column | None) -> IntegrityError:
    """For a value that is none of its column's type; without a column where it is not known which one."""
    place = f"table {table!r}" + (f", column {column.name!r}" if column else "")
    what = f"a value that is no {column.type}" if column else "values of other types"
    return IntegrityError(f"{place} holds {what}", hint=OTHERS, table=table)


def lacking(table: TableSchema, column: Column, count: int) -> IntegrityError:
    """For `count` rows without a value that every row has."""
    rows = "a row lacks" if count == 1 else f"{count} rows lack"
    place = f"{column.name!r}, which is of its key" if column.name in table.key else f"a value of {column.name!r}"
    return IntegrityError(f"table {table.name!r}: {rows} {place}", hint=OTHERS, table=table.name, column=column.name)
