"""Two states of a table for Hypothesis, cut into tiny parts, so that every way to pair parts occurs."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import strategies as st

from tdv.content import digest, parquet, tree
from tdv.content.arrow import canonical
from tdv.content.hashing import key_hash
from tdv.content.keys import boundary
from tdv.content.order import ordered
from tdv.content.snapshot import Snapshot
from tdv.model.manifest import Manifest, Part, TableManifest
from tdv.model.schema import Column, DatasetSchema, TableSchema
from tdv.model.types import LogicalType
from tests.content.values import Row, Sample, samples, values

WIDER = {
    "int16": LogicalType("int64"),
    "int32": LogicalType("decimal", 20, 3),
    "int64": LogicalType("decimal", 22, 1),
    "date": LogicalType("timestamp"),
    "decimal": LogicalType("decimal", 38, 10),
}


@dataclass(frozen=True)
class States:
    """The tables of one state by name, with their schemas."""

    tables: tuple[tuple[TableSchema, list[Row]], ...]


@st.composite
def edited(draw: st.DrawFn, sample: Sample) -> Sample:
    """Another state of the same table: rows and cells changed, perhaps columns, types and the key too."""
    schema, rows = sample.schema, [dict(row) for row in sample.rows]
    rows = [row for row in rows if draw(st.integers(0, 3))]
    for row in rows:
        for column in schema.columns:
            if column.name not in schema.key and draw(st.integers(0, 3)) == 0:
                row[column.name] = draw(st.none() | values(column.type))
    fresh = [dict(zip(schema.column_names, found, strict=True)) for found in draw(_rows(schema))]
    schema, rows = draw(_other_columns(schema, _unique([*rows, *fresh], schema)))
    return Sample(schema, rows)


def _rows(schema: TableSchema) -> st.SearchStrategy[list[tuple[Any, ...]]]:
    cells = [values(c.type) if c.name in schema.key else st.none() | values(c.type) for c in schema.columns]
    return st.lists(st.tuples(*cells), max_size=4)


def _unique(rows: list[Row], schema: TableSchema) -> list[Row]:
    if not schema.key:
        return rows
    table = canonical(Sample(schema, rows).table(), schema)
    _, first = np.unique(key_hash(table, schema), return_index=True)
    return [rows[index] for index in sorted(first)]


@st.composite
def _other_columns(draw: st.DrawFn, schema: TableSchema, rows: list[Row]) -> tuple[TableSchema, list[Row]]:
    columns: list[Column] = []
    for column in schema.columns:
        fate = draw(st.integers(0, 9))
        if fate == 0 and column.name not in schema.key:
            continue
        if fate == 1 and column.type.name in WIDER and _fits(column):
            columns.append(_widened(column, rows))
        elif fate == 2 and column.name not in schema.key:
            columns.append(replace(column, type=LogicalType("bool")))
            for row in rows:
                row[column.name] = draw(st.none() | st.booleans())
        else:
            columns.append(column)
    if draw(st.integers(0, 4)) == 0:
        columns.append(Column("a new one", LogicalType("int32"), nullable=True))
        for row in rows:
            row["a new one"] = draw(st.none() | st.integers(0, 3))
    names = [column.name for column in columns]
    kept = [{name: row[name] for name in names} for row in rows]
    if not columns:
        return schema, rows
    return replace(schema, columns=tuple(columns)), kept


def _widened(column: Column, rows: list[Row]) -> Column:
    if column.type.name == "date":
        for row in rows:
            row[column.name] = row[column.name] and datetime.combine(row[column.name], time())
    return replace(column, type=WIDER[column.type.name])


def _fits(column: Column) -> bool:
    wide = WIDER[column.type.name]
    return column.type.widens_to(wide)


@st.composite
def two_states(draw: st.DrawFn) -> tuple[States, States]:
    """Both states of a few tables; some tables come or go."""
    found = draw(st.lists(samples(max_rows=10), min_size=1, max_size=2, unique_by=lambda sample: sample.schema.name))
    old, new = [], []
    for sample in found:
        fate = draw(st.integers(0, 9))
        if fate != 0:
            old.append((sample.schema, sample.rows))
        if fate != 1:
            other = draw(edited(sample))
            new.append((other.schema, other.rows))
    return States(tuple(old)), States(tuple(new))


@contextmanager
def opened(*states: States, scale: int = 3) -> Iterator[list[Snapshot]]:
    """Snapshots of those states, with a part boundary after each key whose hash `scale` divides."""
    with tempfile.TemporaryDirectory() as scratch:
        yield [_written(state, Path(scratch) / str(index), scale) for index, state in enumerate(states)]


def _written(state: States, root: Path, scale: int) -> Snapshot:
    root.mkdir()
    tables = tuple(_table(schema, rows, root / str(n), scale) for n, (schema, rows) in enumerate(state.tables))
    schema = DatasetSchema(tuple(table.schema for table in tables))
    content = tree.content_digest({table.name: table.digest for table in tables})
    shape = tree.schema_digest(schema)
    whole = tree.dataset_digest(content, shape)
    manifest = Manifest("shop", 1, "2026-01-01T00:00:00Z", "en_US", whole, content, shape, "sha256:", tables)
    return Snapshot(manifest, Path)


def _table(schema: TableSchema, rows: list[Row], root: Path, scale: int) -> TableManifest:
    root.mkdir()
    table = ordered(canonical(Sample(schema, rows).table(), schema), schema)
    ends = [int(at) + 1 for at in np.flatnonzero(key_hash(table, schema) % np.uint64(scale) == 0)]
    bounds = sorted({0, *ends, table.num_rows})
    pieces = [table.slice(low, high - low) for low, high in itertools.pairwise(bounds)] or [table]
    parts = tuple(_part(piece, schema, root / f"{n}.parquet") for n, piece in enumerate(pieces))
    total = tree.table_digest(table.num_rows, [part.digest for part in parts])
    return TableManifest(schema, table.num_rows, total, parts)


def _part(piece: pa.Table, schema: TableSchema, file: Path) -> Part:
    sha, size = parquet.write(piece, file)
    leaves: Mapping[str, str] = digest.leaves(piece, schema)
    first, last = boundary(piece, schema, 0), boundary(piece, schema, piece.num_rows - 1)
    return Part(str(file), piece.num_rows, tree.part_digest(leaves), leaves, first, last, sha, size, "test")
