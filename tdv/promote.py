"""Says which release an environment uses, by a stage tag that GTO reads: ``movies#staging#3``.

In: Git, the book of releases, a release, a stage. Out: a `Promoted`. Always holds: the tag stands on the commit that
the release's own tag stands on; a yanked release is not promoted; a stage that holds the release already gets no
second tag; no tag is moved, and a number that the remote has is not taken again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

from tdv.errors import GitError, Refused, UsageError
from tdv.model.release import Record
from tdv.store.git import Git
from tdv.store.history import faults_of_tags
from tdv.store.records import ReleaseBook
from tdv.store.stages import Promotion, current
from tdv.store.tags import RemoteTag, Tag, counter_of, is_stage, stage_tag

FORMAT: Final = "tdv.promotion/v1"
Action = Literal["created", "present"]


@dataclass(frozen=True, slots=True)
class PromoteOptions:
    """`push` sends the tag to the remote; `remote` names it (None: the one that the branch follows); `reason` is for
    whoever reads the tag."""

    dataset: str
    version: str
    stage: str
    reason: str = ""
    push: bool = False
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class Promoted:
    """The tag that says so now; `before` is the version that the stage held, None for none; `pushed` is whether this
    run sent the tag; `notes` say what was not looked at."""

    promotion: Promotion
    action: Action
    before: str | None = None
    pushed: bool = False
    notes: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "dataset": self.promotion.dataset,
            "version": self.promotion.version,
            **self.promotion.to_plain(),
            "commit": self.promotion.tag.commit,
            "action": self.action,
            "before": self.before,
            "pushed": self.pushed,
            "notes": list(self.notes),
        }


def promote(git: Git, book: ReleaseBook, options: PromoteOptions) -> Promoted:
    """Tags a release for a stage; running it again changes nothing.

    Raises `NotFound` for a release without a record, `Refused` for one that is yanked, has no tag yet, or whose tag
    is not its own, and when somebody else promoted meanwhile; `UsageError` for a stage that GTO does not read.
    """
    if not is_stage(options.stage):
        raise UsageError(
            f"{options.stage!r} is no name of a stage",
            hint="Letters, digits, '-', '_' and '/': staging, eu/production.",
        )
    release = book.release(options.dataset, options.version)
    if release.yanked:
        raise Refused(
            f"{release.record.reference} is yanked",
            hint=f"Promote another release: `tdv log {options.dataset}` lists them.",
        )
    work = _Work(git, options)
    commit = work.commit_of(release.record, book)
    standing = work.standing()
    if standing is not None and standing.version == options.version:
        done = Promoted(standing, "present", standing.version, notes=work.notes)
    else:
        made = work.create(release.record, commit)
        done = Promoted(made, "created", standing.version if standing is not None else None, notes=work.notes)
    return work.push(done) if options.push else done


class _Work:
    """One run: the tags here and those of the remote."""

    def __init__(self, git: Git, options: PromoteOptions) -> None:
        self._git = git
        self._options = options
        self.notes: tuple[str, ...] = ()
        self._there = self._remote_tags()
        self._here = self._local_tags()
        self._bring([name for name in self._there if "#" in name])

    def _remote_tags(self) -> Mapping[str, RemoteTag]:
        try:
            return self._git.remote_tags(self._options.dataset, self._options.remote)
        except GitError as exc:
            if self._options.push:
                raise
            self.notes = (f"The tags of the Git remote were not looked at: {exc.message}",)
            return {}

    def _local_tags(self) -> dict[str, Tag]:
        return {tag.name: tag for tag in self._git.tags(self._options.dataset)}

    def _bring(self, names: list[str]) -> None:
        """Fetches tags that only the remote has; refuses where it has another one of the same name."""
        for name in names:
            if name in self._here and self._here[name].object != self._there[name].object:
                own = self._git.tag_name(name)
                raise Refused(
                    f"The tag {name} is another one on the remote",
                    hint=f"git tag --delete '{own}', then promote again: somebody else was faster.",
                    tag=name,
                )
        missing = [name for name in names if name not in self._here]
        self._git.fetch_tags(missing, self._options.remote)
        if missing:
            self._here = self._local_tags()

    def commit_of(self, record: Record, book: ReleaseBook) -> str:
        """The commit that the release's tag stands on."""
        if record.reference in self._there:
            self._bring([record.reference])
        elif self._options.push and self._there_is_a_remote():
            raise _untagged(record, "is not tagged on the remote yet")
        tag = self._here.get(record.reference)
        if tag is None:
            raise _untagged(record, "has no tag yet")
        (fault,) = faults_of_tags(self._git, [(tag, record)], book)
        if fault:
            raise Refused(f"The tag {tag.name} {fault}", hint=f"`tdv verify {tag.name}` says more.", tag=tag.name)
        return tag.commit

    def _there_is_a_remote(self) -> bool:
        return (self._options.remote or self._git.default_remote()) is not None

    def standing(self) -> Promotion | None:
        """What the stage holds now."""
        return current(self._here.values()).get((self._options.dataset, self._options.stage))

    def create(self, record: Record, commit: str) -> Promotion:
        """Makes the next tag of the dataset's stages."""
        last = max(map(counter_of, {*self._here, *self._there}), default=0)
        name = stage_tag(record.dataset, self._options.stage, last + 1)
        self._git.create_tag(name, commit, _message(record, self._options))
        self._here = self._local_tags()
        made = self.standing()
        if made is None or made.tag.name != name:
            self._git.delete_tag(name)
            raise Refused(
                f"The tag {name} would be dated before {made.tag.name if made else 'others'}, which GTO obeys",
                hint="Set the clock of this machine, or wait until it has caught up.",
                tag=name,
            )
        return made

    def push(self, done: Promoted) -> Promoted:
        """Sends the tag if the remote lacks it; takes it back here if somebody else was faster."""
        name = done.promotion.tag.name
        if name in self._there:
            return done
        try:
            self._git.push_tags([name], self._options.remote)
        except Refused as problem:
            self._git.delete_tag(name)
            raise Refused(
                f"Somebody else promoted {done.promotion.dataset} meanwhile, as {name}",
                hint="Run the command again, if it is still what you want.",
                tag=name,
            ) from problem
        return replace(done, pushed=True)


def _message(record: Record, options: PromoteOptions) -> str:
    """Subject, reason, and the trailers that name the release where its own tag is not there."""
    lines = [f"Promote {record.dataset} v{record.version} to {options.stage}", ""]
    if options.reason.strip():
        lines += [options.reason.strip(), ""]
    return "\n".join([*lines, f"Tdv-Version: {record.version}", f"Tdv-Digest: {record.digest}"]) + "\n"


def _untagged(record: Record, state: str) -> Refused:
    return Refused(
        f"{record.reference} {state}, and a stage stands on a release's tag",
        hint="Run `tdv tag --push` on the main branch, then promote.",
        tag=record.reference,
    )
