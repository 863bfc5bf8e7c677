"""Which version a release gets: computed from what changed, or asked for and then checked.

In: what the user wrote, the versions that exist, the level that the findings demand. Out: a `Version`, or a
`Refused` that says which one would do. Always holds: a release is above the last of its line and at least one
step of the demanded level above the release it is compared with; below 1.0.0 a breaking change needs the next
minor and anything smaller the next patch, as in Cargo.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from tdv.errors import Refused, UsageError
from tdv.model.diff import Level
from tdv.model.version import Version, parse_version

AUTO: Final = "auto"
_WORDS: Final[dict[str, Level]] = {"major": "major", "minor": "minor", "patch": "patch"}
_HIGHEST: Final = 2**31 - 1
"""What tools that keep the parts of a version in 32 bits can read."""
_FIRST: Final = {
    AUTO: Version(1, 0, 0),
    "major": Version(1, 0, 0),
    "minor": Version(0, 1, 0),
    "patch": Version(0, 0, 1),
}


def explicit(wanted: str) -> Version | None:
    """The version that `wanted` names; None for ``auto``, ``major``, ``minor`` and ``patch``.

    Raises `UsageError` for anything else.
    """
    if wanted == AUTO or wanted in _WORDS:
        return None
    try:
        version = parse_version(wanted)
    except ValueError as exc:
        raise UsageError(
            f"{wanted!r} is neither a version nor a level",
            hint="Write auto, major, minor, patch or a version such as 1.1.0.",
        ) from exc
    if max(version.core) > _HIGHEST:
        raise UsageError(f"{wanted!r} is too large a version", hint=f"No part of it may be above {_HIGHEST}.")
    return version


def base_of(wanted: str, known: Sequence[Version]) -> Version | None:
    """The release that the new one is compared with: the highest below it; None for the first."""
    version = explicit(wanted)
    below = [candidate for candidate in known if version is None or candidate < version]
    return max(below, default=None)


def refuse_taken(dataset: str, version: Version, known: Sequence[Version]) -> None:
    """Raises `Refused` when `version` exists, or stands below the end of its line.

    Its line are the releases of the same major and minor number; where there are none, those of the same
    major number; where there are none of these either, all.
    """
    if version in known:
        raise Refused(
            f"{dataset}@v{version} is released already",
            hint=f"Choose the next version, or `tdv release {dataset} --amend` while it is pending.",
            version=str(version),
        )
    line = [item for item in known if item.core[:2] == version.core[:2]]
    line = line or [item for item in known if item.major == version.major] or list(known)
    last = max(line, default=None)
    if last is not None and last > version:
        raise Refused(
            f"{dataset} has v{last} already, and v{version} would come before it",
            hint=f"tdv release {dataset} {last.bumped('patch')}",
            version=str(version),
        )


def decide(wanted: str, base: Version | None, level: Level) -> Version | None:
    """The version of the release; None where `wanted` is smaller than `level` demands after `base`."""
    version = explicit(wanted)
    if base is None:
        return version or _FIRST[wanted]
    least = base.least_after(level)
    if version is None:
        return least if wanted == AUTO else _at_least(base.bumped(_WORDS[wanted]), least)
    return version if Version(*version.core) >= least else None


def _at_least(version: Version, least: Version) -> Version | None:
    return version if version >= least else None
