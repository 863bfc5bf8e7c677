"""Wires a comparison: which two states are meant, and where their rows come from.

In: two references, or one, or none. Out: one `DiffReport` per dataset. Always holds: states of equal digests are
not opened; nothing of the repository changes but what is fetched into the cache.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tdv.errors import NotFound, UsageError
from tdv.model.diff import TableChange
from tdv.model.diff_report import DiffReport, TableReport
from tdv.project import obtain, states

if TYPE_CHECKING:
    from tdv.project.ports import Ports
    from tdv.project.states import State


@dataclass(frozen=True, slots=True)
class DiffWish:
    """What to compare: two references, one with the work tree, or none for every dataset with its last release."""

    old: str | None = None
    new: str | None = None


Pair = tuple["State", "State"]


def diff(ports: Ports, wish: DiffWish) -> tuple[DiffReport, ...]:
    """One report per dataset that is compared."""
    return tuple(_report(ports, old, new) for old, new in _pairs(ports, wish))


def _pairs(ports: Ports, wish: DiffWish) -> list[Pair]:
    if wish.old is None:
        return _last_releases(ports)
    old = _with_dataset(wish.old, None)
    if wish.new is None:
        first = states.find(ports, old)
        return [(first, states.workspace(ports, first.dataset))]
    first = states.find(ports, _with_dataset(wish.old, wish.new))
    return [(first, states.find(ports, _with_dataset(wish.new, first.dataset)))]


def _with_dataset(text: str, other: str | None) -> str:
    """`text` with the dataset that `other` names, where it names none itself; ``git:`` needs no ``@``."""
    if text.startswith("git:"):
        text = f"@{text}"
    if other is None or states.parse(text).dataset is not None:
        return text
    named = states.parse(f"@{other}" if other.startswith("git:") else other).dataset
    return f"{named}@{text.removeprefix('@')}" if named else text


def _last_releases(ports: Ports) -> list[Pair]:
    pairs = []
    for dataset in ports.book.datasets():
        standing = [item for item in ports.book.releases(dataset) if not item.yanked]
        if standing:
            pairs.append((states.of_release(standing[-1]), states.workspace(ports, dataset)))
    if not pairs:
        raise NotFound(
            "There is no release to compare with",
            hint="Name two states, as in `tdv diff movies@git:main movies@workspace`.",
        )
    return pairs


def _report(ports: Ports, old: State, new: State) -> DiffReport:
    if old.digest == new.digest:
        same = tuple(TableReport(name, TableChange(), rows, rows) for name, rows in new.tables.items())
        return DiffReport(new.dataset, old.reference, new.reference, tables=same)
    if not set(old.tables) & set(new.tables) and old.dataset != new.dataset:
        raise UsageError(
            f"{old.reference} and {new.reference} have no table in common",
            hint="Compare two states of one dataset, or datasets of which one extends the other.",
        )
    from tdv.diff import compare

    change = compare(obtain.open_state(ports, old), obtain.open_state(ports, new))
    tables = tuple(
        TableReport(name, counts, old.tables.get(name), new.tables.get(name)) for name, counts in change.tables.items()
    )
    return DiffReport(new.dataset, old.reference, new.reference, change.findings, (), tables)
