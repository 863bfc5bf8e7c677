"""Types in MySQL and MariaDB, and the loss table.

In: logical types and declared ones. Out: the other. Always holds: text is compared by its bytes, trailing spaces
included, so that what is unique in a dataset is unique here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from tdv.model.schema import Column
from tdv.model.types import LogicalType
from tdv.targets.protocol import Loss

LOSSES: Final[Mapping[str, Loss]] = {
    "bool": Loss("encoded", "TINYINT(1)", "0 and 1"),
    "int16": Loss("native", "SMALLINT"),
    "int32": Loss("native", "INT"),
    "int64": Loss("native", "BIGINT"),
    "float64": Loss("native", "DOUBLE", "NaN and infinity are refused"),
    "decimal": Loss("native", "DECIMAL(p,s)", "more than 30 digits after the point are refused"),
    "string": Loss(
        "native", "LONGTEXT", "VARCHAR(n) in keys, and where maxLength is at most 255; compared by its bytes"
    ),
    "binary": Loss("native", "LONGBLOB", "VARBINARY(n) in keys"),
    "date": Loss("native", "DATE", "years 1 to 9999"),
    "time": Loss("native", "TIME(6)"),
    "timestamp": Loss("native", "DATETIME(6)", "years 1 to 9999"),
    "timestamptz": Loss("encoded", "DATETIME(6)", "in UTC, since TIMESTAMP ends in 2038; years 1 to 9999"),
    "uuid": Loss("encoded", "CHAR(36)", "lower-case text"),
    "json": Loss("native", "JSON", "text with a check in MariaDB; integers beyond 64 bits are refused by MySQL"),
    "list": Loss("encoded", "JSON", "an array"),
    "struct": Loss("encoded", "JSON", "an object"),
}
_DECLARED: Final[Mapping[str, str]] = {
    **{name: loss.as_type.lower() for name, loss in LOSSES.items()},
    "uuid": "char(36) character set ascii collate ascii_bin",
}
_TRUTHS: Final = ("tinyint(1)", "bit(1)")
"""What applications keep truths in: Hibernate's are bits."""
_LOGICAL: Final[Mapping[str, str]] = {
    **dict.fromkeys(_TRUTHS, "bool"),
    "tinyint": "int16",
    "tinyint unsigned": "int16",
    "smallint": "int16",
    "smallint unsigned": "int32",
    "mediumint": "int32",
    "mediumint unsigned": "int32",
    "int": "int32",
    "int unsigned": "int64",
    "bigint": "int64",
    "year": "int16",
    "float": "float64",
    "double": "float64",
    "date": "date",
    "time": "time",
    "datetime": "timestamp",
    "timestamp": "timestamptz",
    "json": "json",
    "uuid": "uuid",
    **dict.fromkeys(("char", "varchar", "tinytext", "text", "mediumtext", "longtext", "enum", "set"), "string"),
    **dict.fromkeys(("binary", "varbinary", "tinyblob", "blob", "mediumblob", "longblob"), "binary"),
}
_SIZED: Final = re.compile(r"(\w+)(?:\(.*\))?( unsigned)?.*", re.DOTALL)
_NUMERIC: Final = re.compile(r"decimal\((\d+),(\d+)\)(?: unsigned)?")
_LENGTH: Final = re.compile(r"(?:var)?char\((\d+)\)")
INLINE: Final = 255
"""The longest `maxLength` that is declared as such; longer texts are no part of a row's 65,535 bytes."""
MOST_SCALE: Final = 30


def declared(column: Column, longest: int | None) -> str:
    """The type of a column; `longest` are the characters or bytes that a key has room for, None outside of keys."""
    kind = column.type
    limit = column.rules.max_length
    if kind.name == "decimal":
        return f"decimal({kind.precision},{kind.scale})"
    if kind.name == "binary" and longest is not None:
        return f"varbinary({longest})"
    if kind.name != "string":
        return _DECLARED[kind.name]
    if longest is not None:
        return f"varchar({min(limit or longest, longest)})"
    return f"varchar({limit})" if limit is not None and 0 < limit <= INLINE else _DECLARED["string"]


def logical(text: str) -> LogicalType | None:
    """The type of a declaration as the server prints it; None for one that tdv has no exact match for."""
    numeric = _NUMERIC.fullmatch(text)
    if numeric:
        precision, scale = int(numeric[1]), int(numeric[2])
        return LogicalType("decimal", precision, scale) if precision <= 38 else None
    sized = _SIZED.fullmatch(text)
    if sized is None:
        return None
    word = sized[1] + (sized[2] or "")
    if word == "bigint unsigned":
        return LogicalType("decimal", 20, 0)
    name = _LOGICAL.get(text if text in _TRUTHS else word)
    return LogicalType(name) if name else None


def length_of(text: str) -> int | None:
    """The n of ``varchar(n)``."""
    found = _LENGTH.fullmatch(text)
    return int(found[1]) if found else None
