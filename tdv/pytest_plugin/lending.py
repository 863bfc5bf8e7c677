"""Lends databases to fixtures, and takes them back.

In: the request of a fixture. Out: databases for its scope. Always holds: a database is dropped after the scope, given
back to the run, or, after a failure and if asked for, kept with its URL said.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

import pytest

from tdv.pytest_plugin.asks import Ask, asked
from tdv.pytest_plugin.runs import RUN, Run, told

if TYPE_CHECKING:
    from tdv.project.databases import Database

_ALLOWED: Final = "It takes references, and the words scenario=, target= and rollback=."
_PARAMETER: Final = "It is a reference or a list of them; scenarios are named by the marker, or to tdv_databases()."
USED: Final = pytest.StashKey[list["Use"]]()


class DatabaseFactory(Protocol):
    """``make("movies@v1.0.0", scenario="payment-retry")``; what is left out is as the marker, the command line and
    the ini file say."""

    def __call__(
        self, *references: str, scenario: str | Sequence[str] | None = None, target: str | None = None
    ) -> Database: ...


@dataclass(slots=True, eq=False)
class Use:
    """A database that a fixture gave, the target that was asked for, and whether a test that had it failed."""

    fixture: str
    database: Database
    target: str | None
    has_failed: bool = False

    def kept(self) -> str:
        """Where the database is, and how it goes; `tdv cleanup` must be told of another target than the default."""
        import shlex

        from tdv.config import without_credentials

        where = f"--target {shlex.quote(without_credentials(self.target))} " if self.target else ""
        return f"{self.database.shown}\n`tdv cleanup {where}--execution {self.database.execution_id}` removes it."


@contextmanager
def lent(request: pytest.FixtureRequest, ask: Ask) -> Iterator[Database]:
    """A database for the scope of a fixture."""
    run = run_of(request)
    database = told(lambda: run.borrow(ask) if ask.rollback else run.create(ask))
    begun = told(lambda: run.begin(database)) if ask.rollback else None
    use = _used(request, database, ask)
    yield database
    _returned(request, use)
    if run.keeps and use.has_failed:
        _keep(run, database)
    elif ask.rollback:
        run.give_back(ask, database, begun)
    else:
        run.databases.discard(database)


@contextmanager
def factory_of(request: pytest.FixtureRequest) -> Iterator[DatabaseFactory]:
    """Makes databases for the scope of a fixture."""
    run = run_of(request)
    made: list[Use] = []

    def make(*references: str, scenario: str | Sequence[str] | None = None, target: str | None = None) -> Database:
        ask = asked(*references, scenario=scenario, target=target).or_else(ask_of(request))
        database = told(lambda: run.create(ask))
        made.append(_used(request, database, ask))
        return database

    yield make
    with ExitStack() as stack:  # each goes, whatever another one raises
        for use in made:
            _returned(request, use)
            if run.keeps and use.has_failed:
                _keep(run, use.database)
            else:
                stack.callback(run.databases.discard, use.database)


def _used(request: pytest.FixtureRequest, database: Database, ask: Ask) -> Use:
    use = Use(str(request.fixturename), database, ask.target)
    request.node.stash.setdefault(USED, []).append(use)
    return use


def _returned(request: pytest.FixtureRequest, use: Use) -> None:
    """Forgets a use, which a repetition of its test has no part in."""
    request.node.stash[USED].remove(use)


def used(item: pytest.Item) -> list[Use]:
    """The databases that a test has, its own and those of the scopes around it."""
    # Of the fixtures that others ask for by name while the test runs, as pytest-django does, only the request knows.
    names = getattr(getattr(item, "_request", None), "fixturenames", ())
    return [use for node in item.listchain() for use in node.stash.get(USED, []) if use.fixture in names]


def _keep(run: Run, database: Database) -> None:
    """Keeps what the test did, too, as far as the driver lets it."""
    run.kept = True
    with suppress(Exception):
        if database.is_connected:
            database.connection.commit()
            database.disconnect()
    database.keep()


def run_of(request: pytest.FixtureRequest) -> Run:
    """The run that a fixture belongs to."""
    return request.config.stash[RUN]


def ask_of(request: pytest.FixtureRequest) -> Ask:
    """What is asked for: by the parameter, the markers from the nearest on, the command line, the ini file."""
    given = getattr(request, "param", ())
    references = given if isinstance(given, list | tuple) else (given,)
    ask = _understood(f"the parameter of {request.fixturename}", _PARAMETER, references, {})
    for marker in request.node.iter_markers("tdv"):
        ask = ask.or_else(_understood("pytest.mark.tdv", _ALLOWED, marker.args, marker.kwargs))
    return ask.or_else(run_of(request).default)


def _understood(place: str, allowed: str, references: Sequence[Any], words: Mapping[str, Any]) -> Ask:
    """What is asked for there; fails the test with what is `allowed` where that cannot be understood."""
    try:
        return asked(*references, **words)
    except TypeError as exc:
        wrong = f"{place}: {str(exc).replace('asked() ', '')}\n{allowed}"
        raise pytest.fail.Exception(wrong, pytrace=False) from None
