"""`tdv pull`: brings the data of releases and of the work tree from the DVC remote.

In: records to fetch, stages to restore. Out: a `PullReport`. Always holds: objects that are here already cost
nothing; a directory of the work tree that differs from ``dvc.lock`` is somebody's work and is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tdv.errors import IntegrityError
from tdv.model.release import Record
from tdv.store import dvc
from tdv.store.fingerprint import Fingerprints
from tdv.store.pipeline import Entry, StageLock
from tdv.store.settings import DvcSettings


@dataclass(frozen=True, slots=True)
class PullOptions:
    """`remote` is a DVC remote's name (None: the default one); `verify` reads what was here already, too."""

    remote: str | None = None
    verify: bool = False


@dataclass(frozen=True, slots=True)
class PullReport:
    """`objects` and `size` count what was fetched; `restored` are paths put into the work tree, `kept` those
    that differ from ``dvc.lock`` and were left as they are."""

    objects: int
    size: int
    restored: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def pull(
    records: Sequence[Record],
    stages: Sequence[StageLock],
    settings: DvcSettings,
    options: PullOptions = PullOptions(),
) -> PullReport:
    """Fetches the artifacts of `records` and the cached outputs of `stages`, and restores the latter.

    Raises `RemoteError` when the remote lacks something, `IntegrityError` when it delivers other bytes.
    """
    outs = [out for stage in stages for out in stage.outs if out.nfiles is not None]
    wanted = [record.artifact.md5 for record in records] + [out.md5 for out in outs]
    if options.verify:
        _discard_damaged(settings, wanted)
    fetched = dvc.fetch(settings, wanted, options.remote)
    restored, kept = _restore(settings, outs)
    return PullReport(fetched.objects, fetched.size, restored, kept)


def _discard_damaged(settings: DvcSettings, md5s: Sequence[str]) -> None:
    """Removes objects whose bytes do not have their md5, so that they are fetched anew."""
    cache = settings.cache
    for md5 in dict.fromkeys(md5s):
        objects = [md5]
        if md5.endswith(".dir") and cache.has(md5) and not _damaged(settings, md5):
            objects += [entry.md5 for entry in cache.read_dir(md5)]
        for one in objects:
            if cache.has(one) and _damaged(settings, one):
                cache.remove(one)


def _damaged(settings: DvcSettings, md5: str) -> bool:
    try:
        if md5.endswith(".dir"):
            settings.cache.read(md5)
        else:
            settings.cache.verify(md5)
    except IntegrityError:
        return True
    return False


def _restore(settings: DvcSettings, outs: Sequence[Entry]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    restored: list[str] = []
    kept: list[str] = []
    fingerprints = Fingerprints(settings.root)
    for out in outs:
        found = fingerprints.entry(out.path)
        if found is None or _is_empty(settings.root / out.path):
            settings.cache.materialise(out.md5, settings.root / out.path)
            restored.append(out.path)
        elif found.md5 != out.md5:
            kept.append(out.path)
    fingerprints.save()
    return tuple(restored), tuple(kept)


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
