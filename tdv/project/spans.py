"""Wires the trial of a span: releases into scratch databases at each migration that they serve.

In: the repository. Out: `Trials`. Always holds: what a release requires is resolved anew for each migration; the
migrations run once per revision, and one that fails is not run again for the next release.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

from tdv.errors import MigrationError
from tdv.migrations.statements import statement_of
from tdv.model.fit import Need
from tdv.project import resolutions, restores, schemas, states, wanted
from tdv.project.ports import now

if TYPE_CHECKING:
    from tdv.model.history import History, Position
    from tdv.model.release import Release
    from tdv.project.ports import Ports
    from tdv.project.schemas import Scratches
    from tdv.verify import Trials


@contextmanager
def trials(ports: Ports, execution_id: str) -> Iterator[Trials]:
    """The trials of one run; raises `ConfigError` where tdv.yaml does not say how a database is migrated."""
    from tdv.verify import Trials

    schemas.require_command(ports)
    history = resolutions.history(ports)
    with schemas.scratches(ports, execution_id) as scratches:
        yield Trials(history, _Loader(ports, history, scratches).load, partial(_statement, ports, history))


def _statement(ports: Ports, history: History, revision: str, problem: str) -> str:
    settings = ports.settings.migrations
    assert settings is not None
    return statement_of(ports.root / settings.path, history.migrations[revision].file, problem)


class _Loader:
    """Loads releases at revisions."""

    def __init__(self, ports: Ports, history: History, scratches: Scratches) -> None:
        self._ports = ports
        self._history = history
        self._scratches = scratches
        self._failed: dict[str, MigrationError] = {}

    def load(self, release: Release, revision: str) -> None:
        """Raises `TdvError` where the migrations cannot be applied up to `revision`, or the rows do not fit there."""
        if revision in self._failed:
            raise self._failed[revision]
        place = self._history.at(revision)
        try:
            self._load(release, place)
        except MigrationError as problem:
            self._failed[revision] = problem
            raise

    def _load(self, release: Release, place: Position) -> None:
        from tdv import checkout as verb

        found = restores.wanted_of(self._ports, self._states(release, place))
        with self._scratches.at(place) as scratch:
            options = verb.CheckoutOptions(
                self._ports.state, now(), self._scratches.execution_id, schema=schemas.app_schema(self._ports, place)
            )
            scratch.target.load(verb.load_of(found, options).in_made_schema())

    def _states(self, release: Release, place: Position) -> tuple[states.State, ...]:
        """The release and those that it requires, as they fit there."""
        from tdv import resolve

        asked = resolutions.asked(self._ports, (release.reference,))
        answer = resolve.resolve(resolve.Wish(asked, Need(None, place), reasons="none"), self._ports.library)
        return wanted.with_required(
            self._ports, [states.of_release(choice.release) for choice in answer.datasets.values()]
        )
