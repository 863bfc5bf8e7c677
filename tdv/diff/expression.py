"""Reads the SQL expression that narrows a difference, before anything is asked with it.

In: what a user wrote for ``--where``. Out: the names of the columns in it. Always holds: it is one expression that
speaks of one row; whatever else an SQL statement can hold is a mistake of the call, told in one sentence.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, Final

from tdv.documents.words import did_you_mean
from tdv.errors import NotFound, UsageError

HINT: Final = "--where takes an SQL expression over the columns of a table, as in --where 'age > 90'."
_PLACES: Final = frozenset({"query_location", "query_location_length"})
_NEVER: Final = {
    "SUBQUERY": "it holds a SELECT",
    "STAR": "it holds a *",
    "PARAMETER": "it holds a parameter",
    "WINDOW": "it looks at more than one row",
}


def columns_of(expression: str) -> tuple[str, ...]:
    """The columns that an expression names, first to last; raises `UsageError` for what is no single expression."""
    if not expression.strip():
        raise UsageError("--where is empty", hint=HINT)
    asked = _tree(expression)
    if asked.get("error_type") == "parser":
        raise UsageError(f"--where {expression!r} is no SQL expression: {asked['error_message']}", hint=HINT)
    nodes = [item["node"] for item in asked.get("statements", ())]
    found: list[dict[str, Any]] = nodes[0].get("select_list", []) if len(nodes) == 1 else []
    plain = _tree("NULL")["statements"][0]["node"]
    if len(found) != 1 or found[0]["alias"] or _rest(nodes[0]) != _rest(plain):
        raise UsageError(f"--where {expression!r} is more than one SQL expression", hint=HINT)
    parts = list(_parts(found[0]))
    for part in parts:
        reason = _NEVER.get(str(part.get("class")))
        if reason is not None:
            raise UsageError(f"--where {expression!r} does not speak of one row: {reason}", hint=HINT)
    own = {name for part in parts if part.get("class") == "LAMBDA" for name in _names(part.get("lhs"))}
    return tuple(name for name in dict.fromkeys(_names(found)) if name not in own)


def _tree(expression: str) -> dict[str, Any]:
    """What DuckDB reads in an expression where a statement selects it."""
    # Most comparisons filter nothing, and should not wait for an engine to be loaded.
    from tdv.content.sandbox import Sandbox

    statement = f"SELECT {expression}".replace("'", "''")
    with Sandbox() as engine:
        answer = engine.query(f"SELECT json_serialize_sql('{statement}')").column(0)[0].as_py()
    tree: dict[str, Any] = json.loads(answer)
    return tree


def _rest(node: dict[str, Any]) -> Any:
    """A statement without what it selects, and without places in the text."""
    return _placeless({**node, "select_list": None})


def _placeless(tree: Any) -> Any:
    if isinstance(tree, list):
        return [_placeless(item) for item in tree]
    if isinstance(tree, dict):
        return {name: _placeless(value) for name, value in tree.items() if name not in _PLACES}
    return tree


def _parts(tree: Any) -> Iterator[dict[str, Any]]:
    """Every node of the tree, a node before those in it."""
    if isinstance(tree, dict):
        yield tree
        for value in tree.values():
            yield from _parts(value)
    elif isinstance(tree, list):
        for item in tree:
            yield from _parts(item)


def _names(tree: Any) -> Iterator[str]:
    return (".".join(part["column_names"]) for part in _parts(tree) if part.get("class") == "COLUMN_REF")


def no_column(name: str, known: Sequence[str]) -> NotFound:
    """The error for a column that neither state has."""
    return NotFound(
        f"There is no column {name!r} in either state{did_you_mean(name.rpartition('.')[2], known)}",
        hint=f"Their columns are {', '.join(known)}.",
    )
