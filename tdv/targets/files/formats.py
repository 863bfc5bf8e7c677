"""Tables as files: CSV, JSON Lines, SQL and Parquet, written and read back.

In: canonical batches in canonical order. Out: bytes that the rows alone decide. Always holds: what `write` wrote
`read` gives back; in CSV an empty field without quotation marks is NULL and ``""`` is the empty string.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from tdv.content import parquet
from tdv.content.arrow import arrow_schema, one_chunk
from tdv.content.redact import shown
from tdv.content.text import Parsed, from_plain, from_text, parse_json, to_plain, to_text
from tdv.errors import IntegrityError
from tdv.model.schema import TableSchema
from tdv.model.types import LogicalType
from tdv.targets.files import statements
from tdv.targets.losses import refuse_inner_null, refused_value

_BATCH: Final = 65_536
_QUOTED: Final = r'^$|[",\r\n]|^\s|\s$'


@dataclass(frozen=True, slots=True)
class Format:
    """How one table becomes one file, and back."""

    suffix: str
    write: Callable[[Iterable[pa.Table], TableSchema, Path], None]
    read: Callable[[Path, TableSchema], Iterator[pa.Table]]


def write_csv(batches: Iterable[pa.Table], table: TableSchema, path: Path) -> None:
    """RFC 4180 with a header, ``\\n`` as line end, and quotation marks where they are needed."""
    with open(path, "xb") as file:
        names = pa.array(table.column_names, pa.string())
        file.write(",".join(_quoted(names).to_pylist()).encode() + b"\n")
        for batch in _pieces(batches):
            _refuse_inner_nulls(batch, table, "CSV")
            columns = [
                _quoted(to_text(batch.column(column.name), column.type)).fill_null("") for column in table.columns
            ]
            _write_lines(file, pc.binary_join_element_wise(*columns, ","))


def read_csv(path: Path, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of `write_csv`; raises `IntegrityError` for a value of another type."""
    options = pa.csv.ConvertOptions(
        column_types={name: pa.string() for name in table.column_names},
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
    )
    parse = pa.csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=len(table.columns) > 1)
    try:
        with pa.csv.open_csv(path, pa.csv.ReadOptions(use_threads=False), parse, options) as reader:
            start = 0
            for batch in reader:
                texts = dict(zip(batch.schema.names, batch.columns, strict=True))
                yield _table(table, start, [from_text(texts[column.name], column.type) for column in table.columns])
                start += batch.num_rows
    except (pa.ArrowException, KeyError) as exc:
        raise damaged(path, exc) from exc


def write_jsonl(batches: Iterable[pa.Table], table: TableSchema, path: Path) -> None:
    """One object per line, keys in the declared order."""
    keys = [json.dumps(name, ensure_ascii=False) + ":" for name in table.column_names]
    documents = [column.name for column in table.columns if column.type.name == "json"]
    with open(path, "xb") as file:
        for batch in _pieces(batches):
            _refuse_inner_nulls(batch, table, "JSON Lines")
            for name in documents:
                _refuse_null_document(batch.column(name), name, table)
            columns = [
                _json(batch.column(column.name), column.type, key)
                for column, key in zip(table.columns, keys, strict=True)
            ]
            _write_lines(file, pc.binary_join_element_wise(pc.binary_join_element_wise(*columns, ","), "}", ""), "{")


