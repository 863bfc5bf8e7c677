"""Tags for the releases that the current commit knows, as GTO and plain DVC read them.

In: Git, the records at HEAD, a port that brings data to the remote. Out: a `Tagging`. Always holds: a tag stands
on a *taggable* commit, whose tree holds the record's bytes, the artifact's entry in dvc.yaml and a dvc.lock with
the record's md5, since plain DVC would deliver other data from any other; no commit carries two versions of one
dataset; data is on the remote before its tag; an existing tag is never moved, and only that of a yank which was taken
back is removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Final, Literal

from tdv.errors import DocumentError, GitError, Refused
from tdv.model.release import Artifact, Record, Release
from tdv.store.artifacts import data_path
from tdv.store.git import Git
from tdv.store.history import book_at, faults_of_tags
from tdv.store.main_line import MainLine
from tdv.store.pipeline import artifact_paths, parse_lock
from tdv.store.records import ReleaseBook, parse_record, record_path, taken_back
from tdv.store.tag_place import untaggable
from tdv.store.tags import RemoteTag, Tag, version_tag

FORMAT: Final = "tdv.tags/v1"
Action = Literal["created", "fetched", "present", "removed"]

_FIRST_DEEPEN: Final = 50
_MOST_COMMITS: Final = 1 << 20
_SHOWN: Final = 5
_SPACE: Final = re.compile(r"\s+")


@dataclass(frozen=True, slots=True)
class TagOptions:
    """`push` sends the tags to the remote; `remote` names it (None: the one that the branch follows)."""

    datasets: tuple[str, ...]
    push: bool = False
    remote: str | None = None


@dataclass(frozen=True, slots=True)
class Tagged:
    """One tag after the run; `pushed` is whether this run sent it to the remote."""

    name: str
    dataset: str
    version: str
    commit: str
    action: Action
    pushed: bool = False

    def to_plain(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "dataset": self.dataset,
            "version": self.version,
            "commit": self.commit,
            "action": self.action,
            "pushed": self.pushed,
        }


@dataclass(frozen=True, slots=True)
class Tagging:
    """Every tag that the records at HEAD ask for, oldest version first within a dataset; `notes` say what was not
    looked at."""

    tags: tuple[Tagged, ...]
    notes: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        return {"format": FORMAT, "tags": [tag.to_plain() for tag in self.tags], "notes": list(self.notes)}


def tag(git: Git, options: TagOptions, upload: Callable[[Sequence[Artifact]], object]) -> Tagging:
    """Creates each missing tag; running it again changes nothing.

    `upload` returns when all objects of the artifacts are on the DVC remote, if there is one. Raises
    `Refused` when a tag of that name is not that of the record, `GitError` when a record has no taggable commit
    (after creating all other tags), or the Git remote fails while something is to be pushed.
    """
    book = book_at(git, "HEAD")
    remote_tags, notes = _remote_tags(git, options)
    work = _Work(git, book, options.datasets, options.remote, remote_tags)
    done: list[Tagged] = []
    missing: list[tuple[Release, str]] = []
    failed: list[str] = []
    releases = [release for dataset in options.datasets for release in book.releases(dataset)]
    work.look_at([release.record for release in releases])
    for release in releases:
        there = work.existing(release.record)
        if there is not None:
            done.append(there)
            continue
        commit = work.oldest_taggable(release.record)
        if commit is None:
            failed.append(release.record.reference)
        else:
            missing.append((release, commit))
            work.taken.add((release.record.dataset, commit))
    if missing:
        problem = untaggable(git)
        if problem:
            raise problem
        upload([release.record.artifact for release, _ in missing])
    done += [work.create(release, commit) for release, commit in missing]
    done += work.yanks(options.datasets, done)
    gone = [item for dataset in options.datasets for item in work.unyank(dataset, push=options.push)]
    if options.push:
        done = work.push(done)
    if failed:
        raise _no_commit(failed, done)
    notes += _off_the_main_line(git, options.remote, done)
    left = [item.name for item in gone if item.name in remote_tags and not item.pushed]
    notes += tuple(f"The remote still has {name}: `tdv tag --push` removes it there." for name in left)
    return Tagging((*done, *gone), notes)


def _off_the_main_line(git: Git, remote: str | None, done: Sequence[Tagged]) -> tuple[str, ...]:
    """Names the branch, or the commit without one, where tags were pushed that the main branch of the remote does not
    hold: a hotfix is tagged like that, and a feature branch should not be."""
    branch, main = git.branch(), git.default_remote_branch(remote)
    if main is None or branch == main.partition("/")[2]:
        return ()
    aside = [tag.name for tag in done if tag.pushed and git.merge_base(tag.commit, main) != tag.commit]
    place = f"the branch {branch}" if branch else f"commit {git.resolve('HEAD')[:10]} on no branch"
    return (f"Pushed from {place}, which {main} does not hold: {', '.join(aside)}",) if aside else ()


def _remote_tags(git: Git, options: TagOptions) -> tuple[dict[str, RemoteTag], tuple[str, ...]]:
    """The tags of the remote; without a push, a remote that cannot be reached is only noted."""
    try:
        return git.remote_tags(remote=options.remote), ()
    except GitError as exc:
        if options.push:
            raise
        return {}, (f"The tags of the Git remote were not looked at: {exc.message}",)


@dataclass
class _Work:
    """One run: Git, the book at HEAD, and what the Git remote answered."""

    git: Git
    book: ReleaseBook
    datasets: Sequence[str]
    remote: str | None
    remote_tags: Mapping[str, RemoteTag]

    def __post_init__(self) -> None:
        self.local = {tag.name: tag for tag in self.git.tags()}
        self._step = _FIRST_DEEPEN
        self._faults: dict[str, str] = {}
        self._fetched: frozenset[str] = frozenset()
        # GTO cannot read a commit that carries two versions of one artifact.
        self.taken = {(tag.dataset, tag.commit) for tag in self.local.values() if tag.kind == "version"}

    @cached_property
    def _line(self) -> MainLine:
        return MainLine(self.git, self.datasets)

    def look_at(self, records: Sequence[Record]) -> None:
        """Fetches the tags of records that only the remote has, and finds out what is wrong with each, all at once."""
        names = [record.reference for record in records]
        self._fetched = frozenset(name for name in names if name not in self.local and name in self.remote_tags)
        if self._fetched:
            self.git.fetch_tags(tuple(self._fetched), self.remote)
            self.local = {tag.name: tag for tag in self.git.tags()}
        pairs = [(self.local[name], record) for name, record in zip(names, records, strict=True) if name in self.local]
        faults = faults_of_tags(self.git, pairs, self.book) if pairs else ()
        self._faults = {tag.name: fault for (tag, _), fault in zip(pairs, faults, strict=True)}

    def existing(self, record: Record) -> Tagged | None:
        """The tag of a record that is here or was on the remote; refused where it promises something else."""
        found = self.local.get(record.reference)
        if found is None:
            return None
        self._refuse_faulty(found, self._faults[found.name])
        self._refuse_other(found, record)
        action: Action = "fetched" if found.name in self._fetched else "present"
        return Tagged(found.name, record.dataset, record.version, found.commit, action)

    def _refuse_faulty(self, found: Tag, fault: str) -> None:
        if not fault:
            return
        there = self.remote_tags.get(found.name)
        remade = "fetches that of the remote" if there else "makes it"
        hint = f"git tag --delete {self.git.tag_name(found.name)}, then `tdv tag` {remade}."
        if there is not None and there.object == found.object:
            hint = f"The remote has it, too: `tdv verify {found.name}` says more; release the data as the next version."
        raise Refused(f"The tag {found.name} {fault}", hint=hint, tag=found.name)

    def _refuse_other(self, found: Tag, record: Record) -> None:
        there = self.remote_tags.get(found.name)
        if there is None or there.object == found.object or there.commit == found.commit:
            return
        path = record_path(record.dataset, record.version)
        data = next(iter(self.git.objects([f"{there.commit}:./{path}"])))
        digest = parse_record(data, path).digest if data is not None else f"what commit {there.commit[:12]} holds"
        if digest != record.digest:
            raise _clash(f"{found.name} of the remote", digest, record.digest)

    def oldest_taggable(self, record: Record) -> str | None:
        """The oldest commit of the first-parent line that is taggable; deepens a shallow clone to be sure."""
        while self._line.begins_it(record) and self._step <= _MOST_COMMITS and self.git.is_shallow():
            self._deepen(self._step, record)
            self._step *= 4
            self._line = MainLine(self.git, self.datasets)
        data = self.book.record_bytes(record.dataset, record.version)
        for commit, tree in self._line.candidates(record):
            if (record.dataset, commit) not in self.taken and _taggable(tree, data, record):
                return commit
        return None

    def _deepen(self, step: int, record: Record) -> None:
        try:
            self.git.fetch_deepen(step, self.remote)
        except GitError as exc:
            raise GitError(
                f"This shallow clone does not reach the commit that released {record.reference}, "
                f"and fetching more failed: {exc.message}",
                hint="git fetch --unshallow --tags",
            ) from exc

    def create(self, release: Release, commit: str) -> Tagged:
        """Creates the annotated tag of a release."""
        record = release.record
        self.git.create_tag(record.reference, commit, _message(record))
        return Tagged(record.reference, record.dataset, record.version, commit, "created")

    def yanks(self, datasets: Iterable[str], done: Sequence[Tagged]) -> list[Tagged]:
        """Mirrors yanks of tagged releases as GTO writes them: ``movies@v1.1.0!``."""
        tagged = {tag.name: tag for tag in done}
        made = []
        for release in (release for dataset in datasets for release in self.book.releases(dataset) if release.yanked):
            record = release.record
            version = tagged.get(record.reference)
            name = version_tag(record.dataset, record.version, yank=True)
            if version is None:
                continue
            action: Action = "present"
            if name not in self.local and name in self.remote_tags:
                self.git.fetch_tags((name,), self.remote)
                action = "fetched"
            elif name not in self.local:
                self.git.create_tag(name, version.commit, f"Yank {record.dataset} v{record.version}\n")
                action = "created"
            made.append(Tagged(name, record.dataset, record.version, version.commit, action))
        return made

    def unyank(self, dataset: str, *, push: bool) -> Iterator[Tagged]:
        """Removes the mirror of each yank that was taken back, here and, with `push`, on the remote."""
        for version in taken_back(self.book.amendments(dataset)):
            name = version_tag(dataset, version, yank=True)
            here, there = self.local.get(name), self.remote_tags.get(name)
            if push and there is not None:
                self.git.delete_remote_tag(name, self.remote)
            if here is not None:
                self.git.delete_tag(name)
            commit = here.commit if here is not None else there.commit if there is not None else ""
            if here is not None or (push and there is not None):
                yield Tagged(name, dataset, version, commit, "removed", pushed=push and there is not None)

    def push(self, done: Sequence[Tagged]) -> list[Tagged]:
        """Sends what the remote lacks, all or nothing; whoever was faster with the same digest is no error."""
        missing = [tag.name for tag in done if tag.name not in self.remote_tags]
        try:
            self.git.push_tags(missing, self.remote)
        except Refused:
            self.remote_tags = self.git.remote_tags(remote=self.remote)
            self.local = {tag.name: tag for tag in self.git.tags()}
            for tag in (tag for tag in done if not tag.name.endswith("!")):
                self._refuse_other(self.local[tag.name], self.book.record(tag.dataset, tag.version))
            missing = [name for name in missing if name not in self.remote_tags]
            self.git.push_tags(missing, self.remote)
        return [replace(tag, pushed=tag.name in missing) for tag in done]


def _taggable(tree: tuple[bytes | None, ...], record_bytes: bytes, record: Record) -> bool:
    """Whether plain DVC, at the commit with this record, dvc.yaml and dvc.lock, delivers the record's data."""
    found, pipeline, lock = tree
    if found != record_bytes or pipeline is None or lock is None:
        return False
    try:
        stage = parse_lock(lock).get(record.dataset)
        listed = artifact_paths(pipeline).get(record.dataset)
    except DocumentError:
        return False
    path = data_path(record.dataset)
    entry = stage.out(path) if stage else None
    return entry is not None and entry.md5 == record.artifact.md5 and listed == path


