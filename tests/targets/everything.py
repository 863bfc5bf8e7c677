"""One table with a column of every type, and rows at the edges of each."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any

import pyarrow as pa

from tdv.content.arrow import arrow_schema
from tests.targets.builders import table

EVERYTHING = table(
    "every thing",
    {
        "id": "int64",
        "flag": "bool?",
        "small": "int16?",
        "medium": "int32?",
        "large": "int64?",
        "real": "float64?",
        "price": "decimal(10,2)?",
        "wide": "decimal(38,10)?",
        "words": "string?",
        "bytes": "binary?",
        "day": "date?",
        "clock": "time?",
        "moment": "timestamp?",
        "instant": "timestamptz?",
        "uid": "uuid?",
        "document": "json?",
        "tags": "list<string>?",
        "point": "struct<x: int64, y: decimal(5,2)>?",
    },
)
LOW: dict[str, Any] = {
    "id": -(2**63),
    "flag": False,
    "small": -(2**15),
    "medium": -(2**31),
    "large": -(2**63),
    "real": -math.inf,
    "price": Decimal("-99999999.99"),
    "wide": Decimal("-9999999999999999999999999999.9999999999"),
    "words": "",
    "bytes": b"",
    "day": date(1, 1, 1),
    "clock": time(0),
    "moment": datetime(1, 1, 1),
    "instant": datetime(1, 1, 1, tzinfo=UTC),
    "uid": "00000000-0000-0000-0000-000000000000",
    "document": '""',
    "tags": [],
    "point": {"x": None, "y": None},
}
HIGH: dict[str, Any] = {
    "id": 2**63 - 1,
    "flag": True,
    "small": 2**15 - 1,
    "medium": 2**31 - 1,
    "large": 2**63 - 1,
    "real": 5e-324,
    "price": Decimal("99999999.99"),
    "wide": Decimal("0.0000000001"),
    "words": "\t\"NULL\", 'é😀'\r\n\\ -- ;",
    "bytes": bytes(range(256)),
    "day": date(9999, 12, 31),
    "clock": time(23, 59, 59, 999999),
    "moment": datetime(9999, 12, 31, 23, 59, 59, 999999),
    "instant": datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    "uid": "ffffffff-ffff-ffff-ffff-ffffffffffff",
    "document": '{"a":[1,"x",null]}',
    "tags": ["a,b", None, ""],
    "point": {"x": -1, "y": Decimal("999.99")},
}
NULLS: dict[str, Any] = {**dict.fromkeys(HIGH), "id": 0}
EDGES: pa.Table = pa.Table.from_pylist([LOW, NULLS, HIGH], schema=arrow_schema(EVERYTHING))
