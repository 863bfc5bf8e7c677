"""Validates states: the work tree's, built first in a scratch directory when it is stale, or named ones.

In: references. Out: one `Report` each. Always holds: nothing is stored.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tdv.project import making, obtain, states
from tdv.project import sources as build_sources
from tdv.project.builds import scratch

if TYPE_CHECKING:
    from tdv.model.report import Report
    from tdv.project.ports import Ports


def validate(ports: Ports, refs: tuple[str, ...], *, reveal: bool) -> tuple[Report, ...]:
    """One report per reference, or per dataset of the work tree."""
    if not refs:
        return tuple(sources(ports, name, reveal=reveal) for name in ports.sourced())
    return tuple(_one(ports, ref, reveal=reveal) for ref in refs)


def _one(ports: Ports, text: str, *, reveal: bool) -> Report:
    if "@" not in text and text in ports.book.datasets():
        return sources(ports, text, reveal=reveal)
    ref = states.parse(text)
    if ref.kind == "workspace":
        return sources(ports, states.own(ports, ref), reveal=reveal)
    from tdv import validate as rules

    state = states.find(ports, text)
    snapshot = obtain.open_state(ports, state)
    requires = state.record.requires if state.record else {}
    others = {
        name: obtain.open_release(ports, build_sources.required(ports, state.dataset, name, wanted).record)
        for name, wanted in requires.items()
    }
    options = rules.ValidateOptions(others=others, reveal=reveal)
    return rules.validate(state.dataset, snapshot.manifest.schema, snapshot, options)


def sources(ports: Ports, dataset: str, *, reveal: bool) -> Report:
    """The report on rows built from the work tree's sources in a scratch directory."""
    spec = ports.spec(dataset)
    found = build_sources.find(ports, spec)
    with scratch(ports) as directory:
        return making.make(ports, spec, found, making.MakeOptions(directory, reveal=reveal)).report
