"""Wires `tdv status`: what the work tree, the releases, the tags and the default target have left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tdv import status as verb
from tdv.errors import TdvError
from tdv.project import sources as build_sources
from tdv.project.releases import is_published
from tdv.store.fingerprint import Fingerprints, stage_status
from tdv.targets import state as target_state
from tdv.targets.registry import open_target

if TYPE_CHECKING:
    from tdv.project.ports import Ports


def status(ports: Ports, names: tuple[str, ...]) -> verb.Status:
    """What is left to do for the datasets named, or for all."""
    prints = Fingerprints(ports.root)
    looked = verb.StatusPorts(
        git=ports.git,
        book=ports.book,
        stage=lambda dataset: _stage(ports, dataset, prints),
        published=lambda dataset, version: is_published(ports, dataset, version),
        more=_drifted(ports),
    )
    found = verb.status(looked, ports.chosen(names))
    prints.save()
    return found


def _stage(ports: Ports, dataset: str, prints: Fingerprints) -> verb.StageFacts:
    from tdv.project import states

    sources = build_sources.find(ports, ports.spec(dataset)).deps
    built = stage_status(ports.root, dataset, prints).sources_unchanged
    try:
        digest = states.workspace(ports, dataset).digest
    except TdvError:
        return verb.StageFacts(sources, built=False, digest=None)
    return verb.StageFacts(sources, built, digest)


def _drifted(ports: Ports) -> dict[str, list[verb.Notice]]:
    """What the default target was given and holds no longer; a target that cannot be asked says nothing."""
    try:
        target = open_target(ports.settings.target(), ports.state)
        held = target.held()
        changed = bool(held) and target_state.untouched(ports.state, target) is None
    except TdvError:
        return {}
    if not changed:
        return {}
    message = f"{target.shown} was changed since it was restored"
    return {item.dataset: [verb.Notice("drifted", message, _again(item.dataset, item.version))] for item in held}


def _again(dataset: str, version: str) -> str:
    named = f"v{version}" if version[:1].isdigit() else version
    return f"tdv checkout {dataset}@{named}"
