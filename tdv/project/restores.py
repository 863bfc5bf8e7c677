"""Wires a checkout: what is wanted, where it goes, and how each snapshot is opened if it must be.

In: a `CheckoutWish` as the command line, the plug-in or the service states it. Out: a `Receipt`. Always holds:
protection is looked at before anything is opened; when nothing has to be done nothing heavy is imported.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tdv.errors import Refused, UsageError
from tdv.project import obtain
from tdv.project.states import State
from tdv.project.wanted import Fit, pick

if TYPE_CHECKING:
    from tdv.checkout import Wanted
    from tdv.config import TargetSettings
    from tdv.model.receipt import Receipt
    from tdv.project.ports import Ports


@dataclass(frozen=True, slots=True)
class CheckoutWish:
    """`refs` empty means what the lock or tdv.yaml wants; `target` is a name, URL or path, None the default one;
    `format` is for files; relative paths count from `directory`."""

    refs: tuple[str, ...] = ()
    fit: Fit = Fit()  # noqa: RUF009 - a frozen value
    target: str | None = None
    format: str | None = None
    scenarios: tuple[str, ...] = ()
    replace: bool = False
    dry_run: bool = False
    allow_protected: bool = False
    directory: Path | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Where states go, and the states, each with the way to open it; `notes` are for the user."""

    place: TargetSettings
    states: tuple[State, ...]
    wanted: tuple[Wanted, ...]
    notes: tuple[str, ...] = ()


def checkout(ports: Ports, wish: CheckoutWish, moment: datetime, execution_id: str) -> Receipt:
    """Restores; raises what resolving, opening, protecting and loading raise."""
    from tdv import checkout as verb
    from tdv.targets.registry import open_target

    chosen = choose(ports, wish)
    options = verb.CheckoutOptions(
        work=ports.state,
        now=moment,
        execution_id=execution_id,
        replace=wish.replace,
        dry_run=wish.dry_run,
        scenarios=wish.scenarios,
    )
    receipt = verb.restore(chosen.wanted, open_target(chosen.place, ports.state), options)
    return replace(receipt, notes=chosen.notes) if chosen.notes else receipt


def choose(ports: Ports, wish: CheckoutWish) -> Chosen:
    """What a wish means; raises what resolving and protecting raise. Nothing is opened."""
    from tdv.checkout import Wanted

    place = target_of(ports, wish)
    picked = pick(ports, wish.refs, wish.fit)
    _refuse_unfit(place, picked.states, wish)
    wanted = tuple(
        Wanted(state.dataset, state.version, state.digest, partial(obtain.open_state, ports, state), state.tables)
        for state in picked.states
    )
    return Chosen(place, picked.states, wanted, picked.notes)


def target_of(ports: Ports, wish: CheckoutWish) -> TargetSettings:
    """The target that is meant, `format` put into its URL."""
    text = wish.target
    if wish.format is None:
        return ports.settings.target(text, wish.directory)
    if text is not None and not ports.settings.is_target(text):
        text = f"{text}/"  # with a format, a bare word can only be a directory
    found = ports.settings.target(text, wish.directory)
    if not found.url.startswith("file:"):
        raise UsageError(
            f"--format is for files, and {found.name or found.shown} is a database",
            hint="Name a directory: --target out/ --format csv.",
        )
    base, _, query = found.url.partition("?")
    kept = [word for word in query.split("&") if word and not word.startswith("format=")]
    return replace(found, url=f"{base}?{'&'.join([*kept, f'format={wish.format}'])}")


def _refuse_unfit(place: TargetSettings, wanted: tuple[State, ...], wish: CheckoutWish) -> None:
    name = place.name or place.shown
    if place.protected and not (wish.allow_protected or wish.dry_run):
        raise Refused(
            f"{name} is protected", hint="Add --allow-protected if you mean it; --dry-run shows what would happen."
        )
    if place.datasets is None:
        return
    foreign = [state.dataset for state in wanted if state.dataset not in place.datasets]
    if foreign:
        raise Refused(
            f"The environment of {name} may not hold {', '.join(foreign)}",
            hint=f"It may hold {', '.join(place.datasets)}; tdv.yaml says so under environments.",
        )
