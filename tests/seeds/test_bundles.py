"""What a scenario brings with it: rows in the manifest, digest, and the rows again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from tdv.content.arrow import canonical
from tdv.content.snapshot import Snapshot
from tdv.errors import IntegrityError
from tdv.model.manifest import ScenarioManifest
from tdv.model.schema import DatasetSchema, Reference, TableSchema
from tdv.seeds import Scenario, closure, expectations, scenario_manifests, scenario_rows, standalone_rows
from tdv.seeds.labels import Row
from tdv.snapshot import SnapshotOptions, TableRows, write
from tests.seeds.builders import columns

COUNTRIES = TableSchema("countries", columns(code="string", name="string"), key=("code",))
PEOPLE = TableSchema(
    "people",
    columns(id="int32", country="string?", boss="int32?"),
    key=("id",),
    references=(Reference(("country",), "countries", ("code",)), Reference(("boss",), "people", ("id",))),
)
LINES = TableSchema("lines", columns(doc="int32", line="int32", owner="int32"), key=("doc", "line"))
NOTES = TableSchema(
    "notes",
    columns(text="string", doc="int32?", line="int32?"),
    references=(Reference(("doc", "line"), "lines", ("doc", "line")),),
)
SCHEMA = DatasetSchema((COUNTRIES, PEOPLE, LINES, NOTES))
ROWS: dict[str, list[Row]] = {
    "countries": [{"code": code, "name": code.upper()} for code in ("de", "fr", "it")],
    "people": [
        {"id": 1, "country": "de", "boss": None},
        {"id": 2, "country": "fr", "boss": 1},
        {"id": 3, "country": None, "boss": 2},
        {"id": 4, "country": "it", "boss": 4},
    ],
    "lines": [{"doc": doc, "line": line, "owner": 1} for doc in (1, 2) for line in (1, 2)],
    "notes": [{"text": "a", "doc": 1, "line": 2}, {"text": "b", "doc": None, "line": 1}],
}


def table(schema: TableSchema, rows: list[Row]) -> pa.Table:
    data = {name: [row[name] for row in rows] for name in schema.column_names}
    return canonical(pa.table(data), schema)


def scenario(rows: dict[str, list[Row]], *, standalone: bool = False) -> Scenario:
    tables = {name: table(SCHEMA.table(name), wanted) for name, wanted in rows.items()}
    labels = {
        name: {f"l{index}": tuple(row[column] for column in SCHEMA.table(name).key) for index, row in enumerate(wanted)}
        for name, wanted in rows.items()
    }
    return Scenario("case", "A case", "", (), tables, labels, (), standalone, "case.yaml")


@pytest.fixture
def snapshot(tmp_path: Path) -> Snapshot:
    tables = [TableRows(schema, [table(schema, ROWS[schema.name])]) for schema in SCHEMA.tables]
    write(tables, SnapshotOptions("d", 1, "2026-01-01T00:00:00Z", workers=1), tmp_path / "data")
    return Snapshot.open(tmp_path / "data")


def brought(case: Scenario, snapshot: Snapshot) -> dict[str, list[Row]]:
    (entry,) = scenario_manifests([case], snapshot)
    assert ScenarioManifest.from_plain(entry.name, entry.to_plain()) == entry
    return {name: rows.to_pylist() for name, rows in scenario_rows(entry, snapshot).items()}


def test_scenario_brings_what_it_references_through_others(snapshot: Snapshot) -> None:
    assert brought(scenario({"people": [ROWS["people"][2]]}), snapshot) == {
        "countries": [{"code": "de", "name": "DE"}, {"code": "fr", "name": "FR"}],
        "people": ROWS["people"][:3],
    }


def test_row_that_references_itself_is_brought_once(snapshot: Snapshot) -> None:
    assert brought(scenario({"people": [ROWS["people"][3]]}), snapshot)["people"] == [ROWS["people"][3]]


def test_composite_references_match_whole_keys(snapshot: Snapshot) -> None:
    found = brought(scenario({"notes": ROWS["notes"]}), snapshot)
    assert found["lines"] == [{"doc": 1, "line": 2, "owner": 1}]
    assert sorted(row["text"] for row in found["notes"]) == ["a", "b"]


def test_built_row_stands_for_the_written_one(snapshot: Snapshot) -> None:
    """Derived columns are filled by the build, so the snapshot's row counts."""
    written = scenario({"lines": [{"doc": 1, "line": 1, "owner": 99}]})
    assert brought(written, snapshot)["lines"] == [{"doc": 1, "line": 1, "owner": 1}]


def test_standalone_scenario_keeps_rows_that_contradict_the_dataset(snapshot: Snapshot) -> None:
    case = scenario({"people": [{"id": 1, "country": "it", "boss": 2}]}, standalone=True)
    expected = {
        "countries": [{"code": "fr", "name": "FR"}, {"code": "it", "name": "IT"}],
        "people": [{"id": 1, "country": "it", "boss": 2}, {"id": 2, "country": "fr", "boss": 1}],
    }
    assert brought(case, snapshot) == expected
    alone = standalone_rows(case, snapshot)
    assert {name: rows.to_pylist() for name, rows in alone.items() if rows.num_rows} == expected
    assert list(alone) == [schema.name for schema in SCHEMA.tables]


def test_damaged_scenario_is_refused(snapshot: Snapshot) -> None:
    (entry,) = scenario_manifests([scenario({"people": [ROWS["people"][1]]})], snapshot)
    with pytest.raises(IntegrityError, match="case"):
        scenario_rows(replace(entry, rows={"people": ((1,),)}), snapshot)


def test_expectations_leave_standalone_scenarios_out() -> None:
    assert expectations([scenario({}, standalone=True)]) == ()


def test_closure_ignores_missing_rows(snapshot: Snapshot) -> None:
    orphan = table(PEOPLE, [{"id": 9, "country": "xx", "boss": 77}])
    assert closure({"people": orphan}, SCHEMA, snapshot.lookup) == {"people": orphan}
