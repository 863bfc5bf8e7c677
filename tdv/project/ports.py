"""What every verb may need of one repository, opened once and as late as possible.

In: the root and the environment. Out: settings, Git, DVC's cache, the book of releases. Always holds: nothing is
read before it is asked for, and nothing heavy is imported here.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from tdv import config
from tdv.documents.words import nearest
from tdv.errors import GitError, NotFound
from tdv.model.reference import DATASET, NAME
from tdv.store.records import ReleaseBook

if TYPE_CHECKING:
    from tdv.config import Repository, Settings
    from tdv.model.release import Origin
    from tdv.model.spec import DatasetSpec
    from tdv.project.libraries import Library
    from tdv.store.cache import Cache
    from tdv.store.foreign import Foreign
    from tdv.store.git import Git
    from tdv.store.settings import DvcSettings


def now() -> datetime:
    """The present moment in UTC, to the second, as records write it."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(frozen=True)
class Ports:
    """The repository at `root` (absolute), with the environment of the call in `environ`.

    `guests` are other repositories that are not in tdv.yaml, by name.
    """

    root: Path
    environ: Mapping[str, str]
    guests: Mapping[str, Repository] = field(default_factory=dict)

    @cached_property
    def settings(self) -> Settings:
        """tdv.yaml."""
        return config.load(self.root, self.environ)

    @cached_property
    def git(self) -> Git:
        """The Git repository; paths count from `root`."""
        from tdv.store.git import Git

        return Git(self.root, self.environ)

    @cached_property
    def dvc(self) -> DvcSettings:
        """DVC's configuration."""
        from tdv.store import settings as dvc_settings

        return dvc_settings.load(self.root, self.environ)

    @cached_property
    def cache(self) -> Cache:
        """DVC's cache; where DVC is not used, as by a service whose data is elsewhere, one of the user."""
        from tdv.store.cache import Cache
        from tdv.store.settings import is_initialised

        if not is_initialised(self.root):
            return Cache(config.cache_home(self.environ) / "objects")
        return self.dvc.cache

    @cached_property
    def book(self) -> ReleaseBook:
        """The releases in the work tree."""
        return ReleaseBook(self.root)

    @cached_property
    def library(self) -> Library:
        """The releases in the work tree, and those of other repositories as the lock pins them."""
        from tdv.project import libraries

        return libraries.in_use(self)

    @property
    def repositories(self) -> Mapping[str, Repository]:
        """Other repositories, by name."""
        return {**self.settings.repositories, **self.guests}

    def repository(self, name: str) -> Repository:
        """Another repository; raises `NotFound` with the nearest name."""
        from tdv.project import libraries

        found = self.repositories.get(name)
        if found is None:
            raise libraries.unknown(name, list(self.repositories))
        return found

    def foreign(self, url: str) -> Foreign:
        """The repository at a URL."""
        found = self._foreign.get(url)
        if found is None:
            from tdv.store.foreign import Foreign

            shelf = config.cache_home(self.environ) / "repositories"
            found = self._foreign[url] = Foreign(url, self.root, shelf, self.environ)
        return found

    def book_of(self, origin: Origin) -> ReleaseBook:
        """The releases of another repository at a commit."""
        return self.foreign(origin.url).book(origin.commit)

    @cached_property
    def _foreign(self) -> dict[str, Foreign]:
        return {}

    @property
    def state(self) -> Path:
        """What tdv keeps for itself; may be deleted at any time."""
        return self.root / ".tdv"

    def directory(self, dataset: str) -> Path:
        """``datasets/<name>``"""
        return self.root / "datasets" / dataset

    def spec(self, dataset: str) -> DatasetSpec:
        """The spec of one dataset; raises `NotFound` with the nearest name, `DocumentError`."""
        from tdv import spec
        from tdv.migrations.tables import of_tool

        path = self.directory(dataset) / "dataset.yaml"
        if not (path.is_file() and DATASET.fullmatch(dataset)):
            raise self._without_spec(dataset) if dataset in self.book.datasets() else self.unknown(dataset)
        migrations = self.settings.migrations
        return spec.load(path, self.root, of_tool(migrations.tool) if migrations else ())

    def dataset(self, name: str | None) -> str:
        """`name` if there is such a dataset; without a name the default or only one."""
        known = self.book.datasets()
        if name is not None:
            if name not in known:
                raise self.unknown(name)
            return name
        if self.settings.default_dataset is not None:
            return self.dataset(self.settings.default_dataset)
        if len(known) == 1:
            return known[0]
        if not known:
            raise NotFound("There is no dataset in this repository", hint="Make one with `tdv new NAME`.")
        raise NotFound(
            f"Which dataset is meant? There are {', '.join(known)}",
            hint=f"Write {known[0]}@v1.0.0, or set `default: {{dataset: {known[0]}}}` in tdv.yaml.",
        )

    def chosen(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """The datasets named, or all; each exists."""
        return tuple(self.dataset(name) for name in names) if names else self.book.datasets()

    def sourced(self, names: tuple[str, ...] = ()) -> tuple[str, ...]:
        """The datasets named, or all that have a spec: of a retired one only the releases are left."""
        if names:
            return self.chosen(names)
        return tuple(name for name in self.book.datasets() if (self.directory(name) / "dataset.yaml").is_file())

    def _without_spec(self, dataset: str) -> NotFound:
        file = f"datasets/{dataset}/dataset.yaml"
        hint = f"`git log -- {file}` shows when it went; `tdv log {dataset}` lists the releases, which stay."
        return NotFound(f"{dataset} has no {file} any more", hint=hint, dataset=dataset)

    def _tagged(self, dataset: str) -> str | None:
        """A version of a dataset that has a tag in this clone."""
        with suppress(GitError):
            return next((tag.version for tag in reversed(self.git.tags(dataset)) if tag.kind == "version"), None)
        return None

    def unknown(self, dataset: str) -> NotFound:
        """The error for a dataset that does not exist."""
        if not DATASET.fullmatch(dataset):
            return NotFound(f"{dataset!r} is no dataset name", hint=f"A name has {NAME}.", dataset=dataset)
        known = self.book.datasets()
        near = nearest(dataset, known)
        listed = f"There are {', '.join(known)}." if known else f"Make it with `tdv new {dataset}`."
        hint = f"Did you mean {near}?" if near else listed
        if (version := self._tagged(dataset)) is not None:
            hint = f"It is tagged on another branch: `tdv adopt {dataset}@v{version}` brings a release in."
        return NotFound(f"There is no dataset {dataset!r}", hint=hint, dataset=dataset)
