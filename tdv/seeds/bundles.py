"""Scenarios as a snapshot holds them: which rows each one brings, and their digest.

In: the scenarios of a build and the snapshot just written, or a snapshot that was released. Out: entries of the
manifest, and from those the rows again. Always holds: `scenario_rows` of an entry that `scenario_manifests` made
gives exactly the rows that its digest covers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa

from tdv.content.arrow import arrow_schema, canonical, empty_table
from tdv.content.digest import TableDigester
from tdv.content.keys import keys_of, keys_table
from tdv.content.order import ordered
from tdv.content.snapshot import Snapshot
from tdv.content.text import from_text, to_text
from tdv.content.tree import content_digest
from tdv.errors import IntegrityError
from tdv.model.manifest import ScenarioManifest
from tdv.model.scenario import Expectation
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.seeds.closure import closure
from tdv.seeds.scenarios import Scenario


def expectations(scenarios: Iterable[Scenario]) -> tuple[Expectation, ...]:
    """What the scenarios that are part of the dataset expect; those of standalone ones hold of their rows alone."""
    return tuple(item for scenario in scenarios if not scenario.standalone for item in scenario.expect)


def scenario_manifests(scenarios: Iterable[Scenario], snapshot: Snapshot) -> tuple[ScenarioManifest, ...]:
    """The manifest's entry of each scenario, with the rows of `snapshot` that it references."""
    return tuple(_manifest(scenario, snapshot) for scenario in scenarios)


def scenario_rows(scenario: ScenarioManifest, snapshot: Snapshot) -> dict[str, pa.Table]:
    """The rows that a load of the scenario alone brings, in canonical order, by table in the order of the schema.

    Tables without a row are left out. Raises `IntegrityError` when the snapshot does not hold those rows.
    """
    found = {}
    for table in snapshot.manifest.schema.tables:
        parts = []
        if table.name in scenario.own:
            parts.append(_from_plain(scenario.own[table.name], table))
        if scenario.rows.get(table.name):
            parts.append(snapshot.lookup(table.name, keys_table(scenario.rows[table.name], table)))
        if parts:
            found[table.name] = ordered(pa.concat_tables(parts), table)
    if _digest(found, snapshot.manifest.schema) != scenario.digest:
        raise IntegrityError(
            f"the snapshot of {snapshot.manifest.dataset} does not hold the rows of its scenario {scenario.name}",
            hint="`tdv pull --verify` fetches what is damaged anew; `tdv verify` names it.",
            scenario=scenario.name,
        )
    return found


def united_rows(scenarios: Iterable[ScenarioManifest], snapshot: Snapshot) -> dict[str, pa.Table]:
    """Every table with the rows that a load of all these scenarios brings, each row once, in canonical order.

    Raises `IntegrityError` as `scenario_rows` does.
    """
    found = [scenario_rows(scenario, snapshot) for scenario in scenarios]
    tables = {}
    for table in snapshot.manifest.schema.tables:
        parts = [rows[table.name] for rows in found if table.name in rows]
        together = pa.concat_tables([empty_table(table), *parts])
        tables[table.name] = ordered(_distinct(together, table), table)
    return tables


def _distinct(rows: pa.Table, table: TableSchema) -> pa.Table:
    """Two scenarios may reference one row; rows without a key are told apart by nothing and all stay."""
    if not table.key:
        return rows
    first = {key: row for row, key in reversed(list(enumerate(keys_of(rows, table))))}
    return rows.take(pa.array(sorted(first.values()), pa.int64()))


def standalone_rows(scenario: Scenario, snapshot: Snapshot) -> dict[str, pa.Table]:
    """Every table of the dataset with what a load of the scenario alone brings: what its `expect` is about."""
    schema = snapshot.manifest.schema
    rows = _closed(scenario, snapshot)
    return {table.name: rows.get(table.name, arrow_schema(table).empty_table()) for table in schema.tables}


def _manifest(scenario: Scenario, snapshot: Snapshot) -> ScenarioManifest:
    schema = snapshot.manifest.schema
    rows = _closed(scenario, snapshot)
    own = {
        name: _to_plain(table, schema.table(name))
        for name, table in scenario.rows.items()
        if table.num_rows and _is_own(scenario, schema.table(name))
    }
    return ScenarioManifest(
        name=scenario.name,
        title=scenario.title,
        digest=_digest(rows, schema),
        labels=scenario.labels,
        rows={name: _stored_keys(table, schema.table(name), scenario) for name, table in rows.items()},
        standalone=scenario.standalone,
        own=own,
    )


def _is_own(scenario: Scenario, table: TableSchema) -> bool:
    """True where the scenario's rows cannot be looked up in the snapshot: they are not in it, or have no key."""
    return scenario.standalone or not table.key


def _closed(scenario: Scenario, snapshot: Snapshot) -> dict[str, pa.Table]:
    schema = snapshot.manifest.schema
    start = {}
    for name, rows in scenario.rows.items():
        table = schema.table(name)
        in_snapshot = not _is_own(scenario, table) and rows.num_rows
        start[name] = snapshot.lookup(name, rows.select(list(table.key))) if in_snapshot else rows
    return closure(start, schema, snapshot.lookup)


def _stored_keys(rows: pa.Table, table: TableSchema, scenario: Scenario) -> tuple[tuple[Any, ...], ...]:
    """The keys of the rows that the snapshot holds."""
    if not table.key:
        return ()
    own = set(scenario.labels.get(table.name, {}).values()) if scenario.standalone else set()
    return tuple(key for key in keys_of(rows, table) if key not in own)


def _digest(rows: Mapping[str, pa.Table], schema: DatasetSchema) -> str:
    digests = {}
    for name, table in rows.items():
        digester = TableDigester(schema.table(name))
        digester.update(table)
        digests[name] = digester.finish()
    return content_digest(digests)


def _to_plain(rows: pa.Table, table: TableSchema) -> tuple[tuple[str | None, ...], ...]:
    columns = [to_text(rows.column(column.name), column.type).to_pylist() for column in table.columns]
    return tuple(zip(*columns, strict=True))


def _from_plain(rows: Iterable[tuple[Any, ...]], table: TableSchema) -> pa.Table:
    columns = zip(*rows, strict=True)
    arrays = [
        from_text(pa.array(texts, pa.string()), column.type).array
        for texts, column in zip(columns, table.columns, strict=True)
    ]
    return canonical(pa.Table.from_arrays(arrays, schema=arrow_schema(table)), table)
