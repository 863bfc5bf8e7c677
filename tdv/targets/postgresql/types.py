"""Types in PostgreSQL, and the loss table.

In: logical types and declared ones. Out: the other. Always holds: `logical(declared(kind)) == kind` for every type
that is native; encoded ones are `jsonb`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tdv.model.schema import Column
from tdv.model.types import LogicalType
from tdv.targets.protocol import Loss

LOSSES: Final[Mapping[str, Loss]] = {
    "bool": Loss("native", "boolean"),
    "int16": Loss("native", "smallint"),
    "int32": Loss("native", "integer"),
    "int64": Loss("native", "bigint"),
    "float64": Loss("native", "double precision"),
    "decimal": Loss("native", "numeric(p,s)"),
    "string": Loss("native", "text", "varchar(n) where the column has maxLength; NUL is refused"),
    "binary": Loss("native", "bytea"),
    "date": Loss("native", "date"),
    "time": Loss("native", "time"),
    "timestamp": Loss("native", "timestamp"),
    "timestamptz": Loss("native", "timestamptz"),
    "uuid": Loss("native", "uuid"),
    "json": Loss("native", "jsonb", "numbers from 1e21 on that are written as floats are refused"),
    "list": Loss("native", "type[]", "lists of lists, of structs and of JSON are encoded as jsonb"),
    "struct": Loss("encoded", "jsonb", "an object"),
}
_NATIVE: Final[Mapping[str, str]] = {
    **{name: loss.as_type for name, loss in LOSSES.items() if loss.fate == "native"},
    "timestamp": "timestamp without time zone",
    "timestamptz": "timestamp with time zone",
    "time": "time without time zone",
}
"""The names that `format_type` gives."""
_LOGICAL: Final[Mapping[str, str]] = {
    **{native: name for name, native in _NATIVE.items() if name not in ("decimal", "list")},
    "json": "json",
    "real": "float64",
    "character varying": "string",
    "name": "string",
    "citext": "string",
}
TEXTS: Final = frozenset({"text", "character varying", "character", "citext", "name"})
"""Types of text, without their length."""
_LENGTH: Final = re.compile(r"character varying\((\d+)\)")
_NUMERIC: Final = re.compile(r"numeric\((\d+),(\d+)\)")
_FRACTION: Final = re.compile(r"(timestamp|time)\(\d\) (without|with) time zone")
LONGEST: Final = 10_485_760
"""The largest n of ``varchar(n)``."""


def is_array(kind: LogicalType) -> bool:
    """True for lists that are arrays here: of scalars other than JSON, since arrays nest in rectangles only."""
    return kind.element is not None and not kind.element.is_nested and kind.element.name != "json"


def declared(kind: LogicalType) -> str:
    """The type as `format_type` prints it."""
    if kind.name == "decimal":
        return f"numeric({kind.precision},{kind.scale})"
    if kind.is_nested:
        return f"{declared(kind.element)}[]" if kind.element is not None and is_array(kind) else "jsonb"
    return _NATIVE[kind.name]


def declared_column(column: Column) -> str:
    """The type of a column: text with a greatest length keeps it."""
    longest = column.rules.max_length
    if column.type.name == "string" and longest is not None and 0 < longest <= LONGEST:
        return f"character varying({longest})"
    return declared(column.type)


def logical(text: str) -> LogicalType | None:
    """The type of a declaration as `format_type` prints it; None for one that tdv has no exact match for."""
    numeric = _NUMERIC.fullmatch(text)
    if numeric:
        precision, scale = int(numeric[1]), int(numeric[2])
        return LogicalType("decimal", precision, scale) if precision <= 38 and scale <= precision else None
    if text.endswith("[]"):
        element = logical(text[:-2])
        kind = LogicalType("list", element=element) if element else None
        return kind if kind and is_array(kind) else None
    if _LENGTH.fullmatch(text):
        return LogicalType("string")
    name = _LOGICAL.get(_FRACTION.sub(r"\1 \2 time zone", text))
    return LogicalType(name) if name else None


def is_of_one_length(text: str) -> bool:
    """True for ``character(n)``, which gives shorter texts back with spaces at the end."""
    return text.startswith("character(")


def length_of(text: str) -> int | None:
    """The n of ``character varying(n)``."""
    found = _LENGTH.fullmatch(text)
    return int(found[1]) if found else None
