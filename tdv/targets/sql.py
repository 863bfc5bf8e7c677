"""SQL that engines share: quoting, and which tables come first.

In: names and schemas. Out: text. Always holds: a name of any characters becomes one identifier.
"""

from __future__ import annotations

from collections.abc import Iterable

from tdv.errors import DataError
from tdv.model.schema import TableSchema


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


def keys_of(table: TableSchema) -> list[tuple[str, ...]]:
    """The unique column sets besides the primary key, each once."""
    return [unique for unique in dict.fromkeys(table.uniques) if unique != table.key]
