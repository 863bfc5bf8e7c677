"""DVC's remotes, through DVC itself: the only module that imports it, and only when data has to move.

In: md5s of objects, files or directories (``….dir``), as records and dvc.lock name them. Out: the objects in
the cache or on the remote. Always holds: no stage, commit or file of the repository needs to name an md5: DVC
works in a throw-away project without Git that has this repository's cache and remotes; the list of a directory
arrives on a remote after all of its files; what was fetched has the md5 it was asked by.
"""

from __future__ import annotations

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from tdv import durable
from tdv.errors import IntegrityError, PluginMissing, Refused, RemoteError, TdvError
from tdv.store.cache import DIR, Cache
from tdv.store.process import redacted
from tdv.store.settings import DvcSettings, Remote

_LOGGERS: Final = ("dvc", "dvc_data", "dvc_objects")
# Their progress bars follow the level of this logger.
_PROGRESS: Final = "dvc_data.callbacks"


@dataclass(frozen=True, slots=True)
class Transfer:
    """What moved: how many objects, and their size in bytes."""

    objects: int = 0
    size: int = 0


def fetch(settings: DvcSettings, md5s: Iterable[str], remote: str | None = None) -> Transfer:
    """Brings objects, and the files of directories, into the cache; DVC is not touched when all are there.

    Raises `RemoteError` when the remote is gone or lacks one, `IntegrityError` when it delivers other bytes.
    """
    wanted = tuple(dict.fromkeys(md5s))
    if not _absent_here(settings.cache, wanted):
        return Transfer()
    where = settings.remote(remote)
    _require_directory(where)
    with _opened(settings, where) as store:
        lists = store.download([md5 for md5 in wanted if not settings.cache.has(md5)])
        files = store.download(_absent_here(settings.cache, wanted))
    return Transfer(lists.objects + files.objects, lists.size + files.size)


def fetch_objects(settings: DvcSettings, md5s: Iterable[str], remote: str | None = None) -> Transfer:
    """Brings exactly these objects into the cache: of a directory its list, none of its files.

    Raises as `fetch` does.
    """
    wanted = [md5 for md5 in dict.fromkeys(md5s) if not settings.cache.has(md5)]
    if not wanted:
        return Transfer()
    with _opened(settings, settings.remote(remote)) as store:
        return store.download(wanted)


def push(settings: DvcSettings, md5s: Iterable[str], remote: str | None = None) -> Transfer:
    """Brings objects, and the files of directories, to the remote, and looks whether each one arrived.

    Raises `RemoteError` when one is neither here nor there or cannot be sent, or the remote is gone.
    """
    where = settings.remote(remote)
    _refuse_vanished(settings, where)
    with _opened(settings, where) as store:
        wanted = store.expand(md5s)
        absent = store.absent(wanted)
        nowhere = sorted(md5 for md5 in absent if not settings.cache.has(md5))
        if nowhere:
            raise RemoteError(
                f"{len(nowhere)} objects are neither in the cache nor on the remote {store.name}, first {nowhere[0]}",
                hint="Build the dataset again, or `tdv pull` from a remote that has it.",
                missing=nowhere,
            )
        sent = store.upload(sorted(absent, key=lambda md5: (md5.endswith(DIR), md5)))
        still = store.absent(wanted)
        if still:
            hint = "Run the command again; if that does not help, check the remote's free space and access."
            raise RemoteError(f"{len(still)} objects did not arrive on the remote {store.name}", hint=hint)
        return sent


def missing(settings: DvcSettings, md5s: Iterable[str], remote: str | None = None) -> frozenset[str]:
    """The md5s that the remote lacks, files of directories included; the list of a directory that is
    nowhere stands for its files. Raises `RemoteError` when the remote is gone."""
    where = settings.remote(remote)
    _refuse_vanished(settings, where)
    with _opened(settings, where) as store:
        return frozenset(store.absent(store.expand(md5s)))


def listed(settings: DvcSettings, md5s: Iterable[str], remote: str | None = None) -> set[str]:
    """The files that directories list, as far as their lists are here or on the remote."""
    wanted = set(md5s)
    with _opened(settings, settings.remote(remote)) as store:
        return set(store.expand(sorted(wanted))) - wanted


def sweep(
    settings: DvcSettings, keep: Collection[str], remote: str | None = None, *, dry_run: bool = False
) -> tuple[str, ...]:
    """Removes every object from the remote that is not in `keep`; returns their md5s, sorted."""
    where = settings.remote(remote)
    _require_directory(where)
    with _opened(settings, where) as store:
        return store.sweep(keep, dry_run=dry_run)


