"""What becomes of each type in MongoDB's documents.

In: nothing. Out: the loss table. Always holds: every value that is not refused comes back exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from tdv.targets.protocol import Loss

LOSSES: Final[Mapping[str, Loss]] = {
    "bool": Loss("native", "bool"),
    "int16": Loss("native", "int"),
    "int32": Loss("native", "int"),
    "int64": Loss("native", "long"),
    "float64": Loss("native", "double"),
    "decimal": Loss("native", "decimal", "decimal128"),
    "decimal>34": Loss("encoded", "string", "all digits of the scale"),
    "string": Loss("native", "string"),
    "binary": Loss("native", "binData", "subtype 0"),
    "date": Loss("encoded", "date", "midnight UTC"),
    "time": Loss("encoded", "string", "12:30:00 or 12:30:00.000001"),
    "timestamp": Loss("encoded", "date", "as if it were UTC; microseconds in _tdv, text in _id"),
    "timestamptz": Loss("native", "date", "microseconds in _tdv, text in _id"),
    "uuid": Loss("native", "binData", "subtype 4"),
    "json": Loss("native", "any", "integers of more than 34 digits are refused"),
    "list": Loss("native", "array", "what JSON has no type for is text, as in JSON Lines"),
    "struct": Loss("native", "object", "what JSON has no type for is text, as in JSON Lines"),
}
DECIMAL_DIGITS: Final = 34
"""What decimal128 holds."""
