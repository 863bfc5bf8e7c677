"""Seeds as CSV (RFC 4180, UTF-8, comma): the text of every field, with NULL told from the empty string.

In: bytes of a file with a header. Out: `Rows`. Always holds: an empty field without quotation marks is NULL, ``""``
is the empty string, every other field is exactly the text that stands there; in a file of one column an empty line
is a row with NULL, in all others it is skipped.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Sequence
from functools import cache
from typing import Final

import pyarrow as pa
import pyarrow.csv

from tdv.content.text import from_text
from tdv.documents import quoted
from tdv.documents.markers import refuse
from tdv.errors import DocumentError, Problem
from tdv.seeds.rows import Rows

NULL: Final = 'An empty field is NULL; write "" with quotation marks for an empty text.'
_QUOTED: Final = re.compile(rb'(?<![^,\r\n])"[^"]*(?:""[^"]*)*"(?=[,\r\n]|\Z)')
_QUOTE_HINT: Final = 'Put the whole field in quotation marks and double those within: "5"" disk".'
_LONGEST_READ: Final = 2**31 - 1


def read(data: bytes, file: str) -> Rows:
    """Reads a CSV seed; raises `DocumentError` when it is no CSV or its rows have other lengths than its header."""
    data = data.removeprefix(b"\xef\xbb\xbf")
    refuse(data, file)
    _well_formed(data, file)
    names = _header(data, file)
    table = _table(data if data.endswith((b"\n", b"\r")) else data + b"\n", names, file)
    lines = cache(lambda: record_lines(data, blank=len(names) == 1))
    return Rows(
        file=file,
        count=table.num_rows,
        names=dict.fromkeys(names, 1),
        read=lambda name, kind: from_text(table.column(name), kind),
        line=lambda row, _: lines()[row + 1],
        null=NULL,
    )


def record_lines(data: bytes, *, blank: bool) -> list[int]:
    """The line, from 1, in which each record begins, the header's first; `blank` counts empty lines as records."""
    starts = []
    inside = False
    for number, line in enumerate(data.splitlines(), 1):
        if not inside and (line or blank):
            starts.append(number)
        inside ^= line.count(b'"') % 2 == 1
    return starts


def _well_formed(data: bytes, file: str) -> None:
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as exc:
        message = f"byte 0x{data[exc.start]:02x} is not UTF-8"
        raise _wrong(file, _line(data, exc.start), message, "Save the file as UTF-8.") from exc
    if b'"' in data and b'"' in _QUOTED.sub(b"", data):
        rest = _QUOTED.sub(lambda field: b"\n" * field.group().count(b"\n"), data)
        line = _line(rest, rest.index(b'"'))
        raise _wrong(file, line, "a quotation mark inside a field, or one without its pair", _QUOTE_HINT)


def _line(data: bytes, position: int) -> int:
    return len(data[: position + 1].splitlines())


def _header(data: bytes, file: str) -> list[str]:
    first = next(csv.reader(io.StringIO(data[: 1 << 20].decode("utf-8", "ignore"), newline="")), [])
    if not first:
        raise _wrong(file, 1, "there is no header", "Write the names of the columns into the first line.")
    for name in first:
        if not name or first.count(name) > 1:
            message = f"the column {quoted(name)} stands twice in the header" if name else "a column without a name"
            raise _wrong(file, 1, message, "Give each column one name of its own.")
    return first


def _table(data: bytes, names: Sequence[str], file: str) -> pa.Table:
    problems: list[tuple[int, int]] = []
    options = pa.csv.ConvertOptions(
        column_types={name: pa.string() for name in names},
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
        null_values=[""],
        check_utf8=False,
    )
    try:
        table = pa.csv.read_csv(
            pa.BufferReader(data),
            pa.csv.ReadOptions(use_threads=False, block_size=min(len(data) + 1, _LONGEST_READ)),
            pa.csv.ParseOptions(
                newlines_in_values=True,
                ignore_empty_lines=len(names) > 1,
                invalid_row_handler=_collector(problems),
            ),
            options,
        )
    except pa.ArrowInvalid as exc:
        raise _wrong(file, 1, f"this is no CSV: {exc}", "Separate fields by commas, and rows by line ends.") from exc
    if problems:
        lines = record_lines(data, blank=len(names) == 1)
        raise DocumentError(
            [
                Problem(file, lines[record - 1], "", f"expected {len(names)} fields as in the header, got {fields}")
                for record, fields in problems
            ],
            hint="Put fields that hold commas, quotation marks or line ends in quotation marks.",
        )
    return table


def _collector(problems: list[tuple[int, int]]) -> Callable[[pa.csv.InvalidRow], str]:
    def note(row: pa.csv.InvalidRow) -> str:
        problems.append((row.number, row.actual_columns))
        return "skip"

    return note


def _wrong(file: str, line: int, message: str, hint: str) -> DocumentError:
    return DocumentError([Problem(file, line, "", message)], hint=hint)