def read_jsonl(path: Path, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of `write_jsonl`; what is not mentioned is NULL. Raises `IntegrityError` for a value of another type."""
    with open(path, encoding="utf-8", newline="\n") as file:
        start = 0
        while lines := file.readlines(1 << 24):
            try:
                objects = [parse_json(line) for line in lines]
                values = {name: [item.get(name) for item in objects] for name in table.column_names}
            except (ValueError, AttributeError) as exc:
                raise damaged(path, exc) from exc
            yield _table(table, start, [from_plain(values[column.name], column.type) for column in table.columns])
            start += len(lines)


def write_sql(batches: Iterable[pa.Table], table: TableSchema, path: Path) -> None:
    """Standard SQL: the table, its keys, and its rows, one line each."""
    with open(path, "xb") as file:
        file.write(statements.create_table(table).encode() + b";\n")
        for batch in _pieces(batches):
            rows = pc.binary_join_element_wise(
                *(
                    statements.literals(batch.column(column.name).combine_chunks(), column, table.name)
                    for column in table.columns
                ),
                ", ",
            )
            file.write(statements.insert(table).encode())
            lines = pc.binary_join_element_wise("(", rows, ")", "")
            file.write(",\n".join(lines.to_pylist()).encode() + b";\n")


def read_sql(path: Path, table: TableSchema) -> Iterator[pa.Table]:
    """The rows that the statements make in an empty database; raises `IntegrityError` when they do not run."""
    from tdv.targets.sqlite.rows import of_connection

    with closing(sqlite3.connect("")) as connection:
        try:
            connection.executescript(path.read_bytes().decode("utf-8"))
        except sqlite3.Error as exc:
            raise damaged(path, exc) from exc
        yield from of_connection(connection, table)


def write_parquet(batches: Iterable[pa.Table], table: TableSchema, path: Path) -> None:
    """One Parquet file, for rows that are no part file of a snapshot."""
    rows = pa.concat_tables([arrow_schema(table).empty_table(), *batches])
    parquet.write(rows, path)


def read_parquet(path: Path, table: TableSchema) -> Iterator[pa.Table]:
    """The rows of a Parquet file, or of a directory of them in the order of their names."""
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        try:
            with pq.ParquetFile(file) as opened:
                for batch in opened.iter_batches(_BATCH):
                    yield pa.Table.from_batches([batch]).select(table.column_names).cast(arrow_schema(table))
        except (pa.ArrowException, OSError, ValueError, KeyError) as exc:
            raise damaged(file, exc) from exc


FORMATS: Final[Mapping[str, Format]] = {
    "parquet": Format("parquet", write_parquet, read_parquet),
    "csv": Format("csv", write_csv, read_csv),
    "jsonl": Format("jsonl", write_jsonl, read_jsonl),
    "sql": Format("sql", write_sql, read_sql),
}


def _pieces(batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
    """Slices of so many rows, so that a batch of text stays small."""
    for batch in batches:
        for start in range(0, batch.num_rows, _BATCH):
            yield batch.slice(start, _BATCH)


def _quoted(texts: pa.Array) -> pa.Array:
    needs = pc.match_substring_regex(texts, _QUOTED)
    if not pc.any(needs, min_count=0).as_py():
        return texts
    quoted = pc.binary_join_element_wise('"', pc.replace_substring(texts, '"', '""'), '"', "")
    return pc.if_else(needs, quoted, texts)


def _json(column: pa.ChunkedArray, kind: LogicalType, key: str) -> pa.Array:
    """``"name":value`` for each row; plain types by Arrow, the others by Python."""
    array = column.combine_chunks()
    if kind.name in ("bool", "int16", "int32", "int64"):
        texts = pc.cast(array, pa.string())
    elif kind.name == "json":
        texts = array  # JSON's own null was refused before
    elif kind.name in ("date", "time", "timestamp", "timestamptz", "uuid", "decimal"):
        texts = pc.binary_join_element_wise('"', to_text(array, kind), '"', "")
    elif kind.name == "string" and not pc.any(pc.match_substring_regex(array, r'["\\\x00-\x1f\x7f]')).as_py():
        texts = pc.binary_join_element_wise('"', array, '"', "")
    else:
        plain = [json.dumps(value, ensure_ascii=False, separators=(",", ":")) for value in to_plain(array, kind)]
        texts = pa.array(plain, pa.string())
    return pc.binary_join_element_wise(key, texts.fill_null("null"), "")


def _refuse_inner_nulls(batch: pa.Table, table: TableSchema, form: str) -> None:
    for column in table.columns:
        refuse_inner_null(one_chunk(batch.column(column.name)), column, table.name, form)


def _refuse_null_document(column: pa.ChunkedArray, name: str, table: TableSchema) -> None:
    if pc.any(pc.equal(column, "null"), min_count=0).as_py():
        raise refused_value(table.name, name, "the JSON value null, which is NULL there", "JSON Lines")


def _write_lines(file: BinaryIO, lines: pa.Array, before: str = "") -> None:
    """Each value with a line end, straight from Arrow's buffer."""
    whole = pc.binary_join_element_wise(before, lines, "\n", "")
    offsets = whole.buffers()[1]
    start, end = (int(pa.Array.from_buffers(pa.int32(), len(whole) + 1, [None, offsets])[i].as_py()) for i in (0, -1))
    file.write(memoryview(whole.buffers()[2])[start:end])


def _table(table: TableSchema, start: int, columns: Sequence[Parsed]) -> pa.Table:
    arrays = []
    for column, parsed in zip(table.columns, columns, strict=True):
        if parsed.misfits:
            raise IntegrityError(
                f"table {table.name!r}, column {column.name!r}, row {start + parsed.misfits[0].row + 1}: "
                f"{shown(column, parsed.misfits[0].value)} is no {column.type}",
                hint="Something else than tdv wrote it; `tdv checkout` brings the release back.",
                table=table.name,
                column=column.name,
            )
        arrays.append(parsed.array)
    return pa.Table.from_arrays(arrays, schema=arrow_schema(table))


def damaged(path: Path, exc: Exception) -> IntegrityError:
    """What is wrong with a file that is no such file."""
    return IntegrityError(f"{path} cannot be read: {exc}", hint="Run `tdv checkout` to write it anew.", path=str(path))
