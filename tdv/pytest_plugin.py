"""The pytest plug-in: every test, and every parallel worker, gets a database of its own with a version of the data.

In: fixtures, the marker ``tdv``, options and ini values. Out: databases cloned from an image, dropped after their
scope; the versions in the report's header and in JUnit properties. Always holds: importing this module imports
nothing of tdv, and a run without a tdv fixture opens no repository unless its root has a ``tdv.yaml``.

    @pytest.mark.tdv("movies@^1.1", scenario="payment-retry")
    def test_retry(tdv_database):
        engine = create_engine(tdv_database.url)
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol, TypeVar

import pytest

if TYPE_CHECKING:
    from tdv.project import Project
    from tdv.project.databases import Database, Databases, DatabaseWish

    T = TypeVar("T")

_MARKER: Final = """\
tdv(*references, scenario=None, target=None, rollback=None): what the databases of this test hold, as \
"movies@^1.1"; only a scenario's rows; beside which target they are made; with rollback=True tests share \
a database that each leaves as it was"""
_ALLOWED: Final = "It takes references, and the words scenario=, target= and rollback=."
_DIGITS: Final = len("tdv1:") + 12
_EXECUTION: Final = "tdv_execution"
_KEPT: Final = "tdv_kept"


class DatabaseFactory(Protocol):
    """``make("movies@v1.0.0", scenario="payment-retry")``; what is left out is as the marker, the command line and
    the ini file say."""

    def __call__(
        self, *references: str, scenario: str | Sequence[str] | None = None, target: str | None = None
    ) -> Database: ...


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options for the call, ini values for the repository."""
    group = parser.getgroup("tdv", "databases with versioned test data")
    group.addoption("--tdv-target", metavar="TARGET", help="Make the databases beside this target, by name or URL.")
    group.addoption(
        "--tdv-update", action="store_true", help="First move tdv.lock to the newest releases that fit the code."
    )
    group.addoption("--tdv-keep", action="store_true", help="Keep the databases of failed tests, and say their URLs.")
    group.addoption(
        "--tdv-rollback",
        action="store_true",
        default=None,
        help="Share one database between tests that leave it as it was.",
    )
    group.addoption(
        "--tdv-ahead",
        type=int,
        metavar="N",
        help="On a server, make N databases before tests ask for them; 0 makes each when it is asked for.",
    )
    parser.addini(
        "tdv_datasets", "What databases hold where no marker says it, as movies@^1.1", type="args", default=[]
    )
    parser.addini("tdv_target", "Make the databases beside this target", default="")
    parser.addini("tdv_ahead", "How many databases are made before tests ask for them, on a server", default="2")
    parser.addini(
        "tdv_rollback", "Share one database between tests that leave it as it was", type="bool", default=False
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declares the marker and prepares the run; opens nothing."""
    config.addinivalue_line("markers", _MARKER)
    config.stash[_RUN] = _Run(config)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Moves the lock before any worker reads it."""
    config = session.config
    if config.getoption("--tdv-update") and not hasattr(config, "workerinput"):
        config.stash[_RUN].update()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drops what is shared and ends the run, once fixtures are torn down and before a worker says that it has finished:
    after that it may be killed. Lets the controller know whether this worker left a database."""
    session.config.stash[_RUN].close()
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEPT] = session.config.stash[_RUN].kept


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Notes that a worker of xdist left a database, or may have."""
    if error or getattr(node, "workeroutput", {}).get(_KEPT, True):
        node.config.stash[_RUN].kept = True


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Gives the workers of xdist the id of the run."""
    node.workerinput[_EXECUTION] = node.config.stash[_RUN].execution_id


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What databases hold unless a marker says otherwise; nothing outside of a tdv repository."""
    run = config.stash[_RUN]
    return run.header() if run.root is not None else []


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Notes failures for the fixtures' ends, versions in the properties, and the URLs of what is kept."""
    used = [use for use in _used(item) if use.fixture in getattr(item, "fixturenames", ())]
    for release in {release.dataset: release for use in used for release in use.database.releases.values()}.values():
        entry = (f"tdv.{release.dataset}", f"{release.version} {release.digest}")
        if entry not in item.user_properties:
            item.user_properties.append(entry)
    report = yield
    if report.failed and call.when != "teardown":
        for node in item.listchain():
            node.stash[_FAILED] = True
        if item.config.getoption("--tdv-keep"):
            report.sections += [("tdv database kept", use.kept()) for use in used]
    return report


@pytest.fixture(scope="session")
def tdv_project(request: pytest.FixtureRequest) -> Project:
    """The tdv repository around pytest's root directory."""
    return _told(lambda: _run(request).project)


@pytest.fixture
def tdv_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database for one test: `url`, `path`, `connection`, `version`, `digest`, `releases`."""
    with _lent(request, _ask(request)) as database:
        yield database


@pytest.fixture(scope="module")
def tdv_module_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database for the tests of one module, which see what the others did to it."""
    with _lent(request, _ask(request)) as database:
        yield database


