"""The first-parent line of HEAD, and where on it a record stands together with its data.

In: a Git, the datasets to look for. Out: commits. Always holds: what the line changed is read once for all releases,
so that one that stands nowhere costs nothing more; of ``dvc.lock`` only which md5s are in it, which is for the caller
to look at closely.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import Final

from tdv.model.release import Record
from tdv.store.git import Git
from tdv.store.pipeline import DVC_LOCK, DVC_YAML
from tdv.store.records import record_path

Tree = tuple[bytes | None, bytes | None, bytes | None]
"""A record, dvc.yaml and dvc.lock as one commit holds them."""

_MD5: Final = re.compile(rb"\b[0-9a-f]{32}\.dir\b")
_READ_AT_ONCE: Final = 200


class MainLine:
    """The line as it was when this was made; make another one when the history grew."""

    def __init__(self, git: Git, datasets: Sequence[str]) -> None:
        self._git = git
        self._commits = tuple(reversed(tuple(git.first_parent_commits())))
        places = {commit: place for place, commit in enumerate(self._commits)}
        self._changes: dict[str, list[int]] = {}
        below = [f"datasets/{dataset}/releases" for dataset in datasets]
        for commit, paths in _changes(git, (DVC_YAML, DVC_LOCK, *below)):
            for path in paths:
                self._changes.setdefault(path, []).append(places[commit])
        for found in self._changes.values():
            found.sort()

    def begins_it(self, record: Record) -> bool:
        """True if the oldest commit of the line has the record, which may be older than that."""
        return self._changed(record)[:1] == [0]

    def candidates(self, record: Record) -> Iterator[tuple[str, Tree]]:
        """The commits since the record's first at which anything about it changed while ``dvc.lock`` named its data,
        the oldest first, with what they hold."""
        changed = self._changed(record)
        spans = self._delivered.get(record.artifact.md5.encode(), ()) if changed else ()
        moves = sorted({*changed, *self._changes.get(DVC_YAML, ())})
        for first, end in spans:
            start = max(first, changed[0])
            if start < end:
                yield from self._trees(record, [start, *(place for place in moves if start < place < end)])

    def _changed(self, record: Record) -> list[int]:
        return self._changes.get(record_path(record.dataset, record.version), [])

    @cached_property
    def _delivered(self) -> dict[bytes, list[tuple[int, int]]]:
        """The md5 of a directory → from which place of the line up to which ``dvc.lock`` names it."""
        locks = self._changes.get(DVC_LOCK, [])
        ends = [*locks[1:], len(self._commits)]
        found: dict[bytes, list[tuple[int, int]]] = {}
        for at in range(0, len(locks), _READ_AT_ONCE):
            some = locks[at : at + _READ_AT_ONCE]
            texts = self._git.objects(f"{self._commits[place]}:./{DVC_LOCK}" for place in some)
            for place, end, text in zip(some, ends[at:], texts, strict=False):
                for md5 in set(_MD5.findall(text or b"")):
                    known = found.setdefault(md5, [])
                    if known and known[-1][1] == place:
                        known[-1] = (known[-1][0], end)
                    else:
                        known.append((place, end))
        return found

    def _trees(self, record: Record, places: Sequence[int]) -> Iterator[tuple[str, Tree]]:
        """The first by itself, since it is most often the one."""
        paths = (record_path(record.dataset, record.version), DVC_YAML, DVC_LOCK)
        for some in (places[:1], *(places[at : at + _READ_AT_ONCE] for at in range(1, len(places), _READ_AT_ONCE))):
            commits = [self._commits[place] for place in some]
            found = self._git.objects(f"{commit}:./{path}" for commit in commits for path in paths)
            yield from zip(commits, zip(found, found, found, strict=True), strict=True)


def _changes(git: Git, paths: Sequence[str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Commit of the line → the files at or below `paths` that it changed, by one process."""
    shown = ("--name-only", "--no-renames", "--relative", "--root", "-m", "--no-show-signature", "--format=%x00%H")
    output = git.answer("log", "--first-parent", *shown, git.head(), "--", *paths).decode("utf-8", "surrogateescape")
    for entry in filter(None, output.split("\0")):
        commit, *names = entry.split("\n")
        yield commit, tuple(filter(None, names))
