"""Types in DuckDB, and the loss table.

In: logical types and declared ones. Out: the other. Always holds: `logical(declared(kind)) == kind` for every type.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import ascii_lowercase, ascii_uppercase
from typing import Final

from tdv.model.types import LogicalType
from tdv.targets.protocol import Loss
from tdv.targets.sql import quote

LOSSES: Final[Mapping[str, Loss]] = {
    "bool": Loss("native", "BOOLEAN"),
    "int16": Loss("native", "SMALLINT"),
    "int32": Loss("native", "INTEGER"),
    "int64": Loss("native", "BIGINT"),
    "float64": Loss("native", "DOUBLE"),
    "decimal": Loss("native", "DECIMAL(p,s)"),
    "string": Loss("native", "VARCHAR"),
    "binary": Loss("native", "BLOB"),
    "date": Loss("native", "DATE"),
    "time": Loss("native", "TIME"),
    "timestamp": Loss("native", "TIMESTAMP"),
    "timestamptz": Loss("native", "TIMESTAMPTZ"),
    "uuid": Loss("native", "UUID"),
    "json": Loss("native", "JSON"),
    "list": Loss("native", "type[]"),
    "struct": Loss("native", "STRUCT(…)"),
}
_LOGICAL: Final[Mapping[str, str]] = {
    **{loss.as_type: name for name, loss in LOSSES.items()},
    "TINYINT": "int16",
    "UTINYINT": "int16",
    "USMALLINT": "int32",
    "UINTEGER": "int64",
    "FLOAT": "float64",
    "REAL": "float64",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
    "TIMESTAMP_S": "timestamp",
    "TIMESTAMP_MS": "timestamp",
}
ROUNDS: Final[Mapping[str, str]] = {
    "FLOAT": "rounds numbers",
    **dict.fromkeys(("TIMESTAMP_S", "TIMESTAMP_MS"), "rounds fractions of a second"),
}
"""What types do to values that are read as those of another one."""
_LOWER: Final = str.maketrans(ascii_uppercase, ascii_lowercase)
_WHOLE: Final[Mapping[str, int]] = {"UBIGINT": 20, "HUGEINT": 38}
_DECIMAL: Final = re.compile(r"DECIMAL\((\d+),(\d+)\)")


def declared(kind: LogicalType) -> str:
    """The type in a ``CREATE TABLE``."""
    if kind.name == "decimal":
        return f"DECIMAL({kind.precision},{kind.scale})"
    if kind.element is not None:
        return f"{declared(kind.element)}[]"
    if kind.fields:
        return f"STRUCT({', '.join(f'{quote(name)} {declared(field)}' for name, field in kind.fields)})"
    return LOSSES[kind.name].as_type


def has_twin_fields(kind: LogicalType) -> bool:
    """True where two fields of a struct differ only in the case of letters of ASCII, which DuckDB takes for one."""
    inner = [kind.element] if kind.element is not None else [field for _, field in kind.fields]
    names = {name.translate(_LOWER) for name, _ in kind.fields}
    return len(names) != len(kind.fields) or any(map(has_twin_fields, inner))


def logical(text: str) -> LogicalType | None:
    """The type of a declaration as DuckDB prints it; None for one that tdv has no exact match for."""
    decimal = _DECIMAL.fullmatch(text)
    if decimal:
        return LogicalType("decimal", int(decimal[1]), int(decimal[2]))
    if text in _WHOLE:
        return LogicalType("decimal", _WHOLE[text], 0)
    if text.endswith("[]"):
        element = logical(text[:-2])
        return LogicalType("list", element=element) if element else None
    if text.startswith("STRUCT(") and text.endswith(")"):
        return _struct(text[len("STRUCT(") : -1])
    name = _LOGICAL.get(text)
    return LogicalType(name) if name else None


def _struct(text: str) -> LogicalType | None:
    fields = []
    for part in _split(text):
        match = re.fullmatch(r'\s*(?:"((?:[^"]|"")*)"|(\w+))\s+(.+)', part, re.DOTALL)
        kind = logical(match[3]) if match else None
        if match is None or kind is None:
            return None
        fields.append((match[1].replace('""', '"') if match[1] is not None else match[2], kind))
    return LogicalType("struct", fields=tuple(fields))


def _split(text: str) -> list[str]:
    """At the commas that are in neither parentheses nor quotation marks."""
    parts, depth, quoted, start = [], 0, False, 0
    for index, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted:
            depth += (character == "(") - (character == ")")
            if character == "," and not depth:
                parts.append(text[start:index])
                start = index + 1
    return [*parts, text[start:]]
