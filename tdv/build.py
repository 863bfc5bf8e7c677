"""Builds the rows of a dataset: generated and hand-written ones, table by table.

In: the spec, seeds and scenarios as Arrow tables, snapshots of other datasets. Out: per table a stream of Arrow
tables with the columns of its schema. Always holds: the rows are a function of the spec, the factories and the
hand-written rows; block size, executor and the order in which tables are read change nothing; a key that is
written by hand and generated as well is an error.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final

import pyarrow as pa

from tdv.content.arrow import arrow_schema
from tdv.content.snapshot import Snapshot
from tdv.errors import NotFound, UsageError
from tdv.factories.handwritten import Handwritten
from tdv.factories.parents import Given, ParentKeys
from tdv.factories.spool import Spool
from tdv.factories.table import worker_columns
from tdv.factories.variation import FIRST, Variation
from tdv.factories.worker import Job, run
from tdv.model.schema import TableSchema
from tdv.model.spec import DatasetSpec, TableSpec
from tdv.seeds.scenarios import Scenario

_AHEAD: Final = 2
"""Blocks per processor that are made before they are asked for."""


@dataclass(frozen=True)
class BuildInputs:
    """What a build reads besides the spec.

    `root` is the repository, `directory` the dataset's own, `scratch` a directory for this build alone; `others`
    holds snapshots of the datasets that references point into, by name.
    """

    root: Path
    directory: Path
    scratch: Path
    seeds: Mapping[str, pa.Table] = field(default_factory=dict)
    scenarios: Sequence[Scenario] = ()
    others: Mapping[str, Snapshot] = field(default_factory=dict)
    variation: Variation = FIRST


def generate(
    spec: DatasetSpec, inputs: BuildInputs, executor: Executor | None = None
) -> Iterator[tuple[TableSchema, Iterator[pa.Table]]]:
    """Each table of the spec in order, with its rows in blocks; tables may be read in any order, each once.

    Generated rows come first, in the order of their numbers, with hand-written rows between them where the key is
    a rising sequence, otherwise after them. Rows of standalone scenarios are left out. Raises `FactoryError` and
    `DocumentError` for what cannot be generated, `DataError` for keys that stand twice.
    """
    handwritten = _handwritten(spec, inputs)
    given = _given(spec, inputs, handwritten)
    parents = ParentKeys(given)
    for table in spec.tables:
        blocks = _blocks(parents, table, inputs.variation.block_rows, executor)
        yield table.schema, handwritten[table.name].merged(blocks, table)


def sample(spec: DatasetSpec, inputs: BuildInputs, table: str, rows: range) -> pa.Table:
    """Generated rows of one table, without building the others; `rows` is cut at the table's end.

    Raises `NotFound` for an unknown table, `UsageError` for rows before the first or beyond the last.
    """
    wanted = _table(spec, table)
    if rows.start < 0 or (wanted.rows and rows.start >= wanted.rows):
        raise UsageError(
            f"{spec.name}.{table} has no row {rows.start}",
            hint=f"Rows are numbered from 0 to {wanted.rows - 1}.",
        )
    rows = range(rows.start, min(rows.stop, wanted.rows))
    if not rows:
        return arrow_schema(wanted.schema).empty_table()
    given = _given(spec, inputs, _handwritten(spec, inputs), only=(table, rows))
    return ParentKeys(given).generator(table).block(rows.start, rows.stop)


def _handwritten(spec: DatasetSpec, inputs: BuildInputs) -> dict[str, Handwritten]:
    names = [table.name for table in spec.tables]
    return {name: Handwritten.gather(spec, name, inputs.seeds, inputs.scenarios) for name in names}


def _table(spec: DatasetSpec, name: str) -> TableSpec:
    try:
        return spec.table(name)
    except KeyError:
        raise NotFound(
            f"the dataset {spec.name} has no table {name!r}",
            hint=f"Its tables are {', '.join(table.name for table in spec.tables)}.",
        ) from None


def _given(
    spec: DatasetSpec,
    inputs: BuildInputs,
    handwritten: Mapping[str, Handwritten],
    only: tuple[str, range] | None = None,
) -> Given:
    """The parents' keys, and the rows of all worker processes, which are run here, parents before children.

    `only` names a table of which no more than a range of rows is needed.
    """
    keys = {name: rows.table for name, rows in handwritten.items()}
    spools: dict[str, Spool] = {}
    given = Given(spec, keys, _others(spec, inputs.others), spools)
    for table in _order(spec):
        columns = worker_columns(spec, table)
        if not columns:
            continue
        rows = only[1] if only is not None and only[0] == table.name else range(table.rows)
        job = Job(given, table.name, columns, rows, inputs.root, inputs.directory, inputs.variation)
        spools[table.name] = run(job, inputs.scratch)
    return given


def _others(spec: DatasetSpec, snapshots: Mapping[str, Snapshot]) -> dict[tuple[str, str], pa.Table]:
    found: dict[tuple[str, str], pa.Table] = {}
    for table in spec.tables:
        for reference in table.schema.references:
            if reference.dataset is None or reference.dataset not in snapshots:
                continue
            place = (reference.dataset, reference.table)
            known = set(found[place].column_names) if place in found else set()
            columns = sorted(known | set(reference.to))
            found[place] = snapshots[reference.dataset].table(reference.table, columns)
    return found


def _order(spec: DatasetSpec) -> list[TableSpec]:
    """The tables, each after the tables that it references; circles are cut where the declared order meets them."""
    ordered: list[TableSpec] = []
    entered: set[str] = set()

    def visit(table: TableSpec) -> None:
        if table.name in entered:
            return
        entered.add(table.name)
        for reference in table.schema.references:
            if reference.dataset is None:
                visit(spec.table(reference.table))
        ordered.append(table)

    for table in spec.tables:
        visit(table)
    return ordered


def _blocks(parents: ParentKeys, table: TableSpec, size: int, executor: Executor | None) -> Iterator[pa.Table]:
    """The generated rows; with an executor, some blocks are made ahead of the reader."""
    starts = range(0, table.rows, size)
    if executor is None or len(starts) < 2:
        return (_block(parents, table.name, start, min(start + size, table.rows)) for start in starts)
    return _ahead(parents, table, starts, executor)


def _ahead(parents: ParentKeys, table: TableSpec, starts: range, executor: Executor) -> Iterator[pa.Table]:
    waiting: deque[Future[pa.Table]] = deque()
    submitted = (
        executor.submit(_block, parents, table.name, start, min(start + starts.step, table.rows)) for start in starts
    )
    try:
        waiting.extend(islice(submitted, _AHEAD * (os.cpu_count() or 1)))
        while waiting:
            block = waiting.popleft().result()
            waiting.extend(islice(submitted, 1))
            yield block
    finally:
        for future in waiting:
            future.cancel()


def _block(parents: ParentKeys, table: str, start: int, stop: int) -> pa.Table:
    return parents.generator(table).block(start, stop)
