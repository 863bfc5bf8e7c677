"""Seeds as JSON Lines, YAML and Parquet.

In: bytes of a file. Out: `Rows`. Always holds: ``null`` is NULL and ``""`` is the empty string; a column that a row
does not mention is NULL in it; numbers with a point are read exactly, never through a float.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from tdv.content.arrow import arrow_type
from tdv.content.text import Misfit, Parsed, from_plain, parse_json
from tdv.documents import Mistakes, parse
from tdv.documents.markers import refuse
from tdv.errors import ConfigError, DocumentError, Problem
from tdv.model.types import LogicalType
from tdv.seeds.places import absent
from tdv.seeds.rows import Rows

NULL: Final = 'null and an absent column are NULL; write "" for an empty text.'


def read_lines(data: bytes, file: str) -> Rows:
    """Reads JSON Lines: one object a line, empty lines are skipped. Raises `DocumentError`."""
    refuse(data, file)
    mistakes = Mistakes()
    rows: list[Mapping[str, Any]] = []
    lines: list[int] = []
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), 1):
        if line.strip():
            rows.append(_object(line, file, number, mistakes))
            lines.append(number)
    mistakes.raise_if_any()
    return _rows(file, rows, lambda row, _: lines[row])


def read_yaml(data: bytes, file: str) -> Rows:
    """Reads YAML: a list of mappings. Raises `DocumentError`."""
    document = parse(data, file, exact=True)
    rows = [] if document.data is None else document.data
    if not isinstance(rows, list):
        raise DocumentError([document.problem((), "expected a list of rows")], hint="Write each row as `- {id: 1, …}`.")
    mistakes = Mistakes()
    for index, row in enumerate(rows):
        if not isinstance(row, dict):
            mistakes.add(document.problem((index,), "expected a mapping from column to value"))
    mistakes.raise_if_any()
    return _rows(file, rows, lambda row, name: document.place((row, name))[0])


def read_parquet(path: Path, file: str) -> Rows:
    """Reads a Parquet seed; its types must fit the table's without loss. Raises `ConfigError`."""
    try:
        table = pq.read_table(path, partitioning=None)
    except FileNotFoundError as exc:
        raise absent(file) from exc
    except (pa.ArrowException, OSError) as exc:
        hint = f"Restore it: dvc checkout {file}"
        raise ConfigError(f"{file} cannot be read as Parquet", hint=hint, file=file) from exc

    def read(name: str, kind: LogicalType) -> Parsed:
        column = table.column(name)
        try:
            return Parsed(column.cast(arrow_type(kind)).combine_chunks())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            return Parsed(pa.nulls(table.num_rows, arrow_type(kind)), (Misfit(0, f"values of {column.type}"),))

    return Rows(file, table.num_rows, dict.fromkeys(table.column_names, 1), read, lambda _row, _name: 1, NULL)


def _object(line: bytes, file: str, number: int, mistakes: Mistakes) -> Mapping[str, Any]:
    try:
        value = parse_json(line.decode("utf-8"))
    except json.JSONDecodeError as exc:
        mistakes.add(Problem(file, number, "", f"this is no JSON: {exc.msg}", exc.colno))
    except ValueError as exc:
        mistakes.add(Problem(file, number, "", f"this is no JSON: {exc}"))
    else:
        if isinstance(value, dict):
            return value
        mistakes.add(Problem(file, number, "", "expected an object from column to value"))
    return {}


def _rows(file: str, rows: Sequence[Mapping[str, Any]], line: Callable[[int, str], int]) -> Rows:
    names: dict[str, int] = {}
    for index, row in enumerate(rows):
        if not names.keys() >= row.keys():
            names = {name: line(index, name) for name in row} | names

    def read(name: str, kind: LogicalType) -> Parsed:
        return from_plain([row.get(name) for row in rows], kind)

    return Rows(file, len(rows), names, read, line, NULL)
