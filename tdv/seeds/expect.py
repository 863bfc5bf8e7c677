"""Labels in the SQL of ``expect``, put in as literals.

In: SQL as the scenario holds it, and the keys of its labels. Out: SQL without labels. Always holds: a label within
a string, a quoted name or a comment stays as it is; what is put in is one literal, or a row of literals in
parentheses, whatever the key holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from tdv.model.types import LogicalType
from tdv.seeds.labels import LABEL

_TOKEN: Final = re.compile(
    r"""(?P<skip>
        [eE]'(?:[^'\\]|\\.|'')*'            # text with escapes
      | '(?:[^']|'')*'                      # text
      | "(?:[^"]|"")*"                      # a quoted name
      | --[^\n]*                            # a comment to the end of the line
      | /\*.*?\*/                           # a comment
      | (?P<tag>\$(?:[A-Za-z_]\w*)?\$).*?(?P=tag)   # text in dollar quotes
    )"""
    rf"| \$(?P<first>{LABEL.pattern}) (?: \.(?P<second>{LABEL.pattern}) )?",
    re.VERBOSE | re.DOTALL,
)
_WORDS: Final = {"date": "DATE", "time": "TIME", "timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMPTZ"}

Lookup = Callable[[str, str | None], Sequence[tuple[Any, LogicalType]]]
"""Label and table (None where the SQL names none) → the key's values with their types."""


def bind(sql: str, lookup: Lookup) -> str:
    """`sql` with ``$label`` and ``$table.label`` replaced; passes on the `ValueError` of `lookup`."""

    def put(token: re.Match[str]) -> str:
        if token["skip"] is not None:
            return token["skip"]
        label, table = (token["second"], token["first"]) if token["second"] else (token["first"], None)
        literals = [literal(value, kind) for value, kind in lookup(label, table)]
        return literals[0] if len(literals) == 1 else f"({', '.join(literals)})"

    return _TOKEN.sub(put, sql)


def literal(value: Any, kind: LogicalType) -> str:
    """A key's value, in the JSON form of the manifest, as a literal of DuckDB's SQL."""
    if kind.name == "bool":
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value) if value >= 0 else f"({value})"
    text = "'" + str(value).replace("'", "''") + "'"
    if kind.name == "decimal":
        return f"CAST({text} AS DECIMAL({kind.precision},{kind.scale}))"
    if kind.name == "binary":
        return f"from_hex({text})"
    return f"{_WORDS[kind.name]} {text}" if kind.name in _WORDS else text
