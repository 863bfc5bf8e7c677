"""Whether a stage's sources and outputs are what ``dvc.lock`` says, found out without DVC.

In: paths of a DVC repository. Out: `Entry` values as DVC would record them, and the `StageStatus` that follows.
Always holds: a file's md5 is taken from memory only when its size, inode, time of change and time of
modification are the ones remembered *and* that memory was made when the file had been at rest; anything else
is read again. The memory is a cache: losing it costs time, never truth.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import time
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tdv.errors import ConfigError
from tdv.store import pipeline
from tdv.store.cache import DIR, DirEntry, dir_bytes, file_md5
from tdv.store.ignore import Ignore
from tdv.store.pipeline import Entry, StageLock

FORMAT: Final = "tdv.hashes/v1"
STATE: Final = ".tdv/state/hashes.json"

# A file may change again within one tick of the clock that stamps it, and look the same. Kernels tick every
# 10 ms or faster; a stamp without a fraction of a second comes from a file system that counts in seconds.
_AT_REST: Final = 50_000_000
_AT_REST_COARSE: Final = 2_000_000_000

_Stamp = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class StageStatus:
    """How a stage stands to its lock. `deps` and `outs` are the paths that differ, are new or are gone."""

    name: str
    ran: bool
    command_changed: bool
    deps: tuple[str, ...]
    outs: tuple[str, ...]

    @property
    def sources_unchanged(self) -> bool:
        """True if the stage ran with this command on exactly these sources."""
        return self.ran and not self.command_changed and not self.deps

    @property
    def unchanged(self) -> bool:
        """True if ``dvc status`` has nothing to say."""
        return self.sources_unchanged and not self.outs


class Fingerprints:
    """The md5s of files below `root`, remembered in `state` from run to run."""

    def __init__(self, root: Path, state: Path | None = None) -> None:
        self.root = root
        self._state = state or root / STATE
        self._ignore = Ignore(root)
        self._known = _load(self._state)
        self._dirty = False

    def entry(self, path: str) -> Entry | None:
        """What DVC would record for a file or directory; None when nothing is there."""
        place = self.root / path
        try:
            status = place.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        if stat.S_ISDIR(status.st_mode):
            return self._directory(path)
        executable = bool(status.st_mode & 0o111)
        return Entry(path, self._md5(path, status), status.st_size, executable=executable)

    def entries(self, paths: Iterable[str]) -> tuple[Entry, ...]:
        """What DVC would record for each of `paths`; raises `ConfigError` for one that is missing or hidden."""
        found = []
        for path in paths:
            entry = self.entry(path)
            if entry is None:
                raise ConfigError(
                    f"The source {path} does not exist", hint=f"Create {path}, or remove it from the spec."
                )
            if self._ignore.hides(path, is_directory=entry.nfiles is not None):
                raise ConfigError(f"The source {path} is hidden by .dvcignore", hint="Remove that pattern.", path=path)
            found.append(entry)
        return tuple(found)

    def hidden(self, path: str, *, is_directory: bool = False) -> bool:
        """True if ``.dvcignore`` hides `path`: DVC would drop such an output without a word."""
        return self._ignore.hides(path, is_directory=is_directory)

    def save(self) -> None:
        """Remembers what was learnt; a read-only work tree is no error."""
        if not self._dirty:
            return
        files = {path: [*stamp, md5] for path, (stamp, md5) in self._known.items() if os.path.lexists(self.root / path)}
        beside = self._state.with_name(f".{self._state.name}.{uuid.uuid4().hex[:12]}.tmp")
        try:
            self._state.parent.mkdir(parents=True, exist_ok=True)
            beside.write_text(json.dumps({"format": FORMAT, "files": files}), encoding="utf-8")
            os.replace(beside, self._state)
        except OSError:
            beside.unlink(missing_ok=True)
        self._dirty = False

    def _directory(self, path: str) -> Entry:
        entries = []
        size = 0
        prefix = len(path.rstrip("/")) + 1
        for name in self._ignore.files(path.rstrip("/")):
            try:
                status = (self.root / name).stat()
            except FileNotFoundError as exc:
                raise ConfigError(f"{name} is a link to nothing", hint="Remove it: DVC cannot read it either.") from exc
            entries.append(DirEntry(name[prefix:], self._md5(name, status)))
            size += status.st_size
        listing = hashlib.md5(dir_bytes(entries), usedforsecurity=False).hexdigest()
        return Entry(path, listing + DIR, size, nfiles=len(entries))

    def _md5(self, path: str, status: os.stat_result) -> str:
        stamp = (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)
        known = self._known.get(path)
        if known is not None and known[0] == stamp:
            return known[1]
        now = time.time_ns()
        md5 = file_md5(self.root / path)
        changed = max(status.st_mtime_ns, status.st_ctime_ns)
        coarse = changed % 1_000_000_000 == 0
        if now - changed > (_AT_REST_COARSE if coarse else _AT_REST):
            self._known[path] = (stamp, md5)
            self._dirty = True
        return md5


def _load(state: Path) -> dict[str, tuple[_Stamp, str]]:
    try:
        plain = json.loads(state.read_bytes())
        if plain["format"] != FORMAT:
            return {}
        return {
            path: ((mtime, ctime, ino, size), md5) for path, (mtime, ctime, ino, size, md5) in plain["files"].items()
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def stage_status(root: Path, name: str, fingerprints: Fingerprints) -> StageStatus:
    """Compares a stage of ``dvc.yaml`` with ``dvc.lock`` and the work tree, as ``dvc status`` does."""
    lock = pipeline.read_stage(root, name)
    deps = pipeline.stage_deps(root, name)
    if lock is None:
        return StageStatus(name, False, False, deps, ())
    return StageStatus(
        name=name,
        ran=True,
        command_changed=pipeline.stage_command(root, name) != lock.cmd,
        deps=_changed_deps(lock, deps, fingerprints),
        outs=tuple(entry.path for entry in lock.outs if not _same(entry, fingerprints)),
    )


def _changed_deps(lock: StageLock, deps: tuple[str, ...], fingerprints: Fingerprints) -> tuple[str, ...]:
    locked = {entry.path: entry for entry in lock.deps}
    same = {path for path in deps if path in locked and _same(locked[path], fingerprints)}
    return tuple(sorted((set(deps) | set(locked)) - same))


def _same(entry: Entry, fingerprints: Fingerprints) -> bool:
    found = fingerprints.entry(entry.path)
    return found is not None and found.md5 == entry.md5
