"""The receipt: what a checkout did."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from tdv.frozen import dataclass

FORMAT: Final = "tdv.receipt/v1"
Action = Literal["loaded", "cloned", "unchanged", "planned"]


@dataclass(frozen=True, slots=True)
class ReceiptRelease:
    """One restored state; `version` is "workspace" or a Git revision where it is no release."""

    dataset: str
    version: str
    digest: str
    tables: Mapping[str, int]

    def to_plain(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset,
            "version": self.version,
            "digest": self.digest,
            "tables": {name: {"rows": rows} for name, rows in self.tables.items()},
        }


@dataclass(frozen=True, slots=True)
class Receipt:
    """`target` is the URL without credentials; `seconds` is wall time of the whole checkout; `notes` are sentences
    that the user should read."""

    releases: tuple[ReceiptRelease, ...]
    target: str
    action: Action
    execution_id: str
    seconds: float
    plan: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def to_plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = {
            "format": FORMAT,
            "releases": [release.to_plain() for release in self.releases],
            "target": self.target,
            "action": self.action,
            "execution_id": self.execution_id,
            "seconds": round(self.seconds, 3),
        }
        if self.plan:
            plain["plan"] = list(self.plan)
        if self.notes:
            plain["notes"] = list(self.notes)
        return plain
