"""DVC's cache of content, read and written natively.

In: bytes and files. Out: objects under ``files/md5/aa/bbcc…`` named by the md5 of their bytes, a directory as
``<md5>.dir`` that lists its files. Always holds: an object appears whole, read-only (0444) and as a new inode,
or not at all; a work-tree file never shares an inode with an object unless ``cache.type`` asks for links.

The bytes of a ``.dir`` object are those of ``dvc_data.hashfile.tree.Tree.as_bytes``. The md5 is how DVC finds
content, never why tdv trusts it: that is the manifest's sha256.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from tdv import durable
from tdv.errors import IntegrityError, NotFound, StoreError

DIR: Final = ".dir"
MODE: Final = 0o444
DEFAULT_LINKS: Final = ("reflink", "copy")

_MD5: Final = re.compile(r"[0-9a-f]{32}(?:\.dir)?")
_OUTSIDE: Final = frozenset({"", ".", ".."})
"""Steps of a path that is absolute, leads out, or is written in a second way."""
_CHUNK: Final = 1 << 20
_FICLONE: Final = 0x40049409


class DirEntry(NamedTuple):
    """One file of a directory object: `relpath` is POSIX and stays inside the directory."""

    relpath: str
    md5: str


@dataclass(frozen=True, slots=True)
class Stored:
    """An object with its size in bytes."""

    md5: str
    size: int


class Cache:
    """The objects below `directory` (DVC's ``cache.dir``); `links` are the ways to make a work-tree file, best first.

    `shared` makes directories writable for the group, as ``cache.shared = group`` asks.
    """

    def __init__(self, directory: Path, links: Sequence[str] = DEFAULT_LINKS, *, shared: bool = False) -> None:
        self.directory = directory
        self.links = tuple(links)
        self._objects = directory / "files" / "md5"
        self._directory_mode = 0o2775 if shared else None

    # -- objects

    def path(self, md5: str) -> Path:
        """Where the object of that md5 is or would be; raises `IntegrityError` for what is no md5."""
        if not _MD5.fullmatch(md5):
            hint = "The record, dvc.lock or directory object that names it is damaged; `tdv verify` finds it."
            raise IntegrityError(f"{md5!r} is no md5 of a cache object", hint=hint)
        return self._objects / md5[:2] / md5[2:]

    def has(self, md5: str) -> bool:
        """True if the object is there; a directory object says nothing about its files."""
        return self.path(md5).is_file()

    def has_all(self, md5: str) -> bool:
        """True if the object is there and, for a directory, every file that it lists."""
        return not self.missing(md5)

    def missing(self, md5: str) -> tuple[str, ...]:
        """The md5s that are not there: of the object itself, and for a directory of the files it lists."""
        if not self.has(md5):
            return (md5,)
        if not md5.endswith(DIR):
            return ()
        return tuple(dict.fromkeys(entry.md5 for entry in self.read_dir(md5) if not self.has(entry.md5)))

    def read(self, md5: str) -> bytes:
        """The bytes of a small object, proven by its md5. Raises `NotFound` or `IntegrityError`."""
        path = self.path(md5)
        try:
            data = path.read_bytes()
        except FileNotFoundError as exc:
            raise _absent(md5) from exc
        if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5.removesuffix(DIR):
            raise _damaged(md5)
        return data

    def add_bytes(self, data: bytes) -> Stored:
        """Stores `data` as a file object."""
        md5 = hashlib.md5(data, usedforsecurity=False).hexdigest()
        self._write(md5, data)
        return Stored(md5, len(data))

    def add_file(self, source: Path, *, move: bool = False) -> Stored:
        """Stores the content of `source`; with `move` the file itself becomes the object and is gone.

        `move` needs the file to be nobody else's: a file with further hard links is copied all the same.
        """
        md5 = file_md5(source)
        status = source.stat()
        path = self.path(md5)
        if self._intact(path, md5, status.st_size):
            if move:
                source.unlink()
            return Stored(md5, status.st_size)
        beside = self._beside(path)
        try:
            if not (move and status.st_nlink == 1 and _renamed(source, beside)):
                copy(source, beside)
                if move:
                    source.unlink()
            self._publish(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        return Stored(md5, status.st_size)

    def write_dir(self, entries: Iterable[DirEntry]) -> str:
        """Stores the list of a directory's files, whose objects must be there, and returns ``<md5>.dir``."""
        listing = dir_bytes(entries)
        md5 = hashlib.md5(listing, usedforsecurity=False).hexdigest() + DIR
        self._write(md5, listing)
        return md5

    def add_tree(self, directory: Path, *, move: bool = False) -> tuple[str, int, int]:
        """Stores every file below `directory`, the listing last; returns (``<md5>.dir``, bytes, files)."""
        entries: list[DirEntry] = []
        size = 0
        for path in sorted(entry for entry in directory.rglob("*") if entry.is_file()):
            stored = self.add_file(path, move=move)
            entries.append(DirEntry(path.relative_to(directory).as_posix(), stored.md5))
            size += stored.size
        return self.write_dir(entries), size, len(entries)

    def read_dir(self, md5: str) -> tuple[DirEntry, ...]:
        """The files of a directory object, sorted by path. Raises `NotFound` or `IntegrityError`."""
        return listed_files(self.read(md5), md5)

    def verify(self, md5: str) -> None:
        """Reads the object, and for a directory every file of it. Raises `NotFound` or `IntegrityError`."""
        if md5.endswith(DIR):
            for entry in self.read_dir(md5):
                self.verify(entry.md5)
            return
        path = self.path(md5)
        try:
            found = file_md5(path)
        except FileNotFoundError as exc:
            raise _absent(md5) from exc
        if found != md5:
            raise _damaged(md5)

    def objects(self) -> Iterator[tuple[str, os.stat_result]]:
        """Every object that is there, with its status; files that are none are left out."""
        for prefix in sorted(_entries(self._objects), key=lambda item: item.name):
            for entry in sorted(_entries(Path(prefix.path)), key=lambda item: item.name):
                md5 = prefix.name + entry.name
                if _MD5.fullmatch(md5):
                    yield md5, entry.stat(follow_symlinks=False)

    def remove(self, md5: str) -> None:
        """Removes one object; it is no error when it is gone already."""
        self.path(md5).unlink(missing_ok=True)

    # -- the work tree

    def materialise(self, md5: str, destination: Path) -> None:
        """Puts the file object, or the whole directory of a ``.dir`` object, in the place of `destination`."""
        if md5.endswith(DIR):
            self._materialise_dir(md5, destination)
            return
        beside = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:12]}.tmp")
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            self._link(md5, beside)
            os.replace(beside, destination)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise

    def _materialise_dir(self, md5: str, destination: Path) -> None:
        beside = destination.with_name(f".{destination.name}.{uuid.uuid4().hex[:12]}.tmp")
        destination.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.mkdir()
            for entry in self.read_dir(md5):
                place = beside / entry.relpath
                place.parent.mkdir(parents=True, exist_ok=True)
                self._link(entry.md5, place)
            durable.replace_directory(beside, destination)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise

    def _link(self, md5: str, place: Path) -> None:
        source = self.path(md5)
        if not source.is_file():
            raise _absent(md5)
        for kind in self.links:
            if _linked(kind, source, place):
                return
        raise StoreError(
            f"No link of cache.type {', '.join(self.links)} can be made at {place}",
            hint="dvc config cache.type reflink,copy",
        )

    # -- writing objects

    def _intact(self, path: Path, md5: str, size: int) -> bool:
        """True if the object is there unharmed: as DVC does, read-only is taken as proof, else it is read."""
        try:
            status = path.stat()
        except FileNotFoundError:
            return False
        if status.st_size != size or not stat.S_ISREG(status.st_mode):
            return False
        return stat.S_IMODE(status.st_mode) == MODE or file_md5(path) == md5.removesuffix(DIR)

    def _write(self, md5: str, data: bytes) -> None:
        path = self.path(md5)
        if self._intact(path, md5, len(data)):
            return
        beside = self._beside(path)
        try:
            beside.write_bytes(data)
            self._publish(beside, path)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise

    def _beside(self, path: Path) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        if self._directory_mode is not None and stat.S_IMODE(path.parent.stat().st_mode) != self._directory_mode:
            path.parent.chmod(self._directory_mode)
        return path.with_name(f".{uuid.uuid4().hex}.tmp")

    def _publish(self, beside: Path, path: Path) -> None:
        os.chmod(beside, MODE)
        durable.sync_file(beside)
        os.replace(beside, path)
        durable.sync_directory(path.parent)


