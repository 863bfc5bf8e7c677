"""Wires `tdv status`: what the work tree, the releases, the tags and the default target have left to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tdv import status as verb
from tdv.errors import TdvError
from tdv.project import sources as build_sources
from tdv.project.builds import command
from tdv.project.releases import is_published
from tdv.store import pipeline
from tdv.store.fingerprint import Fingerprints, stage_status
from tdv.targets import state as target_state
from tdv.targets.registry import open_target

_GONE: Final = "dvc.yaml builds it, and datasets/{0}/dataset.yaml is not there"
_LEAVE: Final = "git restore datasets/{0}, or dvc remove {0} and take it out of `artifacts:` in dvc.yaml"

if TYPE_CHECKING:
    from tdv.project.ports import Ports


def status(ports: Ports, names: tuple[str, ...]) -> verb.Status:
    """What is left to do for the datasets named, or for all."""
    prints = Fingerprints(ports.root)
    gone = _gone(ports)
    drifted = _drifted(ports)
    looked = verb.StatusPorts(
        git=ports.git,
        book=ports.book,
        stage=lambda dataset: _stage(ports, dataset, prints),
        published=lambda dataset, version: is_published(ports, dataset, version),
        more={name: [*gone.get(name, ()), *drifted.get(name, ())] for name in {**gone, **drifted}},
    )
    found = verb.status(looked, ports.chosen(names) if names else sorted({*ports.book.datasets(), *gone}))
    prints.save()
    return found


def _stage(ports: Ports, dataset: str, prints: Fingerprints) -> verb.StageFacts:
    from tdv.project import states

    if not (ports.directory(dataset) / build_sources.SPEC).is_file():
        return verb.StageFacts((), built=True, digest=None)
    sources = build_sources.find(ports, ports.spec(dataset)).deps
    built = stage_status(ports.root, dataset, prints).sources_unchanged
    try:
        digest = states.workspace(ports, dataset).digest
    except TdvError:
        return verb.StageFacts(sources, built=False, digest=None)
    return verb.StageFacts(sources, built, digest)


def _gone(ports: Ports) -> dict[str, list[verb.Notice]]:
    """Datasets that ``dvc.yaml`` still builds, though their spec is not there any more."""
    root = ports.root
    stages = [name for name in pipeline.stage_names(root) if pipeline.stage_command(root, name) == command(name)]
    lost = [name for name in stages if not (ports.directory(name) / build_sources.SPEC).is_file()]
    return {name: [verb.Notice("gone", _GONE.format(name), _LEAVE.format(name))] for name in lost}


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
