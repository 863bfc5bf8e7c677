"""The rules of a column: each must mean something for its type.

In: a column as written and its type. Out: mistakes. Always holds: a rule without a mistake can be evaluated for
every value of the column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from tdv.documents import Path, quoted
from tdv.model.types import LogicalType
from tdv.spec.sheet import Notes, Sheet
from tdv.spec.types import MOMENTS, NUMBERS, fits, moment, number

_FOR_TEXT: Final = ("pattern", "format", "minLength", "maxLength")
_NO_ENUM: Final = frozenset({"binary", "json", "list", "struct"})


def check_column(notes: Notes, sheet: Sheet, name: str) -> None:
    """Notes every rule of the column that its type cannot keep."""
    column, kind = sheet.columns[name], sheet.types[name]
    path = (*sheet.path, "columns", name)
    if column.get("unique") and not kind.may_be_key:
        notes.add((*path, "unique"), f"a column of type {kind} cannot be unique: equality is not exact", "Remove it.")
    for word in _FOR_TEXT:
        if word in column and kind.name != "string":
            notes.add((*path, word), f"{word} is for text, but the column is {kind}", f"Remove {word}.")
    _check_bounds(notes, path, column, kind)
    _check_enum(notes, path, column, kind)
    if column.get("minLength", 0) > column.get("maxLength", float("inf")):
        text = f"expected at most maxLength, {column['maxLength']}, found {column['minLength']}"
        notes.add((*path, "minLength"), text, "Exchange the two.")
    if "pattern" in column and kind.name == "string":
        check_pattern(notes, (*path, "pattern"), column["pattern"])


def check_pattern(notes: Notes, path: Path, text: str) -> None:
    """Notes a regular expression that cannot be compiled."""
    try:
        re.compile(text)
    except (re.error, OverflowError, RecursionError) as exc:
        notes.add(path, f"{quoted(text)} is no regular expression: {exc}", "Correct the expression.")


def _check_bounds(notes: Notes, path: Path, column: Mapping[str, Any], kind: LogicalType) -> None:
    found = {}
    for word in ("minimum", "maximum"):
        if word not in column:
            continue
        value = _bound(column[word], kind)
        if kind.name not in NUMBERS | MOMENTS:
            notes.add(
                (*path, word), f"{word} is for numbers, dates and times, but the column is {kind}", f"Remove {word}."
            )
        elif value is None:
            expected = "a number" if kind.name in NUMBERS else fits(None, kind)
            notes.add((*path, word), f"expected {expected}, found {quoted(column[word])}")
        else:
            found[word] = value
    if len(found) == 2 and found["minimum"] > found["maximum"]:
        text = f"expected at most the maximum, {column['maximum']}, found {column['minimum']}"
        notes.add((*path, "minimum"), text, "Exchange the two.")


def _bound(value: Any, kind: LogicalType) -> Any:
    if kind.name in MOMENTS:
        return moment(value, kind)
    return number(value) if kind.name == "decimal" or not isinstance(value, str) else None


def _check_enum(notes: Notes, path: Path, column: Mapping[str, Any], kind: LogicalType) -> None:
    if "enum" not in column:
        return
    if kind.name in _NO_ENUM:
        notes.add((*path, "enum"), f"enum does not apply to a column of type {kind}", "Remove enum.")
        return
    for index, value in enumerate(column["enum"]):
        expected = fits(value, kind)
        if expected is not None:
            notes.add((*path, "enum", index), f"expected {expected}, found {quoted(value)}")
