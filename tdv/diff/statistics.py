"""How the values of each changed column shifted: facts, a histogram, and one number.

In: both states of a table. Out: `ColumnShift`s of the columns whose digests differ. Always holds: columns with
equal digests are not read; of a private column only counts are told unless asked for; of a key or a reference, whose
values name rows and measure nothing, neither mean nor histogram.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.arrow import arrow_type, one_chunk
from tdv.content.facts import Facts, described, facts_of, merged
from tdv.content.text import to_text
from tdv.diff.pair import Pair, Side
from tdv.model.diff_report import Bar, ColumnShift
from tdv.model.manifest import TableManifest
from tdv.model.schema import Column
from tdv.model.types import LogicalType

_BINS: Final = 20
_VALUES: Final = 12
"""More different values than this get no bar each."""
_SCALED: Final = frozenset({"int16", "int32", "int64", "float64", "decimal", "date", "timestamp", "timestamptz"})
_NAMED: Final = frozenset({"bool", "string"})
Counts = npt.NDArray[np.int64]


def column_shifts(pair: Pair, *, reveal: bool) -> Iterator[ColumnShift]:
    """The columns whose values are not the same in both states, in the newer order, those that are gone last."""
    before, after = pair.old.schema, pair.new.schema
    for name in dict.fromkeys((*after.column_names, *before.column_names)):
        old = before.column(name) if name in before.column_names else None
        new = after.column(name) if name in after.column_names else None
        if old is None or new is None or _leaves(pair.old.manifest, name) != _leaves(pair.new.manifest, name):
            yield _shift(pair, old, new, reveal=reveal)


def _leaves(table: TableManifest, column: str) -> list[str]:
    return [part.columns[column] for part in table.parts]


def _shift(pair: Pair, old: Column | None, new: Column | None, *, reveal: bool) -> ColumnShift:
    column = new or old
    assert column is not None
    is_private = any(item is not None and item.privacy for item in (old, new)) and not reveal
    facts = [_facts(side, item, is_private) for side, item in ((pair.old, old), (pair.new, new))]
    bars: tuple[Bar, ...] = ()
    if _names_rows(pair, column.name):
        facts = [{name: value for name, value in side.items() if name != "mean"} for side in facts]
    elif old and new and not is_private and column.name in pair.common.column_names:
        bars = _histogram(pair, pair.common.column(column.name).type, column.name, facts)
    kinds = dict.fromkeys(str(item.type) for item in (old, new) if item)
    before, after = facts
    return ColumnShift(column.name, " → ".join(kinds), before, after, bars, _distance(bars))


def _names_rows(pair: Pair, column: str) -> bool:
    """Whether the column is of a key or of a reference in either state."""
    schemas = (pair.old.schema, pair.new.schema)
    return any(column in {*schema.key, *(c for ref in schema.references for c in ref.columns)} for schema in schemas)


def _facts(side: Side, column: Column | None, is_private: bool) -> dict[str, Any]:
    if column is None:
        return {}
    looked_at = replace(column, privacy="private" if is_private else None)
    is_unique = side.schema.key == (column.name,)
    facts: Facts | None = None
    for array in _arrays(side, column.name):
        fresh = facts_of(array, looked_at, facts, is_unique=is_unique)
        facts = fresh if facts is None else merged(facts, fresh)
    assert facts is not None
    return {"count": facts.rows, **described(facts, looked_at)}


def _arrays(side: Side, name: str) -> Iterator[pa.Array]:
    for part in side.snapshot.batches(side.schema.name, [name]):
        yield one_chunk(part.column(0))


def _histogram(pair: Pair, kind: LogicalType, name: str, facts: list[dict[str, Any]]) -> tuple[Bar, ...]:
    if kind.name in _SCALED:
        return _scaled(pair, kind, name)
    few = all(isinstance(item["distinct"], int) and item["distinct"] <= _VALUES for item in facts)
    return _named(pair, kind, name) if kind.name in _NAMED and few else ()


def _named(pair: Pair, kind: LogicalType, name: str) -> tuple[Bar, ...]:
    counts: dict[str, list[int]] = {}
    for index, side in enumerate((pair.old, pair.new)):
        for array in _arrays(side, name):
            for item in pc.value_counts(to_text(array.drop_null(), kind)).to_pylist():
                counts.setdefault(item["values"], [0, 0])[index] += item["counts"]
    ordered = sorted(counts.items(), key=lambda item: (-max(item[1]), item[0]))
    return tuple(Bar(label, old, new) for label, (old, new) in ordered)


def _scaled(pair: Pair, kind: LogicalType, name: str) -> tuple[Bar, ...]:
    """Bins of equal width between the smallest and the largest value of both states."""
    ends = [_ends(_numbers(side, name, kind)) for side in (pair.old, pair.new)]
    low, high = min(end[0] for end in ends), max(end[1] for end in ends)
    if not low <= high:
        return ()
    is_whole = kind.name != "float64" and kind.scale == 0
    bins = _BINS if low < high else 1
    if is_whole and high - low < _BINS:
        bins = int(high - low) + 1
        low, high = low - 0.5, high + 0.5
    counts = [_count(_numbers(side, name, kind), low, high, bins) for side in (pair.old, pair.new)]
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
    for start, end in zip(starts, ends, strict=True):
        yield _label(float(start), kind), _label(float(end), kind)


def _numbers(side: Side, name: str, kind: LogicalType) -> Iterator[npt.NDArray[np.float64]]:
    for array in _arrays(side, name):
        wide = array.cast(arrow_type(kind))
        if kind.name == "date":
            wide = wide.cast(pa.int32())
        elif kind.name.startswith("timestamp"):
            wide = wide.cast(pa.int64())
        values = wide.drop_null().cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
        yield values[np.isfinite(values)]


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


def _label(value: float, kind: LogicalType) -> str:
    if kind.name == "date":
        return str(to_text(pa.array([int(value)], pa.int32()).cast(pa.date32()), kind)[0].as_py())
    if kind.name.startswith("timestamp"):
        return str(to_text(pa.array([int(value)], pa.int64()).cast(arrow_type(kind)), kind)[0].as_py())[:16]
    return f"{value:.6g}"


def _distance(bars: tuple[Bar, ...]) -> float | None:
    """Half the sum of the differences of the shares (total variation distance): 0 the same, 1 nothing in common."""
    old, new = sum(bar.before for bar in bars), sum(bar.after for bar in bars)
    if not old or not new:
        return None
    return round(sum(abs(bar.before / old - bar.after / new) for bar in bars) / 2, 4)
