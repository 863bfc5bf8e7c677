"""Versions of applications, as projects really write them, and whether a range of app versions holds one.

In: ``2.3.1``, ``v2.3``, ``2.3.1rc1``, ``2.3.1.post1``, ``2026.01.15``, ``v2.3.1-4-gabc1234`` (git describe). Out:
an `AppVersion`. Always holds: the order of two texts that are semver is semver's; a pre-release counts as the
release that it leads to, unless the range names a pre-release of that release, so that work on 2.0.0 gets the
data of 2.0.0; what has no sure order is refused with the reason.

PEP 440 forms: https://packaging.python.org/en/latest/specifications/version-specifiers/#version-scheme
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tdv.model.ranges import Bound, Range
from tdv.model.version import Version

_NUMBERS: Final = re.compile(r"v?([0-9]+(?:\.[0-9]+)*)(.*)", re.ASCII | re.IGNORECASE | re.DOTALL)
_DESCRIBED: Final = re.compile(r"-([0-9]+)-g[0-9a-f]{4,}\Z", re.ASCII)
_FINAL: Final = re.compile(r"[.-](?:final|release|ga)", re.ASCII | re.IGNORECASE)
_SEMVER: Final = re.compile(r"-([0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*)", re.ASCII)
_PEP440: Final = re.compile(
    r"(?:[._-]?(a|alpha|b|beta|c|rc|pre|preview)[._-]?([0-9]*))?"
    r"((?:[._-]?(?:post|rev|r)[._-]?[0-9]*)?)"
    r"(?:[._-]?dev[._-]?([0-9]*))?",
    re.ASCII | re.IGNORECASE,
)
_STAGES: Final = {"a": "alpha", "b": "beta", "c": "rc", "pre": "rc", "preview": "rc"}
_HASH: Final = re.compile(r"(?!(?:19|20)[0-9]{6}\Z)[0-9]{7,}", re.ASCII)

Identifiers = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class AppVersion:
    """`later` is True for what comes after the release `version` and before the next: a post-release, a fourth
    number, commits after a tag."""

    text: str
    version: Version
    later: bool = False

    def __str__(self) -> str:
        return self.text

    def within(self, allowed: Range) -> bool:
        """True if `allowed` holds this version."""
        return any(all(self._passes(bound, bounds) for bound in bounds) for bounds in allowed.alternatives)

    def _passes(self, bound: Bound, bounds: tuple[Bound, ...]) -> bool:
        mine = self.version
        if mine.prerelease and not any(_names(other, mine) for other in bounds):
            # On the way to the release, wherever: it counts as the release itself.
            return bound.allows(Version(*mine.core))
        if self.later and mine == bound.version:
            return bound.operator in (">", ">=")
        return bound.allows(mine)


def parse_app(text: str) -> AppVersion:
    """Reads an app version; raises `ValueError` with one sentence for what has no sure order."""
    text = text.strip()
    match = _NUMBERS.fullmatch(text)
    if match is None:
        raise ValueError(_refusal(text))
    numbers = [int(number) for number in match[1].split(".")]
    if len(numbers) == 1 and _HASH.fullmatch(match[1]):
        raise ValueError(f"the app version {text!r} may be the hash of a commit")
    core = (*numbers, 0, 0)[:3]
    rest, _, _ = match[2].removesuffix("-dirty").partition("+")
    # Commits after a tag come after what was tagged, a pre-release too; `git describe --long` also counts none.
    described = _DESCRIBED.search(rest)
    prerelease, later = _rest(rest[: described.start()] if described else rest, text)
    later = later or (described is not None and int(described[1]) > 0)
    return AppVersion(text, Version(core[0], core[1], core[2], prerelease), later or any(numbers[3:]))


def _rest(rest: str, text: str) -> tuple[Identifiers, bool]:
    """The identifiers of a pre-release, and whether what follows the numbers comes after the release."""
    if not rest or _FINAL.fullmatch(rest):
        return (), False
    if match := _SEMVER.fullmatch(rest):
        return tuple(int(item) if item.isdigit() else item for item in match[1].split(".")), False
    if match := _PEP440.fullmatch(rest):
        return _pep440(match, text)
    raise ValueError(_refusal(text))


def _pep440(match: re.Match[str], text: str) -> tuple[Identifiers, bool]:
    stage, number, post, dev = match.groups()
    if post:
        if stage:
            raise ValueError(f"the app version {text!r} is a post-release of a pre-release, which has no sure place")
        return (), True
    if stage is None:
        # A number sorts before every word, as PEP 440 sorts .dev before the first alpha.
        return (0, "dev", int(dev or 0)), False
    name = _STAGES.get(stage.lower(), stage.lower())
    count = int(number or 0)
    if dev is None:
        return (name, count) if number else (name,), False
    if count == 0:
        raise ValueError(f"the app version {text!r} comes before the first {name}, which has no sure place")
    return (name, count - 1, "dev", int(dev or 0)), False


def _names(bound: Bound, version: Version) -> bool:
    return bool(bound.version.prerelease) and bound.version.core == version.core


def _refusal(text: str) -> str:
    if "@" in text:
        return f"{text!r} is the tag of a data release, not an app version"
    return f"{text!r} is no app version: expected numbers such as 2.3.1"
