"""`tdv gc`: removes from the cache, or from a remote, what no release, branch or tag names any more.

In: the repository and the clock. Out: a `GcReport`. Always holds: the data of every record in every commit that
a branch or tag reaches stays, and so does what ``dvc.lock`` and ``.dvc`` files of each branch, tag and the work
tree name; files of a build that may still be running stay; nothing goes from a DVC remote while a Git remote has
branches or tags that this clone has not seen; a cache that other projects may use is not touched unless that was
asked for.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tdv.errors import IntegrityError, NotFound, Refused, RemoteError
from tdv.store import dvc
from tdv.store.cache import DIR, Cache
from tdv.store.git import Git
from tdv.store.history import named_objects, unseen_refs
from tdv.store.settings import DvcSettings

GRACE: Final = timedelta(hours=2)
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True)
class GcOptions:
    """What to clear: the cache or, with `remote`, that DVC remote. `grace` spares younger cache objects;
    `shared` allows a cache outside the repository; `keep` are further md5s to spare."""

    remote: str | None = None
    dry_run: bool = False
    shared: bool = False
    grace: timedelta = GRACE
    keep: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GcReport:
    """`removed` are md5s, `size` their bytes (0 for a remote), `kept` the number of objects that are needed."""

    removed: tuple[str, ...]
    size: int
    kept: int
    dry_run: bool = False


def collect(git: Git, settings: DvcSettings, now: datetime, options: GcOptions = GcOptions()) -> GcReport:
    """Removes what is not needed. Raises `Refused` where that cannot be told or is not tdv's to decide."""
    if options.remote is None and not settings.owns_cache and not options.shared:
        raise Refused(
            f"The cache {settings.cache_dir} lies outside this repository, other projects may use it",
            hint="tdv gc --shared removes what this repository does not need all the same.",
        )
    if options.remote is not None:
        _require_all_known(git)
    named = named_objects(git) | set(options.keep)
    needed = named | _listed(settings, named, options)
    if options.remote is not None:
        removed = dvc.sweep(settings, needed, options.remote, dry_run=options.dry_run)
        return GcReport(removed, 0, len(needed), options.dry_run)
    return _clear_cache(settings.cache, needed, now, options)


def _require_all_known(git: Git) -> None:
    """A DVC remote is everybody's: what others released since the last fetch must be known before anything goes."""
    if git.is_shallow():
        raise Refused("This clone is shallow, so that not all releases are known", hint="git fetch --unshallow --tags")
    for remote in git.remotes():
        if refs := unseen_refs(git, remote):
            named = ", ".join(ref.split("/", 2)[-1] for ref in refs[:_SHOWN]) + (" …" if len(refs) > _SHOWN else "")
            raise Refused(
                f"The Git remote {remote} has what this clone has not seen, and releases may be among it: {named}",
                hint=f'git fetch --tags {remote} "+refs/heads/*:refs/remotes/{remote}/*"',
                refs=list(refs),
            )


def _listed(settings: DvcSettings, named: Iterable[str], options: GcOptions) -> set[str]:
    """The files of all named directories. A list that is not here is fetched; for a remote it must be found."""
    lists = [md5 for md5 in sorted(named) if md5.endswith(DIR)]
    files: set[str] = set()
    unknown = []
    for md5 in lists:
        try:
            files.update(entry.md5 for entry in settings.cache.read_dir(md5))
        except (NotFound, IntegrityError):
            unknown.append(md5)
    if unknown and settings.remotes:
        files |= _listed_remotely(settings, unknown, options)
    return files


def _listed_remotely(settings: DvcSettings, lists: list[str], options: GcOptions) -> set[str]:
    name = options.remote or settings.default_remote
    if name is None:
        return set()
    try:
        return dvc.listed(settings, lists, name)
    except RemoteError as exc:
        if options.remote is not None:
            raise
        raise Refused(
            f"The files of {len(lists)} releases cannot be told from waste without the remote {name}",
            hint="Run the command again when the remote can be reached.",
        ) from exc


def _clear_cache(cache: Cache, needed: set[str] | frozenset[str], now: datetime, options: GcOptions) -> GcReport:
    youngest = (now - options.grace).timestamp()
    removed: list[str] = []
    size = kept = 0
    surplus = [(md5, status) for md5, status in cache.objects() if md5 not in needed]
    # The list of a directory goes before its files: what is left of a killed run is waste, never half a release.
    for md5, status in sorted(surplus, key=lambda item: (not item[0].endswith(DIR), item[0])):
        if status.st_ctime > youngest:
            kept += 1
            continue
        if not options.dry_run:
            cache.remove(md5)
        removed.append(md5)
        size += status.st_size
    kept += sum(1 for md5, _ in cache.objects() if md5 in needed)
    return GcReport(tuple(sorted(removed)), size, kept, options.dry_run)
