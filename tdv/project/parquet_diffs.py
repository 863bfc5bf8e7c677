"""Two states of a Parquet file by row.

In: the bytes of both. Out: a `DiffReport`, or None where they are compared better as text. Always holds: a seed or
part of a dataset has the key and the private columns of the spec; any other file has no key, and its rows are
counted by content.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tdv.content.snapshot import Snapshot
from tdv.errors import TdvError
from tdv.model.diff_report import DiffReport, ReportOptions
from tdv.model.schema import Column, TableSchema
from tdv.seeds.places import table_of
from tdv.snapshot import SnapshotOptions, TableRows, write

if TYPE_CHECKING:
    from tdv.project.file_diffs import FileChange
    from tdv.project.ports import Ports

_DEPTH: Final = 3
"""``<dataset>/seeds/<table>.parquet``, and deeper for parts."""


def compare_parquet(ports: Ports | None, change: FileChange, limit: int) -> DiffReport | None:
    """At most `limit` rows of each kind."""
    from tdv.diff.report import report

    if change.old is None or change.new is None:
        return None
    try:
        with TemporaryDirectory(prefix="tdv-diff-") as scratch:
            sides = zip(("a", "b"), (change.old, change.new), strict=True)
            old, new = (_written(ports, change, data, Path(scratch) / side) for side, data in sides)
            names = f"a/{change.path}", f"b/{change.new_path}"
            found = report(old, new, names, ReportOptions(limit=limit))
    except (TdvError, pa.ArrowException, ValueError):
        return None
    # A file by itself is no release: nothing can be said about a bump.
    return replace(found, findings=()) if found.differs else None


def _written(ports: Ports | None, change: FileChange, data: bytes, directory: Path) -> Snapshot:
    rows = pq.read_table(io.BytesIO(data))
    schema = _described(ports, PurePosixPath(change.new_path), rows)
    write([TableRows(schema, [rows])], SnapshotOptions("file", seed=0, as_of="1970-01-01T00:00:00Z"), directory)
    return Snapshot.open(directory)


def _described(ports: Ports | None, path: PurePosixPath, rows: pa.Table) -> TableSchema:
    """The schema of the file's own types, with what the spec says of its columns."""
    own = TableSchema(path.stem, tuple(_columns(rows)))
    told = _told(ports, path)
    if told is None:
        return own
    known = {column.name: column for column in told.columns}
    columns = tuple(replace(c, privacy=known[c.name].privacy) if c.name in known else c for c in own.columns)
    return TableSchema(told.name, columns, told.key if set(told.key) <= set(own.column_names) else ())


def _columns(rows: pa.Table) -> Iterator[Column]:
    import duckdb

    from tdv.targets.duckdb.types import logical

    with duckdb.connect(":memory:") as connection:
        kinds = connection.from_arrow(rows.slice(0, 0)).types
    for name, kind in zip(rows.column_names, kinds, strict=True):
        found = logical(str(kind))
        if found is None:
            raise ValueError(f"{name} is of the type {kind}, which no table has")
        yield Column(name, found, nullable=True)


def _told(ports: Ports | None, path: PurePosixPath) -> TableSchema | None:
    """What the spec says of the table whose seed or part the file is; None where it is neither."""
    parts = path.parts
    if ports is None or "datasets" not in parts[:-_DEPTH]:
        return None
    try:
        spec = ports.spec(parts[parts.index("datasets") + 1])
    except TdvError:
        return None
    names = (table_of(path.stem), table_of(path.parent.name))
    return next((table.schema for table in spec.tables if table.name in names), None)
