"""Snapshots and checkouts in one expression each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from tdv.checkout import CheckoutOptions, Wanted, restore
from tdv.config import TargetSettings
from tdv.content.arrow import arrow_schema
from tdv.content.snapshot import Snapshot
from tdv.model.receipt import Receipt
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.snapshot import SnapshotOptions, TableRows, write
from tdv.targets.protocol import Target
from tdv.targets.registry import open_target

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def table(name: str, columns: Mapping[str, str], key: tuple[str, ...] = ("id",), **more: Any) -> TableSchema:
    """A table from ``{"id": "int64", "age": "int16?"}``, where ``?`` means nullable."""
    described = tuple(
        Column(column, LogicalType.parse(kind.removesuffix("?")), nullable=kind.endswith("?"))
        for column, kind in columns.items()
    )
    return TableSchema(name, described, key, **more)


USERS = table("users", {"id": "int64", "email": "string", "age": "int16?", "at": "timestamp"}, uniques=(("email",),))


def users(count: int, prefix: str = "user") -> pa.Table:
    """So many rows for `USERS`; every third has no age."""
    ids = range(1, count + 1)
    return pa.table(
        {
            "id": list(ids),
            "email": [f"{prefix}{i}@example.test" for i in ids],
            "age": [None if i % 3 == 0 else i % 90 for i in ids],
            "at": [datetime(2020, 1, 1, i % 24, 0, 0, i % 2) for i in ids],
        },
        schema=arrow_schema(USERS),
    )


def snapshot(directory: Path, tables: Mapping[TableSchema, pa.Table], dataset: str = "shop") -> Snapshot:
    """A snapshot in a new directory below `directory`."""
    text = repr([(schema, rows.to_pydict()) for schema, rows in tables.items()])
    out = directory / f"snapshot-{dataset}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    if not out.exists():
        rows_of = [TableRows(schema, [rows]) for schema, rows in tables.items()]
        write(rows_of, SnapshotOptions(dataset, seed=1, as_of="2026-01-01T00:00:00Z"), out)
    return Snapshot.open(out)


def wanted(found: Snapshot, version: str = "1.0.0") -> Wanted:
    """A release of a snapshot."""
    return Wanted(found.manifest.dataset, version, found.manifest.digest, lambda: found)


def target(directory: Path, url: str, **settings: Any) -> Target:
    """A target whose work directory is `directory`/.tdv."""
    return open_target(TargetSettings(None, url, **settings), directory / ".tdv")


def checkout(directory: Path, place: Target, *found: Snapshot | Wanted, **options: Any) -> Receipt:
    """Restores snapshots (as version 1.0.0) into a target."""
    items = [item if isinstance(item, Wanted) else wanted(item) for item in found]
    return restore(items, place, CheckoutOptions(directory / ".tdv", NOW, "execution-1", **options))
