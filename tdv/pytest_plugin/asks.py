"""What a test asks for: the releases, scenarios and target of its database.

In: the words of a marker, a parameter, the command line or the ini file. Out: `Ask`. Always holds: what one of them
leaves open is left to the next.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ask:
    """What a fixture is asked for; None and () are left to what stands above."""

    references: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    target: str | None = None
    rollback: bool | None = None

    def or_else(self, other: Ask) -> Ask:
        """This, and of `other` what this leaves open."""
        return Ask(
            self.references or other.references,
            self.scenarios or other.scenarios,
            self.target if self.target is not None else other.target,
            self.rollback if self.rollback is not None else other.rollback,
        )


def asked(
    *references: str,
    scenario: str | Sequence[str] | None = None,
    target: str | None = None,
    rollback: bool | None = None,
) -> Ask:
    """What a marker or a factory is called with; raises `TypeError` for any other word, and for a value of none of
    these types."""
    scenarios = scenario if isinstance(scenario, list | tuple) else () if scenario is None else (scenario,)
    if not (rollback is None or isinstance(rollback, bool)):
        raise TypeError(f"rollback must be True or False, not {rollback!r}")
    return Ask(
        _texts("a reference", references),
        _texts("scenario", scenarios),
        None if target is None else _texts("target", (target,))[0],
        rollback,
    )


def _texts(word: str, values: Sequence[object]) -> tuple[str, ...]:
    found = tuple(value for value in values if isinstance(value, str))
    if len(found) < len(values):
        wrong = next(value for value in values if not isinstance(value, str))
        raise TypeError(f"{word} must be text, not {wrong!r}")
    return found
