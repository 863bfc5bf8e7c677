"""The rows of an existing database as seeds of a new dataset.

In: tables as streams of canonical rows. Out: files in ``seeds/``. Always holds: a seed in Git keeps within its
`Limits`; what is larger becomes a Parquet file that DVC tracks, written batch by batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tdv.content.arrow import arrow_schema, canonical
from tdv.documents.yaml_text import scalar
from tdv.errors import DataError, IntegrityError
from tdv.model.schema import TableSchema
from tdv.seeds import file_stem, seed_text
from tdv.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Limits:
    """What a seed in Git may hold, so that people can review it: `rows`, and bytes of text."""

    rows: int = 50_000
    size: int = 5_000_000


@dataclass(frozen=True, slots=True)
class Seed:
    """The seed of one table: `file` is its name in ``seeds/``; `tracked` is whether DVC keeps it instead of Git."""

    table: str
    file: str
    rows: int
    size: int
    tracked: bool


@dataclass(frozen=True, slots=True)
class SeedPlace:
    """The directory ``seeds/``, DVC's cache for what is too large for it, and the limits."""

    directory: Path
    cache: Cache
    limits: Limits = Limits()


def write_seed(batches: Iterable[pa.Table], schema: TableSchema, place: SeedPlace) -> Seed | None:
    """Writes the rows of one table; None for a table without rows.

    Raises `DataError` for a value that does not fit its column.
    """
    try:
        return _written(batches, schema, place)
    except IntegrityError as exc:
        hint = (
            "Give all values of that column one type in the database, without endless and zero dates and times from "
            "24:00 on, or leave out --rows."
        )
        raise DataError(f"The rows cannot be copied: {exc.message}", hint=hint, **exc.facts) from exc


def _written(batches: Iterable[pa.Table], schema: TableSchema, place: SeedPlace) -> Seed | None:
    stream = (canonical(batch, schema) for batch in batches if batch.num_rows)
    first = _at_most(stream, place.limits.rows)
    rows = sum(batch.num_rows for batch in first)
    if not rows:
        return None
    if rows <= place.limits.rows:
        text = seed_text(pa.concat_tables(first), schema)
        if text is not None and len(text.data) <= place.limits.size:
            path = place.directory / f"{file_stem(schema.name)}{text.suffix}"
            path.write_bytes(text.data)
            return Seed(schema.name, path.name, rows, len(text.data), tracked=False)
    return _parquet(chain(first, stream), schema, place)


def _at_most(stream: Iterator[pa.Table], most: int) -> list[pa.Table]:
    """Batches until they hold more than `most` rows."""
    taken: list[pa.Table] = []
    rows = 0
    for batch in stream:
        taken.append(batch)
        rows += batch.num_rows
        if rows > most:
            break
    return taken


def _parquet(batches: Iterable[pa.Table], schema: TableSchema, place: SeedPlace) -> Seed:
    path = place.directory / f"{file_stem(schema.name)}.parquet"
    rows = 0
    with pq.ParquetWriter(path, arrow_schema(schema), compression="zstd") as writer:
        for batch in batches:
            writer.write_table(batch)
            rows += batch.num_rows
    stored = place.cache.add_file(path)
    # As `dvc add` writes it.
    pointer = f"outs:\n- md5: {stored.md5}\n  size: {stored.size}\n  hash: md5\n  path: {scalar(path.name)}\n"
    path.with_name(f"{path.name}.dvc").write_text(pointer, encoding="utf-8")
    with path.with_name(".gitignore").open("a", encoding="utf-8") as ignored:
        ignored.write(f"/{path.name}\n")
    return Seed(schema.name, path.name, rows, stored.size, tracked=True)
