"""What is in a state of a dataset: its tables, the first rows of one, the keys of a scenario.

In: a snapshot, or its manifest, and the release that it belongs to, if any. Out: views with a JSON form. Always
holds: values of private columns are hidden unless asked for; naming tables reads no rows.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa

from tdv.content.examples import cell_rows
from tdv.content.snapshot import Snapshot
from tdv.documents.words import did_you_mean
from tdv.errors import NotFound
from tdv.model.cell import json_form
from tdv.model.manifest import Manifest, ScenarioManifest, TableManifest
from tdv.model.release import Release

FORMAT: Final = "tdv.show/v1"


@dataclass(frozen=True, slots=True)
class DatasetView:
    """A whole dataset; `version` is ``1.1.0``, ``workspace`` or ``git:<rev>``, `release` None for the latter two."""

    version: str
    manifest: Manifest
    release: Release | None

    def to_plain(self) -> dict[str, Any]:
        manifest, release = self.manifest, self.release
        plain: dict[str, Any] = {
            "format": FORMAT,
            "dataset": manifest.dataset,
            "version": self.version,
            "digest": manifest.digest,
            "tables": {table.name: _table(table) for table in manifest.tables},
            "scenarios": {item.name: {"title": item.title, "digest": item.digest} for item in manifest.scenarios},
            "toolchain": dict(manifest.toolchain),
        }
        if release is not None:
            record = release.record
            plain |= {
                "released": record.released,
                "author": record.author,
                "notes": record.notes,
                "compat": release.compat.to_plain(),
                "requires": dict(record.requires),
                "yanked": release.yanked,
                "change": record.change.to_plain(),
            }
        return plain


@dataclass(frozen=True, slots=True)
class TableView:
    """One table with its first rows as column → cell."""

    dataset: str
    table: TableManifest
    rows: Sequence[Mapping[str, Any]]

    def to_plain(self) -> dict[str, Any]:
        plain = {"format": FORMAT, "dataset": self.dataset, "table": self.table.name, **_table(self.table)}
        return json_form({**plain, "first": self.rows})


@dataclass(frozen=True, slots=True)
class ScenarioView:
    """One scenario: by table and label the key of the row, and how many rows a load of it alone brings."""

    dataset: str
    scenario: ScenarioManifest

    def to_plain(self) -> dict[str, Any]:
        scenario = self.scenario
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "scenario": scenario.name,
            "title": scenario.title,
            "digest": scenario.digest,
            "standalone": scenario.standalone,
            "labels": {
                table: {label: list(key) for label, key in labels.items()} for table, labels in scenario.labels.items()
            },
            "rows": {table: len(keys) for table, keys in scenario.rows.items()},
        }


def show_dataset(manifest: Manifest, version: str, release: Release | None = None) -> DatasetView:
    """The tables and scenarios of a dataset."""
    return DatasetView(version, manifest, release)


def show_table(snapshot: Snapshot, table: str, rows: int = 10, *, reveal: bool = False) -> TableView:
    """The schema of a table and its first `rows` rows; reads no more parts than that takes.

    Raises `NotFound` for a table that does not exist, `IntegrityError` for a damaged part.
    """
    parts, missing = [], rows
    for part in snapshot.batches(table):
        parts.append(part.slice(0, missing))
        missing -= parts[-1].num_rows
        if missing <= 0:
            break
    manifest = snapshot.manifest.table(table)
    return TableView(
        snapshot.manifest.dataset, manifest, cell_rows(pa.concat_tables(parts), manifest.schema, reveal=reveal)
    )


def show_scenario(manifest: Manifest, name: str) -> ScenarioView:
    """The keys behind the labels of a scenario; raises `NotFound`."""
    for scenario in manifest.scenarios:
        if scenario.name == name:
            return ScenarioView(manifest.dataset, scenario)
    known = [scenario.name for scenario in manifest.scenarios]
    raise NotFound(
        f"The dataset {manifest.dataset} has no scenario {name!r}{did_you_mean(name, known)}",
        hint=f"Its scenarios are {', '.join(known) or 'none'}.",
    )


def _table(table: TableManifest) -> dict[str, Any]:
    return {"rows": table.rows, "digest": table.digest, **table.schema.to_plain()}
