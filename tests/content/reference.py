"""The digest and the hashes as docs/formats/digest.md has them, value by value in plain Python."""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Context, Decimal
from typing import Any

from tdv.model.schema import TableSchema
from tdv.model.types import LogicalType

MASK = (1 << 64) - 1
WIDTHS = {"int16": "<h", "int32": "<i", "date": "<i", "float64": "<d"}


def u64(number: int) -> bytes:
    return struct.pack("<Q", number)


def sized(data: bytes) -> bytes:
    return u64(len(data)) + data


def text(value: str) -> bytes:
    return sized(value.encode("utf-8"))


def digest(*pieces: bytes) -> str:
    return hashlib.sha256(b"".join(pieces)).hexdigest()


def named(purpose: str, children: Mapping[str, str]) -> str:
    pieces = [text(purpose)]
    for name in sorted(children, key=str.encode):
        pieces += [text(name), text(children[name])]
    return digest(*pieces)


def number(value: Any, kind: LogicalType) -> int:
    """A value that the formats keep as an integer."""
    if kind.name == "date":
        return int((value - date(1970, 1, 1)).days)
    if kind.name == "time":
        assert isinstance(value, time)
        return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond
    if kind.name in ("timestamp", "timestamptz"):
        assert isinstance(value, datetime)
        gone = value.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
        return (gone.days * 86_400 + gone.seconds) * 1_000_000 + gone.microseconds
    if kind.name == "decimal":
        return int(Decimal(value).scaleb(kind.scale, Context(prec=60)))
    return int(value)


def real(value: float) -> bytes:
    return bytes.fromhex("000000000000f87f") if math.isnan(value) else struct.pack("<d", value + 0.0)


def values(slots: Sequence[Any], kind: LogicalType) -> bytes:
    validity = b""
    if any(slot is None for slot in slots):
        bits = sum((slot is not None) << index for index, slot in enumerate(slots))
        validity = bits.to_bytes((len(slots) + 7) // 8, "little")
    present = [slot for slot in slots if slot is not None]
    return u64(len(slots)) + sized(validity) + present_values(present, kind)


def present_values(present: Sequence[Any], kind: LogicalType) -> bytes:
    if kind.name == "list":
        assert kind.element is not None
        lengths = b"".join(struct.pack("<q", len(item)) for item in present)
        return sized(lengths) + values([element for item in present for element in item], kind.element)
    if kind.name == "struct":
        fields = sorted(kind.fields, key=lambda field: field[0].encode())
        return b"".join(text(name) + values([item[name] for item in present], field) for name, field in fields)
    if kind.name in ("string", "binary", "uuid", "json"):
        raw = [item if isinstance(item, bytes) else item.encode("utf-8") for item in present]
        return sized(b"".join(struct.pack("<q", len(item)) for item in raw)) + sized(b"".join(raw))
    return sized(b"".join(fixed(item, kind) for item in present))


def fixed(value: Any, kind: LogicalType) -> bytes:
    if kind.name == "float64":
        return real(value)
    if kind.name == "bool":
        return bytes([value])
    if kind.name == "decimal":
        return number(value, kind).to_bytes(16, "little", signed=True)
    return struct.pack(WIDTHS.get(kind.name, "<q"), number(value, kind))


def leaf(slots: Sequence[Any], kind: LogicalType, tag: str) -> str:
    return digest(text("tdv1 leaf"), text(tag), values(slots, kind))


def mix(x: int) -> int:
    x ^= x >> 30
    x = x * 0xBF58476D1CE4E5B9 & MASK
    x ^= x >> 27
    x = x * 0x94D049BB133111EB & MASK
    return x ^ (x >> 31)


def cell_hash(value: Any, kind: LogicalType, lane: int) -> int:
    if value is None:
        return mix(lane + 0xA4093822299F31D0 & MASK)
    if kind.name == "list":
        assert kind.element is not None
        return sequence_hash([cell_hash(item, kind.element, lane) for item in value], len(value), lane)
    if kind.name == "struct":
        fields = sorted(kind.fields, key=lambda field: field[0].encode())
        return folded(((value[name], field) for name, field in fields), lane)
    if kind.name in ("string", "binary", "uuid", "json"):
        return bytes_hash(value if isinstance(value, bytes) else value.encode("utf-8"), lane)
    if kind.name == "decimal":
        unscaled = number(value, kind)
        return mix(mix(unscaled & MASK ^ lane) ^ (unscaled >> 64 & MASK))
    word = int.from_bytes(real(value), "little") if kind.name == "float64" else number(value, kind) & MASK
    return mix(word ^ lane)


def bytes_hash(data: bytes, lane: int) -> int:
    size = len(data)
    starts = [max(min(8 * k, size - 8), 0) for k in range((size + 7) // 8)]
    return sequence_hash([int.from_bytes(data[start : start + 8], "little") for start in starts], size, lane)


def sequence_hash(words: Iterable[int], size: int, lane: int) -> int:
    total = sum(mix(word ^ mix((k + 1) * 0x9E3779B97F4A7C15 + lane & MASK)) for k, word in enumerate(words))
    return mix(mix(size ^ lane) + total & MASK)


def folded(cells: Iterable[tuple[Any, LogicalType]], lane: int) -> int:
    found = lane
    for value, kind in cells:
        found = mix(found * 0x9FB21C651E98DF25 + cell_hash(value, kind, lane) & MASK)
    return found


def row_hash(row: Mapping[str, Any], schema: TableSchema, lane: int) -> int:
    columns = sorted(schema.columns, key=lambda column: column.name.encode())
    return folded(((row[column.name], column.type) for column in columns), lane)
