"""Wires what happens around a database: a command with one of its own, its health, and what is left of earlier runs.

In: wishes as the command line states them. Out: an exit code, a `Health`, a `Cleanup`. Always holds: a throwaway
database is removed however its command ends; what is left of a killed run is found by `cleanup`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING

from tdv import cleanup as cleaning
from tdv.config.address import server
from tdv.errors import ConfigError, TargetError
from tdv.model.receipt import Receipt, ReceiptRelease
from tdv.project import restores
from tdv.project.databases import LOCAL, Database, Databases, DatabaseWish
from tdv.project.ports import now
from tdv.targets import owned, runs
from tdv.targets.protocol import Answering
from tdv.targets.registry import open_target
from tdv.targets.throwaway import throwaways_of

if TYPE_CHECKING:
    from tdv.cleanup import Cleanup, CleanupOptions
    from tdv.config import TargetSettings
    from tdv.content.snapshot import Snapshot
    from tdv.health import Health
    from tdv.project.ports import Ports
    from tdv.targets.protocol import Content

Announce = Callable[[Receipt], None]
"""Is told what a command runs against, before it runs."""


@dataclass(frozen=True, slots=True)
class ExecWish:
    """A command, and what it runs against: what `database` wishes for, in a throwaway database or, `in_place`, in the
    target itself. `variable` is the one that holds the URL; with `keep` the throwaway stays."""

    words: tuple[str, ...]
    database: DatabaseWish = DatabaseWish()  # noqa: RUF009 - a frozen value
    in_place: bool = False
    replace: bool = False
    keep: bool = False
    variable: str = "DATABASE_URL"


def execute(ports: Ports, wish: ExecWish, execution_id: str, announce: Announce) -> int:
    """The exit code of the command; raises what a checkout raises, `NotFound` where there is no such program."""
    from tdv import exec as verb

    verb.require(wish.words, wish.variable)
    if wish.in_place:
        url, receipt = _in_place(ports, wish, execution_id)
        announce(receipt)
        return _run(ports, wish, url, receipt)
    with verb.orderly(), ExitStack() as stack:
        databases = Databases(ports, execution_id)
        if not wish.keep:
            stack.callback(databases.forget)
        stack.enter_context(databases)
        start = perf_counter()
        database = databases.create(wish.database)
        _, notes = databases.describe(wish.database)
        seconds = perf_counter() - start
        receipt = Receipt(_releases(ports, database), database.shown, "cloned", execution_id, seconds, notes=notes)
        try:
            announce(receipt)
            return _run(ports, wish, database.url, receipt)
        finally:
            if wish.keep:
                database.keep()
            else:
                database.drop()


def _releases(ports: Ports, database: Database) -> tuple[ReceiptRelease, ...]:
    """What is in a throwaway; how many rows a scenario has is only known there."""
    found = tuple(database.releases.values())
    if all(release.tables for release in found):
        return found
    target = open_target(ports.settings.target(database.url), ports.state)
    held = {item.dataset: item.tables for item in target.held()}
    return tuple(replace(release, tables=held.get(release.dataset, release.tables)) for release in found)


def _in_place(ports: Ports, wish: ExecWish, execution_id: str) -> tuple[str, Receipt]:
    asked = wish.database
    checkout = restores.CheckoutWish(
        refs=asked.refs,
        target=asked.target,
        scenarios=asked.scenarios,
        replace=wish.replace,
        allow_protected=asked.allow_protected,
        directory=asked.directory,
    )
    return restores.target_of(ports, checkout).url, restores.restore(ports, checkout, now(), execution_id)


def _run(ports: Ports, wish: ExecWish, url: str, receipt: Receipt) -> int:
    from tdv import exec as verb

    told = {
        wish.variable: url,
        "TDV_TARGET": url,
        "TDV_EXECUTION_ID": receipt.execution_id,
        "TDV_RELEASES": " ".join(f"{release.dataset}@{release.version}" for release in receipt.releases),
        "TDV_RECEIPT": json.dumps(receipt.to_plain()),
    }
    return verb.run(verb.Command(wish.words, wish.database.directory or ports.root, {**ports.environ, **told}))


def health(ports: Ports, target: str, refs: tuple[str, ...], directory: Path) -> Health:
    """Looks at a target; without `refs` it should hold what a checkout without them would put there."""
    from tdv import health as verb

    wish = restores.CheckoutWish(refs=refs, target=target, looks=True, directory=directory)
    place = restores.target_of(ports, wish)
    opened = open_target(place, ports.state)
    if place.health and not isinstance(opened, Answering):
        raise ConfigError(
            f"targets.{place.name}.health holds queries, and {place.shown} has no SQL",
            hint="Remove the key: rows are compared without it.",
            target=place.name,
        )
    try:
        chosen = restores.choose_for(ports, wish)
    except TargetError as problem:  # it was asked at which migration it stands
        return verb.unreachable(place.shown, problem.message)
    expected = [
        verb.Expected(item.dataset, item.version, item.digest, partial(_content, item.open)) for item in chosen.wanted
    ]
    return verb.health(opened, expected, place.health)


def cleanup(ports: Ports, target: str | None, directory: Path, options: CleanupOptions) -> Cleanup:
    """Removes what the options ask for: beside the target, else beside the default one and under ``.tdv``."""
    done: dict[tuple[str, str], cleaning.Cleaned] = {}
    for place in _places(ports, target, directory):
        beside = throwaways_of(open_target(place, ports.state))
        for item in cleaning.cleanup(place.shown, beside, lambda run: runs.is_at_work(ports.state, run), options):
            done.setdefault((item.leaving.kind, item.leaving.name), item)
        if not options.dry_run:
            # A server may still be making what a killed process asked for: it is not found yet.
            spared = {item.leaving.name for item in done.values() if item.kept}
            owned.collect(ports.state, server(place.url), beside, spared)
    items = tuple(done.values())
    if not options.dry_run:
        left = {item.leaving.execution_id for item in items if item.kept}
        for execution_id in {item.leaving.execution_id for item in items} - left:
            runs.forget(ports.state, execution_id)
    return cleaning.Cleanup(items, options.dry_run)


def _content(opened: Callable[[], Snapshot], scenarios: tuple[str, ...]) -> Content:
    from tdv.checkout import content_of

    return content_of(opened(), scenarios)


def _places(ports: Ports, target: str | None, directory: Path) -> Iterator[TargetSettings]:
    """Where to look for what runs left; a default target that has no throwaway databases has nothing to clean."""
    if target is not None:
        yield ports.settings.target(target, directory)
        return
    default = ports.settings.target(None)
    if open_target(default, ports.state).capabilities.throwaway:
        yield default
    for url in LOCAL:
        yield ports.settings.target(url)
