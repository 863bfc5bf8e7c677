"""Wires `tdv status` and `tdv log`: what is left to do, and what was released.

In: the ports, names of datasets. Out: a `Status`, a `Log`. Always holds: of another repository only what is read anyhow
is asked for.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from tdv import status as verb
from tdv.errors import TdvError
from tdv.model.reference import repository_of
from tdv.project import sources as build_sources
from tdv.project import standings, states
from tdv.project.releases import Published, published, rivals
from tdv.store import pipeline
from tdv.store.artifacts import data_path, summary_digest
from tdv.store.fingerprint import Fingerprints, stage_status
from tdv.store.leftovers import leftovers
from tdv.targets import state as target_state
from tdv.targets.registry import open_target

if TYPE_CHECKING:
    from tdv.log import Log
    from tdv.project.ports import Ports


def status(ports: Ports, names: tuple[str, ...], *, environments: bool = False) -> verb.Status:
    """What is left to do for the datasets named, or for all, and how far the data in use is from the code; that of
    the environments is asked for only where it is wanted, since that needs their servers."""
    prints = Fingerprints(ports.root)
    gone = _gone(ports)
    drifted = _drifted(ports)
    lock = standings.locked(ports)
    unlocked = standings.unlocked(ports, lock)
    others = {**gone, **drifted, **unlocked}
    datasets = ports.chosen(names) if names else tuple(sorted({*ports.book.datasets(), *gone}))
    known = published(ports, datasets) if datasets else Published(None, {})
    rival = rivals(ports, known)
    looked = verb.StatusPorts(
        git=ports.git,
        book=ports.book,
        stage=lambda dataset: _stage(ports, dataset, prints),
        published=lambda dataset, version: version in known.versions[dataset],
        rival=lambda dataset, version: known.branch if (dataset, version) in rival else None,
        more={name: [*gone.get(name, ()), *unlocked.get(name, ()), *drifted.get(name, ())] for name in others},
    )
    found = verb.status(looked, datasets)
    prints.save()
    places = standings.of_environments(ports) if environments else ()
    misnamed = () if names else tuple(f"datasets/{name}" for name in ports.book.misnamed())
    return replace(found, versions=(*standings.of_lock(ports, lock, names), *places), misnamed=misnamed)


def log(ports: Ports, names: tuple[str, ...]) -> Log:
    """The releases of the datasets named, or of all of this repository; then of those of other repositories."""
    from tdv import log as listing

    here = tuple(name for name in names if repository_of(name) is None)
    own = ports.chosen(here) if here or not names else ()
    entries = [*listing.log(ports.book, ports.git, own).entries] if own else []
    for name in (states.named(ports, states.parse(name)) for name in names if repository_of(name) is not None):
        book, dataset, origin = ports.library.place(name)
        git = ports.foreign(origin.url).mirror.git if origin else ports.git
        found = listing.log(book, git, (dataset,)).entries
        entries += [replace(entry, release=replace(entry.release, origin=origin)) for entry in found]
    return listing.Log(tuple(entries))


def _stage(ports: Ports, dataset: str, prints: Fingerprints) -> verb.StageFacts:
    if not (ports.directory(dataset) / build_sources.SPEC).is_file():
        return verb.StageFacts((), built=True, digest=None)
    sources = build_sources.find(ports, ports.spec(dataset)).deps
    looked = stage_status(ports.root, dataset, prints)
    # What is not there at all was not pulled yet; what the cache has was built, too, and Git moved on.
    there = {path: prints.entry(path) for path in looked.outs}
    former = tuple(path for path, entry in there.items() if entry and ports.cache.has_all(entry.md5))
    altered = tuple(path for path, entry in there.items() if entry and path not in former)
    try:
        digest = _digest(ports, dataset)
    except TdvError:
        digest = None
    built = looked.sources_unchanged and digest is not None
    return verb.StageFacts(sources, built, digest, altered, former)


def _digest(ports: Ports, dataset: str) -> str | None:
    """What was built last, from what Git has: its data may be anywhere."""
    stage = pipeline.read_stage(ports.root, dataset)
    entry = stage.out(data_path(dataset)) if stage else None
    if entry is None:
        return None
    records = (release.record for release in ports.book.releases(dataset))
    known = next((record.digest for record in records if record.artifact.md5 == entry.md5), None)
    return known or summary_digest(ports.root, dataset) or None


def _gone(ports: Ports) -> dict[str, list[verb.Notice]]:
    """Datasets that DVC's files still name, though their spec is not there any more."""
    return {name: [verb.Notice("gone", item.message, item.hint)] for name, item in leftovers(ports.git).items()}


def _drifted(ports: Ports) -> dict[str, list[verb.Notice]]:
    """What the default target was given and holds no longer; a target that cannot be asked says nothing."""
    settings = ports.settings
    try:
        target = open_target(settings.target(), ports.state)
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
