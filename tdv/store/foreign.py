"""The releases of another repository, and their data.

In: its URL, the user's cache, a cache of objects. Out: a book of releases at a commit, objects in the cache. Always
holds: its records are data and nothing of it is run; before data is fetched for the first time, the tag of the release
has to agree with its record; what was read once is read again without the network.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from tdv.config.repositories import directory, fault, hint, location
from tdv.errors import IntegrityError, RemoteError, UsageError
from tdv.model.release import Record
from tdv.store import settings as dvc_settings
from tdv.store.cache import DIR, Cache, listed_files
from tdv.store.history import faults_of_tags
from tdv.store.mirror import Mirror
from tdv.store.records import ReleaseBook
from tdv.store.settings import DvcSettings


class Foreign:
    """The repository at `url`, a path counting from `root`; `shelf` is where the copies of repositories are."""

    def __init__(self, url: str, root: Path, shelf: Path, environ: Mapping[str, str]) -> None:
        if problem := fault(url):
            raise UsageError(f"The URL of the repository {problem}", hint=hint(problem))
        self._location = location(url, root)
        name = hashlib.sha256(self._location.encode("utf-8", "surrogateescape")).hexdigest()[:32]
        self._environ = environ
        self.mirror = Mirror(self._location, shelf / name, environ)

    def newest(self, ref: str | None) -> str:
        """Asks for the commit at a branch or tag, at the default branch without one; raises `GitError`."""
        self.mirror.fetch()
        return self.mirror.commit(ref)

    def book(self, commit: str) -> ReleaseBook:
        """The releases at a commit."""
        return ReleaseBook(self.mirror.files(commit))

    def check_tag(self, record: Record, commit: str) -> None:
        """Raises `IntegrityError` when the tag of a release is not that of its record."""
        git = self.mirror.git
        tags = [tag for tag in git.tags(record.dataset) if tag.kind == "version" and tag.version == record.version]
        for fault_ in faults_of_tags(git, [(tag, record) for tag in tags], self.book(commit)):
            if fault_:
                raise IntegrityError(
                    f"In {self._location} the tag {record.reference} {fault_}",
                    hint="One of them was altered: ask who keeps that repository, and use another version.",
                    tag=record.reference,
                )

    def obtain(self, record: Record, commit: str, cache: Cache) -> str:
        """Brings the data of a release into the cache and returns its md5 there.

        Raises `RemoteError` when it cannot be had, `IntegrityError` when it is not what was promised.
        """
        md5 = record.artifact.md5
        if cache.has_all(md5):
            return md5
        self.check_tag(record, commit)
        settings = self._settings(commit, cache)
        inside = settings.inside()
        if inside is None:
            from tdv.store import dvc

            dvc.fetch(settings, [md5])
        else:
            self._copy(commit, inside, md5, cache)
        return md5

    def _settings(self, commit: str, cache: Cache) -> DvcSettings:
        files = self.mirror.files(commit)
        settings = dvc_settings.of_commit(files, directory(self._location), cache, self._environ)
        if settings.default_remote not in settings.remotes:
            raise RemoteError(
                f"{self._location} names no DVC remote that can be reached from here",
                hint="Its .dvc/config has to name one under [core] remote, with an absolute URL.",
            )
        return settings

    def _copy(self, commit: str, remote: str, md5: str, cache: Cache) -> None:
        """Copies an artifact from a remote that is in that repository's Git, its list of files last."""
        if cache.has(md5):
            entries = cache.read_dir(md5)
        else:
            entries = listed_files(self._objects(commit, remote, [md5])[md5], md5)
        absent = sorted({entry.md5 for entry in entries if not cache.has(entry.md5)})
        for data in self._objects(commit, remote, absent).values():
            cache.add_bytes(data)
        cache.write_dir(entries)

    def _objects(self, commit: str, remote: str, md5s: Sequence[str]) -> dict[str, bytes]:
        """The bytes of objects, each proven by its md5."""
        paths = {md5: f"{remote}/files/md5/{md5[:2]}/{md5[2:]}" for md5 in md5s}
        found = self.mirror.read(commit, list(paths.values())) if paths else {}
        missing = [md5 for md5, path in paths.items() if path not in found]
        if missing:
            raise RemoteError(
                f"The DVC remote inside {self._location} lacks the object {missing[0]}",
                hint="`tdv push` there, and commit the files of the remote.",
                missing=missing,
            )
        for md5, path in paths.items():
            if hashlib.md5(found[path], usedforsecurity=False).hexdigest() != md5.removesuffix(DIR):
                raise IntegrityError(
                    f"The DVC remote inside {self._location} holds other bytes than the name of {md5} says",
                    hint="Use another version, and tell who keeps that repository.",
                    damaged=[md5],
                )
        return {md5: found[path] for md5, path in paths.items()}
