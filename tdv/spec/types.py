"""The types of columns: read with the nearest valid word, and which values each may hold.

In: text from a spec. Out: `LogicalType`, or a sentence on what is wrong. Always holds: a value that `fits` a type
can be converted to it without loss.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from tdv.documents import did_you_mean, quoted
from tdv.model.types import NAMES, LogicalType

_DEEPEST: Final = 32
INTEGERS: Final = frozenset({"int16", "int32", "int64"})
NUMBERS: Final = INTEGERS | {"float64", "decimal"}
MOMENTS: Final = frozenset({"date", "time", "timestamp", "timestamptz"})

_BITS: Final = {"int16": 15, "int32": 31, "int64": 63}
# What other systems call the types, so that the nearest word is the right one.
_ELSEWHERE: Final = {
    "boolean": "bool", "int": "int64", "integer": "int64", "bigint": "int64", "long": "int64", "smallint": "int16",
    "int8": "int16", "uint8": "int16", "uint16": "int32", "uint32": "int64", "float": "float64", "double": "float64",
    "float32": "float64", "real": "float64", "number": "float64", "numeric": "decimal(18,2)", "money": "decimal(18,2)",
    "decimal": "decimal(18,2)", "text": "string", "str": "string", "varchar": "string", "char": "string",
    "utf8": "string", "bytes": "binary", "blob": "binary", "bytea": "binary", "datetime": "timestamp", "jsonb": "json",
    "object": "json", "guid": "uuid", "array": "list<string>", "list": "list<string>", "struct": "struct<a: string>",
}  # fmt: skip


def parse_type(text: str) -> LogicalType:
    """Reads a type; raises `ValueError` with a sentence that names the nearest valid word."""
    bare = text.strip()
    if is_torn(bare):
        raise ValueError(f"expected a type, found {quoted(bare)}; write it in quotes, because of the comma or bracket")
    if bare.lower() in _ELSEWHERE and bare not in NAMES[: NAMES.index("decimal")]:
        raise ValueError(f"expected a type, found {quoted(bare)}; did you mean {_ELSEWHERE[bare.lower()]!r}?")
    if bare.count("<") > _DEEPEST:
        raise ValueError(f"the type is nested deeper than {_DEEPEST} levels")
    try:
        return LogicalType.parse(bare)
    except ValueError as exc:
        reason = str(exc)
        word = reason.split("'")[1] if reason.startswith("unknown type '") else None
        if word is None:
            raise
        near = _ELSEWHERE.get(word.lower())
        end = f"; did you mean {near!r}?" if near else did_you_mean(word, NAMES)
        raise ValueError(f"unknown type {quoted(word)}{end or '; expected one of ' + ', '.join(NAMES)}") from exc


def is_torn(text: str) -> bool:
    """True for what is left of ``decimal(10,2)`` without quotes within ``{ }``, where a comma ends a value."""
    return text.count("(") > text.count(")") or text.count("<") > text.count(">")


def fits(value: Any, kind: LogicalType) -> str | None:
    """What a value of `kind` looks like, if `value` is none; otherwise None."""
    if kind.name in INTEGERS:
        limit = 1 << _BITS[kind.name]
        is_whole = isinstance(value, int) and not isinstance(value, bool)
        return None if is_whole and -limit <= value < limit else f"a whole number that fits {kind}"
    if kind.name in NUMBERS:
        return None if _is_number(value, kind) else f"a number that fits {kind}"
    if kind.name in MOMENTS:
        return None if moment(value, kind) is not None else f"a {kind} such as {_EXAMPLES[kind.name]}"
    if kind.name == "bool":
        return None if isinstance(value, bool) else "true or false"
    if kind.name in ("string", "uuid"):
        return None if isinstance(value, str) else "text"
    return None


_EXAMPLES: Final = {
    "date": "2026-01-31",
    "time": "12:30:00",
    "timestamp": "2026-01-31T12:30:00",
    "timestamptz": "2026-01-31T12:30:00Z",
}


def number(value: Any) -> Decimal | None:
    """A number, written as one or as text, exactly; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        return None
    return found if found.is_finite() else None


def _is_number(value: Any, kind: LogicalType) -> bool:
    found = number(value)
    if found is None or kind.name == "float64":
        return found is not None and not isinstance(value, str)
    limit = Decimal(10) ** (kind.precision - kind.scale)
    return abs(found) < limit and -int(found.normalize().as_tuple().exponent) <= kind.scale


def moment(value: Any, kind: LogicalType) -> date | time | datetime | None:
    """ISO 8601 text as a value of the temporal type `kind`, without its zone; None when it is not one."""
    if not isinstance(value, str):
        return None
    try:
        if kind.name == "date":
            return date.fromisoformat(value)
        if kind.name == "time":
            return time.fromisoformat(value).replace(tzinfo=None)
        return datetime.fromisoformat(value).replace(tzinfo=None)
    except ValueError:
        return None
