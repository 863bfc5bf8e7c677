"""Two states of one large table, in a repository and as Parquet files, for benchmarks of comparisons.

In: a number of rows and a kind of change. Out: a scratch repository whose commits ``old`` and ``KIND`` hold the
states, and ``old.parquet`` and ``KIND.parquet`` beside it. Always holds: both forms hold the same rows.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import harness
from tdv.content.arrow import arrow_schema
from tdv.content.snapshot import Snapshot
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.snapshot import SnapshotOptions, TableRows, write
from tdv.store import pipeline
from tdv.store.artifacts import Landing, data_path, land, open_artifact, summary_path
from tdv.store.cache import Cache

DATASET: Final = "events"
TYPES: Final = {
    "id": "int64",
    "account": "int64",
    "kind": "string",
    "note": "string",
    "amount": "decimal(12,2)",
    "score": "float64",
    "at": "timestamp",
    "day": "date",
    "visits": "int32",
    "active": "bool",
}
SCHEMA: Final = TableSchema(
    DATASET, tuple(Column(name, LogicalType.parse(kind)) for name, kind in TYPES.items()), key=("id",)
)
CHANGED: Final = 1_000
"""One row in so many changes."""


def table(rows: int) -> pa.Table:
    """Rows of ten columns, the same for the same number."""
    chance = np.random.default_rng(rows)
    numbers = chance.integers(0, 1 << 40, rows)
    texts = pa.array(np.char.mod("%x", np.arange(65_536)))
    columns: list[Any] = [
        np.arange(rows) * 3,
        chance.integers(0, rows, rows),
        pa.array(["view", "order", "refund", "login"]).take(pa.array(numbers & 3)),
        pa.compute.binary_join_element_wise(
            texts.take(pa.array(numbers & 65_535)), texts.take(pa.array((numbers >> 16) & 65_535)), " "
        ),
        pa.array(numbers % 1_000_000).cast(pa.decimal128(19, 0)).cast(pa.decimal128(12, 2)),
        chance.standard_normal(rows),
        pa.array(numbers, pa.int64()).cast(pa.timestamp("us")),
        pa.array((numbers % 20_000).astype(np.int32)).cast(pa.date32()),
        (numbers % 1_000).astype(np.int32),
        numbers % 7 == 0,
    ]
    return pa.Table.from_arrays([pa.array(column) for column in columns], schema=arrow_schema(SCHEMA))


def local(old: pa.Table) -> pa.Table:
    """Other scores and notes in a run of rows in the middle."""
    start, count = old.num_rows // 2, old.num_rows // CHANGED
    return _changed(old, np.arange(start, start + count))


def scattered(old: pa.Table) -> pa.Table:
    """Other scores and notes in rows all over the table."""
    return _changed(old, np.random.default_rng(7).choice(old.num_rows, old.num_rows // CHANGED, replace=False))


def appended(old: pa.Table) -> pa.Table:
    """New rows at the end."""
    more = old.slice(0, old.num_rows // CHANGED)
    keys = pa.array(np.arange(more.num_rows) + 3 * old.num_rows)
    return pa.concat_tables([old, more.set_column(0, "id", keys)])


CHANGES: Final[dict[str, Callable[[pa.Table], pa.Table]]] = {
    "local": local,
    "appended": appended,
    "scattered": scattered,
}


def _changed(old: pa.Table, at: np.ndarray[Any, Any]) -> pa.Table:
    for name, value in (("score", pa.scalar(0.5)), ("note", pa.scalar("changed"))):
        column = old.column(name).combine_chunks()
        source = np.arange(old.num_rows)
        source[at] = old.num_rows
        fresh = pa.concat_arrays([column, pa.array([value.as_py()], column.type)]).take(pa.array(source))
        old = old.set_column(old.column_names.index(name), name, fresh)
    return old


@contextmanager
def states(rows: int) -> Iterator[Path]:
    """The repository, with a tag for each state, and the Parquet files in its parent directory."""
    with tempfile.TemporaryDirectory(prefix="tdv-bench-") as scratch:
        root = Path(scratch) / "repository"
        # In a process of its own: a child's peak memory counts from that of the process that starts it.
        harness.run([sys.executable, "-m", "benchmarks.states", str(root), str(rows)], Path.cwd())
        yield root


def make(root: Path, rows: int) -> None:
    """Makes the repository at `root`, and the Parquet files beside it."""
    root.mkdir()
    harness.run(["git", "init", "--quiet", "--initial-branch=main"], root)
    harness.run([harness.TDV, "init"], root)
    spec = root / "datasets" / DATASET / "dataset.yaml"
    spec.parent.mkdir(parents=True)
    columns = "".join(f"      {name}: {{type: '{kind}'}}\n" for name, kind in TYPES.items())
    spec.write_text(
        f"dataset: {DATASET}\nseed: 1\nas_of: 2026-01-01T00:00:00Z\ntables:\n"
        f"  {DATASET}:\n    key: [id]\n    columns:\n{columns}",
        encoding="utf-8",
    )
    old = table(rows)
    previous = _land(root, old, "old", None)
    for name, change in CHANGES.items():
        _land(root, change(old), name, previous)


def _land(root: Path, rows: pa.Table, name: str, previous: Snapshot | None) -> Snapshot:
    cache = Cache(root / ".dvc" / "cache")
    built = root.parent / f"built-{name}"
    options = SnapshotOptions(DATASET, seed=1, as_of="2026-01-01T00:00:00Z")
    written = write([TableRows(SCHEMA, [rows])], options, built, previous)
    command = f"tdv build {DATASET}"
    place = f"datasets/{DATASET}/dataset.yaml"
    stage = pipeline.StageSpec(DATASET, command, (place,), data_path(DATASET), plain_outs=(summary_path(DATASET),))
    pipeline.ensure_stage(root, stage)
    artifact = land(root, cache, Landing(DATASET, command, built, written.summary, ()))
    harness.commit(root, name)
    harness.run(["git", "tag", name], root)
    pq.write_table(rows, root.parent / f"{name}.parquet", compression="zstd", row_group_size=131_072)
    os.sync()
    return open_artifact(cache, artifact.md5)


if __name__ == "__main__":
    make(Path(sys.argv[1]), int(sys.argv[2]))
