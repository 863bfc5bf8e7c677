"""The file name of a table's seeds.

In: a table's name, which comes from a spec or a database. Out: a file name without its ending, and back. Always
holds: the name has no separator, does not begin with a dot and names no place outside its directory; different
tables have different names.
"""

from __future__ import annotations

from urllib.parse import quote, unquote


def file_stem(table: str) -> str:
    """``order lines`` → ``order%20lines``."""
    stem = quote(table, safe="")
    return "%2E" + stem[1:] if stem.startswith(".") else stem


def table_of(stem: str) -> str | None:
    """The table whose file has that name, or None when no table's has."""
    table = unquote(stem)
    return table if file_stem(table) == stem else None
