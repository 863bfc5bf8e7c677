"""Changed sources of a dataset, built beside the repository.

In: the files that differ. Out: a snapshot, or the columns that cannot be generated any more. Always holds: nothing of
the work tree changes; what is built is what the work tree would build with these files in it.
"""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tdv.errors import ConfigError, DataError, DocumentError
from tdv.new.rows import SeedPlace, write_seed
from tdv.project import sources as build_sources
from tdv.project.builds import refuse_invalid
from tdv.project.making import MakeOptions, make
from tdv.project.rebuild import ports_with_cache
from tdv.seeds import load_scenarios
from tdv.upgrade import Attempt

if TYPE_CHECKING:
    from tdv.content.snapshot import Snapshot
    from tdv.model.report import Check
    from tdv.project.ports import Ports
    from tdv.project.sources import Sources
    from tdv.upgrade import Rewritten

_SETTINGS: Final = ("tdv.yaml", ".dvc/config")
_COLUMN: Final = re.compile(r"tables\.(?P<table>[^.]+)\.columns\.(?P<column>[^.]+)\.generate")
_SQL: Final = re.compile(r"(?P<rule>(?:check|invariant)\(.*)|(?:[^ (]+: )?(?P<own>expect\(.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where to build: an empty directory, the dataset, its sources, and the snapshot whose parts can be reused."""

    directory: Path
    dataset: str
    sources: Sources
    previous: Snapshot


def build_staged(ports: Ports, stage: Stage, rewritten: Rewritten) -> Attempt:
    """Builds the dataset with the rewritten files; raises what a build raises, and `DataError` for rows that break a
    rule of the spec that is no SQL."""
    shutil.rmtree(stage.directory, ignore_errors=True)
    there = ports_with_cache(ports, replace(ports, root=stage.directory / "tree"))
    _copy(ports, there.root, stage)
    files = _write(there, stage, rewritten)
    options = MakeOptions(stage.directory / "build", stage.previous)
    options.scratch.mkdir()
    try:
        spec = there.spec(stage.dataset)
        sources = build_sources.find(there, spec)
        made = make(there, spec, sources, options)
    except DocumentError as mistakes:
        lost = _lost(mistakes)
        if not lost:
            raise DataError(
                f"The sources of {stage.dataset} cannot be rewritten: {mistakes.problems[0]}",
                hint="What is named there would not fit any more: change it by hand before the upgrade.",
            ) from mistakes
        return Attempt(files, None, lost)
    _refuse_unfit(ports, there, stage.dataset)
    untrue = {check: rule for check in made.report.checks if not check.ok and (rule := _sql_rule(check)) is not None}
    rest = tuple(check for check in made.report.checks if check not in untrue)
    refuse_invalid(stage.dataset, replace(made.report, checks=rest))
    broken = frozenset((check.table, rule) for check, rule in untrue.items())
    return Attempt(files, made.snapshot, {}, broken, load_scenarios(spec, there.root / sources.scenarios))


def _refuse_unfit(ports: Ports, there: Ports, dataset: str) -> None:
    """Raises `DataError` where the spec of a dataset that extends this one does not fit any more."""
    for name in ports.book.datasets():
        if not _extends(ports, name, dataset):
            continue
        try:
            there.spec(name)
        except DocumentError as mistakes:
            raise DataError(
                f"The spec of {name} does not fit what {dataset} becomes: {mistakes.problems[0]}",
                hint=f"{name} extends {dataset}: take out there what is gone, then upgrade again.",
            ) from mistakes


def _extends(ports: Ports, name: str, dataset: str) -> bool:
    """Whether the spec of `name` extends `dataset`; one that is wrong already is nobody's here."""
    try:
        return ports.spec(name).extends == dataset
    except ConfigError:
        return False


def _sql_rule(check: Check) -> str | None:
    """The rule, if it is one in SQL; that of a standalone scenario begins with its name."""
    found = _SQL.fullmatch(check.rule)
    return (found["rule"] or found["own"]) if found is not None else None


def _copy(ports: Ports, root: Path, stage: Stage) -> None:
    """The work tree as far as a build reads it."""
    specs = [f"datasets/{name}/{build_sources.SPEC}" for name in ports.book.datasets()]
    amendments = [f"datasets/{name}/amendments.yaml" for name in ports.book.datasets()]
    ignored = f"datasets/{stage.dataset}/seeds/.gitignore"
    sources = build_sources.files(ports.root, stage.sources.deps)
    for path in dict.fromkeys((*_SETTINGS, *specs, *amendments, ignored, *sources)):
        if (ports.root / path).is_file():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ports.root / path, root / path)


def _write(there: Ports, stage: Stage, rewritten: Rewritten) -> dict[str, bytes | None]:
    """Writes the files, and rows that need seeds of their own; returns all of them."""
    directory = there.directory(stage.dataset)
    files = dict(rewritten.files)
    for path, data in files.items():
        if data is None:
            (directory / path).unlink(missing_ok=True)
        else:
            (directory / path).parent.mkdir(parents=True, exist_ok=True)
            (directory / path).write_bytes(data)
    seeds = directory / "seeds"
    seeds.mkdir(exist_ok=True)
    for table in rewritten.seeded:
        seed = write_seed([table.rows], table.schema, SeedPlace(seeds, there.cache))
        written = [seed.file, f"{seed.file}.dvc", ".gitignore"] if seed is not None else []
        for name in written:
            if (seeds / name).is_file():
                files[f"seeds/{name}"] = (seeds / name).read_bytes()
    return files


def _lost(mistakes: DocumentError) -> dict[str, dict[str, str]]:
    """The columns whose generators the mistakes are about; {} where one is about something else."""
    found: dict[str, dict[str, str]] = {}
    for problem in mistakes.problems:
        place = _COLUMN.match(problem.key)
        if place is None:
            return {}
        found.setdefault(place["table"], {})[place["column"]] = problem.message
    return found
