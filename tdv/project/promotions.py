"""Wires a promotion: the release that a reference means, and whether the environment may have it.

In: a `PromoteWish`. Out: a `Promoted`. Always holds: where ``tdv.yaml`` declares environments, only these are promoted
to, each with what it may hold; where it declares none, any stage is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tdv import promote as verb
from tdv.config import NO_LIMITS
from tdv.documents.words import did_you_mean
from tdv.errors import NotFound, UsageError
from tdv.project import environments, states, wanted

if TYPE_CHECKING:
    from tdv.config import Environment
    from tdv.project.ports import Ports
    from tdv.project.states import State


@dataclass(frozen=True, slots=True)
class PromoteWish:
    """`ref` names a release, or the one in another stage; `push` and `remote` are as for tags."""

    ref: str
    stage: str
    reason: str = ""
    push: bool = False
    remote: str | None = None


def promote(ports: Ports, wish: PromoteWish) -> verb.Promoted:
    """Promotes a release; raises what finding and promoting raise, and `Refused` for what the environment may not
    hold."""
    state = states.find(ports, wish.ref)
    if state.record is None:
        raise UsageError(
            f"{wish.ref} is no release", hint="Name a release, such as movies@v1.1.0; `tdv log` lists them."
        )
    environment = _declared(ports.settings.environments, wish.stage)
    if environment is not None:
        _refuse(ports, environment, state)
    options = verb.PromoteOptions(state.dataset, state.version, wish.stage, wish.reason, wish.push, wish.remote)
    return verb.promote(ports.git, ports.book, options)


def _refuse(ports: Ports, environment: Environment, state: State) -> None:
    """Raises `Refused` for what a checkout of the release would not bring there."""
    if environment.datasets is None and environment.limits == NO_LIMITS:
        return
    needed = wanted.with_required(ports, [state])
    environments.refuse_foreign(environment, [item.name for item in needed])
    environments.refuse_excess(ports, environment, needed)


def _declared(known: Mapping[str, Environment], stage: str) -> Environment | None:
    """The environment of that name; None where none is declared at all."""
    if known and stage not in known:
        raise NotFound(
            f"tdv.yaml declares no environment {stage!r}{did_you_mean(stage, known)}",
            hint=f"There are {', '.join(known)}; declare it under environments: in tdv.yaml.",
            stage=stage,
        )
    return known.get(stage)