def dir_bytes(entries: Iterable[DirEntry]) -> bytes:
    """The bytes of a directory object, as DVC writes them."""
    listed: list[dict[str, Any]] = [{"md5": entry.md5, "relpath": entry.relpath} for entry in sorted(entries)]
    return json.dumps(listed, sort_keys=True).encode()


def file_md5(path: Path) -> str:
    """The md5 of a file's bytes, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def copy(source: Path, destination: Path) -> None:
    """A new file with the content of `source`: shares blocks where the file system can, else copies in the kernel."""
    if not reflink(source, destination):
        shutil.copyfile(source, destination)


def reflink(source: Path, destination: Path) -> bool:
    """Makes `destination` a copy-on-write clone of `source`; False where the file system has none."""
    import fcntl

    try:
        with source.open("rb") as old, destination.open("xb") as new:
            fcntl.ioctl(new.fileno(), _FICLONE, old.fileno())
    except FileExistsError:
        raise
    except OSError:
        destination.unlink(missing_ok=True)
        return False
    return True


def _linked(kind: str, source: Path, place: Path) -> bool:
    if kind == "reflink":
        return reflink(source, place)
    if kind == "copy":
        shutil.copyfile(source, place)
        return True
    try:
        if kind == "hardlink" and source.stat().st_size:
            os.link(source, place)
        elif kind == "hardlink":
            # DVC never links empty files: they would use up the file system's limit of links per inode.
            place.touch()
        else:
            os.symlink(source.resolve(), place)
    except OSError:
        return False
    return True


def _renamed(source: Path, destination: Path) -> bool:
    try:
        os.rename(source, destination)
    except OSError:
        return False
    return True


def _entries(directory: Path) -> list[Any]:
    try:
        with os.scandir(directory) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []


@lru_cache(maxsize=8)
def listed_files(data: bytes, md5: str) -> tuple[DirEntry, ...]:
    """The files that the bytes of the directory object `md5` list, sorted by path; raises `IntegrityError`."""
    try:
        return parse_dir(data, md5)
    except (ValueError, KeyError, TypeError) as exc:
        raise _damaged(md5) from exc


def parse_dir(data: bytes, md5: str) -> tuple[DirEntry, ...]:
    """The files that the bytes of the directory object `md5` list, sorted by path.

    Raises `IntegrityError` for a path that leads out; `ValueError`, `KeyError` or `TypeError` for other bytes.
    """
    entries = tuple(sorted(_entry(item) for item in _listing(data)))
    for entry in entries:
        if not (_MD5.fullmatch(entry.md5) and _inside(entry.relpath)):
            raise IntegrityError(
                f"The directory object {md5} lists the path {entry.relpath!r}",
                hint="Somebody made it by hand: do not use this artifact, and tell who published it.",
            )
    return entries


def _listing(data: bytes) -> list[Any]:
    listed = json.loads(data)
    if not isinstance(listed, list):
        raise TypeError(f"a list of files, not {type(listed).__name__}")
    return listed


def _entry(item: Any) -> DirEntry:
    relpath, md5 = item["relpath"], item["md5"]
    if not (isinstance(relpath, str) and isinstance(md5, str)):
        raise TypeError("path and md5 are text")
    return DirEntry(relpath, md5)


def _inside(relpath: str) -> bool:
    return "\0" not in relpath and _OUTSIDE.isdisjoint(relpath.split("/"))


def _absent(md5: str) -> NotFound:
    return NotFound(f"The object {md5} is not in the cache", hint="tdv pull", md5=md5)


def _damaged(md5: str) -> IntegrityError:
    hint = "`tdv pull --verify` fetches it anew."
    return IntegrityError(f"The cache object {md5} holds other bytes than its name says", hint=hint, md5=md5)
