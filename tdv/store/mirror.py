"""Another Git repository, as a partial clone in the user's cache: all commits and trees, files once they are read.

In: where it is, and a directory of the cache. Out: commits, and the text files of a commit that tdv reads. Always
holds: a clone, and what was read of a commit, is made beside its place and renamed, so that a half-made one is never
used; one process at a time changes it; nothing in it is checked out or run; a commit that was read once is read again
without Git and without the network.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tdv import durable
from tdv.errors import GitError, NotFound
from tdv.model.reference import DATASET
from tdv.store.git import Git

_PROTOCOLS: Final = "file:git:http:https:ssh"
_REFS: Final = ("+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*", "+HEAD:refs/tdv/HEAD")
_KEPT: Final = "refs/tdv/read"
"""Holds the commits that a lock may pin when no branch holds them any more."""
_QUIET: Final = (
    "--quiet",
    "--update-head-ok",
    "--filter=blob:none",
    "--no-write-fetch-head",
    "--recurse-submodules=no",
)
_FILES: Final = frozenset({"100644", "100755"})
_DATASET: Final = f"datasets/{DATASET.pattern}"
_READ: Final = re.compile(rf"{_DATASET}/releases/[0-9A-Za-z.-]+\.yaml|{_DATASET}/amendments\.yaml|\.dvc/config")


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A regular file of a commit: its path, and the name of its blob."""

    path: str
    blob: str