@pytest.fixture(scope="session")
def tdv_session_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database for the whole session, or for one worker of it."""
    with _lent(request, _ask(request)) as database:
        yield database


@pytest.fixture
def tdv_databases(request: pytest.FixtureRequest) -> Iterator[DatabaseFactory]:
    """Makes further databases for one test."""
    with _factory(request) as factory:
        yield factory


@pytest.fixture(scope="session")
def tdv_database_factory(request: pytest.FixtureRequest) -> Iterator[DatabaseFactory]:
    """Makes databases that live as long as the session, for fixtures of any scope."""
    with _factory(request) as factory:
        yield factory


@dataclass(frozen=True, slots=True)
class _Ask:
    """What a fixture is asked for; None and () are left to what stands above."""

    references: tuple[str, ...] = ()
    scenarios: tuple[str, ...] = ()
    target: str | None = None
    rollback: bool | None = None

    def or_else(self, other: _Ask) -> _Ask:
        """This, and of `other` what this leaves open."""
        return _Ask(
            self.references or other.references,
            self.scenarios or other.scenarios,
            self.target if self.target is not None else other.target,
            self.rollback if self.rollback is not None else other.rollback,
        )


class _Run:
    """One run of pytest in one process; a worker of xdist has the execution id of its controller."""

    def __init__(self, config: pytest.Config) -> None:
        import uuid

        self.config = config
        given: dict[str, Any] = getattr(config, "workerinput", {})
        self.is_worker = bool(given)
        self.worker: str = given.get("workerid", "main")
        self.execution_id: str = given.get(_EXECUTION) or uuid.uuid4().hex[:16]
        self.kept = False
        self._moved: tuple[str, ...] = ()
        self._shared: dict[DatabaseWish, Database] = {}

    @property
    def root(self) -> Path | None:
        """Where to look for the repository: the first of pytest's directories at or below a ``tdv.yaml``."""
        for start in (self.config.rootpath, self.config.invocation_params.dir):
            if any((directory / "tdv.yaml").is_file() for directory in (start, *start.parents)):
                return start
        return None

    @cached_property
    def project(self) -> Project:
        """The repository; raises `ConfigError` where there is none."""
        from tdv.project import Project

        return Project.find(self.root or self.config.rootpath)

    @cached_property
    def databases(self) -> Databases:
        """The databases of this run in this process."""
        given = self.config.getoption("--tdv-ahead")
        ahead = self.config.getini("tdv_ahead") if given is None else given
        try:
            return self.project.databases(self.execution_id, self.worker, int(ahead))
        except ValueError:
            raise pytest.UsageError(f"tdv_ahead must be a number, not {ahead!r}") from None

    def update(self) -> None:
        """Does what ``tdv lock --upgrade`` does."""
        from tdv.errors import TdvError
        from tdv.project.locks import LockWish

        try:
            locked = self.project.lock(LockWish(upgrade=True))
        except TdvError as exc:
            raise pytest.UsageError(_sentence(exc)) from exc
        before = locked.before.versions
        moved = {name: version for name, version in locked.lock.versions.items() if before.get(name) != version}
        self._moved = tuple(f"tdv.lock: {name} is now v{version}" for name, version in moved.items())

    def header(self) -> list[str]:
        """What a database of this run holds by default, or why there is none."""
        from tdv.errors import TdvError

        try:
            releases, notes = self.databases.describe(self.wish(self.default))
        except TdvError as exc:
            return [f"tdv: {exc.message}"]
        held = ", ".join(f"{item.dataset} {item.version} ({item.digest[:_DIGITS]})" for item in releases)
        return [f"tdv: {held or 'no release'}", *self._moved, *(f"tdv: {note}" for note in notes)]

    @property
    def default(self) -> _Ask:
        """What command line and ini file say."""
        config = self.config
        rollback = config.getoption("--tdv-rollback")
        return _Ask(
            tuple(config.getini("tdv_datasets")),
            (),
            config.getoption("--tdv-target") or config.getini("tdv_target") or None,
            bool(config.getini("tdv_rollback") if rollback is None else rollback),
        )

    def wish(self, ask: _Ask) -> DatabaseWish:
        """What is asked for in tdv's words; a target of the command line counts from where pytest was started."""
        from tdv.project.databases import DatabaseWish

        typed = ask.target is not None and ask.target == self.config.getoption("--tdv-target")
        directory = self.config.invocation_params.dir if typed else None
        return DatabaseWish(ask.references, ask.target, ask.scenarios, directory=directory)

    def create(self, ask: _Ask) -> Database:
        """A fresh database."""
        return self.databases.create(self.wish(ask))

    def borrow(self, ask: _Ask) -> Database:
        """A database that is as it was made, for one user at a time; `give_back` it."""
        shared = self._shared.pop(self.wish(ask), None)
        if shared is None:
            shared = self.create(ask)
            # What proves that nobody else was there begins before the first connection.
            shared.disconnect()
        return shared

    def give_back(self, ask: _Ask, database: Database, begun: Any) -> None:
        """Undoes what `connection` did not commit; drops a database that may have been written to all the same."""
        try:
            clean = database.undo(begun)
        except Exception:  # noqa: BLE001 - every driver has its own for a connection that the test closed or broke
            clean = False
        if clean:
            self._shared[self.wish(ask)] = database
        else:
            self.databases.discard(database)

    def close(self) -> None:
        """Drops what is shared; a run that left nothing leaves no trace."""
        if "databases" not in self.__dict__:
            return
        for database in self._shared.values():
            self.databases.discard(database)
        self.databases.close()
        if not (self.is_worker or self.kept):
            self.databases.forget()


