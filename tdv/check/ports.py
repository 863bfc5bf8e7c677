"""What the gate looks into, and what it answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from tdv.errors import DocumentError, TdvError
from tdv.model.diff import DatasetChange
from tdv.model.release import Artifact, Record
from tdv.model.report import VERIFICATION_FORMAT, Report
from tdv.model.spec import DatasetSpec
from tdv.store.fingerprint import StageStatus
from tdv.store.git import Git
from tdv.store.records import ReleaseBook

# Every rule, in the order of the answer, with what it promises.
RULES: Final = {
    "record-kept": "no released record is removed",
    "record-unchanged": "no released record is altered",
    "amendments-appended": "amendments are only appended, to releases that exist",
    "adopted": "every tagged release has a record",
    "spec": "the spec can be read and its sources exist",
    "stage": "dvc.yaml lists the sources of the spec",
    "built": "dvc.lock and snapshot.yaml are those of the sources",
    "committed": "everything that belongs to the dataset is committed",
    "privacy": "every column that looks private has a decision",
    "valid": "the rows keep every rule of the spec",
    "reproducible": "a cold build gives the same digest",
    "pushed": "the data is on the remote, or rebuilds to the same digest",
    "record": "the new record can be read and names its file",
    "tag-free": "no tag has taken the version",
    "since": "the release follows the newest of its line",
    "bump": "the version is high enough for what changed",
    "changelog": "the release has its section in CHANGELOG.md",
    "snapshot": "the record is what snapshot.yaml and dvc.lock hold",
    "taggable": "`tdv tag` could tag the result of the merge",
    "one-pending": "one release of a dataset per squash merge",
    "locked": "tdv.lock fits tdv.yaml",
}


@dataclass(frozen=True, slots=True)
class Verdict:
    """One rule for one dataset or release. `dataset` is "" for the repository, `version` "" for a work tree.

    `file` is where an annotation belongs; `hint` is the command or key that mends it; `unknown` is True where the
    rule was not looked at, since another one that it needs is broken.
    """

    rule: str
    dataset: str
    version: str
    ok: bool
    message: str = ""
    hint: str = ""
    file: str = ""
    line: int = 1
    unknown: bool = False

    @property
    def subject(self) -> str:
        """``movies@v1.1.0``, ``movies`` or ``repository``"""
        if not self.dataset:
            return "repository"
        return f"{self.dataset}@v{self.version}" if self.version else self.dataset

    def to_plain(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "version": self.version,
            "promise": self.rule,
            "ok": self.ok,
            "message": self.message,
            "hint": self.hint,
            "file": self.file,
            "line": self.line,
            "unknown": self.unknown,
        }


@dataclass(frozen=True, slots=True)
class Checked:
    """The answer of the gate; `base` is the name that was compared with, `place` the directory of the project in its
    repository, ``services/web/``, from which the files of verdicts count."""

    base: str
    verdicts: tuple[Verdict, ...]
    place: str = ""

    @property
    def ok(self) -> bool:
        """True if every rule holds."""
        return all(verdict.ok for verdict in self.verdicts)

    @property
    def failed(self) -> tuple[Verdict, ...]:
        """The rules that are broken, and no others that follow from them."""
        return tuple(verdict for verdict in self.verdicts if not verdict.ok and not verdict.unknown)

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": VERIFICATION_FORMAT,
            "ok": self.ok,
            "base": self.base,
            "subjects": [verdict.to_plain() for verdict in self.verdicts],
        }


@dataclass(frozen=True, slots=True)
class CheckPorts:
    """What the gate asks of the project, dataset by dataset; each raises `TdvError` where it cannot answer.

    `sources` lists what a build reads; `stage` compares them with dvc.lock; `validate` looks at the rows;
    `rebuild` gives the digest of a cold build; `compare` says what a release changes in an earlier one,
    compatibility included; `missing` says which artifacts the remote lacks, None without a remote; `lock` says
    what is wrong with tdv.lock, "" for nothing.
    """

    git: Git
    book: ReleaseBook
    spec: Callable[[str], DatasetSpec]
    sources: Callable[[DatasetSpec], tuple[str, ...]]
    stage: Callable[[str], StageStatus]
    validate: Callable[[str], Report]
    rebuild: Callable[[str], str]
    compare: Callable[[Record, Record], DatasetChange]
    missing: Callable[[Sequence[Artifact]], frozenset[str] | None]
    lock: Callable[[], str]


@dataclass(frozen=True, slots=True)
class CheckOptions:
    """`base` is a branch, tag or commit; `rebuild` builds each changed dataset cold; `merge` is how pull requests
    are merged."""

    base: str
    rebuild: bool = False
    merge: Literal["squash", "merge"] = "squash"


@dataclass(frozen=True, slots=True)
class Subject:
    """The dataset or release that verdicts are about, and the file that annotations go to."""

    dataset: str
    version: str = ""
    file: str = ""

    def kept(self, rule: str, message: str = "") -> Verdict:
        """A rule that holds."""
        return Verdict(rule, self.dataset, self.version, True, message, file=self.file)

    def unknown(self, rule: str, cause: Verdict) -> Verdict:
        """A rule that nobody can look at before `cause` is mended."""
        message = f"not checked: {cause.rule} failed first"
        return Verdict(rule, self.dataset, self.version, False, message, file=self.file, unknown=True)

    def broken(self, rule: str, message: str, hint: str = "", place: tuple[str, int] | None = None) -> Verdict:
        """A rule that does not hold; `place` is a file and a line in it."""
        file, line = place or (self.file, 1)
        return Verdict(rule, self.dataset, self.version, False, message, hint, file, line)

    def failed(self, rule: str, problem: TdvError) -> Verdict:
        """A rule that does not hold because of an error; of several mistakes the first one gives the place."""
        if not isinstance(problem, DocumentError):
            return self.broken(rule, problem.message, problem.hint or "")
        first = problem.problems[0]
        more = f" (and {len(problem.problems) - 1} more)" if len(problem.problems) > 1 else ""
        return self.broken(rule, f"{first}{more}", problem.hint or "", (first.file, first.line))
