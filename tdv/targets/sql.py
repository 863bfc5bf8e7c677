"""SQL that engines share: quoting, which tables come first, and what is a query.

In: names, schemas and statements. Out: text. Always holds: a name of any characters becomes one identifier.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Final

from tdv.content.statements import bare
from tdv.errors import DataError, TargetError
from tdv.model.schema import TableSchema

_FIRST: Final = re.compile(r"[\s(]*([A-Za-z]+)")
_QUERIES: Final = frozenset({"select", "table", "values", "with"})


def quote(name: str) -> str:
    """A name as a standard SQL identifier; raises `DataError` for NUL, which no engine takes."""
    if "\0" in name:
        raise DataError(
            f"the name {name!r} holds a NUL character", hint="Rename the table or column in the spec.", name=name
        )
    return '"' + name.replace('"', '""') + '"'


def listed(names: Iterable[str]) -> str:
    """Names as a list of identifiers."""
    return ", ".join(quote(name) for name in names)


def text(value: str) -> str:
    """A standard SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def too_wide(table: TableSchema, engine: str, most: int) -> DataError:
    """The error for a table of more than the `most` columns that an engine takes."""
    return DataError(
        f"{table.name!r} has {len(table.columns):,} columns, and {engine} takes {most:,}",
        hint="Name another engine with --target or --dialect, or split the table.",
        table=table.name,
    )


def keys_of(table: TableSchema) -> list[tuple[str, ...]]:
    """The unique column sets besides the primary key, each once."""
    return [unique for unique in dict.fromkeys(table.uniques) if unique != table.key]


def indexed(table: TableSchema, known: Iterable[str]) -> list[tuple[str, ...]]:
    """The columns of references to `known` tables that no key serves: an index on them keeps deleting a parent from
    scanning the child."""
    names = set(known)
    served = [table.key, *keys_of(table)]
    found = []
    for reference in dict.fromkeys(table.references):
        columns = reference.columns
        if reference.table in names and not any(key[: len(columns)] == columns for key in served):
            served.append(columns)
            found.append(columns)
    return found


def index_name(table: str, columns: Sequence[str], tables: Iterable[str]) -> str:
    """The name that SQLAlchemy gives to an index of these columns, so that migrations made from models know it again;
    another one where a longer table's index may be called so."""
    name = f"ix_{table}_{'_'.join(columns)}"
    taken = any(len(other) > len(table) and name.startswith(f"ix_{other}_") for other in tables)
    return f"{name}_index" if taken else name


def no_query() -> TargetError:
    """The refusal of a statement that could do more than give rows."""
    return TargetError("it is no single SELECT", hint="Write one query that gives one true value.")


def require_query(statement: str) -> None:
    """Raises `TargetError` for a statement whose first word is not that of a query, in words that no parser has."""
    first = _FIRST.match(bare(statement))
    if first and first[1].lower() not in _QUERIES:
        raise no_query()
