"""Rewrites sources until they build to exactly what the migrations left.

In: the sources, the capture, and a way to build. Out: `Proved`. Always holds: what is given back was built, and has
the schema and, table by table, the digest of the capture; generated rows become seeds only where that is wished, and
a statement goes only where it cannot run or holds no more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from tdv.content.digest import TableDigester
from tdv.content.order import ordered
from tdv.content.snapshot import Snapshot
from tdv.errors import Bug, DataError, Refused
from tdv.model.schema import DatasetSchema
from tdv.seeds import Scenario
from tdv.upgrade.capture import Capture, Table
from tdv.upgrade.fates import WHOLE
from tdv.upgrade.rewrite import RewriteOptions, Rewritten, SourceTexts, rewrite

Lost = Mapping[str, Mapping[str, str]]
"""By table and column, "" for the table itself, why the sources do not make what is there."""

_DIFFERS: Final = "a build makes other values than the migrations left"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A build of rewritten sources. `files` are by path within the dataset, None for one that goes; `snapshot` is None
    where `lost` names generators that the spec cannot have; `untrue` are the SQL rules that do not hold, by table;
    `scenarios` are those of the files."""

    files: Mapping[str, bytes | None]
    snapshot: Snapshot | None
    lost: Lost
    untrue: frozenset[tuple[str, str]] = frozenset()
    scenarios: tuple[Scenario, ...] = ()


@dataclass(frozen=True, slots=True)
class Proved:
    """Sources that build to the capture: the files that differ, the snapshot that they make, the tables whose
    generated rows are seeds now, and what was taken out."""

    files: Mapping[str, bytes | None]
    snapshot: Snapshot
    frozen: tuple[str, ...]
    notes: tuple[str, ...]


def prove(
    sources: SourceTexts,
    capture: Capture,
    build: Callable[[Rewritten], Attempt],
    options: RewriteOptions,
    *,
    freeze: bool,
) -> Proved:
    """Rewrites and builds; raises `Refused` for generators that make something else unless `freeze`, `DataError` for
    hand-written rows that do."""
    while True:
        rewritten = rewrite(sources, capture, options)
        attempt = Attempt({}, None, rewritten.lost) if rewritten.lost else build(rewritten)
        if attempt.snapshot is not None and attempt.untrue:
            options = replace(options, untrue=(*options.untrue, *attempt.untrue))
            continue
        lost = attempt.lost or dict(_differences(attempt.snapshot, capture))
        if not lost and attempt.snapshot is not None:
            _refuse_other_rows(sources, attempt.scenarios)
            return Proved(attempt.files, attempt.snapshot, tuple(sorted(options.frozen)), rewritten.notes)
        _refuse(lost, _generated(sources, capture) - set(options.frozen), freeze=freeze)
        options = replace(options, frozen=(*options.frozen, *lost))


def _generated(sources: SourceTexts, capture: Capture) -> set[str]:
    """The tables, as they are named now, that have generated rows."""
    old = {table.name: table.old for table in capture.tables if table.old is not None}
    return {name for name, was in old.items() if sources.spec.table(was).rows}


def _refuse(lost: Lost, generated: set[str], *, freeze: bool) -> None:
    named = "; ".join(
        f"{table}.{column}: {reason}" if column else f"{table}: {reason}"
        for table, columns in lost.items()
        for column, reason in columns.items()
    )
    if not lost.keys() <= generated:
        raise DataError(
            f"The sources cannot be rewritten: {named}",
            hint="Change the rows of these tables by hand, or let the migrations leave them alone.",
        )
    if not freeze:
        raise Refused(
            f"No generator makes what the migrations left: {named}",
            hint=f"--freeze turns the generated rows of {', '.join(lost)} into seeds.",
            lost={table: dict(columns) for table, columns in lost.items()},
        )


def _refuse_other_rows(sources: SourceTexts, scenarios: Iterable[Scenario]) -> None:
    """Raises `DataError` for a standalone scenario with a row that the migrations did not leave."""
    for scenario in scenarios:
        alone = sources.alone.get(scenario.name)
        for table in alone.capture.tables if alone is not None else ():
            rows = scenario.rows.get(table.name, table.rows.slice(0, 0)).to_pylist()
            left = table.rows.to_pylist()
            if any(row not in left for row in rows):
                raise DataError(
                    f"{scenario.file} cannot be rewritten: its rows of {table.name} are not what the migrations left",
                    hint="Change these rows by hand, or let the migrations leave them alone.",
                )


def _differences(built: Snapshot | None, capture: Capture) -> Iterator[tuple[str, Mapping[str, str]]]:
    if built is None:
        return
    if not _is_same_schema(built.manifest.schema, capture):
        raise Bug(f"The spec of {built.manifest.dataset} was rewritten into another schema", hint=None)
    for table in capture.tables:
        digester = TableDigester(table.schema)
        digester.update(ordered(table.rows, table.schema))
        if digester.finish() != built.manifest.table(table.name).digest:
            yield table.name, _columns(built, table)


def _is_same_schema(built: DatasetSchema, capture: Capture) -> bool:
    """Whether both are one schema, but for checks and invariants, which a database does not tell."""
    bare = DatasetSchema(tuple(replace(table, checks=()) for table in built.tables))
    return bare.identity() == capture.schema.identity()


def _columns(built: Snapshot, table: Table) -> dict[str, str]:
    made, left = built.table(table.name), ordered(table.rows, table.schema)
    if made.num_rows != left.num_rows:
        return {WHOLE: f"a build makes {made.num_rows} rows, the migrations left {left.num_rows}"}
    names = [name for name in table.schema.column_names if not made.column(name).equals(left.column(name))]
    return dict.fromkeys(names or [WHOLE], _DIFFERS)
