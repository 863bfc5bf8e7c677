"""`tdv pull`: brings the data of releases and of the work tree from the DVC remote.

In: records to fetch, stages to restore. Out: a `PullReport`. Always holds: objects that are here already cost
nothing; a directory of the work tree that neither ``dvc.lock`` nor the cache has is somebody's work and is left alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tdv.model.release import Record
from tdv.store import dvc
from tdv.store.cache import DIR, Cache, file_md5
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
    that differ from ``dvc.lock``, are nowhere else, and were left as they are."""

    objects: int
    size: int
    restored: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def pull(
    records: Sequence[Record],
    stages: Sequence[StageLock],
    settings: DvcSettings,
    options: PullOptions = PullOptions(),
    tracked: Sequence[Entry] = (),
) -> PullReport:
    """Fetches the artifacts of `records`, the cached outputs of `stages` and what ``.dvc`` files name as
    `tracked`, and restores the latter two into the work tree.

    Raises `RemoteError` when the remote lacks something, `IntegrityError` when it delivers other bytes.
    """
    outs = [*(out for stage in stages for out in stage.outs if out.nfiles is not None), *tracked]
    wanted = [record.artifact.md5 for record in records] + [out.md5 for out in outs]
    fetched = _fetch_verified(settings, wanted, options) if options.verify else _fetch(settings, wanted, options)
    restored, kept = _restore(settings, outs)
    return PullReport(fetched.objects, fetched.size, restored, kept)


def _fetch(settings: DvcSettings, md5s: Sequence[str], options: PullOptions) -> dvc.Transfer:
    return dvc.fetch(settings, md5s, options.remote)


def _fetch_verified(settings: DvcSettings, md5s: Sequence[str], options: PullOptions) -> dvc.Transfer:
    """Fetches anew what is here and damaged, too: first the lists of directories, then the files in them."""
    _discard_damaged(settings.cache, md5s)
    first = _fetch(settings, md5s, options)
    listed = [entry.md5 for md5 in md5s if md5.endswith(DIR) for entry in settings.cache.read_dir(md5)]
    _discard_damaged(settings.cache, listed)
    second = _fetch(settings, md5s, options)
    return dvc.Transfer(first.objects + second.objects, first.size + second.size)


def _discard_damaged(cache: Cache, md5s: Sequence[str]) -> None:
    """Removes the objects whose bytes do not have their md5."""
    for md5 in dict.fromkeys(md5s):
        if cache.has(md5) and file_md5(cache.path(md5)) != md5.removesuffix(DIR):
            cache.remove(md5)


def _restore(settings: DvcSettings, outs: Sequence[Entry]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    restored: list[str] = []
    kept: list[str] = []
    fingerprints = Fingerprints(settings.root)
    for out in outs:
        found = fingerprints.entry(out.path)
        if found is None or _is_empty(settings.root / out.path) or _is_former(settings.cache, found, out):
            settings.cache.materialise(out.md5, settings.root / out.path)
            restored.append(out.path)
        elif found.md5 != out.md5:
            kept.append(out.path)
    fingerprints.save()
    return tuple(restored), tuple(kept)


def _is_former(cache: Cache, found: Entry, out: Entry) -> bool:
    """True for what another commit has there, as after `git pull`: the cache can bring it back."""
    return found.md5 != out.md5 and cache.has_all(found.md5)


def _is_empty(path: Path) -> bool:
    return path.is_dir() and not any(path.iterdir())
