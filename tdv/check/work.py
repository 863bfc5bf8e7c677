"""The rules of a dataset's work tree: spec, stage, build, rows, private columns, data on the remote.

In: the ports and a dataset whose sources, stage or releases changed. Out: verdicts. Always holds: what cannot be
looked at is broken, with the reason and the command that helps; no value of a row is in a message.
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from tdv.check.ports import CheckPorts, Subject, Verdict
from tdv.check.privacy import undecided
from tdv.errors import RemoteError, TdvError
from tdv.model.release import Artifact, Record
from tdv.model.spec import DatasetSpec
from tdv.store import changelog, pipeline
from tdv.store.artifacts import data_path, summary_digest, summary_path
from tdv.store.git import Git
from tdv.store.line_ends import unlike_committed

_SHOWN: Final = 5


class WorkTree:
    """What the work tree says of one dataset."""

    def __init__(self, ports: CheckPorts, dataset: str) -> None:
        self._ports = ports
        self._root = ports.book.root
        self.dataset = dataset
        self.file = f"datasets/{dataset}/dataset.yaml"
        self.subject = Subject(dataset, file=self.file)
        self.cause: Verdict | None = None
        """The first broken rule, once `verdicts` were looked at."""

    # -- what stands in the files

    def artifact(self) -> Artifact | None:
        """What dvc.lock says was built; raises `DocumentError`."""
        stage = pipeline.read_stage(self._root, self.dataset)
        entry = stage.out(data_path(self.dataset)) if stage else None
        return Artifact(entry.md5, entry.size, entry.nfiles) if entry and entry.nfiles is not None else None

    def digest(self) -> str:
        """What snapshot.yaml says was built, "" without one; raises `DocumentError`."""
        return summary_digest(self._root, self.dataset)

    # -- the rules

    def verdicts(self, *, rebuild: bool, new: Sequence[Record]) -> tuple[Verdict, ...]:
        """All rules of the work tree; `new` are the records that the branch adds."""
        found = tuple(self._verdicts(new, rebuild=rebuild))
        self.cause = next((verdict for verdict in found if not verdict.ok), None)
        return found

    def _verdicts(self, new: Sequence[Record], *, rebuild: bool) -> Iterator[Verdict]:
        try:
            spec = self._ports.spec(self.dataset)
            sources = self._ports.sources(spec)
        except TdvError as exc:
            yield self.subject.failed("spec", exc)
            return
        yield self.subject.kept("spec")
        stage, valid = self._stage(sources), self._valid()
        # Rows that break the spec cannot be built, and what is not built cannot be pushed: one cause, one broken rule.
        built = self._after((stage, valid), "built", self._built)
        yield from (stage, built, self._committed(sources), self._privacy(spec), valid)
        first = (stage, valid, built)
        if rebuild:
            yield self._after(first, "reproducible", self._reproducible)
        yield self._after(first, "pushed", lambda: self._pushed(new))

    def _after(self, first: Sequence[Verdict], rule: str, look: Callable[[], Verdict]) -> Verdict:
        """The verdict of `look`, unless one of the rules that it needs is broken."""
        cause = next((verdict for verdict in first if not verdict.ok), None)
        return look() if cause is None else self.subject.unknown(rule, cause)

    def _stage(self, sources: Sequence[str]) -> Verdict:
        try:
            listed = set(pipeline.stage_deps(self._root, self.dataset))
        except TdvError as exc:
            return self.subject.failed("stage", exc)
        lacking, surplus = sorted(set(sources) - listed), sorted(listed - set(sources))
        if not lacking and not surplus:
            return self.subject.kept("stage")
        said = [f"lacks {', '.join(lacking)}"] if lacking else []
        said += [f"lists {', '.join(surplus)}, which the spec does not"] if surplus else []
        hint = f"tdv build {self.dataset}, then commit what it wrote"
        message = f"the stage {self.dataset} of dvc.yaml {' and '.join(said)}"
        return self.subject.broken("stage", message, hint, (pipeline.DVC_YAML, 1))

    def _built(self) -> Verdict:
        try:
            status = self._ports.stage(self.dataset)
            artifact, digest = self.artifact(), self.digest()
        except TdvError as exc:
            return self.subject.failed("built", exc)
        hint = f"tdv build {self.dataset}, then commit what it wrote"
        if not status.ran or artifact is None:
            return self.subject.broken("built", "dvc.lock has no build of this dataset", hint)
        if not status.sources_unchanged:
            named = ", ".join(status.deps[:3]) or "the command of the stage"
            more = f" and {len(status.deps) - 3} more" if len(status.deps) > 3 else ""
            return self.subject.broken("built", f"{named}{more} changed after the build in dvc.lock", hint)
        if summary_path(self.dataset) in status.outs or not digest:
            message = f"{summary_path(self.dataset)} is not the one that the build wrote"
            return self.subject.broken("built", message, hint, (summary_path(self.dataset), 1))
        return self.subject.kept("built")

    def _committed(self, sources: Sequence[str]) -> Verdict:
        files = (f"datasets/{self.dataset}", pipeline.DVC_YAML, pipeline.DVC_LOCK, changelog.FILE)
        places = tuple(dict.fromkeys((*files, *sources)))
        if data := data_in_git(self._ports.git, self.dataset):
            hint = (
                f"git rm -r --quiet --cached --ignore-unmatch {data_path(self.dataset)}, then tdv build {self.dataset}"
            )
            hint += f" and commit datasets/{self.dataset}/.gitignore"
            return self.subject.broken("committed", said_of_data(self.dataset, data), hint)
        changes = self._ports.git.changes(places)
        if not changes:
            return self._same_bytes(sources)
        unmerged = [change.path for change in changes if change.unmerged]
        if unmerged:
            return self.subject.broken("committed", f"in conflict: {_named(unmerged)}", "tdv merge", (unmerged[0], 1))
        paths = [change.path for change in changes]
        # What is staged already may be a removal, which `git add` does not find. Many are added by what holds them, so
        # that one command adds all.
        left = [change.path for change in changes if change.tree != " "]
        added = left if len(left) <= _SHOWN else _holding(places, left)
        hint = f"git add {shlex.join(added)} && git commit" if left else "git commit"
        return self.subject.broken("committed", f"not committed: {_named(paths)}", hint, (paths[0], 1))

    def _same_bytes(self, sources: Sequence[str]) -> Verdict:
        """Sources that Git calls unchanged, and that others would get with other line ends."""
        bent = unlike_committed(self._ports.git, sources)
        if not bent:
            return self.subject.kept("committed")
        return self.subject.broken("committed", bent.message, bent.hint, (bent.files[0], 1))

    def _privacy(self, spec: DatasetSpec) -> Verdict:
        found = [f"{table.name}.{column}" for table in spec.tables for column in undecided(table)]
        if not found:
            return self.subject.kept("privacy")
        message = f"no decision for {', '.join(found)}: values that nothing generates, under a private name"
        hint = "Say `privacy: email` or another kind for each, or `privacy: none` where it holds nothing personal."
        return self.subject.broken("privacy", message, hint)

    def _valid(self) -> Verdict:
        try:
            report = self._ports.validate(self.dataset)
        except TdvError as exc:
            return self.subject.failed("valid", exc)
        failed = [check for check in report.checks if not check.ok]
        if not failed:
            return self.subject.kept("valid")
        first = failed[0]
        hint = f"Mend the rows that `tdv validate {self.dataset}` shows, then tdv build {self.dataset} and commit."
        place = f"{first.table}: " if first.table else ""
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        message = f"{place}{first.message or first.rule}{more}"
        return self.subject.broken("valid", message, hint)

    def _reproducible(self) -> Verdict:
        hint = "Let the values depend on `at` alone, then build and release again."
        try:
            wanted, found = self.digest(), self._ports.rebuild(self.dataset)
        except TdvError as exc:
            return self.subject.failed("reproducible", exc)
        if wanted == found:
            return self.subject.kept("reproducible")
        message = f"a cold build has the digest {found}, snapshot.yaml says {wanted or 'nothing'}"
        return self.subject.broken("reproducible", message, hint)

    def _pushed(self, new: Sequence[Record]) -> Verdict:
        try:
            artifact = self.artifact()
            digests = {artifact.md5: self.digest()} if artifact else {}
        except TdvError as exc:
            return self.subject.failed("pushed", exc)
        wanted = {artifact.md5: artifact} if artifact else {}
        for record in new:
            wanted[record.artifact.md5] = record.artifact
            digests[record.artifact.md5] = record.digest
        reason = ""
        try:
            missing = self._ports.missing(list(wanted.values()))
        except RemoteError as exc:
            missing, reason = frozenset(wanted), f"{exc.message}; "
        except TdvError as exc:
            return self.subject.failed("pushed", exc)
        if missing is None:
            return self.subject.kept("pushed", "no DVC remote is configured: the data is on the machine that built it")
        lacking = {md5: digests[md5] for md5 in wanted if md5 in missing}
        if not lacking:
            return self.subject.kept("pushed")
        return self._rebuilt(lacking, reason)

    def _rebuilt(self, lacking: dict[str, str], reason: str) -> Verdict:
        named = ", ".join(sorted(lacking))
        try:
            digest = self._ports.rebuild(self.dataset)
        except TdvError as exc:
            message = f"{reason}the remote lacks {named}, and it cannot be built here: {exc.message}"
            return self.subject.broken("pushed", message, "tdv push")
        if set(lacking.values()) == {digest}:
            return self.subject.kept("pushed", f"{reason}not on the remote, and rebuilt to the same digest")
        message = f"{reason}the remote lacks {named}, and a build here has another digest"
        return self.subject.broken("pushed", message, "tdv push")


def data_in_git(git: Git, dataset: str) -> tuple[str, ...]:
    """The files of the built data that Git has, or would take with the next `git add`."""
    return git.work_files([f"{data_path(dataset)}/**"])


def said_of_data(dataset: str, files: Sequence[str]) -> str:
    """What is wrong where Git has `files` of the data."""
    return f"Git does not ignore {data_path(dataset)}, which DVC keeps: {_named(files)}"


def _named(paths: Sequence[str]) -> str:
    more = len(paths) - _SHOWN
    return f"{', '.join(paths[:_SHOWN])}{f' and {more} more' if more > 0 else ''}"


def _holding(places: Sequence[str], paths: Sequence[str]) -> list[str]:
    """Those of `places` that hold `paths`, without places within others."""
    found = [place for place in places if any(path == place or path.startswith(f"{place}/") for path in paths)]
    return [place for place in found if not any(place.startswith(f"{other}/") for other in found)]
