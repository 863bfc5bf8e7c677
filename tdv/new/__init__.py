"""Begins a dataset: an example, or the schema and the rows of a database.

In: a name, and for a copy a schema and a way to read its tables. Out: ``datasets/<name>/`` and its stage in
``dvc.yaml``. Always holds: the spec that is written loads; the directory appears whole or not at all; an existing
dataset is never touched.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from tdv import durable, spec
from tdv.errors import ConfigError, DocumentError, Refused, UsageError
from tdv.migrations.tables import without_tools
from tdv.model.reference import DATASET, NAME, Ref
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.model.spec import DatasetSpec
from tdv.new import texts
from tdv.new.rows import Limits, Seed, SeedPlace, write_seed
from tdv.spec.fitting import fitting
from tdv.spec.text import tables_text
from tdv.store import pipeline
from tdv.store.cache import Cache
from tdv.store.pipeline import StageSpec

__all__ = ["Limits", "NewOptions", "Place", "Scaffolded", "Seed", "scaffold"]

FORMAT: Final = "tdv.new/v1"
_DIRECTORY: Final = "datasets"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the dataset goes: the repository's root, DVC's cache, and how a spec becomes a stage."""

    root: Path
    cache: Cache
    stage: Callable[[DatasetSpec], StageSpec]


@dataclass(frozen=True, slots=True)
class NewOptions:
    """`schema` is what to copy, None for the example; `read` gives the rows of a table, None for no seeds; `omitted`
    says what the schema lacks of its database."""

    dataset: str
    now: datetime
    schema: DatasetSchema | None = None
    read: Callable[[TableSchema], Iterable[pa.Table]] | None = None
    limits: Limits = field(default_factory=Limits)
    omitted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Scaffolded:
    """The new dataset: its directory and files from the root, its tables, the seeds that were written, and a sentence
    about each thing that was not copied."""

    dataset: str
    directory: str
    files: tuple[str, ...]
    tables: tuple[str, ...]
    seeds: tuple[Seed, ...]
    notes: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "directory": self.directory,
            "files": list(self.files),
            "tables": list(self.tables),
            "seeds": {
                seed.table: {"file": seed.file, "rows": seed.rows, "size": seed.size, "tracked": seed.tracked}
                for seed in self.seeds
            },
            "notes": list(self.notes),
        }


def scaffold(place: Place, options: NewOptions) -> Scaffolded:
    """Writes the directory of a new dataset, and its stage and artifact into ``dvc.yaml``.

    Raises `UsageError` for a name that GTO would refuse and for a database without tables, `Refused` for a dataset that
    exists, `ConfigError` for a schema that no spec can describe, `DataError` for rows that do not fit it.
    """
    _check_name(options.dataset)
    directory = f"{_DIRECTORY}/{options.dataset}"
    if (place.root / directory / spec.FILE).exists():
        raise Refused(
            f"The dataset {options.dataset} exists already",
            hint=f"Edit {directory}/{spec.FILE}, or choose another name.",
            dataset=options.dataset,
        )
    schema, notes = _copied(options.schema) if options.schema is not None else (None, ())
    with _beside(place.root) as scratch:
        made = scratch / directory
        _write_files(made, replace(options, schema=schema))
        loaded = _load(made / spec.FILE, scratch)
        seeds = tuple(_seeds(loaded, options, SeedPlace(made / "seeds", place.cache, options.limits)))
        files = tuple(sorted(path.relative_to(scratch).as_posix() for path in made.rglob("*") if path.is_file()))
        _put(made, place.root / directory)
    pipeline.ensure_stage(place.root, place.stage(loaded))
    tables = tuple(table.name for table in loaded.tables)
    return Scaffolded(options.dataset, directory, files, tables, seeds, (*options.omitted, *notes))


def _copied(schema: DatasetSchema) -> tuple[DatasetSchema, tuple[str, ...]]:
    """What of a database's schema goes into the spec, and a sentence about what does not."""
    data, tools = without_tools(schema)
    if not data.tables:
        kept = ", ".join(table.name for table in schema.tables)
        raise UsageError(
            f"the database has no tables but {kept}" if kept else "the database has no tables",
            hint="Name one whose migrations have run, or begin without one: tdv new NAME.",
        )
    fitted, notes = fitting(data)
    return fitted, (*tools, *notes)


def _check_name(name: str) -> None:
    if not DATASET.fullmatch(name):
        raise UsageError(
            f"{name!r} is no dataset name",
            hint=f"It becomes part of the names of tags, as GTO wants them: {NAME}.",
        )
    if Ref.parse(name).dataset != name:
        raise UsageError(
            f"A dataset named {name!r} would be taken for a version", hint=f"Put a word before it: shop-{name}."
        )


@contextmanager
def _beside(root: Path) -> Iterator[Path]:
    """A scratch directory on the same file system, gone afterwards."""
    scratch = root / ".tdv" / f"new-{uuid.uuid4().hex[:12]}"
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _write_files(directory: Path, options: NewOptions) -> None:
    if options.schema is None:
        head = texts.head(options.dataset, options.now, remark=texts.EXAMPLE_REMARK)
        body = texts.EXAMPLE_TABLES
    else:
        head = texts.head(options.dataset, options.now, remark=texts.SCHEMA_REMARK)
        body = tables_text(options.schema)
    files = {
        spec.FILE: f"{head}\n{body}",
        "factories.py": texts.FACTORIES,
        "seeds/README.md": texts.SEEDS,
        "scenarios/README.md": texts.SCENARIOS,
    }
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def _load(path: Path, root: Path) -> DatasetSpec:
    try:
        return spec.load(path, root)
    except DocumentError as exc:
        reasons = "; ".join(f"{problem.key}: {problem.message}" for problem in exc.problems[:3])
        raise ConfigError(
            f"The schema cannot be described by a spec as it is: {reasons}",
            hint="Rename what is named there in the database, or write dataset.yaml by hand after a bare `tdv new`.",
        ) from exc


def _seeds(loaded: DatasetSpec, options: NewOptions, place: SeedPlace) -> Iterator[Seed]:
    if options.read is None:
        return
    for table in loaded.tables:
        seed = write_seed(options.read(table.schema), table.schema, place)
        if seed is not None:
            yield seed


def _put(made: Path, place: Path) -> None:
    """Moves the finished directory to its place, flushed; files that are there already stay beside it."""
    for path in made.rglob("*"):
        if path.is_file():
            durable.sync_file(path)
    place.parent.mkdir(exist_ok=True)
    try:
        os.rename(made, place)
    except OSError as exc:
        raise Refused(
            f"{place.parent.name}/{place.name} is in the way", hint="Move it elsewhere, or choose another name."
        ) from exc
    durable.sync_directory(place.parent)
