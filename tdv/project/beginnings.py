"""Wires the beginning of a dataset: a database to copy from, and the place to write to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from tdv import new as verb
from tdv.errors import UsageError
from tdv.project import builds
from tdv.project import sources as build_sources
from tdv.project.ports import Ports, now
from tdv.targets.inspecting import copyable
from tdv.targets.protocol import Selective
from tdv.targets.registry import open_target

if TYPE_CHECKING:
    from tdv.model.spec import DatasetSpec
    from tdv.store.pipeline import StageSpec


def new(ports: Ports, dataset: str, source: str | None, directory: Path, *, rows: bool) -> verb.Scaffolded:
    """Begins `dataset`, from the database at the URL `source` if there is one, with its rows if `rows`."""
    if rows and source is None:
        raise UsageError("--rows takes the rows of a database", hint="Name it too: --from sqlite:///app.db --rows")
    place = verb.Place(ports.root, ports.cache, lambda spec: _stage(ports, spec))
    if source is None:
        return verb.scaffold(place, verb.NewOptions(dataset, now()))
    target = open_target(ports.settings.target(source, directory), ports.state)
    read = target.read if rows else None
    schema, left = copyable(target)
    omitted = [f"the column {column}: there is no type for it" for column in left]
    if isinstance(target, Selective):
        omitted += target.omitted()
    return verb.scaffold(place, verb.NewOptions(dataset, now(), schema, read, omitted=tuple(omitted)))


def _stage(ports: Ports, spec: DatasetSpec) -> StageSpec:
    return builds.stage_of(spec, build_sources.find(ports, spec))
