"""The functions of Arrow, by the names that `pyarrow.compute` has for them.

In: arrays, tables and scalars. Out: the same. Always holds: each name means what it means there.

`pyarrow.compute` writes 280 Python functions with signatures and documentation when it is imported, a tenth of what a
``tdv diff`` takes. The few that comparing and showing rows needs are called here as it calls them; any other name
imports it.
"""

from __future__ import annotations

import importlib
from typing import Any

try:
    from pyarrow import _compute as arrow
except ImportError:  # another arrangement of its inner modules
    from pyarrow import compute as arrow


def __getattr__(name: str) -> Any:
    return getattr(importlib.import_module("pyarrow.compute"), name)


def take(values: Any, indices: Any) -> Any:
    """The values of an array, or the rows of a table, at the indices; raises `pyarrow.ArrowIndexError`."""
    return arrow.call_function("take", [values, indices])


def cast(values: Any, to: Any, safe: bool = True) -> Any:
    """The values as another type; raises `pyarrow.ArrowInvalid` where one is lost, unless `safe` is false."""
    options = arrow.CastOptions.safe(to) if safe else arrow.CastOptions.unsafe(to)
    return arrow.call_function("cast", [values], options)


def not_equal(one: Any, other: Any) -> Any:
    """True where the values differ, null where one is null."""
    return arrow.call_function("not_equal", [one, other])


def any(values: Any, *, min_count: int = 1) -> Any:
    """Whether one of at least `min_count` values is true; null where there are fewer."""
    return arrow.call_function("any", [values], arrow.ScalarAggregateOptions(min_count=min_count))


def coalesce(*values: Any) -> Any:
    """The first value of each row that is not null."""
    return arrow.call_function("coalesce", list(values))


def match_substring(texts: Any, pattern: str) -> Any:
    """True where the text contains `pattern`."""
    return arrow.call_function("match_substring", [texts], arrow.MatchSubstringOptions(pattern))


def replace_substring(texts: Any, pattern: str, replacement: str) -> Any:
    """The texts with every `pattern` replaced."""
    return arrow.call_function("replace_substring", [texts], arrow.ReplaceSubstringOptions(pattern, replacement))


def replace_substring_regex(texts: Any, pattern: str, replacement: str) -> Any:
    """The texts with everything that matches the RE2 `pattern` replaced."""
    options = arrow.ReplaceSubstringOptions(pattern, replacement)
    return arrow.call_function("replace_substring_regex", [texts], options)
