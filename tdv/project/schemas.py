"""Wires the application's schema: where a live target stands, how an empty database gets it, and scratch databases
at any revision.

In: ``migrations:`` of tdv.yaml, a target. Out: a `Position`, an `AppSchema`, a database that is gone afterwards.
Always holds: files of the history are read, never imported; only `AppSchema.make` and `migrate` run the project's own
command.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from tdv import migrations
from tdv.errors import ConfigError, Incompatible, NotFound
from tdv.migrations.apply import Apply, Database, apply, fingerprint
from tdv.project import resolutions
from tdv.project.ports import now
from tdv.targets import runs, state
from tdv.targets.ledger import Ledger
from tdv.targets.owned import Owned
from tdv.targets.protocol import AppSchema, Queryable, Target
from tdv.targets.registry import open_target
from tdv.targets.throwaway import Name

if TYPE_CHECKING:
    from tdv.checkout import Wanted
    from tdv.config import TargetSettings
    from tdv.model.history import Position
    from tdv.project.ports import Ports

_FILE: Final = "sqlite:///.tdv/local.db"
"""Any SQLite target, for scratch databases where the default target has none."""


def standing(ports: Ports, place: TargetSettings) -> Position | None:
    """Where the schema of a live target stands, by the migration tool's own table.

    None where the tool was never there, where tdv.yaml names no migrations, and for a database that tdv made whole and
    may make anew at any revision. Raises `Incompatible` for a revision that the files of the history do not have.
    """
    settings = ports.settings.migrations
    if settings is None:
        return None
    target = open_target(place, ports.state)
    if not isinstance(target, Queryable) or (settings.apply and _is_made_anew(ports, place, target)):
        return None
    try:
        return migrations.tool(settings.tool).place(resolutions.history(ports), target.look_up)
    except NotFound as problem:
        raise Incompatible(
            f"{place.name or place.shown} stands at a migration that this code does not have: {problem.message}",
            hint="Check out the code that has it, or migrate the target back; "
            "--migration says where it stands instead.",
        ) from problem


def _is_made_anew(ports: Ports, place: TargetSettings, target: Target) -> bool:
    if place.owns != "database":
        return False
    held = state.untouched(ports.state, target) or target.held()
    return bool(held) and all(item.whole for item in held)


def app_schema(ports: Ports, place: Position | None) -> AppSchema | None:
    """How an empty target gets the application's schema at `place`; None where tdv.yaml names no command for it."""
    settings = ports.settings.migrations
    if settings is None or not settings.apply or place is None or not place.revisions:
        return None
    command = require_command(ports)
    key = f"{place.text} {fingerprint(command, ports.root / settings.path)}"
    return AppSchema(key, place.text, lambda database: migrate(ports, database, place))


def migrate(ports: Ports, database: TargetSettings, place: Position) -> None:
    """Runs ``migrations.apply`` on a database until it stands at `place`; raises `MigrationError`, `ConfigError`."""
    command = require_command(ports)
    target = open_target(database, ports.state)
    rows = target.look_up if isinstance(target, Queryable) else None
    apply(command, migrations.tool(command.tool), place, Database(database.url, database.shown, rows))


def require_command(ports: Ports) -> Apply:
    """The project's own command; raises `ConfigError` where tdv.yaml names none."""
    settings = ports.settings.migrations
    if settings is None or not settings.apply:
        raise ConfigError(
            "tdv.yaml does not say how a database is migrated",
            hint='Set migrations: {tool: alembic, path: migrations, apply: [alembic, upgrade, "{revision}"], '
            'env: {DATABASE_URL: "{url}"}} in tdv.yaml.',
        )
    return Apply(settings.tool, settings.apply, settings.env, ports.root, ports.environ)


@dataclass(frozen=True, slots=True)
class Scratch:
    """A database that is gone after its block; `settings` reach it as a target of its own."""

    settings: TargetSettings
    target: Target


@contextmanager
def scratches(ports: Ports, execution_id: str) -> Iterator[Scratches]:
    """Scratch databases of one run, which is known as alive until the block ends."""
    with runs.at_work(ports.state, execution_id), closing(Ledger(ports.state, execution_id)) as ledger:
        made = Scratches(ports, execution_id, ledger)
        try:
            yield made
        finally:
            made.end()
    runs.forget(ports.state, execution_id)


class Scratches:
    """Scratch databases beside the default target: on its server, or as files under ``.tdv``.

    Each is cloned from an image of its schema and rows, which is kept, so that a second one of the kind costs little.
    """

    def __init__(self, ports: Ports, execution_id: str, ledger: Ledger) -> None:
        self._ports = ports
        self.execution_id = execution_id
        self._ledger = ledger
        self._count = 0

    @contextmanager
    def at(self, place: Position, wanted: Sequence[Wanted] = ()) -> Iterator[Scratch]:
        """A database whose schema stands at `place`, with these rows in it; raises what applying and loading raise."""
        from tdv.checkout import CheckoutOptions, load_of

        require_command(self._ports)
        moment = now()
        options = CheckoutOptions(self._ports.state, moment, self.execution_id, schema=app_schema(self._ports, place))
        self._count += 1
        name = Name(moment, self.execution_id, f"scratchx{self._count}")
        made = self._owned.create(name, load_of(wanted, options))
        try:
            yield Scratch(made.settings, open_target(made.settings, self._ports.state))
        finally:
            self._owned.drop(made.name)

    def end(self) -> None:
        """Removes what an interrupt left."""
        if "_owned" in self.__dict__:
            self._owned.drop_the_rest()

    @cached_property
    def _owned(self) -> Owned:
        owned = Owned(self._beside(), self._ledger)
        owned.collect()
        return owned

    def _beside(self) -> TargetSettings:
        """The default target, or a file of SQLite where that is protected, has no throwaways or no migrations."""
        default = self._ports.settings.target(None)
        target = open_target(default, self._ports.state)
        usable = not default.protected and target.capabilities.throwaway and isinstance(target, Queryable)
        return default if usable else self._ports.settings.target(_FILE)
