"""How the values of each changed column shifted: facts, a histogram, and one number.

In: both states of a table, or the one that has it. Out: `ColumnShift`s of the columns whose digests differ. Always
holds: columns with equal digests are not read; at most `_CELLS` values of a state are held, or one column of a part; of
a private column only counts are told unless asked for; of a key or a reference, whose values name rows and measure
nothing, neither mean nor histogram.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from tdv.content import compute as pc
from tdv.content.arrow import arrow_type, one_chunk
from tdv.content.facts import Facts, described, facts_of, merged
from tdv.content.text import to_text
from tdv.diff.pair import Pair, Side
from tdv.model.diff_report import Bar, ColumnShift
from tdv.model.manifest import TableManifest
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType

_BINS: Final = 20
_VALUES: Final = 12
"""More different values than this get no bar each."""
_DIGITS: Final = (6, 9, 16)
"""Of labels, and letters of the time of day; more where two classes would read the same."""
_CELLS: Final = 1 << 19
_SCALED: Final = frozenset({"int16", "int32", "int64", "float64", "decimal", "date", "timestamp", "timestamptz"})
_NAMED: Final = frozenset({"bool", "string"})
Counts = npt.NDArray[np.int64]


def column_shifts(pair: Pair, *, reveal: bool) -> Iterator[ColumnShift]:
    """The columns whose values are not the same in both states, in the newer order, those that are gone last."""
    before = {column.name: column for column in pair.old.schema.columns}
    after = {column.name: column for column in pair.new.schema.columns}
    names = [
        name
        for name in {**after, **before}
        if not (name in before and name in after)
        or _leaves(pair.old.manifest, name) != _leaves(pair.new.manifest, name)
    ]
    both = (
        _Values(pair.old, [name for name in names if name in before]),
        _Values(pair.new, [name for name in names if name in after]),
    )
    for name in names:
        yield _shift(pair, both, (before.get(name), after.get(name)), reveal=reveal)


def one_sided_shifts(side: Side, *, is_new: bool, reveal: bool) -> Iterator[ColumnShift]:
    """The columns of a table that only one state has, as they are there."""
    values = _Values(side, list(side.schema.column_names))
    for column in side.schema.columns:
        facts = _facts(values, column, bool(column.privacy) and not reveal)
        if _names_rows((side.schema,), column.name):
            facts = _without_mean(facts)
        yield ColumnShift(column.name, str(column.type), *(({}, facts) if is_new else (facts, {})))


@dataclass(slots=True)
class _Values:
    """The values of one state; `names` are the columns that are asked for, in this order.

    Each opening of a file costs by all of its columns, so that those of a table of few rows are read several at once.
    """

    side: Side
    names: list[str]
    held: dict[str, list[pa.Array]] = field(default_factory=dict)

    def of(self, name: str) -> Iterator[pa.Array]:
        """Part by part."""
        at_once = _CELLS // max(1, self.side.manifest.rows)
        if at_once < 2:
            return (one_chunk(part.column(0)) for part in self._parts([name]))
        if name not in self.held:
            start = self.names.index(name)
            names = self.names[start : start + at_once]
            self.held = {}
            for part in self._parts(names):
                for column in names:
                    self.held.setdefault(column, []).append(one_chunk(part.column(column)))
        return iter(self.held[name])

    def _parts(self, names: list[str]) -> Iterator[pa.Table]:
        return self.side.snapshot.batches(self.side.schema.name, names)


Both = tuple[_Values, _Values]


def _leaves(table: TableManifest, column: str) -> list[str]:
    return [part.columns[column] for part in table.parts]


def _shift(pair: Pair, both: Both, columns: tuple[Column | None, Column | None], *, reveal: bool) -> ColumnShift:
    old, new = columns
    column = new or old
    assert column is not None
    is_private = any(item is not None and item.privacy for item in (old, new)) and not reveal
    facts = [_facts(values, item, is_private) for values, item in zip(both, columns, strict=True)]
    bars: tuple[Bar, ...] = ()
    if _names_rows((pair.old.schema, pair.new.schema), column.name):
        facts = [_without_mean(side) for side in facts]
    elif old and new and not is_private and column.name in pair.common.column_names:
        bars = _histogram(both, pair.common.column(column.name).type, column.name, facts)
    kinds = dict.fromkeys(str(item.type) for item in (old, new) if item)
    before, after = facts
    return ColumnShift(column.name, " → ".join(kinds), before, after, bars, _distance(bars))


def _without_mean(facts: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in facts.items() if name != "mean"}


def _names_rows(schemas: Iterable[TableSchema], column: str) -> bool:
    """Whether the column is of a key or of a reference in any state."""
    return any(column in {*schema.key, *(c for ref in schema.references for c in ref.columns)} for schema in schemas)


def _facts(values: _Values, column: Column | None, is_private: bool) -> dict[str, Any]:
    if column is None:
        return {}
    looked_at = replace(column, privacy="private" if is_private else None)
    is_unique = values.side.schema.key == (column.name,)
    facts: Facts | None = None
    for array in values.of(column.name):
        fresh = facts_of(array, looked_at, facts, is_unique=is_unique)
        facts = fresh if facts is None else merged(facts, fresh)
    assert facts is not None
    return {"count": facts.rows, **described(facts, looked_at)}


def _histogram(both: Both, kind: LogicalType, name: str, facts: list[dict[str, Any]]) -> tuple[Bar, ...]:
    if kind.name in _SCALED:
        return _scaled(both, kind, name)
    few = all(isinstance(item["distinct"], int) and item["distinct"] <= _VALUES for item in facts)
    return _named(both, kind, name) if kind.name in _NAMED and few else ()


def _named(both: Both, kind: LogicalType, name: str) -> tuple[Bar, ...]:
    counts: dict[str, list[int]] = {}
    for index, values in enumerate(both):
        for array in values.of(name):
            for item in pc.value_counts(to_text(array.drop_null(), kind)).to_pylist():
                counts.setdefault(item["values"], [0, 0])[index] += item["counts"]
    ordered = sorted(counts.items(), key=lambda item: (-max(item[1]), item[0]))
    return tuple(Bar(label, old, new) for label, (old, new) in ordered)


def _scaled(both: Both, kind: LogicalType, name: str) -> tuple[Bar, ...]:
    """Bins of equal width between the smallest and the largest value of both states."""
    ends = [_ends(_numbers(values, name, kind)) for values in both]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if not low <= high:
        return ()
    is_whole = kind.name != "float64" and kind.scale == 0
    bins = _BINS if low < high else 1
    if is_whole and high - low < _BINS:
        bins = int(high - low) + 1
        low, high = low - 0.5, high + 0.5
    counts = [_count(_numbers(values, name, kind), low, high, bins) for values in both]
    labels = _labels(np.linspace(low, high, bins + 1), kind, is_whole=is_whole)
    return tuple(
        Bar(start, int(old), int(new), end if end != start else "")
        for (start, end), old, new in zip(labels, *counts, strict=True)
    )


def _labels(edges: npt.NDArray[np.float64], kind: LogicalType, *, is_whole: bool) -> Iterator[tuple[str, str]]:
    """Where each class begins and ends; the last one holds its end, the other ones do not."""
    starts, ends = edges[:-1], edges[1:]
    if is_whole:
        starts, ends = np.ceil(starts), np.append(np.ceil(ends[:-1]) - 1, np.floor(ends[-1]))
    for digits in _DIGITS:
        begun, ended = ([_label(float(edge), kind, digits) for edge in side] for side in (starts, ends))
        if len(set(begun)) == len(begun):
            break
    yield from zip(begun, ended, strict=True)


def _numbers(values: _Values, name: str, kind: LogicalType) -> Iterator[npt.NDArray[np.float64]]:
    for array in values.of(name):
        wide = array.cast(arrow_type(kind))
        if kind.name == "date":
            wide = wide.cast(pa.int32())
        elif kind.name.startswith("timestamp"):
            wide = wide.cast(pa.int64())
        numbers = wide.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        yield numbers[np.isfinite(numbers)]


def _ends(arrays: Iterable[npt.NDArray[np.float64]]) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    for values in arrays:
        if len(values):
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def _count(arrays: Iterable[npt.NDArray[np.float64]], low: float, high: float, bins: int) -> Counts:
    total = np.zeros(bins, np.int64)
    for values in arrays:
        total += np.histogram(values, bins, (low, high))[0] if low < high else len(values)
    return total


def _label(value: float, kind: LogicalType, digits: int) -> str:
    if kind.name == "date":
        return str(to_text(pa.array([int(value)], pa.int32()).cast(pa.date32()), kind)[0].as_py())
    if kind.name.startswith("timestamp"):
        return str(to_text(pa.array([int(value)], pa.int64()).cast(arrow_type(kind)), kind)[0].as_py())[: 10 + digits]
    return f"{value:.{digits}g}"


def _distance(bars: tuple[Bar, ...]) -> float | None:
    """Half the sum of the differences of the shares (total variation distance): 0 the same, 1 nothing in common."""
    old, new = sum(bar.before for bar in bars), sum(bar.after for bar in bars)
    if not old or not new:
        return None
    return round(sum(abs(bar.before / old - bar.after / new) for bar in bars) / 2, 4)
