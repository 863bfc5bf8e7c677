"""Seeds as CSV and JSON Lines, merged row by row and cell by cell.

In: three versions of a seed and the key of its table. Out: `Merged`. Always holds: a row that one side left alone is
the other side's row to the byte; rows are told apart by their key, and without one by all of their cells; a clash is
marked around its row alone and named by its key.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from tdv.merge.texts import Merged, Unmergeable, Versions, in_order, marked

_ABSENT: Final = "\0absent"
_NULL: Final = "\0null"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what its cells mean, by column, and the text of each cell or of the whole line."""

    cells: Mapping[str, str]
    texts: Mapping[str, str]
    line: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """One version of a seed; `columns` in order, rows by key."""

    columns: tuple[str, ...]
    rows: Mapping[tuple[str, ...], Row]


Writer = Callable[[Sequence[str], Mapping[str, str]], str]


def merge_csv(versions: Versions, table: str, key: tuple[str, ...], size: int) -> Merged:
    """Merges CSV; raises `Unmergeable` for text that is no CSV, or columns that cannot be brought together."""
    base, ours, theirs = (_read_csv(data, key) for data in (versions.base, versions.ours, versions.theirs))
    columns = _columns(base, ours, theirs)
    header = ",".join(_field(name) for name in columns) + "\n"
    merged = _merged((base, ours, theirs), columns, _csv_line)
    return _written(header, merged, f"{table} ", key, size)


def merge_lines(versions: Versions, table: str, key: tuple[str, ...], size: int) -> Merged:
    """Merges JSON Lines; raises `Unmergeable` for text that is none."""
    base, ours, theirs = (_read_lines(data, key) for data in (versions.base, versions.ours, versions.theirs))
    columns = tuple(in_order(ours.columns, theirs.columns, dict.fromkeys((*ours.columns, *theirs.columns))))
    merged = _merged((base, ours, theirs), columns, _json_line)
    return _written("", merged, f"{table} ", key, size)


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One row of the result: a line, or both sides of a clash in `columns`."""

    key: tuple[str, ...]
    line: str
    other: str | None = None
    columns: tuple[str, ...] = ()


def _merged(sheets: tuple[Sheet, Sheet, Sheet], columns: Sequence[str], write: Writer) -> list[_Outcome]:
    base, ours, theirs = sheets
    found: dict[tuple[str, ...], _Outcome] = {}
    for key in {**ours.rows, **theirs.rows}:
        trio = (base.rows.get(key), ours.rows.get(key), theirs.rows.get(key))
        outcome = _row(key, trio, (base, ours, theirs), columns, write)
        if outcome is not None:
            found[key] = outcome
    order = in_order(list(ours.rows), list(theirs.rows), found)
    if all(_is_sorted(sheet.rows) for sheet in sheets):
        order = sorted(order, key=_sort_key)
    return [found[key] for key in order]


def _row(
    key: tuple[str, ...],
    trio: tuple[Row | None, Row | None, Row | None],
    sheets: tuple[Sheet, Sheet, Sheet],
    columns: Sequence[str],
    write: Writer,
) -> _Outcome | None:
    """The row of one key; None where it is gone."""
    was, mine, other = trio
    if mine is None or other is None:
        kept = mine or other
        assert kept is not None
        line = _line(kept, columns, write)
        if was is None:
            return _Outcome(key, line)
        if kept.cells == was.cells:
            return None
        changed = tuple(name for name in columns if kept.cells.get(name) != was.cells.get(name))
        return _Outcome(key, line, "", changed) if other is None else _Outcome(key, "", line, changed)
    if sheets[1].columns == sheets[2].columns:
        if mine.line == other.line or (was is not None and other.line == was.line):
            return _Outcome(key, mine.line)
        if was is not None and mine.line == was.line:
            return _Outcome(key, other.line)
    cells = {name: _cell(name, trio, sheets) for name in columns}
    clashing = tuple(name for name, (left, right) in cells.items() if left != right)
    left, right = (
        _as_written((mine, other), {name: pair[side] for name, pair in cells.items()}, columns, write)
        for side in (0, 1)
    )
    return _Outcome(key, left, right, clashing) if clashing else _Outcome(key, left)


def _as_written(rows: tuple[Row, Row], texts: Mapping[str, str], columns: Sequence[str], write: Writer) -> str:
    """The line of a side that says just this, else a new one."""
    known = {name: text for name, text in texts.items() if text != _ABSENT}
    for row in rows:
        if dict(row.texts) == known:
            return _line(row, columns, write)
    return write(columns, known)


def _cell(
    name: str, trio: tuple[Row | None, Row | None, Row | None], sheets: tuple[Sheet, Sheet, Sheet]
) -> tuple[str, str]:
    """The text of one cell as both sides want it after the merge; they differ where it clashes."""
    was, mine, other = (_ABSENT if row is None else row.cells.get(name, _ABSENT) for row in trio)
    texts = ["" if row is None else row.texts.get(name, _ABSENT) for row in trio]
    # A side that does not know the column leaves its cells to the other side.
    if name not in sheets[1].columns:
        return texts[2], texts[2]
    if name not in sheets[2].columns or mine == other or other == was:
        return texts[1], texts[1]
    return (texts[2], texts[2]) if mine == was else (texts[1], texts[2])


def _line(row: Row, columns: Sequence[str], write: Writer) -> str:
    """The row's own line where its columns are those of the result in their order, else a new one."""
    fits = tuple(row.texts) == tuple(columns) or (write is _json_line and set(row.texts) <= set(columns))
    return row.line if fits else write(columns, row.texts)