@contextmanager
def hardlink_lock(file: Path, *, wait: float) -> Iterator[None]:
    """Holds the lock that DVC takes under ``core.hardlink_lock``; raises `Refused` after `wait` seconds."""
    import flufl.lock
    from dvc.lock import HardlinkLock

    file.parent.mkdir(parents=True, exist_ok=True)
    lock = HardlinkLock(str(file), tmp_dir=str(file.parent))
    try:
        flufl.lock.Lock.lock(lock, timedelta(seconds=wait))
    except flufl.lock.TimeOutError as exc:
        raise Refused(
            "The DVC repository is in use by another process", hint="Wait for it to end, then run the command again."
        ) from exc
    try:
        yield
    finally:
        lock.unlock()


def _require_directory(remote: Remote) -> None:
    if remote.directory is not None and not remote.directory.is_dir():
        raise RemoteError(
            f"The DVC remote {remote.name} is gone: {remote.directory} does not exist",
            hint=f"Mount it, or `dvc remote modify {remote.name} url URL`; `mkdir` makes it anew.",
        )


def _refuse_vanished(settings: DvcSettings, remote: Remote) -> None:
    """DVC makes a directory that is not there. That is right once; one that was there before is not mounted now,
    and what was pushed would be hidden when it is. One inside the repository comes and goes with Git's commits."""
    if settings.inside(remote.name) is None and _note(settings, remote).exists():
        _require_directory(remote)


def _note(settings: DvcSettings, remote: Remote) -> Path:
    """The file that says that the directory of a remote was there."""
    name = hashlib.sha256(str(remote.directory).encode("utf-8", "surrogateescape")).hexdigest()[:32]
    return settings.root / ".tdv" / "remotes" / name


def _remember(settings: DvcSettings, remote: Remote) -> None:
    note = _note(settings, remote)
    if remote.directory is not None and remote.directory.is_dir() and not note.exists():
        with suppress(OSError):
            durable.write_text(note, f"{remote.directory}\n")


def _absent_here(cache: Cache, md5s: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(md5 for wanted in md5s for md5 in cache.missing(wanted)))


@dataclass(slots=True)
class _Complaints:
    """What went wrong object by object, and what DVC logged."""

    failed: dict[str, BaseException] = field(default_factory=dict)

    def __call__(self, md5: str, problem: BaseException) -> None:
        self.failed[md5] = problem


class _Store:
    """A remote beside the cache, as DVC's object databases."""

    def __init__(self, name: str, cache: Cache, here: Any, there: Any) -> None:
        self.name = name
        self._cache = cache
        self._here = here
        self._there = there

    def expand(self, md5s: Iterable[str]) -> tuple[str, ...]:
        """The md5s with those of the files of each directory whose list is here or on the remote."""
        wanted = tuple(dict.fromkeys(md5s))
        lists = [md5 for md5 in wanted if md5.endswith(DIR)]
        unread = [md5 for md5 in lists if not self._cache.has(md5)]
        self.download(sorted(set(unread) - self.absent(unread)))
        found = dict.fromkeys(wanted)
        for md5 in lists:
            if self._cache.has(md5):
                found.update(dict.fromkeys(entry.md5 for entry in self._cache.read_dir(md5)))
        return tuple(found)

    def absent(self, md5s: Collection[str]) -> set[str]:
        """Those of `md5s` that the remote lacks."""
        asked = sorted(set(md5s))
        if not asked:
            return set()
        # DVC's own question to a directory re-hashes each file and deletes what is damaged; this one only looks.
        local = self._there.fs.protocol == "local"
        present = self._there.list_oids_exists(asked) if local else self._there.oids_exist(asked)
        return set(asked) - set(present)

    def download(self, md5s: Collection[str]) -> Transfer:
        """Copies objects from the remote into the cache and proves their md5."""
        if not md5s:
            return Transfer()
        complaints = _Complaints()
        paths = [self._there.oid_to_path(md5) for md5 in md5s]
        self._here.add(paths, self._there.fs, list(md5s), verify=True, check_exists=False, on_error=complaints)
        if complaints.failed:
            raise self._failure("delivers", complaints)
        damaged = [md5 for md5 in md5s if not self._cache.has(md5)]
        if damaged:
            raise IntegrityError(
                f"The remote {self.name} holds other bytes than the name of {damaged[0]} says",
                hint="Push the object again from a machine that has it: remove it on the remote, then `tdv push`.",
                damaged=damaged,
            )
        return self._moved(md5s)

    def upload(self, md5s: Collection[str]) -> Transfer:
        """Copies objects from the cache to the remote, lists of directories after all files."""
        for batch in ([m for m in md5s if not m.endswith(DIR)], [m for m in md5s if m.endswith(DIR)]):
            if not batch:
                continue
            complaints = _Complaints()
            paths = [str(self._cache.path(md5)) for md5 in batch]
            self._there.add(paths, self._here.fs, batch, check_exists=False, on_error=complaints)
            if complaints.failed:
                raise self._failure("takes", complaints)
        return self._moved(md5s)

    def sweep(self, keep: Collection[str], *, dry_run: bool) -> tuple[str, ...]:
        """Removes what is not in `keep`, lists of directories first."""
        surplus = sorted(set(self._there.all()) - set(keep), key=lambda md5: (not md5.endswith(DIR), md5))
        if surplus and not dry_run:
            self._there.fs.remove([self._there.oid_to_path(md5) for md5 in surplus])
        return tuple(sorted(surplus))

    def _moved(self, md5s: Collection[str]) -> Transfer:
        return Transfer(len(md5s), sum(self._cache.path(md5).stat().st_size for md5 in md5s))

    def _failure(self, verb: str, complaints: _Complaints) -> RemoteError:
        md5, problem = next(iter(complaints.failed.items()))
        count = len(complaints.failed)
        if isinstance(problem, FileNotFoundError) and verb == "delivers":
            return RemoteError(
                f"The remote {self.name} lacks {count} object{'s' if count != 1 else ''}, first {md5}",
                hint="`tdv push` on the machine that built or released them brings them there.",
                missing=sorted(complaints.failed),
            )
        return _unreachable(self.name, problem)


