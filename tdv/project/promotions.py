"""Wires a promotion: the release that a reference means, and whether the environment may have it.

In: a `PromoteWish`. Out: a `Promoted`. Always holds: where ``tdv.yaml`` declares environments, only these are promoted
to, each with the datasets that it may hold; where it declares none, any stage is allowed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tdv import promote as verb
from tdv.documents.words import did_you_mean
from tdv.errors import NotFound, Refused, UsageError
from tdv.project import states

if TYPE_CHECKING:
    from tdv.config import Environment
    from tdv.project.ports import Ports


@dataclass(frozen=True, slots=True)
class PromoteWish:
    """`ref` names a release, or the one in another stage; `push` and `remote` are as for tags."""

    ref: str
    stage: str
    reason: str = ""
    push: bool = False
    remote: str | None = None


def promote(ports: Ports, wish: PromoteWish) -> verb.Promoted:
    """Promotes a release; raises what finding and promoting raise, and `Refused` for a dataset that the environment
    may not hold."""
    state = states.find(ports, wish.ref)
    if state.record is None:
        raise UsageError(
            f"{wish.ref} is no release", hint="Name a release, such as movies@v1.1.0; `tdv log` lists them."
        )
    _check(ports.settings.environments, wish.stage, state.dataset)
    options = verb.PromoteOptions(state.dataset, state.version, wish.stage, wish.reason, wish.push, wish.remote)
    return verb.promote(ports.git, ports.book, options)


def _check(environments: Mapping[str, Environment], stage: str, dataset: str) -> None:
    environment = environments.get(stage)
    if environment is None and environments:
        raise NotFound(
            f"tdv.yaml declares no environment {stage!r}{did_you_mean(stage, environments)}",
            hint=f"There are {', '.join(environments)}; declare it under environments: in tdv.yaml.",
            stage=stage,
        )
    if environment is not None and environment.datasets is not None and dataset not in environment.datasets:
        raise Refused(
            f"The environment {stage} may not hold {dataset}",
            hint=f"environments.{stage}.datasets in tdv.yaml lists what it may: "
            f"{', '.join(environment.datasets) or 'nothing'}.",
        )
