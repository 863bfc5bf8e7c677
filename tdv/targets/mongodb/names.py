"""The names of collections and fields.

In: names of tables and columns. Out: names that MongoDB takes. Always holds: two tables have two collections; names
that tdv uses itself, and fields that queries cannot reach, are refused.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tdv.errors import DataError
from tdv.model.schema import TableSchema
from tdv.targets.protocol import STATE_TABLE

OWN: Final = "_tdv_"
"""What all collections of tdv itself begin with."""
LOCK: Final = f"{OWN}lock"
STAGED: Final = f"{OWN}staged."
STATE: Final = STATE_TABLE
REST: Final = "_tdv"
"""The field with the microseconds that a date of MongoDB cannot hold."""
ID: Final = "_id"


def collection_of(table: str) -> str:
    """The collection of a table: its name, percent-encoded where MongoDB would refuse it."""
    encoded = table.replace("%", "%25").replace("$", "%24")
    if encoded.startswith((".", "system.")) or encoded.endswith(".") or ".." in encoded:
        encoded = encoded.replace(".", "%2E")
    return encoded


def is_own(collection: str) -> bool:
    """True for collections of tdv itself, and of the server."""
    return collection.startswith((OWN, "system."))


def refuse_names(tables: Iterable[TableSchema]) -> None:
    """Raises `DataError` for names of tables and columns that MongoDB or tdv needs otherwise, all at once."""
    refused = []
    for table in tables:
        refused += [repr(table.name)] if is_own(collection_of(table.name)) or "\0" in table.name else []
        refused += [f"{table.name}.{name}" for name in table.column_names if not _is_field(name, table)]
    if refused:
        raise DataError(
            f"MongoDB cannot take the names {', '.join(refused)}",
            hint=f"Rename them in the spec: no dot, no NUL, no $ at the beginning, neither {REST} nor {ID} but as key.",
            names=refused,
        )


def _is_field(name: str, table: TableSchema) -> bool:
    if name == ID:
        return table.key == (ID,)
    return bool(name) and name != REST and not name.startswith("$") and "." not in name and "\0" not in name
