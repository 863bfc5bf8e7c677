"""The lock: the releases that the code at one commit uses.

In: what was resolved, or the YAML of ``tdv.lock``. Always holds: ``Lock.from_plain(lock.to_plain()) == lock``; datasets
stand by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any, Final

from tdv.frozen import dataclass
from tdv.model.release import Artifact

FILE: Final = "tdv.lock"
FORMAT: Final = "tdv.lock/v1"


@dataclass(frozen=True, slots=True)
class Pin:
    """One locked release; `range` is what was asked for, "" where several who cannot be written as one ask.

    `repository` and `commit` say where the release is when it is not in this repository.
    """

    version: str
    digest: str
    artifact: Artifact
    range: str = ""
    repository: str | None = None
    commit: str | None = None

    def to_plain(self) -> dict[str, Any]:
        plain: dict[str, Any] = {"version": self.version}
        if self.range:
            plain["range"] = self.range
        plain |= {"digest": self.digest, "artifact": self.artifact.to_plain()}
        if self.repository is not None:
            plain |= {"repository": self.repository, "commit": self.commit}
        return plain

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Pin:
        return cls(
            plain["version"],
            plain["digest"],
            Artifact(**plain["artifact"]),
            plain.get("range", ""),
            plain.get("repository"),
            plain.get("commit"),
        )


@dataclass(frozen=True, slots=True)
class Lock:
    """`app` and `migration` are what the choice was made for, None where it did not matter."""

    app: str | None = None
    migration: str | None = None
    datasets: Mapping[str, Pin] = field(default_factory=dict)

    @property
    def versions(self) -> dict[str, str]:
        """Dataset → version."""
        return {name: pin.version for name, pin in self.datasets.items()}

    def to_plain(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "app": self.app,
            "migration": self.migration,
            "datasets": {name: pin.to_plain() for name, pin in sorted(self.datasets.items())},
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Lock:
        """Raises `KeyError` or `TypeError` for a damaged mapping."""
        datasets = {name: Pin.from_plain(item) for name, item in sorted(plain["datasets"].items())}
        return cls(plain.get("app"), plain.get("migration"), datasets)
