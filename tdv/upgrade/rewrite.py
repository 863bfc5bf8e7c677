"""The sources of a dataset after migrations: spec, seeds and scenarios.

In: the sources as they are, and what the migrations made of the dataset. Out: `Rewritten`, the files that differ.
Always holds: nothing is written; a file that says the same afterwards is not among them; what no generator can make
is named.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import PurePosixPath

import pyarrow as pa

from tdv.model.schema import TableSchema
from tdv.model.spec import DatasetSpec, TableSpec
from tdv.seeds import Scenario, SeedFile, file_stem
from tdv.upgrade.capture import Capture, Table
from tdv.upgrade.fates import Fates, fates
from tdv.upgrade.moves import Move
from tdv.upgrade.origins import Origins, origins
from tdv.upgrade.scenario_edits import Arrived, ScenarioEdits, arrivals
from tdv.upgrade.seed_texts import SeedMove, rewritten
from tdv.upgrade.spec_edits import SpecEdits
from tdv.upgrade.statements import Statements


@dataclass(frozen=True, slots=True)
class SourceTexts:
    """The dataset as it is written: `spec` with its `text`, seeds and scenarios, these with their texts by name; `rows`
    are what they build to. `alone` are standalone scenarios by name, which contradict the others: each with its own
    rows, and what the migrations made of them."""

    spec: DatasetSpec
    text: str
    seeds: Sequence[SeedFile]
    scenarios: Sequence[Scenario]
    scenario_texts: Mapping[str, str]
    rows: Callable[[str], pa.Table]
    alone: Mapping[str, Alone] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Alone:
    """A standalone scenario: its rows with what they reference, and the same capture with what became of these."""

    rows: Callable[[str], pa.Table]
    capture: Capture


@dataclass(frozen=True, slots=True)
class Seeded:
    """Rows of a table that need a seed file of their own."""

    schema: TableSchema
    rows: pa.Table


@dataclass(frozen=True, slots=True)
class Rewritten:
    """`files` are by path within the dataset, None for one that goes; `seeded` are to be written as seeds; `lost` says
    by table and column, "" for the table itself, why no generator can make what is there; `notes` what was taken
    out."""

    files: Mapping[str, bytes | None]
    seeded: tuple[Seeded, ...]
    lost: Mapping[str, Mapping[str, str]]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RewriteOptions:
    """`span` is what the spec's migrations are to be, None to say nothing of them; the generated rows of `frozen`
    tables, as they are named now, become seeds; `untrue` are rules that a build found broken, by table, and that are
    taken out."""

    span: Mapping[str, str] | None = None
    frozen: Collection[str] = ()
    untrue: Collection[tuple[str, str]] = ()


def rewrite(sources: SourceTexts, capture: Capture, options: RewriteOptions) -> Rewritten:
    """Rewrites the sources."""
    return _Rewriting(sources, capture, options).rewritten()


@dataclass(frozen=True)
class _Rewriting:
    sources: SourceTexts
    capture: Capture
    options: RewriteOptions
    files: dict[str, bytes | None] = field(default_factory=dict)
    seeded: list[Seeded] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def rewritten(self) -> Rewritten:
        found = {table.name: self._fates(table) for table in self.capture.tables if table.old is not None}
        with Statements(self.capture.schema, self.options.untrue) as statements:
            edits = SpecEdits(
                self.sources.spec, self.capture, found, self.options.frozen, statements, self.options.span, self.notes
            )
            self._put("dataset.yaml", self.sources.text, edits.rewritten(self.sources.text))
            self._scenarios(statements)
        for table in self.capture.tables:
            self._seeds(table)
        for seed in self.sources.seeds:
            if seed.table.name in self.capture.removed:
                self._remove(seed)
        lost = {name: made.lost for name, made in found.items() if made.lost and name not in self.options.frozen}
        return Rewritten(self.files, tuple(self.seeded), lost, tuple(self.notes))

    @cached_property
    def moves(self) -> Mapping[str, Move]:
        """By the name before."""
        found = {}
        for table in self.capture.tables:
            if table.old is not None:
                spec = self._spec(table)
                derived = frozenset(name for name, item in spec.generators.items() if item.kind == "derive")
                found[table.old] = Move(spec.schema, self.sources.rows(table.old), table, derived)
        return found

    @cached_property
    def origins(self) -> Mapping[str, Origins]:
        """By the name before."""
        return {old: origins(move, self.sources.seeds, self.sources.scenarios) for old, move in self.moves.items()}

    @cached_property
    def arrived(self) -> Mapping[tuple[str, str], Sequence[Arrived]]:
        """The rows of new tables that go to scenarios."""
        return arrivals(self.capture, self.moves, self.origins)

    def _spec(self, table: Table) -> TableSpec:
        return self.sources.spec.table(str(table.old))

    def _fates(self, table: Table) -> Fates:
        return fates(self.moves[str(table.old)], self._spec(table), self.origins[str(table.old)].generated)

    def _put(self, path: str, old: str, new: str) -> None:
        if new != old:
            self.files[path] = new.encode("utf-8")

    # -- scenarios

    def _scenarios(self, statements: Statements) -> None:
        edits = ScenarioEdits(
            self.sources.spec.name, self.capture, self.moves, self.origins, self.arrived, statements, self.notes
        )
        for scenario in self.sources.scenarios:
            if scenario.standalone:
                self._standalone(scenario, statements)
                continue
            name = PurePosixPath(scenario.file).name
            text = self.sources.scenario_texts[name]
            self._put(f"scenarios/{name}", text, edits.rewritten(scenario, text))

    def _standalone(self, scenario: Scenario, statements: Statements) -> None:
        """Rewrites a scenario that is loaded by itself, as the dataset of its own that it is."""
        alone = self.sources.alone[scenario.name]
        texts = replace(
            self.sources, seeds=(), scenarios=(replace(scenario, standalone=False),), rows=alone.rows, alone={}
        )
        rewriting = _Rewriting(texts, alone.capture, self.options, self.files, notes=self.notes)
        rewriting._scenarios(statements)

    # -- seeds

    def _seeds(self, table: Table) -> None:
        files = [seed for seed in self.sources.seeds if seed.table.name == table.old]
        added = self._added(table)
        if table.name in self.options.frozen:
            self._as_one(table, files, self._unlabelled(table))
            return
        if table.old is None or not files:
            if added:
                self._as_one(table, files, added)
            return
        move, places = self.moves[table.old], self.origins[table.old].seeds
        moved = [SeedMove(seed, places[seed.path.name], added if seed is files[0] else (), move) for seed in files]
        if all(item.is_same for item in moved):
            for item in moved:
                self._rename(item.file, table, item.file.path.read_bytes())
            return
        texts = [item.file.path.read_bytes() if item.is_same else rewritten(item) for item in moved]
        if None in texts:
            self._as_one(table, files, [place for item in moved for place in item.places()])
            return
        for item, data in zip(moved, texts, strict=True):
            self._rename(item.file, table, data)

    def _added(self, table: Table) -> list[int]:
        """The rows that came and that no scenario tells."""
        if table.old is not None:
            return list(self.moves[table.old].added)
        told = {row.place for (_, name), rows in self.arrived.items() if name == table.name for row in rows}
        return [place for place in range(table.rows.num_rows) if place not in told]

    def _unlabelled(self, table: Table) -> list[int]:
        """All rows but those of scenarios."""
        old = str(table.old)
        labelled = {self.moves[old].to[row] for row in self.origins[old].labels.values()}
        return [place for place in range(table.rows.num_rows) if place not in labelled]

    def _as_one(self, table: Table, files: Sequence[SeedFile], places: Sequence[int]) -> None:
        for seed in files:
            self._remove(seed)
        if places:
            self.seeded.append(Seeded(table.schema, table.rows.take(pa.array(places, pa.int64()))))

    def _rename(self, seed: SeedFile, table: Table, data: bytes | None) -> None:
        name = f"{file_stem(table.name)}{seed.path.suffix}"
        if name != seed.path.name:
            self._remove(seed)
        if name != seed.path.name or data != seed.path.read_bytes():
            self.files[f"seeds/{name}"] = data

    def _remove(self, seed: SeedFile) -> None:
        self.files[f"seeds/{seed.path.name}"] = None
        pointer = seed.path.with_name(f"{seed.path.name}.dvc")
        if pointer.exists():
            self.files[f"seeds/{pointer.name}"] = None