@contextmanager
def _opened(settings: DvcSettings, remote: Remote) -> Iterator[_Store]:
    """A throw-away DVC project without Git, with the cache and the remotes of the repository."""
    with tempfile.TemporaryDirectory(prefix="tdv-dvc-") as scratch, _quiet():
        project = None
        try:
            project = _project(Path(scratch), settings)
            there = project.cloud.get_remote_odb(remote.name)
            yield _Store(remote.name, settings.cache, project.cache.local, there)
            _remember(settings, remote)
        except TdvError:
            raise
        except Exception as exc:
            raise _foreign(remote, exc) from exc
        finally:
            if project is not None:
                site = project.site_cache_dir
                project.close()
                shutil.rmtree(site, ignore_errors=True)


def _project(scratch: Path, settings: DvcSettings) -> Any:
    from dvc.repo import Repo

    (scratch / ".dvc").mkdir()
    (scratch / ".dvc" / "config").write_text("[core]\n    no_scm = true\n", encoding="utf-8")
    config: dict[str, Any] = {
        "core": {"no_scm": "true", "site_cache_dir": str(scratch / "site")},
        "cache": {"dir": str(settings.cache_dir), **({"shared": "group"} if settings.shared else {})},
        "remote": {remote.name: {"url": remote.url, **remote.options} for remote in settings.remotes.values()},
    }
    return Repo(str(scratch), config=config)


def _foreign(remote: Remote, problem: Exception) -> TdvError:
    from dvc.fs import RemoteMissingDepsError

    if isinstance(problem, RemoteMissingDepsError | ImportError):
        scheme = remote.url.partition("://")[0]
        return PluginMissing(
            f"The remote {remote.name} needs DVC's support for {scheme}://", hint=f'pip install "dvc[{scheme}]"'
        )
    return _unreachable(remote.name, problem)


def _unreachable(name: str, problem: BaseException) -> RemoteError:
    reason = redacted(str(problem).strip().split("\n", 1)[0]) or type(problem).__name__
    return RemoteError(
        f"The DVC remote {name} cannot be used: {reason}",
        hint="`dvc remote list` shows where it is; check the connection, your access and free space.",
    )


@contextmanager
def _quiet() -> Iterator[None]:
    """DVC neither logs nor draws progress bars while the block runs: errors say what there is to say."""
    import dvc.logger  # noqa: F401 - sets up the handlers that are put aside here

    loggers = [logging.getLogger(name) for name in (*_LOGGERS, _PROGRESS)]
    before = [(logger.level, logger.handlers[:], logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
        logger.handlers[:] = [logging.NullHandler()]
        logger.propagate = False
    try:
        yield
    finally:
        for logger, (level, handlers, propagate) in zip(loggers, before, strict=True):
            logger.setLevel(level)
            logger.handlers[:] = handlers
            logger.propagate = propagate
