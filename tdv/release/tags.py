"""What tags say about the version of a release that is being made.

In: Git, and the pending records that the release replaces. Out: refusals. Always holds: no version is released that a
tag, here or on the remote, already gave to another commit; only a tag that the remote does not have is ever removed,
and only that of a record which is replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from tdv.errors import GitError, Refused
from tdv.model.release import Record
from tdv.model.version import Version
from tdv.store.git import Git
from tdv.store.tags import version_tag


class VersionTags:
    """The version tags of a dataset; `replaced` are pending records whose own tags mean nothing any more."""

    def __init__(self, git: Git, dataset: str, replaced: Sequence[Record]) -> None:
        self._git = git
        self._dataset = dataset
        self._replaced = frozenset(version_tag(dataset, record.version) for record in replaced)
        self.notes: list[str] = []

    @cached_property
    def _here(self) -> frozenset[str]:
        return frozenset(tag.name for tag in self._git.tags(self._dataset))

    @cached_property
    def _there(self) -> frozenset[str]:
        """The tags of the remote; one that cannot be reached is noted."""
        try:
            return frozenset(self._git.remote_tags(self._dataset))
        except GitError as exc:
            self.notes.append(f"The tags of the Git remote were not looked at: {exc.message}")
            return frozenset()

    def refuse_taken(self, version: Version) -> None:
        """Raises `Refused` where a tag, here or on the remote, holds the version."""
        name = version_tag(self._dataset, str(version))
        if name in self._there:
            place = " on the Git remote"
        elif name in self._here - self._replaced:
            place = ""
        else:
            return
        raise Refused(
            f"{self._dataset}@v{version} is tagged already{place}, by a release that is not on this branch",
            hint=f"`tdv adopt {name}` brings it in here; or choose another version, "
            f"as in `tdv release {self._dataset} {version.bumped('patch')}`.",
            version=str(version),
            tag=name,
        )

    def remove_own(self) -> None:
        """Removes the tags of the replaced records; a pending release has none on the remote."""
        for name in sorted(self._replaced & self._here):
            self._git.delete_tag(name)
            self.notes.append(f"The tag {name} was removed, it was not pushed: `tdv tag` makes the new one.")