_RUN: Final = pytest.StashKey[_Run]()
_FAILED: Final = pytest.StashKey[bool]()
_USED: Final = pytest.StashKey[list["_Use"]]()


@dataclass(frozen=True, slots=True)
class _Use:
    """A database that a fixture gave, and the target that was asked for."""

    fixture: str
    database: Database
    target: str | None

    def kept(self) -> str:
        """Where the database is, and how it goes; `tdv cleanup` must be told of another target than the default."""
        import shlex

        from tdv.config import without_credentials

        where = f"--target {shlex.quote(without_credentials(self.target))} " if self.target else ""
        return f"{self.database.shown}\n`tdv cleanup {where}--execution {self.database.execution_id}` removes it."


def _run(request: pytest.FixtureRequest) -> _Run:
    return request.config.stash[_RUN]


def _ask(request: pytest.FixtureRequest) -> _Ask:
    """What is asked for: by the parameter, the markers from the nearest on, the command line, the ini file."""
    given = getattr(request, "param", ())
    ask = _Ask((given,) if isinstance(given, str) else tuple(given))
    for marker in request.node.iter_markers("tdv"):
        try:
            ask = ask.or_else(_asked(*marker.args, **marker.kwargs))
        except TypeError as exc:
            pytest.fail(f"pytest.mark.tdv: {str(exc).replace('_asked() ', '')}\n{_ALLOWED}", pytrace=False)
    return ask.or_else(_run(request).default)


def _asked(
    *references: str,
    scenario: str | Sequence[str] | None = None,
    target: str | None = None,
    rollback: bool | None = None,
) -> _Ask:
    return _Ask(references, (scenario,) if isinstance(scenario, str) else tuple(scenario or ()), target, rollback)


@contextmanager
def _lent(request: pytest.FixtureRequest, ask: _Ask) -> Iterator[Database]:
    """A database for the scope of a fixture."""
    run = _run(request)
    database = _told(lambda: run.borrow(ask) if ask.rollback else run.create(ask))
    begun = _told(database.begin) if ask.rollback else None
    _use(request, database, ask)
    yield database
    if _is_kept(request):
        _keep(run, database)
    elif ask.rollback:
        run.give_back(ask, database, begun)
    else:
        run.databases.discard(database)


@contextmanager
def _factory(request: pytest.FixtureRequest) -> Iterator[DatabaseFactory]:
    run, made = _run(request), []

    def make(*references: str, scenario: str | Sequence[str] | None = None, target: str | None = None) -> Database:
        ask = _asked(*references, scenario=scenario, target=target).or_else(_ask(request))
        database = _told(lambda: run.create(ask))
        made.append(database)
        _use(request, database, ask)
        return database

    yield make
    for database in made:
        if _is_kept(request):
            _keep(run, database)
        else:
            run.databases.discard(database)


def _use(request: pytest.FixtureRequest, database: Database, ask: _Ask) -> None:
    request.node.stash.setdefault(_USED, []).append(_Use(str(request.fixturename), database, ask.target))


def _used(item: pytest.Item) -> list[_Use]:
    return [entry for node in item.listchain() for entry in node.stash.get(_USED, [])]


def _is_kept(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--tdv-keep")) and request.node.stash.get(_FAILED, False)


def _keep(run: _Run, database: Database) -> None:
    """Keeps what the test did, too, as far as the driver lets it."""
    run.kept = True
    with suppress(Exception):
        if database.is_connected:
            database.connection.commit()
            database.disconnect()


def _told(call: Callable[[], T]) -> T:
    """What `call` gives; an error of tdv fails the test with its sentence and its hint, without a traceback."""
    from tdv.errors import TdvError

    try:
        return call()
    except TdvError as exc:
        problem = exc
    # Outside of the handler: pytest would print the error twice, as one that another one was handled in.
    pytest.fail(_sentence(problem), pytrace=False)


def _sentence(problem: Any) -> str:
    return f"{problem.message}\n{problem.hint}" if problem.hint else str(problem.message)
