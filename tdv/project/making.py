"""One build in a scratch directory: rows generated, merged, written as a snapshot and validated.

In: a spec and its sources. Out: a `Made`. Always holds: nothing outside the scratch directory is touched, so that
the build of a release, its second build and a rebuild from history are the same work.
"""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tdv import __version__
from tdv.errors import DocumentError
from tdv.model.cell import json_form
from tdv.model.report import Report
from tdv.project.sources import SEEDS, Sources, files

if TYPE_CHECKING:
    from tdv.build import BuildInputs
    from tdv.content.snapshot import Snapshot
    from tdv.factories.variation import Variation
    from tdv.model.manifest import Manifest
    from tdv.model.spec import DatasetSpec
    from tdv.project.ports import Ports
    from tdv.snapshot import SourceFile
    from tdv.validate.rows import Rows

DATA: Final = "data"


@dataclass(frozen=True, slots=True)
class MakeOptions:
    """`scratch` is an empty directory; `previous` lends its parts; `variation` is what must not matter;
    `workers` is the number of threads, 0 for one per processor; `reveal` shows private values in the report."""

    scratch: Path
    previous: Snapshot | None = None
    variation: Variation | None = None
    workers: int = 0
    reveal: bool = False


@dataclass(frozen=True, slots=True)
class Made:
    """A snapshot in a scratch directory, with the text of its summary and the report of its validation."""

    manifest: Manifest
    snapshot: Snapshot
    summary: str
    directory: Path
    report: Report


def make(ports: Ports, spec: DatasetSpec, sources: Sources, options: MakeOptions) -> Made:
    """Builds the snapshot of `spec`; raises `DataError` or `FactoryError` when there can be none."""
    from tdv import build, seeds, snapshot, validate
    from tdv.content.snapshot import Snapshot

    inputs = inputs_of(ports, spec, sources, options.scratch)
    if options.variation:
        inputs = replace(inputs, variation=options.variation)
    scenarios = inputs.scenarios
    workers = options.workers or os.cpu_count() or 1
    expectations = [expectation for scenario in scenarios for expectation in scenario.expect]
    with placed_mistakes(ports, spec), ThreadPoolExecutor(workers) as executor:
        validate.refuse_wrong(spec.schema, expectations, spec.path)
        rows = (snapshot.TableRows(schema, rows) for schema, rows in build.generate(spec, inputs, executor))
        settings = snapshot.SnapshotOptions(
            dataset=spec.name,
            seed=spec.seed,
            as_of=spec.as_of.isoformat().replace("+00:00", "Z"),
            locale=spec.locale,
            invariants=spec.invariants,
            sources=source_files(ports.root, sources),
            scenarios=lambda written: seeds.scenario_manifests(scenarios, written),
            toolchain=toolchain(),
            workers=workers,
        )
        written = snapshot.write(rows, settings, options.scratch / DATA, options.previous)
    built = Snapshot.open(options.scratch / DATA)
    report = validated(spec, inputs, built, rows=written.rows, reveal=options.reveal)
    return Made(written.manifest, built, written.summary, options.scratch / DATA, report)


def validated(
    spec: DatasetSpec, inputs: BuildInputs, built: Snapshot, *, rows: Rows | None = None, reveal: bool
) -> Report:
    """The report on the snapshot, and on each standalone scenario as the dataset of its own that it is.

    `rows` are those of the snapshot where somebody still has them in memory.
    """
    from tdv import seeds, validate
    from tdv.validate.rows import Tables

    rules = validate.ValidateOptions(others=inputs.others, reveal=reveal)
    shared = replace(rules, expectations=seeds.expectations(inputs.scenarios))
    checks = list(validate.validate(spec.name, spec.schema, rows or built, shared).checks)
    for scenario in inputs.scenarios:
        if scenario.standalone:
            alone = Tables(seeds.standalone_rows(scenario, built))
            own = validate.validate(spec.name, spec.schema, alone, replace(rules, expectations=scenario.expect))
            checks += [replace(check, rule=f"{scenario.name}: {check.rule}") for check in own.checks]
    return Report(spec.name, tuple(checks))


@contextmanager
def placed_mistakes(ports: Ports, spec: DatasetSpec) -> Iterator[None]:
    """Gives mistakes that a generator finds in its options the lines that they have in the spec."""
    from tdv import spec as specs

    try:
        yield
    except DocumentError as mistakes:
        raise specs.placed(mistakes, ports.root / spec.path, ports.root) from mistakes


def inputs_of(ports: Ports, spec: DatasetSpec, sources: Sources, scratch: Path) -> BuildInputs:
    """What the build reads besides the spec, read."""
    from tdv import build, seeds
    from tdv.project import obtain

    return build.BuildInputs(
        root=ports.root,
        directory=ports.root / sources.code,
        scratch=scratch,
        seeds=seeds.load_seeds(spec, ports.root / sources.seeds),
        scenarios=seeds.load_scenarios(spec, ports.root / sources.scenarios),
        others={name: obtain.open_release(ports, release.record) for name, release in sources.others.items()},
    )


def source_files(root: Path, sources: Sources) -> tuple[SourceFile, ...]:
    """The files that a build reads. Copies are kept of those of the dataset; seeds are in Git and in the parts."""
    from tdv.snapshot import SourceFile

    seeds = f"{sources.seeds}/{SEEDS}/"
    return tuple(
        SourceFile(path, root / path, kept=path.startswith("datasets/") and not path.startswith(seeds))
        for path in files(root, sources.deps)
    )


def toolchain() -> Mapping[str, str]:
    """The versions of what a build's bytes may depend on."""
    return {
        "tdv": __version__,
        "python": platform.python_version(),
        "pyarrow": version("pyarrow"),
        "numpy": version("numpy"),
        "faker": version("faker"),
    }


@dataclass(frozen=True, slots=True)
class Sample:
    """Generated rows of one table, of `generated` in all, as column → JSON value."""

    dataset: str
    table: str
    columns: tuple[str, ...]
    rows: tuple[Mapping[str, Any], ...]
    generated: int

    def to_plain(self) -> dict[str, Any]:
        """The JSON form."""
        named = {"format": "tdv.sample/v1", "dataset": self.dataset, "table": self.table}
        return json_form({**named, "rows": self.rows})


def sample(ports: Ports, dataset: str, table: str, rows: range, *, reveal: bool = False) -> Sample:
    """Generated rows of one table as the build would make them; nothing is stored.

    Values of private columns are hidden unless `reveal`: a factory may take them from files of real data.
    """
    from tdv import build
    from tdv.content.arrow import canonical
    from tdv.content.examples import cell_rows
    from tdv.project import sources as build_sources
    from tdv.project.builds import scratch

    spec = ports.spec(dataset)
    with scratch(ports) as directory, placed_mistakes(ports, spec):
        inputs = inputs_of(ports, spec, build_sources.find(ports, spec), directory)
        made = build.sample(spec, inputs, table, rows)
    found = spec.table(table)
    cells = cell_rows(canonical(made, found.schema), found.schema, reveal=reveal)
    return Sample(dataset, table, found.schema.column_names, tuple(cells), found.rows)