def _written(header: str, outcomes: Sequence[_Outcome], table: str, key: tuple[str, ...], size: int) -> Merged:
    parts, conflicts = [header], []
    for outcome in outcomes:
        if outcome.other is None:
            parts.append(f"{outcome.line}\n")
            continue
        name = f"{table}{_shown(key, outcome.key)}, {', '.join(outcome.columns)}"
        sides = [f"{line}\n" if line else "" for line in (outcome.line, outcome.other)]
        parts.append(marked(name, sides, size))
        conflicts.append(name)
    return Merged("".join(parts).encode("utf-8"), tuple(conflicts))


def _shown(names: tuple[str, ...], key: tuple[str, ...]) -> str:
    return " ".join(f"{name}={value}" for name, value in zip(names, key, strict=False)).replace("\n", " ") or "a row"


def _is_sorted(rows: Mapping[tuple[str, ...], Row]) -> bool:
    keys = [_sort_key(key) for key in rows]
    return keys == sorted(keys)


def _sort_key(key: tuple[str, ...]) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, int(part), "") if part.lstrip("-").isdecimal() else (1, 0, part) for part in key)


def _columns(base: Sheet, ours: Sheet, theirs: Sheet) -> tuple[str, ...]:
    """The columns of the result. A column that one side dropped and the other edited is nobody's to drop."""
    for one, other in ((ours, theirs), (theirs, ours)):
        dropped = set(base.columns) - set(one.columns)
        if any(_edited(base, other, name) for name in dropped):
            raise Unmergeable(", ".join(dropped))
    kept = {
        name: None
        for name in (*ours.columns, *theirs.columns)
        if name not in base.columns or (name in ours.columns and name in theirs.columns)
    }
    return tuple(in_order(ours.columns, theirs.columns, kept))


def _edited(base: Sheet, other: Sheet, name: str) -> bool:
    common = [key for key in other.rows if key in base.rows]
    return any(other.rows[key].cells.get(name) != base.rows[key].cells.get(name) for key in common)


