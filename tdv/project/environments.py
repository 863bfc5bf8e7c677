"""What an environment of ``tdv.yaml`` may hold: the datasets that it lists, and no more of them than its limits allow.

In: an environment and the states that are to go there. Out: nothing, or `Refused`. Always holds: no rows are read;
records say how much a dataset is, and its manifest how much a scenario is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tdv.config import NO_LIMITS
from tdv.errors import Excess, Refused
from tdv.project import obtain

if TYPE_CHECKING:
    from tdv.config import Environment
    from tdv.model.manifest import ScenarioManifest
    from tdv.project.ports import Ports
    from tdv.project.states import State


class _Amount(NamedTuple):
    """What a load brings of one dataset: rows, and bytes of its snapshot."""

    rows: int
    size: int


def refuse_foreign(environment: Environment, names: Iterable[str]) -> None:
    """Raises `Refused` for datasets that the environment does not list."""
    allowed = environment.datasets
    foreign = [name for name in names if allowed is not None and name not in allowed]
    if foreign:
        raise Refused(
            f"The environment {environment.name} may not hold {', '.join(foreign)}",
            hint=f"environments.{environment.name}.datasets in tdv.yaml lists what it may: "
            f"{', '.join(allowed or ()) or 'nothing'}.",
            environment=environment.name,
        )


def refuse_excess(
    ports: Ports, environment: Environment, states: Sequence[State], scenarios: Sequence[str] = ()
) -> None:
    """Raises `Excess` where one load of these states, or of their scenarios, is more than the environment takes."""
    limits = environment.limits
    if limits == NO_LIMITS:
        return
    amounts = _amounts(ports, states, scenarios)
    for key, unit, found, limit in (
        ("rows", "rows", sum(amount.rows for amount in amounts), limits.rows),
        ("size", "bytes", sum(amount.size for amount in amounts), limits.size),
    ):
        if limit is not None and found > limit:
            names = ", ".join(state.name for state in states)
            raise Excess(
                f"{names} would bring {found:,} {unit} into the environment {environment.name}, "
                f"which takes {limit:,} at most",
                hint="A checkout with --scenario brings less, as does a smaller dataset made with `extends:`; "
                f"environments.{environment.name}.limits.{key} in tdv.yaml is the limit.",
                environment=environment.name,
                limit=limit,
            )


def _amounts(ports: Ports, states: Sequence[State], scenarios: Sequence[str]) -> list[_Amount]:
    """What each state brings; one that has none of the scenarios comes whole. Nothing for a scenario that no state
    has: opening the states raises `NotFound` for it."""
    whole = [_Amount(sum(state.tables.values()), state.artifact.size) for state in states]
    if not scenarios:
        return whole
    told = [
        [scenario for scenario in obtain.manifest_of(ports, state).scenarios if scenario.name in scenarios]
        for state in states
    ]
    if {scenario.name for found in told for scenario in found} != set(scenarios):
        return []
    return [_of_scenarios(found) if found else amount for found, amount in zip(told, whole, strict=True)]


def _of_scenarios(scenarios: Sequence[ScenarioManifest]) -> _Amount:
    """Rows that scenarios share come once. Which of the bytes are theirs is not known without reading the rows."""
    shared = {(table, key) for scenario in scenarios for table, keys in scenario.rows.items() for key in keys}
    own = sum(len(rows) for scenario in scenarios for rows in scenario.own.values())
    return _Amount(len(shared) + own, 0)
