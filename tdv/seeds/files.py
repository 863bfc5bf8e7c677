"""All seed files of a dataset.

In: the spec and the dataset's directory. Out: one Arrow table per table that has seeds, in canonical types. Always
holds: every file below ``seeds/`` is read or refused, never ignored silently; a key stands once; the mistakes of all
files are raised together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final
from urllib.parse import unquote

import pyarrow as pa

from tdv.content.arrow import canonical
from tdv.content.keys import by_number
from tdv.content.redact import shown_key
from tdv.documents import Mistakes, did_you_mean, quoted
from tdv.errors import DocumentError, Problem
from tdv.model.spec import DatasetSpec, TableSpec
from tdv.seeds import csv, plain
from tdv.seeds.places import content, file_stem, listed, table_of
from tdv.seeds.rows import Rows, typed

DIRECTORY: Final = "seeds"
_READERS: Final[Mapping[str, Callable[[bytes, str], Rows]]] = {
    ".csv": csv.read,
    ".jsonl": plain.read_lines,
    ".yaml": plain.read_yaml,
    ".yml": plain.read_yaml,
}
_PARQUET: Final = ".parquet"
_FORMATS: Final = ".csv, .jsonl, .yaml or .parquet"


@dataclass(frozen=True, slots=True)
class SeedFile:
    """One file: whose rows it holds, as they stand there and in the types of the spec."""

    path: Path
    table: TableSpec
    rows: Rows
    values: pa.Table


def load_seeds(spec: DatasetSpec, directory: Path) -> dict[str, pa.Table]:
    """The hand-written rows of each table of the dataset in `directory`, by table, in the order of the spec.

    Several files of one table are put one after the other, by name. Raises `DocumentError` with every mistake in
    every file, `ConfigError` for a file that cannot be read, `DataError` for a value with no canonical form.
    """
    found: dict[str, list[SeedFile]] = {}
    for seed in seed_files(spec, directory):
        found.setdefault(seed.table.name, []).append(seed)
    mistakes = Mistakes()
    tables = {}
    for table in spec.tables:
        if table.name in found:
            tables[table.name] = _joined(table, found[table.name], mistakes)
    mistakes.raise_if_any()
    return tables


def seed_files(spec: DatasetSpec, directory: Path) -> tuple[SeedFile, ...]:
    """Each file of hand-written rows, by name; raises what `load_seeds` raises for a file by itself."""
    mistakes = Mistakes()
    found = []
    for path in listed(directory / DIRECTORY):
        file = str(PurePosixPath(spec.path).parent.parent / directory.name / DIRECTORY / path.name)
        table = _table(spec, path, file, mistakes)
        rows = _read(path, file, mistakes) if table is not None else None
        if table is not None and rows is not None:
            found.append(SeedFile(path, table, rows, typed(rows, table, mistakes)))
    mistakes.raise_if_any()
    return tuple(found)


def _table(spec: DatasetSpec, path: Path, file: str, mistakes: Mistakes) -> TableSpec | None:
    names = [table.name for table in spec.tables]
    if path.is_dir() or path.suffix not in (*_READERS, _PARQUET):
        mistakes.add(Problem(file, 1, "", "this is no seed"), f"Seeds end with {_FORMATS}; move other files elsewhere.")
        return None
    name = table_of(path.stem)
    if name in names:
        return spec.table(name)
    plainly = unquote(path.stem)
    if plainly in names:
        message = f"the seeds of table {quoted(plainly)} are called {file_stem(plainly)}{path.suffix}"
        mistakes.add(Problem(file, 1, "", message), "Rename it: names of tables are percent-encoded in names of files.")
        return None
    message = f"the dataset {spec.name} has no table {quoted(path.stem)}{did_you_mean(path.stem, names)}"
    mistakes.add(Problem(file, 1, "", message), "Name the file after the table whose rows it holds.")
    return None


def _read(path: Path, file: str, mistakes: Mistakes) -> Rows | None:
    try:
        if path.suffix == _PARQUET:
            return plain.read_parquet(path, file)
        return _READERS[path.suffix](content(path, file), file)
    except DocumentError as exc:
        for problem in exc.problems:
            mistakes.add(problem, exc.hint)
        return None


def _joined(table: TableSpec, parts: Sequence[SeedFile], mistakes: Mistakes) -> pa.Table:
    joined = canonical(pa.concat_tables([part.values for part in parts]).combine_chunks(), table.schema)
    places = [(part.rows, row) for part in parts for row in range(part.rows.count)] if _repeats(joined, table) else ()
    if places:
        _repeated_keys(joined, table, places, mistakes)
    return joined


def _repeats(rows: pa.Table, table: TableSpec) -> bool:
    keys = by_number(rows, table.schema.key)
    names = keys.column_names
    return bool(names) and keys.group_by(names, use_threads=False).aggregate([]).num_rows < rows.num_rows


def _repeated_keys(rows: pa.Table, table: TableSpec, places: Sequence[tuple[Rows, int]], mistakes: Mistakes) -> None:
    names = table.schema.key
    first: dict[tuple[object, ...], int] = {}
    keys = zip(*(rows.column(name).to_pylist() for name in names), strict=True)
    for index, key in enumerate(keys):
        earlier = first.setdefault(key, index)
        if earlier != index:
            source, row = places[index]
            other, line = places[earlier][0].file, places[earlier][0].line(places[earlier][1], names[0])
            message = f"the key {shown_key(table.schema, names, key)} stands already in {other}:{line}"
            mistakes.add(
                Problem(source.file, source.line(row, names[0]), ", ".join(names), message),
                "Give each row a key of its own.",
            )
