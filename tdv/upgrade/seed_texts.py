"""Seed files after migrations.

In: a seed file, where its rows went, and rows that came. Out: its new bytes. Always holds: a file without a change
keeps its bytes; rows keep their order, fields that the migrations left alone their text, and YAML its comments.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from tdv.content.text import json_text
from tdv.documents.edit import Change, YamlEdits
from tdv.model.types import LogicalType
from tdv.seeds import SeedFile
from tdv.seeds.writer import csv_lines, is_safe_in_csv
from tdv.spec.text import flow
from tdv.upgrade.cells import Cells, RowRules, cells
from tdv.upgrade.moves import GONE, Move

_TEXT: Final = LogicalType("string")


@dataclass(frozen=True, slots=True)
class SeedMove:
    """A file with the places before of its rows, and the places after of rows that are to be added to it."""

    file: SeedFile
    rows: Sequence[int]
    added: Sequence[int]
    move: Move

    @property
    def is_same(self) -> bool:
        """Whether there is nothing to change."""
        move = self.move
        columns = set(move.after.columns.items()) == {(name, name) for name in move.before.column_names}
        same = columns and set(move.after.schema.column_names) == set(move.before.column_names)
        return same and not self.added and all(_is_same(move, row) for row in self.rows)

    def places(self) -> list[int]:
        """The places after of all rows of the file."""
        return [*(place for row in self.rows if (place := self.move.to[row]) != GONE), *self.added]


def rewritten(seed: SeedMove) -> bytes | None:
    """The file as it is to be; None where its format cannot hold the rows any more."""
    writer = _WRITERS.get(seed.file.path.suffix)
    return writer(seed) if writer is not None else None


def _is_same(move: Move, row: int) -> bool:
    return move.to[row] != GONE and all(move.is_same(column, row) for column in move.after.columns)


def _csv(seed: SeedMove) -> bytes | None:
    move, rows = seed.move, seed.file.rows
    names = [name for name in rows.names if move.new_names.get(name) or name not in move.before.column_names]
    said = {move.new_names.get(name, name) for name in names}
    more = [name for name in move.after.schema.column_names if name not in said and _is_needed(seed, name)]
    columns = [_field_texts(seed, name) for name in names]
    columns += [[move.text(name, place) for place in seed.places()] for name in more]
    arrays = [pa.array(column, pa.string()) for column in columns]
    if not arrays or not all(map(is_safe_in_csv, arrays)):
        return None
    lines = csv_lines([*(move.new_names.get(name, name) for name in names), *more], arrays)
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _field_texts(seed: SeedMove, name: str) -> list[str | None]:
    """A column of the file: what stands there where it still holds."""
    move = seed.move
    written = seed.file.rows.read(name, _TEXT).array.to_pylist()
    column = move.new_names.get(name)
    kept = [(row, text) for row, text in zip(seed.rows, written, strict=True) if move.to[row] != GONE]
    if column is None:
        return [*(text for _, text in kept), *(None for _ in seed.added)]
    texts = [text if move.is_same(column, row) else move.text(column, move.to[row]) for row, text in kept]
    return [*texts, *(move.text(column, place) for place in seed.added)]


def _is_needed(seed: SeedMove, name: str) -> bool:
    """Whether a column that the file leaves out has to stand in it."""
    move = seed.move
    if move.after.columns.get(name) in move.derived and not seed.added:
        return not all(move.is_same(name, row) for row in seed.rows if move.to[row] != GONE)
    return any(move.text(name, place) is not None for place in seed.places())


def _json_lines(seed: SeedMove) -> bytes:
    raw = [line for line in seed.file.path.read_bytes().decode("utf-8-sig").split("\n") if line.strip()]
    lines = []
    for line, row in zip(raw, seed.rows, strict=True):
        if seed.move.to[row] != GONE:
            lines.append(_json_line(line, row, seed.move))
    lines += [json_text(_whole(seed.move, place)) for place in seed.added]
    return "".join(f"{line}\n" for line in lines).encode("utf-8")


def _json_line(line: str, row: int, move: Move) -> str:
    written = json.loads(line)
    found = cells(move, row, written, RowRules())
    if found == Cells():
        return line
    changed = {}
    for name, value in written.items():
        if name not in found.removed:
            column = found.renamed.get(name, name)
            # A number with a point would go through a float.
            is_exact = not isinstance(value, float | list | dict) or column not in move.after.columns
            changed[column] = found.values.get(name, value if is_exact else move.plain(column, move.to[row]))
    return json_text({**changed, **found.added})


def _yaml(seed: SeedMove) -> bytes | None:
    if not seed.rows:
        return None
    edits = YamlEdits(seed.file.path.read_text(encoding="utf-8-sig"), seed.file.rows.file)
    gone = set()
    for index, row in enumerate(seed.rows):
        if seed.move.to[row] == GONE:
            gone.add(index)
            continue
        names = [str(step) for step in edits.steps((index,))]
        edits.change((index,), cells(seed.move, row, names, RowRules()).change())
    added = [("", flow(_whole(seed.move, place))) for place in seed.added]
    edits.change((), Change(removed=frozenset(gone), added=added))
    return edits.text().encode("utf-8")


def _whole(move: Move, place: int) -> Mapping[str, object]:
    """A row that came, NULLs left out."""
    values = {name: move.plain(name, place) for name in move.after.schema.column_names}
    return {name: value for name, value in values.items() if value is not None}


_WRITERS: Final[Mapping[str, Callable[[SeedMove], bytes | None]]] = {
    ".csv": _csv,
    ".jsonl": _json_lines,
    ".yaml": _yaml,
    ".yml": _yaml,
}
