"""What Git's history says about releases: the book at any commit, and every object that any commit names.

In: a `Git`. Out: a `ReleaseBook`, sets of md5s. Always holds: `named_objects` errs on the side of keeping: it
takes every md5 in sight, so that a record that cannot be read any more still protects its data.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Final

from tdv.model.release import Record
from tdv.store.git import Git
from tdv.store.pipeline import DVC_LOCK, locked_md5
from tdv.store.records import DATASETS, ReleaseBook, record_path
from tdv.store.tags import Tag

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


def faults_of_tags(git: Git, tagged: Sequence[tuple[Tag, Record]], book: ReleaseBook) -> list[str]:
    """What is wrong with each version tag as that of a record of `book`: "" or the end of a sentence, by one process.

    A tag without a digest, as plain Git or GTO makes it, is judged by its commit.
    """
    paths = [(tag.commit, record_path(record.dataset, record.version)) for tag, record in tagged]
    named = git.blob_names(f"{commit}:./{name}" for commit, path in paths for name in (path, DVC_LOCK))
    # Tags on one commit, and commits that did not touch a file, share it.
    asked = list(dict.fromkeys(filter(None, named)))
    contents = dict(zip(asked, git.objects(asked), strict=True)) if asked else {}
    found = (contents[name] if name else None for name in named)
    data = (book.record_bytes(record.dataset, record.version) for _, record in tagged)
    return [
        _fault(tag, record, (mine, there, lock))
        for (tag, record), mine, there, lock in zip(tagged, data, found, found, strict=True)
    ]


def _fault(tag: Tag, record: Record, contents: tuple[bytes, bytes | None, bytes | None]) -> str:
    data, there, lock = contents
    if tag.digest and tag.digest != record.digest:
        return f"promises {tag.digest}, the record {record.digest}"
    path = record_path(record.dataset, record.version)
    if there is None:
        return f"was moved to {tag.commit[:12]}, which has no {path}"
    if there != data:
        return f"was moved to {tag.commit[:12]}, which has another {path}"
    if lock is None or locked_md5(lock, record.dataset) != record.artifact.md5:
        return f"is on {tag.commit[:12]}, whose dvc.lock has other data"
    return ""


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


def unseen_refs(git: Git, remote: str) -> tuple[str, ...]:
    """The branches and tags of a Git remote that end where no branch or tag of this clone leads; asks the remote."""
    listed = git.answer("ls-remote", "--heads", "--tags", "--", remote).decode("utf-8", "surrogateescape")
    # The line with ^{} comes after that of its tag, and has the commit.
    ends = {ref.removesuffix("^{}"): oid for oid, ref in (line.split("\t", 1) for line in listed.splitlines())}
    asked = list(dict.fromkeys(ends.values()))
    kinds = git.answer("cat-file", "--batch-check=%(objecttype)", stdin=_lines(asked)).decode().splitlines()
    lacking = {oid for oid, kind in zip(asked, kinds, strict=True) if kind.endswith("missing")}
    commits = [oid for oid, kind in zip(asked, kinds, strict=True) if kind == "commit"]
    if commits:
        # What it lists are commits that nothing here reaches.
        asked = [*commits, *(f"^{tip}" for tip in git.tips())]
        lacking.update(git.answer("rev-list", "--stdin", stdin=_lines(asked)).decode().split())
    return tuple(sorted(ref for ref, oid in ends.items() if oid in lacking))


def _lines(texts: Iterable[str]) -> bytes:
    return "".join(f"{text}\n" for text in texts).encode()
