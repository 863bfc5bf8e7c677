"""A finished directory in the place of another one.

In: the new directory beside the old one, or within it, and which files of the old one may go. Out: the new files
in place. Always holds: a file that is not among those that may go is never deleted. Without foreign entries
a reader sees the whole old directory or the whole new one; with them each file is old or new.
"""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tdv.errors import Refused

_EXCHANGE: Final = 2  # RENAME_EXCHANGE of linux/fs.h
_HERE: Final = -100  # AT_FDCWD
_NOT_POSSIBLE: Final = frozenset({errno.ENOSYS, errno.EINVAL, errno.EBUSY, errno.EXDEV})


def exchange(first: Path, second: Path) -> bool:
    """Swaps two names in one step; False where the system cannot."""
    try:
        call = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError):
        return False
    if call(_HERE, os.fsencode(first), _HERE, os.fsencode(second), _EXCHANGE) == 0:
        return True
    number = ctypes.get_errno()
    if number in _NOT_POSSIBLE:
        return False
    raise OSError(number, os.strerror(number), str(second))


def foreign(directory: Path, own: Iterable[str]) -> list[str]:
    """Files in `directory` that are not among `own`, and directories without any file, relative to it."""
    known = set(own)
    parents = {parent.as_posix() for name in known for parent in Path(name).parents}
    found = []
    for place, directories, files in os.walk(directory):
        base = Path(place).relative_to(directory)
        found += [name for name in ((base / file).as_posix() for file in files) if name not in known]
        for inner in directories:
            path = Path(place) / inner
            is_foreign = path.is_symlink() or not any(path.iterdir())
            if is_foreign and (base / inner).as_posix() not in parents:
                found.append((base / inner).as_posix())
    return sorted(found)


def refuse_blocked(directory: Path, own: Iterable[str], files: Iterable[str]) -> None:
    """Raises `Refused` where files of others, which are not among `own`, keep `files` from being put into `directory`:
    they are in a directory that has the name of one, or have the name of a directory of one."""
    known = set(own)
    for name in sorted(files):
        above = [parent.as_posix() for parent in Path(name).parents if parent.name]
        as_file = [place for place in above if _is_file(directory / place) and place not in known]
        place = directory / name
        inside = {other.removeprefix(f"{name}/") for other in known}
        within = foreign(place, inside) if place.is_dir() and not place.is_symlink() else []
        blocking = as_file or [f"{name}/{file}" for file in within]
        if blocking:
            raise Refused(
                f"files that tdv did not write are where {name} belongs: {', '.join(blocking)}",
                hint="Move them away, or name another --target.",
                files=blocking,
            )


def _is_file(path: Path) -> bool:
    return os.path.lexists(path) and not path.is_dir()


def move_into(new: Path, directory: Path, files: Iterable[str], last: str) -> None:
    """Renames each file of `new` to its place in `directory`, the one that marks them complete at the end."""
    for name in [*(name for name in files if name != last), last]:
        place = directory / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if place.is_dir() and not place.is_symlink():
            place.rmdir()
        os.replace(new / name, place)


def remove(directory: Path, files: Iterable[str]) -> None:
    """Deletes `files` and the directories that this leaves empty, `directory` too."""
    parents: set[Path] = {directory}
    for name in files:
        path = directory / name
        if path.is_symlink() or not path.is_dir():
            path.unlink(missing_ok=True)
        parents.update(directory / parent for parent in Path(name).parents)
    for parent in sorted(parents, key=lambda path: len(path.parts), reverse=True):
        try:
            parent.rmdir()
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST, errno.ENOENT, errno.ENOTDIR):
                raise


def rescue(old: Path, directory: Path) -> None:
    """Moves what is left in `old`, put there by somebody while it was replaced, into `directory`."""
    for name in foreign(old, ()):
        place = directory / name
        if not os.path.lexists(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            os.rename(old / name, place)
    if not foreign(old, ()):
        shutil.rmtree(old, ignore_errors=True)