def _keyed(rows: Sequence[Row], columns: tuple[str, ...], key: tuple[str, ...]) -> Sheet:
    """Rows by key; without a key, or where it repeats, by all cells and the number among equals."""
    if key and (not rows or all(name in columns for name in key)):
        found = {tuple(row.cells.get(name, _NULL) for name in key): row for row in rows}
        if len(found) < len(rows):
            raise Unmergeable("a key stands twice")
        return Sheet(columns, found)
    if key:
        raise Unmergeable("the key is not in the file")
    count: Counter[tuple[str, ...]] = Counter()
    found = {}
    for row in rows:
        cells = tuple(row.cells.get(name, _ABSENT) for name in columns)
        count[cells] += 1
        found[(*cells, f"#{count[cells]}")] = row
    return Sheet(columns, found)


# -- CSV


def _read_csv(data: bytes, key: tuple[str, ...]) -> Sheet:
    if not data:
        return Sheet((), {})
    records = list(_records(data.decode("utf-8-sig")))
    header = [_value(text) for text in records[0]]
    if len(set(header)) < len(header) or any(len(record) != len(header) for record in records):
        raise Unmergeable("rows of different lengths")
    rows = []
    for record in records[1:]:
        texts = dict(zip(header, record, strict=True))
        rows.append(Row({name: _value(text) for name, text in texts.items()}, texts, ",".join(record)))
    return _keyed(rows, tuple(header), key)


def _records(text: str) -> Iterator[list[str]]:
    """The fields of each record as they are written, quotation marks included; empty lines are skipped."""
    fields: list[str] = []
    start = at = 0
    inside = False
    text = text.replace("\r\n", "\n")
    text = text if text.endswith("\n") else f"{text}\n"
    if '"' not in text:
        yield from (line.split(",") for line in text.split("\n") if line)
        return
    for at, character in enumerate(text):
        if character == '"':
            inside = not inside
        elif not inside and character in ",\n":
            fields.append(text[start:at])
            start = at + 1
            if character == "\n":
                if fields != [""]:
                    yield fields
                fields = []
    if inside:
        raise Unmergeable(f"a quotation mark without its pair before {at}")


def _value(text: str) -> str:
    """What a field means: NULL for an empty one without quotation marks."""
    if not text:
        return _NULL
    return next(csv.reader(io.StringIO(text, newline="")))[0] if text.startswith('"') else text


def _field(text: str) -> str:
    return '"' + text.replace('"', '""') + '"' if any(sign in text for sign in ',"\n') or not text else text


def _csv_line(columns: Sequence[str], texts: Mapping[str, str]) -> str:
    return ",".join(texts.get(name, "") for name in columns)


# -- JSON Lines


def _read_lines(data: bytes, key: tuple[str, ...]) -> Sheet:
    rows = []
    columns: dict[str, None] = {}
    for line in data.decode("utf-8-sig").split("\n"):
        if not line.strip():
            continue
        try:
            row = json.loads(line, parse_float=Decimal)
        except ValueError as exc:
            raise Unmergeable("no JSON Lines") from exc
        if not isinstance(row, dict):
            raise Unmergeable("no object")
        texts = {name: _json(value) for name, value in row.items()}
        columns |= dict.fromkeys(row)
        rows.append(Row(texts, texts, line.rstrip("\r")))
    return _keyed(rows, tuple(columns), key)


def _json(value: Any) -> str:
    """A value as JSON, decimals digit by digit."""
    if isinstance(value, dict):
        return "{" + ",".join(f"{json.dumps(k, ensure_ascii=False)}:{_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list):
        return f"[{','.join(map(_json, value))}]"
    return str(value) if isinstance(value, Decimal) else json.dumps(value, ensure_ascii=False)


def _json_line(columns: Sequence[str], texts: Mapping[str, str]) -> str:
    known = [name for name in columns if texts.get(name, _ABSENT) != _ABSENT]
    return "{" + ",".join(f"{json.dumps(name, ensure_ascii=False)}:{texts[name]}" for name in known) + "}"
