"""JSON's own null inside lists and structs, where most forms have it for NULL.

In: an array of canonical values. Out: whether one of its documents is ``null``. Always holds: NULL is none.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa

from tdv.content import compute as pc
from tdv.model.types import LogicalType


def holds_json_null(array: pa.Array, kind: LogicalType) -> bool:
    """True if a value, or a part of one, is the JSON document ``null``."""
    return any(pc.any(pc.equal(found, "null"), min_count=0).as_py() for found in documents(array, kind))


def documents(array: pa.Array, kind: LogicalType) -> Iterator[pa.Array]:
    """The JSON documents that are values, or parts of them."""
    if kind.name == "json":
        yield array
    elif kind.element is not None:
        yield from documents(array.flatten(), kind.element)
    elif kind.name == "struct":
        for child, (_, inner) in zip(array.flatten(), kind.fields, strict=True):
            yield from documents(child, inner)
