"""`tdv push`: brings the data of every release to the DVC remote.

In: releases, and further md5s that the work tree names. Out: a `PushReport`. Always holds: what is reported as
pushed was seen on the remote, object by object; a release whose data is neither here nor there does not keep
the others from being pushed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from tdv.errors import IntegrityError, NotFound
from tdv.model.release import Record
from tdv.store import dvc
from tdv.store.settings import DvcSettings


@dataclass(frozen=True, slots=True)
class PushOptions:
    """`remote` is a DVC remote's name (None: the default one); `dry_run` looks and sends nothing."""

    remote: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class PushReport:
    """`pushed` and `missing` are references such as ``movies@v1.1.0``; `objects` and `size` count what was sent.

    `missing` is neither here nor on the remote. `commit` is the path of a remote inside the repository whose
    new files belong into a commit, or None.
    """

    remote: str
    pushed: tuple[str, ...]
    missing: tuple[str, ...]
    objects: int
    size: int
    commit: str | None = None


def push(
    records: Sequence[Record], others: Iterable[str], settings: DvcSettings, options: PushOptions = PushOptions()
) -> PushReport:
    """Sends what the remote lacks of `records` and of the objects `others`; raises `RemoteError`."""
    remote = settings.remote(options.remote)
    wanted = {record.reference: record.artifact.md5 for record in records}
    spare = tuple(md5 for md5 in dict.fromkeys(others) if settings.cache.has(md5))
    absent = dvc.missing(settings, (*wanted.values(), *spare), remote.name)
    missing = tuple(name for name, md5 in wanted.items() if _nowhere(settings, md5, absent))
    lacking = tuple(name for name, md5 in wanted.items() if name not in missing and _lacks(settings, md5, absent))
    to_send = [wanted[name] for name in lacking] + [md5 for md5 in spare if _sendable(settings, md5, absent)]
    if options.dry_run or not to_send:
        return PushReport(remote.name, lacking, missing, 0, 0)
    sent = dvc.push(settings, to_send, remote.name)
    return PushReport(remote.name, lacking, missing, sent.objects, sent.size, settings.inside(remote.name))


def _objects(settings: DvcSettings, md5: str) -> tuple[str, ...]:
    """The object and, as far as its list is in the cache, the files of the directory that it is."""
    try:
        listed = settings.cache.read_dir(md5) if md5.endswith(".dir") else ()
    except (NotFound, IntegrityError):
        listed = ()
    return (md5, *(entry.md5 for entry in listed))


def _lacks(settings: DvcSettings, md5: str, absent: frozenset[str]) -> bool:
    return not absent.isdisjoint(_objects(settings, md5))


def _nowhere(settings: DvcSettings, md5: str, absent: frozenset[str]) -> bool:
    return any(one in absent and not settings.cache.has(one) for one in _objects(settings, md5))


def _sendable(settings: DvcSettings, md5: str, absent: frozenset[str]) -> bool:
    return _lacks(settings, md5, absent) and not _nowhere(settings, md5, absent)
