"""The columns that a file has, whatever the release says that it is compared with.

In: a file and the table of the release. Out: the table with the columns of the file: those of the release as they are
there, any other one nullable, in the type that the format tells. Always holds: no more than one batch of rows is held.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.files.formats import damaged

_PLAIN: Final[tuple[tuple[Callable[[pa.DataType], bool], str], ...]] = (
    (pa.types.is_boolean, "bool"),
    (pa.types.is_integer, "int64"),
    (pa.types.is_floating, "float64"),
    (pa.types.is_date, "date"),
    (pa.types.is_string, "string"),
    (pa.types.is_large_string, "string"),
)


def as_found(known: str, path: Path, table: TableSchema) -> TableSchema:
    """`table` with the columns of the file in the format `known`; raises `IntegrityError` for a file that is none.

    Statements of SQL name no columns before they run, nor do JSON Lines without a line: there the release says which
    are there.
    """
    if known not in _READERS:
        return table
    try:
        found = _READERS[known](path)
    except (pa.ArrowException, OSError, ValueError, TypeError) as exc:
        raise damaged(path, exc) from exc
    if not found:
        return table
    own = {column.name: column for column in table.columns}
    theirs = {name: Column(name, LogicalType(kind), nullable=True) for name, kind in found.items() if kind}
    return replace(table, columns=tuple((theirs | own)[name] for name in found if name in theirs or name in own))


def _of_csv(path: Path) -> Mapping[str, str]:
    with pa.csv.open_csv(path, pa.csv.ReadOptions(use_threads=False)) as reader:
        return dict.fromkeys(reader.schema.names, "string")


def _of_parquet(path: Path) -> Mapping[str, str]:
    schema = pq.read_schema(min(path.iterdir()) if path.is_dir() else path)
    return {field.name: _plain(field.type) for field in schema}


def _plain(kind: pa.DataType) -> str:
    if pa.types.is_timestamp(kind):
        return "timestamptz" if kind.tz else "timestamp"
    return next((name for is_kind, name in _PLAIN if is_kind(kind)), "")


def _of_jsonl(path: Path) -> Mapping[str, str]:
    with open(path, encoding="utf-8", newline="\n") as file:
        return _kinds(_objects(file))


def _objects(lines: Iterable[str]) -> Iterator[dict[str, Any]]:
    for line in lines:
        found = json.loads(line)
        if not isinstance(found, dict):
            raise ValueError("a line is no object")
        yield found


def _kinds(objects: Iterable[Mapping[str, Any]]) -> Mapping[str, str]:
    """``string`` for what is nothing but text and NULL, else ``json``."""
    found: dict[str, str] = {}
    for item in objects:
        for name, value in item.items():
            if value is None or isinstance(value, str):
                found.setdefault(name, "string")
            else:
                found[name] = "json"
    return found


_READERS: Final[Mapping[str, Callable[[Path], Mapping[str, str]]]] = {
    "csv": _of_csv,
    "parquet": _of_parquet,
    "jsonl": _of_jsonl,
}
