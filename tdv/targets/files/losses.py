"""What becomes of each type in files: in Parquet, and as text in the other forms.

In: nothing. Out: the loss table. Always holds: Parquet, CSV and JSON Lines keep every value of every type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tdv.targets.protocol import Loss

LOSSES: Final[Mapping[str, Loss]] = {
    "bool": Loss("native", "BOOLEAN", "true and false; 1 and 0 in SQL"),
    "int16": Loss("native", "INT(16)"),
    "int32": Loss("native", "INT32"),
    "int64": Loss("native", "INT64"),
    "float64": Loss("native", "DOUBLE", "SQL refuses NaN"),
    "decimal": Loss("native", "DECIMAL", "a string in JSON Lines"),
    "string": Loss("native", "STRING", "SQL refuses NUL"),
    "binary": Loss("native", "BYTE_ARRAY", "hexadecimal digits in text"),
    "date": Loss("native", "DATE", "2026-01-31"),
    "time": Loss("native", "TIME(MICROS)", "12:30:00"),
    "timestamp": Loss("native", "TIMESTAMP(MICROS)", "2026-01-31T12:30:00"),
    "timestamptz": Loss("native", "TIMESTAMP(MICROS, UTC)", "2026-01-31T12:30:00Z"),
    "uuid": Loss("encoded", "STRING"),
    "json": Loss("encoded", "STRING", "a value of its own in JSON Lines"),
    "list": Loss("native", "LIST", "JSON in CSV and SQL"),
    "struct": Loss("native", "group", "JSON in CSV and SQL"),
}
