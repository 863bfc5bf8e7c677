"""Wires a look into a state: the manifest alone where that is enough, rows where they are asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tdv import show as verb
from tdv.errors import UsageError
from tdv.project import obtain, states

if TYPE_CHECKING:
    from tdv.project.ports import Ports

View = verb.DatasetView | verb.TableView | verb.ScenarioView


@dataclass(frozen=True, slots=True)
class ShowWish:
    """What to show of a state: a table with its first `rows`, a scenario, or neither for an overview."""

    table: str | None = None
    scenario: str | None = None
    rows: int = 10
    reveal: bool = False


def show(ports: Ports, ref: str, wish: ShowWish) -> View:
    """One view of a state."""
    if wish.table is not None and wish.scenario is not None:
        raise UsageError("A table and a scenario are two questions", hint="Ask for one of them.")
    state = states.find(ports, ref)
    snapshot = obtain.open_state(ports, state)
    if wish.table is not None:
        return verb.show_table(snapshot, wish.table, wish.rows, reveal=wish.reveal)
    if wish.scenario is not None:
        return verb.show_scenario(snapshot.manifest, wish.scenario)
    release = ports.library.release(state.name, state.version) if state.record else None
    return verb.show_dataset(snapshot.manifest, state.version, release)
