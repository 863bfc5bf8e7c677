"""Small schemas, tables and snapshots in one expression."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from tdv.content.arrow import arrow_schema
from tdv.content.snapshot import Snapshot
from tdv.model.schema import Column, Rules, TableSchema
from tdv.model.types import LogicalType
from tdv.snapshot import SnapshotOptions, TableRows, write


def column(name: str, kind: str, *, nullable: bool = False, privacy: str | None = None, **rules: Any) -> Column:
    return Column(name, LogicalType.parse(kind), nullable, Rules(**rules), privacy)


def table(schema: TableSchema, **columns: Sequence[Any]) -> pa.Table:
    return pa.table(columns, schema=arrow_schema(schema))


def snapshot(
    root: Path, tables: Mapping[TableSchema, Mapping[str, Sequence[Any]]], dataset: str = "shop", **options: Any
) -> Snapshot:
    """The snapshot of those tables, written into the new directory `root`."""
    rows = [TableRows(schema, [table(schema, **columns)]) for schema, columns in tables.items()]
    write(rows, SnapshotOptions(dataset, seed=1, as_of="2026-01-01T00:00:00Z", **options), root)
    return Snapshot.open(root)
