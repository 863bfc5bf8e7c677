"""Wires a checkout: what is wanted, where it goes, and how each snapshot is opened if it must be.

In: a `CheckoutWish` as the command line, the plug-in or the service states it. Out: a `Receipt`. Always holds:
protection is looked at before anything is opened; when nothing has to be done nothing heavy is imported.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from tdv.errors import Incompatible, Refused, UsageError
from tdv.frozen import dataclass
from tdv.project import environments, obtain, resolutions
from tdv.project.pointing import pointing
from tdv.project.states import State
from tdv.project.wanted import PASSABLE, Fit, pick

if TYPE_CHECKING:
    from tdv.checkout import Wanted
    from tdv.config import TargetSettings
    from tdv.model.receipt import Receipt
    from tdv.project.ports import Ports
    from tdv.targets.protocol import AppSchema


@dataclass(frozen=True, slots=True)
class CheckoutWish:
    """`refs` empty means what the lock or tdv.yaml wants; `target` is a name, URL or path, None the default one;
    `format` is for files; `looks` is for who compares with what is there, and brings nothing; relative paths count
    from `directory`. With `repository`, a URL or a name of tdv.yaml, `refs` are releases of that repository."""

    refs: tuple[str, ...] = ()
    fit: Fit = Fit()
    target: str | None = None
    format: str | None = None
    scenarios: tuple[str, ...] = ()
    replace: bool = False
    dry_run: bool = False
    allow_protected: bool = False
    looks: bool = False
    directory: Path | None = None
    repository: str | None = None


@dataclass(frozen=True, slots=True)
class Chosen:
    """Where states go, and the states, each with the way to open it; `schema` is what an empty target gets first;
    `notes` are for the user."""

    place: TargetSettings
    states: tuple[State, ...]
    wanted: tuple[Wanted, ...]
    schema: AppSchema | None = None
    notes: tuple[str, ...] = ()


def checkout(ports: Ports, wish: CheckoutWish, moment: datetime, execution_id: str) -> Receipt:
    """As `restore`, for who may go on where nothing fits."""
    try:
        return restore(ports, wish, moment, execution_id)
    except Incompatible as problem:
        if PASSABLE not in problem.facts:
            raise
        hint = f"{problem.hint} --ignore-compat goes on all the same."
        raise Incompatible(problem.message, hint=hint, **problem.facts) from problem


def restore(ports: Ports, wish: CheckoutWish, moment: datetime, execution_id: str) -> Receipt:
    """Restores; raises what resolving, opening, protecting and loading raise."""
    from tdv import checkout as verb
    from tdv.targets.registry import open_target

    chosen = choose_for(ports, wish)
    options = verb.CheckoutOptions(
        work=ports.state,
        now=moment,
        execution_id=execution_id,
        replace=wish.replace,
        dry_run=wish.dry_run,
        scenarios=wish.scenarios,
        schema=chosen.schema,
    )
    with pointing(ports, [item.dataset for item in chosen.wanted]):
        receipt = verb.restore(chosen.wanted, open_target(chosen.place, ports.state), options)
    notes = chosen.notes
    if wish.dry_run and chosen.place.protected and not wish.allow_protected:
        notes = (*notes, f"{_name_of(chosen.place)} is protected: only with --allow-protected this would be done")
    return replace(receipt, notes=notes) if notes else receipt


def choose_for(ports: Ports, wish: CheckoutWish) -> Chosen:
    """What a wish means for a live target, whose own schema decides where no migration is given."""
    settings = ports.settings.migrations
    if settings is None or wish.fit.migration is not None or wish.fit.ignore_compat:
        return choose(ports, wish)
    from tdv.project.schemas import standing

    place = target_of(ports, wish)
    _refuse_protected(place, wish)
    try:
        found = standing(ports, place)
    except Incompatible as problem:
        raise Incompatible(problem.message, hint=problem.hint, **{PASSABLE: True}, **problem.facts) from problem
    if found is None:
        return choose(ports, wish)
    try:
        return choose(ports, replace(wish, fit=replace(wish.fit, migration=found.text)))
    except Incompatible as problem:
        raise Incompatible(
            f"{_name_of(place)} stands at migration {found.text}. {problem.message}",
            hint=problem.hint,
            **problem.facts,
        ) from problem


def choose(ports: Ports, wish: CheckoutWish) -> Chosen:
    """What a wish means for an empty target; raises what resolving and protecting raise. Nothing is opened."""
    if wish.repository is not None:
        from tdv.project import guests

        ports, refs = guests.invited(ports, wish.repository, wish.refs, wish.directory or ports.root)
        wish = replace(wish, refs=refs)
    place = target_of(ports, wish)
    _refuse_protected(place, wish)
    picked = pick(ports, wish.refs, wish.fit)
    for environment in place.environments:
        environments.refuse_foreign(environment, [state.name for state in picked.states])
        if not wish.looks:
            environments.refuse_excess(ports, environment, picked.states, wish.scenarios)
    wanted = wanted_of(ports, picked.states)
    return Chosen(
        place, picked.states, wanted, _schema(ports, place, wish.fit.migration or picked.migration), picked.notes
    )


def wanted_of(ports: Ports, found: Iterable[State]) -> tuple[Wanted, ...]:
    """States with the ways to open them."""
    from tdv.checkout import Wanted

    return tuple(
        Wanted(state.dataset, state.version, state.digest, partial(obtain.open_state, ports, state), state.tables)
        for state in found
    )


def _schema(ports: Ports, place: TargetSettings, migration: str | None) -> AppSchema | None:
    """What an empty target gets before the rows, where tdv.yaml says how; files have no schema."""
    settings = ports.settings.migrations
    if settings is None or not settings.apply or place.url.startswith("file:"):
        return None
    from tdv.project.schemas import app_schema

    history = resolutions.history(ports)
    return app_schema(ports, history.at(migration) if migration is not None else history.head)


def target_of(ports: Ports, wish: CheckoutWish) -> TargetSettings:
    """The target that is meant, `format` put into its URL."""
    text = wish.target
    if text is None and not ports.settings.default_target:
        raise UsageError(
            "Which target is meant? Outside of a project there is no default one",
            hint="Name it: --target app.db, or --target out/ --format csv.",
        )
    if wish.format is None:
        return ports.settings.target(text, wish.directory)
    if text is not None and not ports.settings.is_target(text):
        text = f"{text}/"  # with a format, a bare word can only be a directory
    found = ports.settings.target(text, wish.directory)
    if not found.url.startswith("file:"):
        raise UsageError(
            f"--format is for files, and {_name_of(found)} is a database",
            hint="Name a directory: --target out/ --format csv.",
        )
    base, _, query = found.url.partition("?")
    kept = [word for word in query.split("&") if word and not word.startswith("format=")]
    return replace(found, url=f"{base}?{'&'.join([*kept, f'format={wish.format}'])}")


def _refuse_protected(place: TargetSettings, wish: CheckoutWish) -> None:
    if place.protected and not (wish.allow_protected or wish.dry_run or wish.looks):
        raise Refused(
            f"{_name_of(place)} is protected",
            hint="`tdv checkout` and `tdv exec` take --allow-protected, if you mean it; "
            "`tdv checkout --dry-run` shows what would happen.",
        )


def _name_of(place: TargetSettings) -> str:
    return place.name or place.shown
