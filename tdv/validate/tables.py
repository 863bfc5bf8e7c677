"""The rules of one table, looked at part by part on several threads."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tdv.content.arrow import arrow_type
from tdv.content.examples import cell_rows
from tdv.content.keys import by_number
from tdv.model.report import Check
from tdv.model.schema import DatasetSchema, Reference, TableSchema
from tdv.validate.columns import ColumnRule, rules_of
from tdv.validate.keys import (
    Mask,
    ParentKeys,
    Unique,
    Words,
    complete,
    families,
    one_chunk,
    reference_words,
    unique_words,
)
from tdv.validate.rows import Rows, ValidateOptions

Parent = tuple[str | None, str, tuple[str, ...]]
ParentIndex = Mapping[Parent, ParentKeys | None]

_AHEAD: Final = 4
_SUSPECTS: Final = 4096


@dataclass(slots=True)
class _Tally:
    """What one rule has met so far: how many rows break it, and the first of them."""

    rule: str
    columns: tuple[str, ...]
    phrase: str
    count: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What one part gave: per rule the broken rows, per unique column set its words."""

    part: pa.Table
    broken: tuple[Mask | None, ...]
    words: tuple[Words, ...]


def parent_index(schema: DatasetSchema, rows: Rows, options: ValidateOptions) -> ParentIndex:
    """The keys of every table that a reference points to; None where the dataset was not given."""
    wanted = {_parent(reference) for table in schema.tables for reference in table.references}
    return {parent: _parent_keys(parent, rows, options) for parent in wanted}


def _parent(reference: Reference) -> Parent:
    return (reference.dataset, reference.table, reference.to)


def _parent_keys(parent: Parent, rows: Rows, options: ValidateOptions) -> ParentKeys | None:
    dataset, table, columns = parent
    source = rows if dataset is None else options.others.get(dataset)
    if source is None:
        return None
    parts, kinds = [], None
    for part in source.batches(table, list(columns)):
        kinds = families(part.schema.types)
        valid, keys = complete(part), reference_words(part)
        parts.append(keys if valid is None else keys[valid])
    return ParentKeys(parts, kinds)


class TableValidator:
    """All rules of one table. Make one, `run` it once."""

    def __init__(self, schema: TableSchema, index: ParentIndex, options: ValidateOptions) -> None:
        self._schema = schema
        self._index = index
        self._options = options
        self._rules = [rule for column in schema.columns for rule in rules_of(column)]
        self._uniques = ((schema.key,) if schema.key else ()) + schema.uniques
        self._tallies = [_Tally(f"{rule.name}({rule.column})", (rule.column,), rule.phrase) for rule in self._rules]
        self._tallies += [
            _Tally(
                f"reference({reference})", reference.columns, f"refers to a row that {_place(reference)} does not have"
            )
            for reference in schema.references
        ]
        self._unseen = {reference: self._obstacle(reference) for reference in schema.references}

    def _obstacle(self, reference: Reference) -> str:
        """Why the reference cannot be looked at, or ""."""
        parents = self._index[_parent(reference)]
        if parents is None:
            return f"the dataset {reference.dataset} is not there to look into"
        kinds = families([arrow_type(self._schema.column(name).type) for name in reference.columns])
        if parents.kinds not in (None, kinds):
            return f"{', '.join(reference.columns)} and what it refers to in {_place(reference)} differ in type"
        return ""

    def run(self, rows: Rows) -> Iterator[Check]:
        """Reads the table once, and once more only where a unique set has suspects."""
        shape: dict[str, Check] = {}
        unique = [Unique() for _ in self._uniques]
        with ThreadPoolExecutor(max_workers=min(4, os.cpu_count() or 1)) as pool:
            for seen in _ahead(pool, self._look, self._parts(rows, shape)):
                for collector, keys in zip(unique, seen.words, strict=True):
                    collector.add(keys)
                for tally, mask in zip(self._tallies, seen.broken, strict=True):
                    if mask is not None:
                        self._count(tally, seen.part, mask)
        yield from shape.values()
        yield from (self._check(tally) for tally in self._tallies[: len(self._rules)])
        for reference, tally in zip(self._schema.references, self._tallies[len(self._rules) :], strict=True):
            obstacle = self._unseen[reference]
            yield _failed(self._schema.name, tally.rule, obstacle) if obstacle else self._check(tally)
        for columns, collector in zip(self._uniques, unique, strict=True):
            yield self._unique(columns, collector.repeated(), rows)

    def _parts(self, rows: Rows, shape: dict[str, Check]) -> Iterator[pa.Table]:
        """The parts whose columns have the declared names and types; `shape` gets what was found of others."""
        declared = {column.name: arrow_type(column.type) for column in self._schema.columns}
        for column in self._schema.columns:
            shape[column.name] = Check(self._schema.name, f"type({column.name})", True)
        strict = self._options.strict is None or self._schema.name in self._options.strict
        for part in rows.batches(self._schema.name):
            if strict:
                for name in part.column_names:
                    if name not in declared:
                        shape[name] = _failed(
                            self._schema.name, f"unknown-column({name})", f"{name} is not in the spec"
                        )
            whole = True
            for name, expected in declared.items():
                problem = _type_problem(part, name, expected)
                if problem:
                    whole = False
                    shape[name] = _failed(self._schema.name, f"type({name})", problem, part.num_rows)
            if whole:
                yield part.select(list(declared))

    def _look(self, part: pa.Table) -> _Seen:
        arrays = {name: one_chunk(part.column(name)) for name in part.column_names}
        broken = [_mask(rule, arrays[rule.column]) for rule in self._rules]
        broken += [self._orphans(part, reference) for reference in self._schema.references]
        return _Seen(part, tuple(broken), tuple(_key_words(part, columns) for columns in self._uniques))

    def _orphans(self, part: pa.Table, reference: Reference) -> Mask | None:
        parents = self._index[_parent(reference)]
        child = part.select(list(reference.columns))
        if parents is None or self._unseen[reference]:
            return None
        valid, missing = complete(child), parents.missing(reference_words(child))
        return missing if valid is None else missing & valid

    def _count(self, tally: _Tally, part: pa.Table, mask: Mask) -> None:
        count = int(np.count_nonzero(mask))
        wanted = self._options.examples - len(tally.examples)
        if count and wanted > 0:
            tally.examples.extend(self._rows(part, np.flatnonzero(mask)[:wanted], tally.columns))
        tally.count += count

    def _rows(self, part: pa.Table, at: Any, columns: tuple[str, ...]) -> list[dict[str, Any]]:
        names = list(dict.fromkeys((*self._schema.key, *columns)))
        return cell_rows(part.select(names).take(pa.array(at)), self._schema, reveal=self._options.reveal)

    def _check(self, tally: _Tally) -> Check:
        if not tally.count:
            return Check(self._schema.name, tally.rule, True)
        name = ", ".join(tally.columns)
        message = f"{_rows_where(tally.count)} {name} {tally.phrase}"
        return Check(self._schema.name, tally.rule, False, tally.count, tuple(tally.examples), message)

    def _unique(self, columns: tuple[str, ...], suspects: Words, rows: Rows) -> Check:
        rule = f"{'key' if columns == self._schema.key else 'unique'}({', '.join(columns)})"
        if len(suspects) == 0:
            return Check(self._schema.name, rule, True)
        names = list(dict.fromkeys((*self._schema.key, *columns)))
        count = 0
        found: list[pa.Table] = []
        for part in rows.batches(self._schema.name, names):
            hit = _suspected(part.select(list(columns)), suspects)
            count += int(np.count_nonzero(hit))
            if sum(part.num_rows for part in found) < _SUSPECTS:
                found.append(part.filter(pa.array(hit)))
        repeated = _truly_repeated(pa.concat_tables(found), columns)
        if repeated.num_rows == 0:
            return Check(self._schema.name, rule, True)
        extra = max(count - len(suspects), 1)
        examples = cell_rows(
            repeated.select(names).slice(0, self._options.examples), self._schema, reveal=self._options.reveal
        )
        message = (
            f"{_rows_where(extra)} {', '.join(columns)} {'repeats' if extra == 1 else 'repeat'} that of another row"
        )
        return Check(self._schema.name, rule, False, extra, tuple(examples), message)


