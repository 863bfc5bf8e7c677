"""Compatibility: the app versions and the span of migrations that a release serves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tdv.frozen import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """Migrations from `start` (inclusive) until `until` (exclusive); None leaves that side open."""

    start: str | None = None
    until: str | None = None

    def __str__(self) -> str:
        """``migrations 0003 until 0007``"""
        until = f"until {self.until}" if self.until else "on"
        return f"migrations {self.start or 'from the first'} {until}"

    def to_plain(self) -> dict[str, Any]:
        return {"from": self.start, "until": self.until}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Span:
        return cls(plain.get("from"), plain.get("until"))


@dataclass(frozen=True, slots=True)
class Compat:
    """`app` is a range as text (None: any app version), `migration` a span (None: any migration)."""

    app: str | None = None
    migration: Span | None = None

    def __str__(self) -> str:
        """``app >=1.2,<3, migrations 0003 until 0007`` or ``anything``"""
        parts = [f"app {self.app}"] if self.app else []
        return ", ".join([*parts, str(self.migration)] if self.migration else parts) or "anything"

    def to_plain(self) -> dict[str, Any]:
        return {"app": self.app, "migration": self.migration.to_plain() if self.migration else None}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Compat:
        span = plain.get("migration")
        return cls(plain.get("app"), Span.from_plain(span) if span else None)
