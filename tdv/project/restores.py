"""Wires a checkout: what is wanted, where it goes, and how each snapshot is opened if it must be.

In: a `CheckoutWish` as the command line, the plug-in or the service states it. Out: a `Receipt`. Always holds:
protection is looked at before anything is opened; when nothing has to be done nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tdv.errors import Incompatible, Refused, UsageError
from tdv.model.ranges import Range
from tdv.project import obtain, states
from tdv.project.states import State

if TYPE_CHECKING:
    from tdv.config import TargetSettings
    from tdv.model.receipt import Receipt
    from tdv.project.ports import Ports


@dataclass(frozen=True, slots=True)
class CheckoutWish:
    """`refs` empty means what tdv.yaml wants; `target` is a name, URL or path, None the default one; `format` is
    for files; relative paths count from `directory`."""

    refs: tuple[str, ...] = ()
    target: str | None = None
    format: str | None = None
    scenarios: tuple[str, ...] = ()
    replace: bool = False
    dry_run: bool = False
    allow_protected: bool = False
    directory: Path | None = None


def checkout(ports: Ports, wish: CheckoutWish, moment: datetime, execution_id: str) -> Receipt:
    """Restores; raises what resolving, opening, protecting and loading raise."""
    from tdv import checkout as verb
    from tdv.targets.registry import open_target

    place = target_of(ports, wish)
    wanted = with_required(ports, _states(ports, wish.refs))
    _refuse_unfit(place, wanted, wish)
    items = [
        verb.Wanted(state.dataset, state.version, state.digest, partial(obtain.open_state, ports, state))
        for state in wanted
    ]
    options = verb.CheckoutOptions(
        work=ports.state,
        now=moment,
        execution_id=execution_id,
        replace=wish.replace,
        dry_run=wish.dry_run,
        scenarios=wish.scenarios,
    )
    return verb.restore(items, open_target(place, ports.state), options)


def target_of(ports: Ports, wish: CheckoutWish) -> TargetSettings:
    """The target that is meant, `format` put into its URL."""
    text = wish.target
    if wish.format is None:
        return ports.settings.target(text, wish.directory)
    if text is None or text.startswith(("sqlite:", "duckdb:")):
        raise UsageError("--format is for files", hint="Name a directory too: --target out/ --format csv.")
    if not text.startswith("file:"):
        text = text if text.endswith("/") else f"{text}/"
    found = ports.settings.target(text, wish.directory)
    base, _, query = found.url.partition("?")
    kept = [word for word in query.split("&") if word and not word.startswith("format=")]
    from dataclasses import replace

    return replace(found, url=f"{base}?{'&'.join([*kept, f'format={wish.format}'])}")


def _states(ports: Ports, refs: tuple[str, ...]) -> tuple[State, ...]:
    found = [states.find(ports, ref) for ref in refs] if refs else _default(ports)
    names = [state.dataset for state in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise UsageError(f"{twice} is named twice", hint="A target holds one version of a dataset; name one of them.")
    return tuple(found)


def _default(ports: Ports) -> list[State]:
    """What tdv.yaml wants; without that, the newest release of every dataset."""
    settings = ports.settings
    if settings.wanted is not None:
        return [states.of_release(states.release(ports, name, wanted)) for name, wanted in settings.wanted.items()]
    if settings.default_dataset is not None:
        return [states.of_release(states.release(ports, settings.default_dataset, "latest"))]
    return [states.of_release(states.release(ports, name, "latest")) for name in ports.book.datasets()]


def with_required(ports: Ports, wanted: Iterable[State]) -> tuple[State, ...]:
    """The states and the releases that they require, those first, each dataset once."""
    chosen = {state.dataset: state for state in wanted}
    order: dict[str, State] = {}

    def visit(state: State, path: tuple[str, ...]) -> None:
        if state.dataset in order or state.dataset in path:
            return
        for name, needed in sorted((state.record.requires if state.record else {}).items()):
            found = chosen.get(name) or states.of_release(states.release(ports, name, needed))
            if found.record is not None and not Range.parse(needed).allows(found.version):
                raise Incompatible(
                    f"{state.reference} requires {name} {needed}, and {found.reference} is asked for",
                    hint=f"Leave {name} out, or name a version of it in that range.",
                )
            visit(found, (*path, state.dataset))
        order[state.dataset] = state

    for state in chosen.values():
        visit(state, ())
    return tuple(order.values())


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