def _mask(rule: ColumnRule, array: pa.Array) -> Mask | None:
    mask = rule.broken(array)
    if mask is None or not pc.any(mask, min_count=0).as_py():
        return None
    found: Mask = mask.to_numpy(zero_copy_only=False)
    return found


def _key_words(part: pa.Table, columns: tuple[str, ...]) -> Words:
    selected = part.select(list(columns))
    keys, valid = unique_words(selected), complete(selected)
    return keys if valid is None else keys[valid]


def _suspected(keys: pa.Table, suspects: Words) -> Mask:
    hit: Mask = np.isin(unique_words(keys), suspects)
    valid = complete(keys)
    return hit if valid is None else hit & valid


def _truly_repeated(rows: pa.Table, columns: tuple[str, ...]) -> pa.Table:
    """The rows of `rows` whose values occur twice, equal values beside each other."""
    keys = by_number(rows, columns)
    numbered = keys.append_column("#", pa.array(range(rows.num_rows), pa.int64()))
    groups = numbered.group_by(keys.column_names, use_threads=False).aggregate([("#", "list")])
    at = [row for group in groups.column("#_list").to_pylist() if len(group) > 1 for row in group]
    return rows.take(pa.array(at, pa.int64()))


def _type_problem(part: pa.Table, name: str, expected: pa.DataType) -> str:
    place = part.schema.get_field_index(name)
    if place < 0:
        return f"{name} is missing"
    actual = part.schema.field(place).type
    return "" if actual.equals(expected) else f"{name} holds {actual}, expected {expected}"


def _failed(table: str, rule: str, message: str, count: int = 0) -> Check:
    return Check(table, rule, False, count, (), message)


def _place(reference: Reference) -> str:
    return f"{reference.dataset}:{reference.table}" if reference.dataset else reference.table


def _rows_where(count: int) -> str:
    return "1 row whose" if count == 1 else f"{count} rows whose"


def _ahead(pool: ThreadPoolExecutor, work: Callable[[pa.Table], _Seen], parts: Iterator[pa.Table]) -> Iterator[_Seen]:
    """`work` over `parts` in their order, a few parts ahead of the reader."""
    waiting: deque[Future[_Seen]] = deque()
    for part in parts:
        waiting.append(pool.submit(work, part))
        if len(waiting) >= _AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