def _message(record: Record) -> str:
    """Subject, notes, and the trailers that let a clone check the tag without the data."""
    lines = [f"Release {record.dataset} v{record.version}", ""]
    if record.notes.strip():
        lines += [record.notes.strip(), ""]
    lines.append(f"Tdv-Digest: {record.digest}")
    if record.compat.app:
        lines.append(f"Tdv-App: {_one_line(record.compat.app)}")
    span = record.compat.migration
    if span is not None:
        lines.append(f"Tdv-Migration: {_one_line(span.start or '')}..{_one_line(span.until or '')}")
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return _SPACE.sub(" ", text).strip()


def _clash(name: str, found: str, expected: str) -> Refused:
    return Refused(
        f"The tag {name} promises {found}, the record {expected}",
        hint="The tag was moved or forged, or another release took the version: `tdv verify` says more.",
        tag=name,
    )


def _no_commit(failed: Sequence[str], done: Sequence[Tagged]) -> GitError:
    more = len(failed) - _SHOWN
    named = ", ".join(failed[:_SHOWN]) + (f" and {more:,} more" if more > 0 else "")
    see = " `tdv log` marks every release that is untagged." if more > 0 else ""
    return GitError(
        f"No commit on this line holds {named} together with its dvc.lock",
        hint="Tag on the main branch after the merge; a release of another line is tagged there, then adopted here."
        + see,
        failed=list(failed),
        tagged=[tag.name for tag in done],
    )
