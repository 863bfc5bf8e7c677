"""What an upgrade did."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

if TYPE_CHECKING:
    from tdv.model.diff_report import DiffReport

FORMAT: Final = "tdv.upgrade/v1"
Action = Literal["upgraded", "planned", "unchanged"]


@dataclass(frozen=True, slots=True)
class Upgraded:
    """`start` and `to` are revisions; `files` are the sources that differ, from the root; `frozen` are the tables
    whose generated rows became seeds; `notes` say what was taken out or left out; `diff` compares with the release,
    None where there was nothing to do."""

    dataset: str
    action: Action
    start: str
    to: str
    digest: str = ""
    files: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    diff: DiffReport | None = None

    @property
    def bump(self) -> str:
        """The bump that the change needs."""
        return self.diff.bump if self.diff is not None else "none"

    def to_plain(self) -> dict[str, Any]:
        """The JSON form."""
        return {
            "format": FORMAT,
            "dataset": self.dataset,
            "action": self.action,
            "from": self.start,
            "to": self.to,
            "digest": self.digest or None,
            "bump": self.bump,
            "files": list(self.files),
            "frozen": list(self.frozen),
            "notes": list(self.notes),
            "diff": self.diff.to_plain() if self.diff is not None else None,
        }
