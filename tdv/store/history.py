"""What Git's history says about releases: the book at any commit, and every object that any commit names.

In: a `Git`. Out: a `ReleaseBook`, sets of md5s. Always holds: `named_objects` errs on the side of keeping: it
takes every md5 in sight, so that a record that cannot be read any more still protects its data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Final

from tdv.store.git import Git
from tdv.store.records import DATASETS, ReleaseBook

RECORDS: Final = ("**/datasets/*/releases/*.yaml", "**/tdv.lock")
POINTERS: Final = ("**/dvc.lock", "**/*.dvc")

_MD5: Final = re.compile(rb"(?<![0-9a-z])[0-9a-f]{32}(?:\.dir)?(?![0-9a-z])")
_BOOK: Final = re.compile(rf"{DATASETS}/[^/]+/(?:releases/[^/]+\.yaml|amendments\.yaml)")


def book_at(git: Git, revision: str) -> ReleaseBook:
    """The book of releases as the commit `revision` holds it, read by two processes; raises `NotFound`."""
    commit = git.resolve(revision)
    paths = git.ls_tree(commit, DATASETS)
    contents = git.read_many(commit, [path for path in paths if _BOOK.fullmatch(path)])
    names: dict[str, dict[str, None]] = {}
    for path in map(PurePosixPath, paths):
        for place in (path, *path.parents):
            names.setdefault(str(place.parent), {})[place.name] = None
    return ReleaseBook(git.root, contents.get, lambda directory: tuple(names.get(directory, ())))


def named_objects(git: Git) -> frozenset[str]:
    """Every md5 that is named by a record in any commit that a branch, tag or HEAD reaches, by a ``dvc.lock``
    or ``.dvc`` file at the end of any of them, or by one of those files in the work tree."""
    asked = [oid for oids in git.blobs(RECORDS).values() for oid in oids]
    asked += [f"{tip}:{path}" for path in git.blobs(POINTERS) for tip in git.tips()]
    committed = _md5s(data for data in git.objects(asked) if data is not None)
    here = [git.root / name for name in git.work_files((*RECORDS, *POINTERS))]
    return frozenset(committed | _md5s(path.read_bytes() for path in here if path.is_file()))


def _md5s(texts: Iterable[bytes]) -> set[str]:
    return {match.decode() for text in texts for match in _MD5.findall(text)}
