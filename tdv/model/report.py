"""What `validate` and `verify` answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from tdv.model.cell import json_form

REPORT_FORMAT: Final = "tdv.report/v1"
VERIFICATION_FORMAT: Final = "tdv.verification/v1"


@dataclass(frozen=True, slots=True)
class Check:
    """One rule looked at in one table ("" for the dataset): how many rows break it, and the first of them.

    `examples` hold column → cell; values of private columns are already redacted.
    """

    table: str
    rule: str
    ok: bool
    count: int = 0
    examples: tuple[dict[str, Any], ...] = ()
    message: str = ""

    def to_plain(self) -> dict[str, Any]:
        plain = {
            "table": self.table,
            "rule": self.rule,
            "ok": self.ok,
            "count": self.count,
            "examples": self.examples,
            "message": self.message,
        }
        return json_form(plain)


@dataclass(frozen=True, slots=True)
class Report:
    """All checks of one dataset."""

    dataset: str
    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """True if no check failed."""
        return all(check.ok for check in self.checks)

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": REPORT_FORMAT,
            "dataset": self.dataset,
            "ok": self.ok,
            "checks": [check.to_plain() for check in self.checks],
        }


@dataclass(frozen=True, slots=True)
class Promise:
    """One promise of one release, and whether it holds. `promise` is a kebab-case name.

    `unknown` is True where it could not be looked at, because Git or a remote failed: neither kept nor broken.
    """

    dataset: str
    version: str
    promise: str
    ok: bool
    message: str = ""
    unknown: bool = False

    def to_plain(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "version": self.version,
            "promise": self.promise,
            "ok": self.ok,
            "message": self.message,
            "unknown": self.unknown,
        }


@dataclass(frozen=True, slots=True)
class Verification:
    """All promises that were looked at; `notes` say what was not."""

    subjects: tuple[Promise, ...]
    notes: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """True if every promise holds."""
        return all(subject.ok for subject in self.subjects)

    @property
    def broken(self) -> bool:
        """True if a promise is broken, and not only out of reach."""
        return any(not subject.ok and not subject.unknown for subject in self.subjects)

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": VERIFICATION_FORMAT,
            "ok": self.ok,
            "subjects": [subject.to_plain() for subject in self.subjects],
            "notes": list(self.notes),
        }
