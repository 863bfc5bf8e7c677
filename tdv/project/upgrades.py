"""Wires an upgrade: the sources that are committed, a scratch database that goes through the migrations, the proof.

In: an `UpgradeWish`. Out: an `Upgraded`. Always holds: the work tree changes only when everything is proved, and then
all files of the sources or none; a failed migration leaves no trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tdv import durable
from tdv import upgrade as verb
from tdv.content.snapshot import Snapshot
from tdv.errors import Refused, UsageError
from tdv.model.compat import Compat, Span
from tdv.model.diff_report import ReportOptions
from tdv.model.reference import Ref
from tdv.project import builds, obtain, resolutions, schemas, staging, states
from tdv.project import sources as build_sources
from tdv.project.making import MakeOptions, make
from tdv.targets.inspecting import surveyed
from tdv.targets.registry import open_target

if TYPE_CHECKING:
    import pyarrow as pa

    from tdv.checkout import Wanted
    from tdv.model.diff_report import DiffReport
    from tdv.model.history import Position
    from tdv.model.release import Record
    from tdv.model.schema import DatasetSchema, TableSchema
    from tdv.model.spec import DatasetSpec
    from tdv.project.making import Made
    from tdv.project.ports import Ports
    from tdv.project.sources import Sources
    from tdv.seeds import Scenario
    from tdv.targets.protocol import Target
    from tdv.upgrade import Capture, Proved, Upgraded

_SHOWN: Final = 5
_ROWS: Final = 20
_NEWEST: Final = ("latest", "*")


@dataclass(frozen=True, slots=True)
class UpgradeWish:
    """`ref` is a dataset, or the release that its sources must still be; `start` says where its schema stands, where
    nothing else does; `freeze` turns generated rows that no generator can make any more into seeds."""

    ref: str | None = None
    to: str = "head"
    start: str | None = None
    freeze: bool = False
    dry_run: bool = False


def upgrade(ports: Ports, wish: UpgradeWish, execution_id: str) -> Upgraded:
    """Rewrites the sources of one dataset for the schema at a migration."""
    dataset, version = _meant(ports, wish.ref)
    journal = ports.state / "upgrade" / dataset
    with durable.locked(ports.state / "locks" / f"upgrade-{dataset}.lock", f"The upgrade of {dataset}"):
        verb.finish(journal, ports.directory(dataset))
        return _Upgrade(ports, wish, dataset, version, execution_id).run(journal)


def _meant(ports: Ports, text: str | None) -> tuple[str, str | None]:
    """The dataset, and the version where one is named."""
    if text is None:
        return ports.dataset(None), None
    ref: Ref = states.parse(text)
    if ref.kind == "range" and ref.value in _NEWEST:
        return ports.dataset(ref.dataset), None
    return states.exact(ports, text)


@dataclass(frozen=True)
class _Upgrade:
    ports: Ports
    wish: UpgradeWish
    dataset: str
    version: str | None
    execution_id: str

    def run(self, journal: Path) -> Upgraded:
        start, to = self._places()
        if start.applied == to.applied:
            return verb.Upgraded(self.dataset, "unchanged", start.text, to.text)
        self._require_committed()
        with builds.scratch(self.ports) as directory:
            base = self._base(directory / "base").snapshot
            capture = self._captured(base, (start, to))
            proved = self._proved(base, capture, (start, to), directory)
            report = self._report(base, proved.snapshot, to)
            if not self.wish.dry_run:
                verb.land(journal, self.ports.directory(self.dataset), proved.files)
                builds.build(self.ports, self.dataset)
            return verb.Upgraded(
                self.dataset,
                "planned" if self.wish.dry_run else "upgraded",
                start.text,
                to.text,
                proved.snapshot.manifest.digest,
                tuple(sorted(f"datasets/{self.dataset}/{path}" for path in proved.files)),
                proved.frozen,
                (*capture.notes, *proved.notes),
                report,
            )

    # -- where from, where to

    @cached_property
    def spec(self) -> DatasetSpec:
        spec = self.ports.spec(self.dataset)
        if spec.extends is not None:
            raise Refused(
                f"{self.dataset} extends {spec.extends}, whose sources it shares",
                hint=f"Upgrade that one: tdv upgrade {spec.extends}",
            )
        return spec

    @cached_property
    def sources(self) -> Sources:
        return build_sources.find(self.ports, self.spec)

    @cached_property
    def record(self) -> Record | None:
        """The release that is named, else the newest one that is not yanked."""
        book = self.ports.book
        if self.version is not None:
            return states.release(self.ports, self.dataset, self.version).record
        standing = [item for item in book.releases(self.dataset) if not item.yanked]
        return standing[-1].record if standing else None

    def _places(self) -> tuple[Position, Position]:
        history = resolutions.history(self.ports)
        span = self.spec.migration or (self.record.compat.migration if self.record is not None else None)
        text = self.wish.start or (span.start if span is not None else None)
        if text is None:
            what = self.record.reference if self.record is not None else self.dataset
            raise UsageError(
                f"Nothing says at which migration the schema of {what} stands",
                hint=f"Say it: tdv upgrade {self.dataset} --from REVISION --to {self.wish.to}",
            )
        start, to = history.at(text), history.at(self.wish.to)
        if not start.applied:
            raise UsageError(
                f"Before the first migration there is no schema that {self.dataset} could stand at",
                hint=f"Name the migration that its spec describes: tdv upgrade {self.dataset} --from REVISION",
            )
        if not start.applied <= to.applied:
            raise UsageError(
                f"Migration {to.text} does not come after {start.text}, where {self.dataset} stands",
                hint=f"The history ends at {history.head.text}; an upgrade goes forward only.",
            )
        return start, to

    def _require_committed(self) -> None:
        own = ("dataset.yaml", "factories.py", "seeds", "scenarios")
        changes = self.ports.git.changes([f"datasets/{self.dataset}/{name}" for name in own])
        if changes:
            more = f" and {len(changes) - _SHOWN} more" if len(changes) > _SHOWN else ""
            raise Refused(
                f"These sources are not committed: {', '.join(item.path for item in changes[:_SHOWN])}{more}",
                hint="Commit or stash them first, so that `git diff` shows what the upgrade does.",
            )

    # -- the rows, before and after

    def _base(self, directory: Path) -> Made:
        directory.mkdir()
        made = make(self.ports, self.spec, self.sources, MakeOptions(directory))
        builds.refuse_invalid(self.dataset, made.report)
        if self.version is not None and self.record is not None and made.manifest.digest != self.record.digest:
            raise Refused(
                f"The sources in the work tree are not those of {self.record.reference}",
                hint=f"Leave out the version to upgrade what is in the work tree: tdv upgrade {self.dataset}",
            )
        return made

    def _captured(self, base: Snapshot, places: tuple[Position, Position]) -> Capture:
        with self._migrated(base, places) as ((before, others), migrated):
            after, left = surveyed(migrated, base.manifest.schema.tables)
            sides = verb.Sides(before, after)
            found = verb.capture(base.manifest.schema, base.table, sides, partial(_rows, migrated))
        notes = (f"the column {column}: there is no type for it" for column in left if column not in others)
        return replace(found, notes=(*found.notes, *notes))

    @contextmanager
    def _migrated(
        self, snapshot: Snapshot, places: tuple[Position, Position]
    ) -> Iterator[tuple[tuple[DatasetSchema, tuple[str, ...]], Target]]:
        """A scratch database with these rows that went through the migrations, and its schema before, with the columns
        that are left out of it."""
        start, to = places
        wanted = tuple(self._wanted(snapshot))
        with (
            schemas.scratches(self.ports, self.execution_id) as scratches,
            scratches.at(start, wanted) as scratch,
        ):
            before = surveyed(scratch.target, snapshot.manifest.schema.tables)
            schemas.migrate(self.ports, scratch.settings, to)
            yield before, open_target(scratch.settings, self.ports.state)

    def _alone(
        self, scenario: Scenario, base: Snapshot, capture: Capture, places: tuple[Position, Position]
    ) -> verb.Alone:
        """What the migrations make of a scenario that is loaded by itself."""
        from tdv import seeds, snapshot

        rows = seeds.standalone_rows(scenario, base)
        manifest = base.manifest
        options = snapshot.SnapshotOptions(manifest.dataset, manifest.seed, manifest.as_of)
        with builds.scratch(self.ports) as directory:
            tables = [snapshot.TableRows(table, [rows[table.name]]) for table in manifest.schema.tables]
            snapshot.write(tables, options, directory / "alone")
            with self._migrated(Snapshot.open(directory / "alone"), places) as (_, migrated):
                found = [replace(table, rows=_rows(migrated, table.schema)) for table in capture.tables]
        return verb.Alone(rows.__getitem__, replace(capture, tables=tuple(found)))

    def _wanted(self, base: Snapshot) -> Iterator[Wanted]:
        """The dataset, and the releases that its references lead into."""
        from tdv.checkout import Wanted

        rows = {table.name: table.rows for table in base.manifest.tables}
        yield Wanted(self.dataset, "workspace", base.manifest.digest, lambda: base, rows)
        for record in self._required(self.sources, {}).values():
            state = states.of_record(record)
            yield Wanted(
                state.dataset,
                state.version,
                state.digest,
                partial(obtain.open_release, self.ports, record),
                state.tables,
            )

    def _required(self, sources: Sources, found: dict[str, Record]) -> dict[str, Record]:
        for name, release in sources.others.items():
            if name not in found:
                found[name] = release.record
                for further, wanted in release.record.requires.items():
                    record = build_sources.required(self.ports, name, further, wanted).record
                    found.setdefault(further, record)
        return found

    # -- the sources

    def _proved(self, base: Snapshot, capture: Capture, places: tuple[Position, Position], directory: Path) -> Proved:
        stage = staging.Stage(directory / "stage", self.dataset, self.sources, base)
        texts = self._texts(base)
        alone = {
            scenario.name: self._alone(scenario, base, capture, places)
            for scenario in texts.scenarios
            if scenario.standalone
        }
        return verb.prove(
            replace(texts, alone=alone),
            capture,
            lambda rewritten: staging.build_staged(self.ports, stage, rewritten),
            verb.RewriteOptions(self._span(places[1])),
            freeze=self.wish.freeze,
        )

    def _texts(self, base: Snapshot) -> verb.SourceTexts:
        from tdv import seeds

        scenarios = self.ports.root / self.sources.scenarios
        found = seeds.load_scenarios(self.spec, scenarios)
        return verb.SourceTexts(
            self.spec,
            (self.ports.root / self.spec.path).read_text(encoding="utf-8"),
            seeds.seed_files(self.spec, self.ports.root / self.sources.seeds),
            found,
            {path.name: path.read_text(encoding="utf-8") for path in (scenarios / "scenarios").glob("*.y*ml")},
            base.table,
        )

    def _span(self, to: Position) -> dict[str, str] | None:
        """The span that the spec is to name; None where the head, which is the default, is enough."""
        history = resolutions.history(self.ports)
        was = self.spec.migration
        if was is None and to.applied == history.head.applied:
            return None
        until = was.until if was is not None else None
        ended = until is not None and history.at(until).applied <= to.applied
        return {"from": to.text} | ({"until": until} if until is not None and not ended else {})

    # -- the answer

    def _report(self, base: Snapshot, new: Snapshot, to: Position) -> DiffReport:
        from tdv.diff.report import report
        from tdv.release import compat_findings

        levels = {**self.ports.settings.levels, **self.spec.levels}
        old, name, record = base, f"{self.dataset}@workspace", self.record
        if record is not None:
            old, name = obtain.open_state(self.ports, states.of_record(record)), record.reference
        found = report(old, new, (name, f"{self.dataset}@workspace"), ReportOptions(limit=_ROWS, levels=levels))
        if record is None:
            return found
        span = self._span(to) or {"from": to.text}
        serves = Compat(self.spec.app, Span.from_plain(span))
        return replace(
            found, findings=(*found.findings, *compat_findings(record, (serves, self.spec.requires), levels))
        )


def _rows(target: Target, table: TableSchema) -> pa.Table:
    """All rows of a table of a target."""
    import pyarrow as pa

    from tdv.content.arrow import empty_table

    return pa.concat_tables([empty_table(table), *target.read(table)]).combine_chunks()
