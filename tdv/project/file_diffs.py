"""How one file of test data changed, by row: what Git's diff driver shows of dvc.lock, records, summaries and Parquet.

In: the arguments that Git gives a diff driver, and what the repository and its cache hold. Out: a `FileDiff`. Always
holds: nothing is fetched or written; what cannot be compared by row is told as lines of text, so that no difference
is hidden.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Final

from tdv import textconv
from tdv.errors import TdvError, UsageError
from tdv.model.diff_report import DiffReport, ReportOptions
from tdv.store import pipeline
from tdv.store.artifacts import SUMMARY, data_path, open_artifact
from tdv.store.records import parse_record

if TYPE_CHECKING:
    from tdv.model.release import Record
    from tdv.project.ports import Ports
    from tdv.store.pipeline import StageLock

_ROWS: Final = 20
"""Rows of each kind and table; `tdv diff` shows more."""
_ABSENT: Final = "/dev/null"
_ARGUMENTS: Final = 7
_RENAMED: Final = 9


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file before and after; None where it was or is not. `about` is what Git says of a rename, `blob` its name of
    the newer content, and `is_last` whether it is known that no other file of the same difference comes after it."""

    path: str
    new_path: str
    old: bytes | None
    new: bytes | None
    about: str = ""
    blob: str = ""
    is_last: bool = True

    @property
    def title(self) -> tuple[str, ...]:
        """What stands above the difference."""
        return (f"diff --tdv a/{self.path} b/{self.new_path}", *self.about.splitlines())

    @classmethod
    def of(cls, words: Sequence[str], environ: Mapping[str, str]) -> FileChange | None:
        """What the arguments of Git's ``diff.<driver>.command`` mean, and the variables that it sets; None for a file
        in conflict."""
        if len(words) == 1:
            return None
        if len(words) not in (_ARGUMENTS, _RENAMED):
            raise UsageError("Git calls this with 7 arguments, or 9", hint="`git diff` shows what it prints.")
        path, old, _, _, new, blob, _ = words[:_ARGUMENTS]
        renamed, about = words[_ARGUMENTS:] or (path, "")
        is_last = environ.get("GIT_DIFF_PATH_COUNTER") == environ.get("GIT_DIFF_PATH_TOTAL")
        return cls(path, renamed, _content(old), _content(new), about, blob, is_last)


def _content(file: str) -> bytes | None:
    return None if file == _ABSENT else Path(file).read_bytes()


@dataclass(frozen=True, slots=True)
class FileDiff:
    """What is shown of one file: its title, lines of a unified diff, and rows of the datasets that it speaks of, or
    where these are shown."""

    title: tuple[str, ...]
    lines: tuple[str, ...]
    reports: tuple[DiffReport, ...] = ()
    pointer: str = ""


def compare(ports: Ports | None, change: FileChange) -> FileDiff:
    """The difference of one file; without a project it is one of text."""
    path = PurePosixPath(change.new_path)
    if path.suffix == ".parquet":
        from tdv.project.parquet_diffs import compare_parquet

        report = compare_parquet(ports, change, _ROWS)
        return FileDiff(change.title, (), (report,)) if report else _texts(change, ports)
    if ports is None:
        return _texts(change, ports)
    try:
        if path.name == pipeline.DVC_LOCK:
            return _lock(ports, change)
        if _lock_follows(ports, change):
            return replace(_texts(change, ports), pointer=f"rows: at {pipeline.DVC_LOCK} below")
        shown = _summaries(ports, change) if path.name == SUMMARY else _records(ports, change)
    except TdvError:
        return _texts(change, ports)
    return FileDiff(change.title, _texts(change, ports).lines, (shown,) if shown else ())


def _lock_follows(ports: Ports, change: FileChange) -> bool:
    """Whether dvc.lock, which comes after records and summaries, changed together with this content, and so shows the
    same rows. Git does not tell a driver which other files differ, only how many there are."""
    if change.is_last or change.new is None:
        return False
    path = f"datasets/{change.new_path.rpartition('datasets/')[2]}"
    there = ports.git.read_many("HEAD", (path, pipeline.DVC_LOCK))
    work = ports.root / path
    if there.get(path) != change.new and work.is_file() and work.read_bytes() == change.new:
        lock = ports.root / pipeline.DVC_LOCK
        return lock.is_file() and there.get(pipeline.DVC_LOCK) != lock.read_bytes()
    blob = ports.git.blob_names([f"HEAD:./{path}"])[0] if there.get(path) == change.new else change.blob
    return bool(blob and blob.strip("0")) and _brought_with_lock(ports, str(blob), path)


