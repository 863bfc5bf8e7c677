"""Versions of data releases and of applications: semver 2.0.0 without build metadata.

In: text such as ``1.1.0``, ``v1.1.0`` or ``2.0.0-rc.1``. Out: a frozen, ordered `Version`. Always holds:
``parse_version(str(v)) == v``, and the order is that of https://semver.org/#spec-item-11. Written here
because reading a version stands on the path of every command, where the import of a library would cost
more than the whole answer.
"""

from __future__ import annotations

import re
from functools import total_ordering
from typing import TYPE_CHECKING, Final

from tdv.frozen import dataclass

if TYPE_CHECKING:
    from tdv.model.diff import Level

_NUMBER: Final = r"(0|[1-9][0-9]*)"
_PRE: Final = r"(?:0|[1-9][0-9]*|[0-9]*[A-Za-z-][0-9A-Za-z-]*)"
_PLAIN: Final = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}", re.ASCII)
_VERSION: Final = re.compile(rf"v?{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_PRE}(?:\.{_PRE})*))?", re.ASCII)


Order = tuple[int, int, int, int, tuple[tuple[int, int, str], ...]]


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """Three numbers and the identifiers of a pre-release, () for none."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[int | str, ...] = ()

    def __str__(self) -> str:
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}-{'.'.join(map(str, self.prerelease))}" if self.prerelease else core

    def __lt__(self, other: Version) -> bool:
        return self.order() < other.order()

    @property
    def core(self) -> tuple[int, int, int]:
        """The three numbers."""
        return (self.major, self.minor, self.patch)

    def bumped(self, level: Level) -> Version:
        """The next release of that level; a pre-release first becomes the release that it leads to."""
        if self.prerelease:
            released = Version(*self.core)
            return released if _leads_to(released, level) else released.bumped(level)
        if level == "major":
            return Version(self.major + 1, 0, 0)
        if level == "minor":
            return Version(self.major, self.minor + 1, 0)
        if level == "patch":
            return Version(self.major, self.minor, self.patch + 1)
        return self

    def least_after(self, level: Level) -> Version:
        """The least version that may follow with a change of that level.

        Below 1.0.0 a breaking change needs the next minor and anything smaller the next patch, as in Cargo.
        """
        if self.major > 0:
            return self.bumped(level)
        smaller: dict[Level, Level] = {"major": "minor", "minor": "patch"}
        return self.bumped(smaller.get(level, level))

    def order(self) -> Order:
        """A key to sort many versions by, faster than comparing them one with another."""
        identifiers = tuple(
            (0, identifier, "") if isinstance(identifier, int) else (1, 0, identifier) for identifier in self.prerelease
        )
        return (*self.core, 0 if self.prerelease else 1, identifiers)


def parse_version(text: str) -> Version:
    """Reads ``1.1.0`` or ``v1.1.0-rc.1``; raises `ValueError` with one sentence for anything else."""
    match = _VERSION.fullmatch(text.strip())
    if match is None:
        if "+" in text:
            raise ValueError(f"{text!r} carries build metadata, which versions of data do not have")
        raise ValueError(f"{text!r} is no version: expected three numbers such as 1.1.0")
    major, minor, patch, prerelease = match.groups()
    identifiers = prerelease.split(".") if prerelease else []
    return Version(
        int(major), int(minor), int(patch), tuple(int(item) if item.isdigit() else item for item in identifiers)
    )


def order_of(text: str) -> Order:
    """The key that `parse_version(text)` sorts by; raises `ValueError` for text that is not how versions are stored.

    Where there are thousands, nearly all are three plain numbers, and none needs to become a `Version`.
    """
    if match := _PLAIN.fullmatch(text):
        return (int(match[1]), int(match[2]), int(match[3]), 1, ())
    version = parse_version(text)
    if str(version) != text:
        raise ValueError(f"it is stored as {version}")
    return version.order()


def _leads_to(released: Version, level: Level) -> bool:
    if level == "major":
        return released.minor == 0 and released.patch == 0
    if level == "minor":
        return released.patch == 0
    return True
