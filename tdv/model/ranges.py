"""Version ranges as users write them: ``^1.1``, ``~1.1.2``, ``>=1.2,<3``, ``1.x``, ``*``, ``1.0.0 || ^2``.

In: text. Out: a frozen `Range` that says which versions it allows. Always holds: commas and spaces mean
"and", ``||`` means "or" and binds weaker; missing numbers are open (``1.2`` is ``1.2.x``); ``latest`` is
``*``; a pre-release is allowed only where the range names a pre-release of the same three numbers.
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import Final, Literal

from tdv.frozen import dataclass
from tdv.model.version import Version, parse_version

Operator = Literal["<", "<=", ">", ">=", "="]
Core = tuple[int, int, int]

_CLAUSE: Final = re.compile(r"(\^|~|>=|<=|>|<|==|=)?\s*v?([0-9xX*][^\s,|]*|latest)")
_OPEN: Final = frozenset({"x", "X", "*"})


@dataclass(frozen=True, slots=True)
class Bound:
    """One comparison that a version has to pass."""

    operator: Operator
    version: Version

    def allows(self, version: Version) -> bool:
        """True where `version` stands on the right side; a pre-release of an excluded end is excluded too."""
        if self.operator == "<":
            same = version.core == self.version.core and not self.version.prerelease
            return version < self.version and not same
        if self.operator == "<=":
            return version <= self.version
        if self.operator == ">":
            return version > self.version
        if self.operator == ">=":
            return version >= self.version
        return version == self.version


@dataclass(frozen=True, slots=True)
class Range:
    """Alternatives of bounds: a version is allowed that passes every bound of one alternative."""

    text: str = field(compare=False)
    alternatives: tuple[tuple[Bound, ...], ...]

    @classmethod
    def parse(cls, text: str) -> Range:
        """Raises `ValueError` with one sentence when `text` is no range."""
        return cls(text.strip(), tuple(_alternative(part, text) for part in text.split("||")))

    def __str__(self) -> str:
        return self.text

    @property
    def exact(self) -> Version | None:
        """The version, where the range names exactly one."""
        if len(self.alternatives) == 1 and len(self.alternatives[0]) == 1:
            bound = self.alternatives[0][0]
            return bound.version if bound.operator == "=" else None
        return None

    def allows(self, version: Version | str, *, prereleases: bool = False) -> bool:
        """True if `version` is in the range; `prereleases` admits those that the range does not name.

        Raises `ValueError` for text that is no version.
        """
        candidate = parse_version(version) if isinstance(version, str) else version
        return any(
            all(bound.allows(candidate) for bound in bounds) and (prereleases or _named(candidate, bounds))
            for bounds in self.alternatives
        )


def _named(version: Version, bounds: tuple[Bound, ...]) -> bool:
    if not version.prerelease:
        return True
    return any(bound.version.prerelease and bound.version.core == version.core for bound in bounds)


def _alternative(part: str, text: str) -> tuple[Bound, ...]:
    bounds: list[Bound] = []
    rest = part.strip()
    if not rest:
        raise ValueError(f"{text!r} is no range: expected ^1.1, ~1.1.2, >=1.2,<3, 1.x, * or a version")
    while rest:
        match = _CLAUSE.match(rest)
        if match is None:
            raise ValueError(f"cannot read {rest!r} in the range {text!r}")
        bounds.extend(_bounds(match.group(1) or "", match.group(2), text))
        rest = rest[match.end() :].lstrip()
        if rest.startswith(","):
            rest = rest[1:].lstrip()
            if not rest:
                raise ValueError(f"the range {text!r} ends in a comma")
    return tuple(bounds)


def _bounds(operator: str, word: str, text: str) -> tuple[Bound, ...]:
    if word == "latest" and not operator:
        return ()
    numbers = _partial(word)
    if numbers is None:
        return _full(operator, _version(word, text))
    return _open(operator, numbers)


def _version(word: str, text: str) -> Version:
    try:
        return parse_version(word)
    except ValueError as exc:
        raise ValueError(f"cannot read {word!r} in the range {text!r}") from exc


def _partial(word: str) -> tuple[int, ...] | None:
    """The numbers of ``1``, ``1.2``, ``1.x`` or ``*``; None where `word` is something else."""
    pieces = word.split(".")
    while pieces and pieces[-1] in _OPEN:
        pieces.pop()
    complete = len(pieces) == 3 or len(word.split(".")) > 3
    if complete or not all(re.fullmatch(r"0|[1-9][0-9]*", piece, re.ASCII) for piece in pieces):
        return None
    return tuple(map(int, pieces))


def _full(operator: str, version: Version) -> tuple[Bound, ...]:
    if operator == "^":
        return (Bound(">=", version), Bound("<", Version(*_caret(version.core, 3))))
    if operator == "~":
        return (Bound(">=", version), Bound("<", Version(*_after(version.core, 2))))
    known: dict[str, Operator] = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "=": "=", "==": "=", "": "="}
    return (Bound(known[operator], version),)


def _open(operator: str, numbers: tuple[int, ...]) -> tuple[Bound, ...]:
    given = len(numbers)
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    first = (major, minor, patch)
    start = Version(*first)
    if given == 0:
        return (Bound("<", Version(0, 0, 0)),) if operator in ("<", ">") else ()
    if operator == ">=":
        return (Bound(">=", start),)
    if operator == "<":
        return (Bound("<", start),)
    if operator == "^":
        return (Bound(">=", start), Bound("<", Version(*_caret(first, given))))
    after = Version(*_after(first, given))
    if operator == ">":
        return (Bound(">=", after),)
    if operator == "<=":
        return (Bound("<", after),)
    return (Bound(">=", start), Bound("<", after))


def _after(core: Core, given: int) -> Core:
    """The first version behind all that begin with the first `given` numbers of `core`."""
    if given == 1:
        return (core[0] + 1, 0, 0)
    return (core[0], core[1] + 1, 0) if given == 2 else (core[0], core[1], core[2] + 1)


def _caret(core: Core, given: int) -> Core:
    """The first incompatible version: the leftmost number that is not zero, among those given, moves."""
    place = next((at for at in range(given) if core[at]), given - 1)
    return _after(core, place + 1)