def _brought_with_lock(ports: Ports, blob: str, path: str) -> bool:
    """Whether the newest commit that brought or took a content changed dvc.lock, too."""
    commit = ports.git.answer("log", "-1", "--all", "--format=%H", f"--find-object={blob}", "--", path).decode().strip()
    options = ("--root", "--no-commit-id", "--name-only", "-r")
    return bool(commit) and bool(ports.git.answer("diff-tree", *options, commit, "--", pipeline.DVC_LOCK))


def _texts(change: FileChange, ports: Ports | None) -> FileDiff:
    cache = ports.cache if ports else None
    old, new = ("" if data is None else textconv.text_of(data, cache) for data in (change.old, change.new))
    return FileDiff(change.title, _unified(change, old.splitlines(), new.splitlines()))


def _unified(change: FileChange, old: Sequence[str], new: Sequence[str]) -> tuple[str, ...]:
    names = (
        _ABSENT if change.old is None else f"a/{change.path}",
        _ABSENT if change.new is None else f"b/{change.new_path}",
    )
    return tuple(line.rstrip("\n") for line in difflib.unified_diff(old, new, *names, lineterm=""))


def _lock(ports: Ports, change: FileChange) -> FileDiff:
    """Stages whose data is at hand by row, with the sources that changed; the other ones as text."""
    old, new = (pipeline.parse_lock(data or b"") for data in (change.old, change.new))
    reports = []
    rest: tuple[dict[str, StageLock], dict[str, StageLock]] = (dict(old), dict(new))
    for name in old.keys() & new.keys():
        one, other = (_data(stages[name]) for stages in (old, new))
        report = _rows(ports, name, one, other, change) if one and other and one != other else None
        if report is not None or old[name] == new[name]:
            for stages in rest:
                del stages[name]
        if report is not None:
            reports.append(report)
    texts = (list(textconv.lock_lines(stages, ports.cache, most_rows=0)) for stages in rest)
    return FileDiff(change.title, _unified(change, *texts), tuple(sorted(reports, key=lambda found: found.dataset)))


def _data(stage: StageLock) -> str | None:
    entry = stage.out(data_path(stage.name))
    return entry.md5 if entry else None


def _records(ports: Ports, change: FileChange) -> DiffReport | None:
    """A new record against the release that it follows, an amended one against what it was."""
    if change.new is None:
        return None
    new = parse_record(change.new, change.new_path)
    old = parse_record(change.old, change.path) if change.old is not None else _before(ports, new)
    return _rows(ports, new.dataset, old.artifact.md5, new.artifact.md5, change) if old else None


def _before(ports: Ports, record: Record) -> Record | None:
    since = record.change.since
    return ports.book.record(record.dataset, since) if since else None


def _summaries(ports: Ports, change: FileChange) -> DiffReport | None:
    if change.old is None or change.new is None:
        return None
    dataset = PurePosixPath(change.new_path).parent.name
    known = _artifacts(ports, dataset)
    old, new = (known.get(_digest(data)) for data in (change.old, change.new))
    return _rows(ports, dataset, old, new, change) if old and new and old != new else None


def _digest(summary: bytes) -> str:
    for line in summary.decode("utf-8", "replace").splitlines():
        if line.startswith("digest: "):
            return line.removeprefix("digest: ").strip()
    return ""


def _artifacts(ports: Ports, dataset: str) -> Mapping[str, str]:
    """The md5 of each state by its digest: of the releases, of HEAD and of the work tree."""
    found = {}
    # Where one of them cannot be had, the other ones may do.
    with suppress(TdvError, OSError):
        for data in _locks(ports):
            stage = pipeline.parse_lock(data).get(dataset)
            if stage is not None and (md5 := _data(stage)):
                found[open_artifact(ports.cache, md5).manifest.digest] = md5
    return found | {item.record.digest: item.record.artifact.md5 for item in ports.book.releases(dataset)}


def _locks(ports: Ports) -> Iterator[bytes]:
    yield (ports.root / pipeline.DVC_LOCK).read_bytes()
    yield ports.git.show(ports.git.head(), pipeline.DVC_LOCK)


def _rows(ports: Ports, dataset: str, old: str, new: str, change: FileChange) -> DiffReport | None:
    """The report of two artifacts; None where a part that is needed is not in the cache."""
    from tdv.diff.report import report
    from tdv.project.levels import levels_of

    names = _name(ports, dataset, old, f"a/{change.path}"), _name(ports, dataset, new, f"b/{change.new_path}")
    options = ReportOptions(limit=_ROWS, levels=levels_of(ports, dataset))
    try:
        snapshots = open_artifact(ports.cache, old), open_artifact(ports.cache, new)
        return replace(report(*snapshots, names, options), dataset=dataset)
    except TdvError:
        return None


def _name(ports: Ports, dataset: str, md5: str, place: str) -> str:
    for release in ports.book.releases(dataset):
        if release.record.artifact.md5 == md5:
            return release.record.reference
    return f"{dataset} in {place}"
