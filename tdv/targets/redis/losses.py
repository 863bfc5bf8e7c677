"""What becomes of each type in Redis, whose hashes hold bytes.

In: nothing. Out: the loss table. Always holds: every value of every type comes back; the forms are those of
``docs/formats/seeds.md``, and bytes are themselves.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tdv.targets.protocol import Loss

LOSSES: Final[Mapping[str, Loss]] = {
    "bool": Loss("encoded", "text", "true and false"),
    "int16": Loss("encoded", "text", "digits"),
    "int32": Loss("encoded", "text", "digits"),
    "int64": Loss("encoded", "text", "digits"),
    "float64": Loss("encoded", "text", "the shortest digits that give the value; NaN, Infinity"),
    "decimal": Loss("encoded", "text", "all digits of the scale"),
    "string": Loss("native", "text", "UTF-8"),
    "binary": Loss("native", "bytes"),
    "date": Loss("encoded", "text", "2026-01-31"),
    "time": Loss("encoded", "text", "12:30:00 or 12:30:00.000001"),
    "timestamp": Loss("encoded", "text", "2026-01-31T12:30:00"),
    "timestamptz": Loss("encoded", "text", "2026-01-31T12:30:00Z"),
    "uuid": Loss("encoded", "text", "lower case"),
    "json": Loss("encoded", "text", "canonical JSON"),
    "list": Loss("encoded", "text", "a JSON array"),
    "struct": Loss("encoded", "text", "a JSON object"),
}