class Mirror:
    """The repository at `location`, kept below `place`; `environ` is the environment to run Git in."""

    def __init__(self, location: str, place: Path, environ: Mapping[str, str]) -> None:
        self.location = location
        self.place = place
        self._environ = {**environ, "GIT_ALLOW_PROTOCOL": _PROTOCOLS}

    @property
    def exists(self) -> bool:
        """True once it was cloned."""
        return self._directory.is_dir()

    @property
    def git(self) -> Git:
        """The clone, with a work tree that is always empty."""
        return self._git(self._directory)

    def fetch(self) -> None:
        """Brings it up to date; raises `GitError` when it cannot be reached."""
        with self._alone():
            if not self.exists:
                self._clone()
                return
            self._remove_leavings()
            self._fetch(self.git)

    def commit(self, ref: str | None) -> str:
        """The commit at a branch or tag, at the default branch without one, as of the last `fetch`."""
        names = ["refs/tdv/HEAD"] if ref is None else [f"refs/heads/{ref}", f"refs/tags/{ref}"]
        for name in names if self.exists else ():
            with suppress(NotFound):
                return self.git.resolve(name)
        raise NotFound(
            f"{self.location} has no branch or tag {ref!r}" if ref else f"{self.location} has no commit",
            hint="`git ls-remote` shows what is there; `ref` in tdv.yaml names the branch or tag.",
            ref=ref,
        )

    def files(self, commit: str) -> Path:
        """A directory with the records, the amendments and DVC's configuration of a commit, as files.

        Raises `GitError` when the commit is not here and cannot be fetched.
        """
        place = self.place / "commits" / commit
        if not place.is_dir():
            with self._alone():
                if not place.is_dir():
                    self._bring(commit)
                    self._write(commit, place)
        return place

    def read(self, commit: str, paths: Sequence[str]) -> dict[str, bytes]:
        """The bytes of those `paths` that are regular files of a commit."""
        with self._alone():
            self._bring(commit)
            return self._read(commit, [file for file in self._tree(commit, paths) if file.path in set(paths)])

    # -- under the lock

    def _clone(self) -> None:
        durable.sweep(self.place)
        self._work_tree.mkdir(parents=True, exist_ok=True)
        beside = self.place / f".git.{os.urandom(6).hex()}.tmp"
        try:
            git = self._git(beside)
            git.answer("init", "--quiet", "--template=")
            git.answer("config", "remote.origin.url", self.location)
            git.answer("config", "gc.autoDetach", "false")
            git.answer("symbolic-ref", "HEAD", "refs/tdv/HEAD")
            self._fetch(git)
            durable.replace_directory(beside, self._directory)
        except BaseException:
            shutil.rmtree(beside, ignore_errors=True)
            raise

    def _fetch(self, git: Git) -> None:
        try:
            git.answer("fetch", *_QUIET, "--prune", "--no-tags", "origin", *_REFS)
        except GitError as exc:
            raise self._unreachable(exc) from exc

    def _bring(self, commit: str) -> None:
        """Makes sure that a commit is here: with all branches and tags, else by its own name."""
        if not self.exists:
            self._clone()
        self._remove_leavings()
        with suppress(NotFound):
            self.git.resolve(commit)
            return
        self._fetch(self.git)
        with suppress(NotFound):
            self.git.resolve(commit)
            return
        try:
            self.git.answer("fetch", *_QUIET, "--no-tags", "origin", commit)
        except GitError as exc:
            raise GitError(
                f"{self.location} has no commit {commit[:12]} any more, which tdv.lock pins",
                hint="`tdv lock --upgrade` pins releases of a commit that is there.",
                commit=commit,
            ) from exc

    def _write(self, commit: str, place: Path) -> None:
        beside = place.with_name(f".{place.name}.{os.urandom(6).hex()}.tmp")
        durable.sweep(place.parent)
        beside.mkdir(parents=True)
        for name, data in self._read(commit, self._tree(commit, ("datasets", ".dvc/config"))).items():
            if _READ.fullmatch(name):
                path = beside / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
                durable.sync_file(path)
        self.git.answer("update-ref", f"{_KEPT}/{commit}", commit)
        durable.replace_directory(beside, place)

    def _tree(self, commit: str, paths: Sequence[str]) -> list[TreeFile]:
        """The regular files at or below `paths`: links lead nowhere."""
        listed = self.git.answer("ls-tree", "-r", "-z", commit, "--", *paths).decode("utf-8", "surrogateescape")
        entries = (line.partition("\t") for line in listed.split("\0") if line)
        return [TreeFile(path, head.split()[2]) for head, _, path in entries if head.split()[0] in _FILES]

    def _read(self, commit: str, files: Sequence[TreeFile]) -> dict[str, bytes]:
        self._fetch_blobs(commit, {file.blob for file in files})
        contents = self.git.objects(file.blob for file in files)
        return {file.path: data for file, data in zip(files, contents, strict=True) if data is not None}

    def _fetch_blobs(self, commit: str, wanted: set[str]) -> None:
        """Brings the blobs that are not here in one go; Git itself would ask for one after the other."""
        listed = self.git.answer("rev-list", "--objects", "--missing=print", "--no-walk", commit).decode()
        missing = sorted(wanted & {line[1:] for line in listed.splitlines() if line.startswith("?")})
        if not missing:
            return
        # Else the server would think that whoever has the commit has its files.
        count = int(self._environ.get("GIT_CONFIG_COUNT") or 0)
        named = {"COUNT": f"{count + 1}", f"KEY_{count}": "fetch.negotiationAlgorithm", f"VALUE_{count}": "noop"}
        environ = {**self._environ, **{f"GIT_CONFIG_{key}": value for key, value in named.items()}}
        git = Git(self._work_tree, environ, self._directory)
        try:
            git.answer("fetch", *_QUIET, "--no-tags", "--stdin", "origin", stdin="\n".join(missing).encode() + b"\n")
        except GitError as exc:
            raise self._unreachable(exc) from exc

    def _remove_leavings(self) -> None:
        """Removes the lock files of a Git that was killed: under the lock of this clone none can be at work."""
        for left in (*self._directory.glob("*.lock"), *self._directory.glob("refs/**/*.lock")):
            left.unlink(missing_ok=True)

    # -- where things are

    @property
    def _directory(self) -> Path:
        return self.place / "git"

    @property
    def _work_tree(self) -> Path:
        return self.place / "tree"

    def _git(self, directory: Path) -> Git:
        return Git(self._work_tree, self._environ, directory)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with durable.locked(self.place / "lock", f"The copy of {self.location}"):
            yield

    def _unreachable(self, problem: GitError) -> GitError:
        reason = problem.message.partition(": ")[2] or problem.message
        return GitError(
            f"The repository {self.location} cannot be read: {reason}",
            hint=f"`git ls-remote {self.location}` says more; check the connection and your access.",
            location=self.location,
        )
