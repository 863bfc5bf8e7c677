"""The upper levels of the digest tree: from the leaves of columns to the digest of a dataset.

In: leaves, row counts, names. Out: SHA-256 in hex for parts, ``tdv1:<hex>`` from tables upwards. Always holds:
everything hashed is length-prefixed and children are sorted by name; nothing but the standard library is needed, so
that a record can be checked where no row is read. The algorithm is frozen (docs/formats/digest.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from tdv.model.manifest import Source
    from tdv.model.schema import DatasetSchema

PREFIX: Final = "tdv1:"


def part_digest(leaves: Mapping[str, str]) -> str:
    """The digest (hex) of a part from the leaves (hex) of its columns."""
    return _named("tdv1 part", leaves)


def table_digest(rows: int, parts: Iterable[str]) -> str:
    """``tdv1:<hex>`` of a table from its row count and the digests (hex) of its parts in order."""
    hasher = hashlib.sha256()
    hash_text(hasher, "tdv1 table")
    hash_number(hasher, rows)
    for part in parts:
        hash_text(hasher, part)
    return PREFIX + hasher.hexdigest()


def content_digest(tables: Mapping[str, str]) -> str:
    """``tdv1:<hex>`` of all tables from their digests by name: what a target must give back."""
    return PREFIX + _named("tdv1 content", tables)


def schema_digest(schema: DatasetSchema, scenarios: Iterable[str] = ()) -> str:
    """``tdv1:<hex>`` of what `DatasetSchema.identity` covers, with the names of the scenarios."""
    # Imported here: checking a record needs no schema.
    from tdv.model.canonical import dumps

    hasher = hashlib.sha256()
    hash_text(hasher, "tdv1 schema")
    hash_bytes(hasher, dumps(schema.identity(tuple(scenarios))))
    return PREFIX + hasher.hexdigest()


def dataset_digest(content: str, schema: str) -> str:
    """``tdv1:<hex>``: the digest of a release, from its content and schema digests."""
    return PREFIX + _named("tdv1 dataset", {"content": content, "schema": schema})


def sources_digest(sources: Iterable[Source]) -> str:
    """``sha256:<hex>`` over path and SHA-256 of each source, whatever their order."""
    return "sha256:" + _named("tdv1 sources", {source.path: source.sha256 for source in sources})


def _named(purpose: str, children: Mapping[str, str]) -> str:
    """SHA-256 over named children, sorted by the UTF-8 bytes of their names."""
    hasher = hashlib.sha256()
    hash_text(hasher, purpose)
    for name, child in sorted(children.items(), key=by_name):
        hash_text(hasher, name)
        hash_text(hasher, child)
    return hasher.hexdigest()


def by_name(item: tuple[str, Any]) -> bytes:
    """The order of named children: by the UTF-8 bytes of their names."""
    return item[0].encode("utf-8")


def hash_number(hasher: Any, number: int) -> None:
    """Eight bytes, little-endian."""
    hasher.update(number.to_bytes(8, "little"))


def hash_bytes(hasher: Any, data: bytes | memoryview) -> None:
    """The length, then the bytes."""
    hash_number(hasher, len(data))
    hasher.update(data)


def hash_text(hasher: Any, text: str) -> None:
    """Text as length-prefixed UTF-8."""
    hash_bytes(hasher, text.encode("utf-8"))
