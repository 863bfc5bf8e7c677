"""JSON's own null inside lists and structs, where most forms have it for NULL.

In: an array of canonical values. Out: whether one of its documents is ``null``. Always holds: NULL is none.
"""

from __future__ import annotations

import pyarrow as pa

from tdv.content import compute as pc
from tdv.model.types import LogicalType


def holds_json_null(array: pa.Array, kind: LogicalType) -> bool:
    """True if a value, or a part of one, is the JSON document ``null``."""
    if kind.name == "json":
        return bool(pc.any(pc.equal(array, "null"), min_count=0).as_py())
    if kind.element is not None:
        return holds_json_null(array.flatten(), kind.element)
    if kind.name == "struct":
        children = zip(array.flatten(), kind.fields, strict=True)
        return any(holds_json_null(child, inner) for child, (_, inner) in children)
    return False
