"""The rules of the releases that a branch adds.

In: the ports, the history and the work tree of one dataset. Out: verdicts. Always holds: a release that was tagged
on another line and brought in as it is (`tdv adopt`) is looked at as a record only.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tdv.check.ports import CheckOptions, CheckPorts, Subject, Verdict
from tdv.check.records import History, leads_elsewhere
from tdv.check.work import WorkTree
from tdv.errors import TdvError
from tdv.model.diff import DatasetChange
from tdv.model.release import Change, Record
from tdv.model.version import Version, parse_version
from tdv.store import changelog, dvc_files, pipeline
from tdv.store.artifacts import data_path, summary_path
from tdv.store.records import record_path
from tdv.store.tag_place import untaggable
from tdv.store.tags import Tag


class NewReleases:
    """The records of one dataset that the base does not have."""

    def __init__(self, ports: CheckPorts, history: History, work: WorkTree, tags: Sequence[Tag]) -> None:
        self._ports = ports
        self._history = history
        self._work = work
        self._dataset = work.dataset
        self._tags = {tag.version: tag for tag in tags if tag.dataset == work.dataset and tag.kind == "version"}
        self.records: list[Record] = []
        self._unreadable: list[Verdict] = []
        for version in history.new(work.dataset):
            subject = self._subject(version)
            if leads_elsewhere(ports.book.root, subject.file):
                message = f"{subject.file} is a link, of which Git keeps where it leads, not what the record says"
                self._unreadable.append(subject.broken("record", message, "Put the record itself there."))
                continue
            try:
                self.records.append(ports.book.record(work.dataset, version))
            except TdvError as exc:
                self._unreadable.append(subject.failed("record", exc))

    @property
    def pending(self) -> list[Record]:
        """Those that no tag has published yet."""
        return [record for record in self.records if not self._adopted(record)]

    def verdicts(self, options: CheckOptions) -> Iterator[Verdict]:
        """All rules of all new releases."""
        yield from self._unreadable
        pending = self.pending
        for record in self.records:
            subject = self._subject(record.version)
            yield subject.kept("record")
            yield self._tag_free(record)
            if record not in pending:
                continue
            yield self._since(record)
            yield self._bump(record)
            yield self._changelog(record)
        if pending:
            newest = pending[-1]
            snapshot = self._snapshot(newest)
            yield from (snapshot, self._taggable(newest, snapshot))
            if options.merge == "squash":
                yield self._alone(pending)

    def unadopted(self) -> Iterator[Verdict]:
        """Tagged releases that have no record here: told of, no reason to stop a merge."""
        absent = sorted(set(self._tags) - set(self._ports.book.versions(self._dataset)))
        if absent:
            named = ", ".join(f"v{version}" for version in absent)
            message = f"tagged without a record here: {named}; tdv adopt {self._dataset}@v{absent[0]} brings it in"
            yield Subject(self._dataset).kept("adopted", message)

    def _subject(self, version: str) -> Subject:
        return Subject(self._dataset, version, record_path(self._dataset, version))

    def _adopted(self, record: Record) -> bool:
        tag = self._tags.get(record.version)
        return tag is not None and tag.digest == record.digest

    def _tag_free(self, record: Record) -> Verdict:
        subject = self._subject(record.version)
        tag = self._tags.get(record.version)
        if tag is None or tag.digest == record.digest:
            return subject.kept("tag-free")
        message = f"the tag {tag.name} promises {tag.digest or 'no digest'}, the record {record.digest}"
        following = parse_version(record.version).least_after("patch")
        hint = f"git rm {subject.file}, drop its section of {changelog.FILE} and commit, "
        hint += f"then tdv release {self._dataset} {following}; where the tag is forged: git tag --delete "
        hint += self._ports.git.tag_name(tag.name)
        return subject.broken("tag-free", message, hint)

    # -- what it follows

    def _expected(self, record: Record) -> Version | None:
        """The highest release below it, in the base or among the new ones."""
        known = {*self._history.tip.versions(self._dataset), *(other.version for other in self.records)}
        own = parse_version(record.version)
        return max((version for version in map(parse_version, known) if version < own), default=None)

    def _since(self, record: Record) -> Verdict:
        subject = self._subject(record.version)
        expected = self._expected(record)
        said = record.change.since
        if said == (str(expected) if expected else None):
            return subject.kept("since")
        newest = f"v{expected} is the newest below it" if expected else "there is none below it"
        message = f"the record follows {f'v{said}' if said else 'nothing'}, and {newest}"
        base = self._history.base
        merge = f"git merge {base.name}, then " if base.fork != base.tip else ""
        hint = f"{merge}tdv release {self._dataset} --amend"
        return subject.broken("since", message, hint)

    def _bump(self, record: Record) -> Verdict:
        subject = self._subject(record.version)
        expected = self._expected(record)
        if expected is None:
            said = self._said(record, DatasetChange((), {}))
            return said or subject.kept("bump", "the first release may have any version")
        try:
            before = self._before(str(expected))
            change = self._ports.compare(before, record)
        except TdvError as exc:
            return self._not_seen(subject, "bump", exc)
        own = parse_version(record.version)
        if not change.findings and not (expected.prerelease and own.core == expected.core):
            message = f"nothing changed since v{expected}"
            return subject.broken("bump", message, f"git rm {subject.file}")
        least = expected.least_after("patch" if change.bump == "none" else change.bump)
        if Version(*own.core) >= least:
            return self._said(record, change) or subject.kept("bump", f"{change.bump} since v{expected}")
        message = f"v{record.version} is too small after v{expected}: {_reason(change)}"
        return subject.broken("bump", message, f"tdv release {self._dataset} {least} --amend")

    def _said(self, record: Record, change: DatasetChange) -> Verdict | None:
        """What is wrong with the record's own words on its change; nothing if it follows another release (`since`)."""
        said, expected = record.change, self._expected(record)
        if said.since != (str(expected) if expected else None) or said == Change.of(change, said.since):
            return None
        message = f"the record says {_words(said)}, and the data {_words(Change.of(change, said.since))}"
        hint = f"tdv release {self._dataset} {record.version} --amend"
        return self._subject(record.version).broken("bump", message, hint)

    def _before(self, version: str) -> Record:
        if version in self._history.tip.versions(self._dataset):
            return self._history.tip.record(self._dataset, version)
        return self._ports.book.record(self._dataset, version)

    # -- what stands beside it

    def _changelog(self, record: Record) -> Verdict:
        subject = self._subject(record.version)
        if changelog.section_of(_text(self._ports.book.root / changelog.FILE), self._dataset, record.version):
            return subject.kept("changelog")
        message = f"{changelog.FILE} has no section for {record.reference}"
        hint = f"tdv release {self._dataset} {record.version} --amend"
        return subject.broken("changelog", message, hint)

    def _snapshot(self, record: Record) -> Verdict:
        subject = self._subject(record.version)
        hint = f"tdv release {self._dataset} --amend"
        try:
            artifact, digest = self._work.artifact(), self._work.digest()
        except TdvError as exc:
            return self._not_seen(subject, "snapshot", exc)
        wrong = [pipeline.DVC_LOCK] if artifact != record.artifact else []
        wrong += [summary_path(self._dataset)] if digest != record.digest else []
        if not wrong:
            return subject.kept("snapshot")
        held = "holds" if len(wrong) == 1 else "hold"
        return subject.broken("snapshot", f"{' and '.join(wrong)} {held} another build than the record", hint)

    def _not_seen(self, subject: Subject, rule: str, problem: TdvError) -> Verdict:
        """What cannot be looked at because of a rule of the work tree is no second broken rule."""
        return subject.unknown(rule, self._work.cause) if self._work.cause else subject.failed(rule, problem)

    def _taggable(self, record: Record, snapshot: Verdict) -> Verdict:
        subject = self._subject(record.version)
        if not snapshot.ok:
            return subject.unknown("taggable", snapshot)
        problem = untaggable(self._ports.git)
        if problem:
            return subject.failed("taggable", problem)
        data = dvc_files.read(self._ports.book.root / pipeline.DVC_YAML)
        try:
            listed = pipeline.artifact_paths(data).get(self._dataset) if data is not None else None
        except TdvError as exc:
            return self._not_seen(subject, "taggable", exc)
        path = data_path(self._dataset)
        if listed != path:
            found = f"says {listed}" if listed else "has no entry"
            hint = f"tdv build {self._dataset}, then commit what it wrote"
            message = f"`artifacts:` of dvc.yaml {found}, plain DVC needs {path}"
            return subject.broken("taggable", message, hint, (pipeline.DVC_YAML, 1))
        return subject.kept("taggable")

    def _alone(self, pending: Sequence[Record]) -> Verdict:
        subject = self._subject(pending[-1].version)
        if len(pending) == 1:
            return subject.kept("one-pending")
        named = " and ".join(record.reference for record in pending)
        message = f"{named} would become one commit, and a commit carries one version of a dataset"
        hint = "Merge them one by one, or set `policy: {merge: merge}` in tdv.yaml and merge without squashing."
        return subject.broken("one-pending", message, hint)


def _reason(change: DatasetChange) -> str:
    deciding = [finding for finding in change.findings if finding.level == change.bump]
    first = deciding[0]
    place = ".".join(filter(None, (first.table, first.column)))
    more = f" and {len(deciding) - 1} more" if len(deciding) > 1 else ""
    return f"{first.rule}{f' in {place}' if place else ''} ({first.message}){more}, a {change.bump} change"


def _words(change: Change) -> str:
    return f"{change.bump}, {change.added} added, {change.removed} removed, {change.changed} changed"


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
