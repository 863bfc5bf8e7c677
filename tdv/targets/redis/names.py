"""The names of keys in Redis: ``table:key``, and those of tdv itself.

In: names of tables, parts of keys as bytes. Out: names of keys, patterns for ``SCAN``. Always holds: two rows have two
names, whatever their keys hold, since ``%`` and ``:`` in a part are written as ``%25`` and ``%3A``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from tdv.errors import DataError
from tdv.model.schema import TableSchema

OWN: Final = "_tdv_"
"""What all keys of tdv itself begin with."""
LOCK: Final = f"{OWN}lock"
STAGED: Final = f"{OWN}staged:"
NEVER: Final = f"{OWN}never"
"""A key that never is there."""
_GLOB: Final = re.compile(r"([*?\[\]\\^])")


@dataclass(frozen=True, slots=True)
class Rows:
    """Which keys are the rows of a table: those that begin with `prefix` and have `parts` more parts."""

    prefix: str
    parts: int

    @property
    def pattern(self) -> str:
        """The prefix as a pattern for ``SCAN``."""
        return literally(self.prefix) + "*"


def rows_of(table: TableSchema, before: str = "") -> Rows:
    """The rows of a table; `before` is what stands before their names while nobody should see them."""
    return Rows(f"{before}{escaped(table.name)}:", max(len(table.key), 1))


def escaped(part: str) -> str:
    """A part of a key without ``:``."""
    return part.replace("%", "%25").replace(":", "%3A")


def literally(text: str) -> str:
    """`text` as a pattern that only it matches."""
    return _GLOB.sub(r"\\\1", text)


def refuse_names(tables: Iterable[TableSchema]) -> None:
    """Raises `DataError` for tables that are called as tdv's own keys, and for columns without a name."""
    for table in tables:
        if table.name.startswith(OWN):
            raise DataError(
                f"table {table.name!r} has the name of a key of tdv's own",
                hint=f"Rename the table: in Redis nothing else may begin with {OWN}.",
                table=table.name,
            )
