"""The pytest plug-in: every test, and every parallel worker, gets a database of its own with a version of the data.

In: fixtures, the marker ``tdv``, options and ini values. Out: databases cloned from an image, dropped after their
scope; the versions in the report's header and in JUnit properties. Always holds: importing this package imports
nothing else of tdv, and a run without a tdv fixture opens no repository unless its root has a ``tdv.yaml``.

    @pytest.mark.tdv("movies@^1.1", scenario="payment-retry")
    def test_retry(tdv_database):
        engine = create_engine(tdv_database.url)
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any, Final

import pytest

from tdv.pytest_plugin.lending import DatabaseFactory, ask_of, factory_of, lent, run_of, used
from tdv.pytest_plugin.runs import EXECUTION, RUN, Run, told

if TYPE_CHECKING:
    from tdv.project import Project
    from tdv.project.databases import Database

_MARKER: Final = """\
tdv(*references, scenario=None, target=None, rollback=None): what the databases of this test hold, as \
"movies@^1.1"; only a scenario's rows; beside which target they are made; with rollback=True tests share \
a database that each leaves as it was"""
_KEPT: Final = "tdv_kept"
_SECTION: Final = "tdv database kept"
_NOT_DROPPED: Final = "tdv_not_dropped"


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
    config.stash[RUN] = Run(config)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Moves the lock before any worker reads it."""
    config = session.config
    if config.getoption("--tdv-update") and not hasattr(config, "workerinput"):
        config.stash[RUN].update()


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Drops what is shared and ends the run, once fixtures are torn down and before a worker says that it has finished:
    after that it may be killed. Lets the controller know whether this worker left a database, and why."""
    run = session.config.stash[RUN]
    run.finish()
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output[_KEPT] = run.kept
        output[_NOT_DROPPED] = run.not_dropped


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object) -> None:
    """Notes that a worker of xdist kept a database, or may have, and why it could not drop one."""
    run, told = node.config.stash[RUN], getattr(node, "workeroutput", {})
    if told.get(_KEPT, run.keeps):
        run.kept = True
    run.not_dropped = run.not_dropped or told.get(_NOT_DROPPED, "")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Gives the workers of xdist the id of the run."""
    node.config.stash[RUN].has_workers = True
    node.workerinput[EXECUTION] = node.config.stash[RUN].execution_id


def pytest_report_header(config: pytest.Config) -> list[str]:
    """What databases hold unless a marker says otherwise; nothing outside of a tdv repository."""
    run = config.stash[RUN]
    return run.header() if run.root is not None else []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Says which databases were kept of attempts that pytest-rerunfailures repeated, whose reports it does not show,
    and why databases of this run, its workers included, could not be dropped at the end."""
    for report in terminalreporter.getreports("rerun"):
        for title, text in report.sections:
            if title == _SECTION:
                terminalreporter.write_line(f"{title} of {report.nodeid}, which was run again: {text}")
    left = config.stash[RUN].left
    if left:
        terminalreporter.write_line(f"tdv: databases that may be left go with the next run: {left}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Notes failures for the fixtures' ends, versions in the properties, and the URLs of what is kept."""
    uses = used(item)
    for release in {release.dataset: release for use in uses for release in use.database.releases.values()}.values():
        entry = (f"tdv.{release.dataset}", f"{release.version} {release.digest}")
        if entry not in item.user_properties:
            item.user_properties.append(entry)
    report = yield
    if report.failed and call.when != "teardown":
        for use in uses:
            use.has_failed = True
        if item.config.stash[RUN].keeps:
            report.sections += [(_SECTION, use.kept()) for use in uses]
    return report


@pytest.fixture(scope="session")
def tdv_project(request: pytest.FixtureRequest) -> Project:
    """The tdv repository around pytest's root directory."""
    return told(lambda: run_of(request).project)


@pytest.fixture
def tdv_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database for one test: `url`, `path`, `connection`, `version`, `digest`, `releases`."""
    with lent(request, ask_of(request)) as database:
        yield database


@pytest.fixture(scope="module")
def tdv_module_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database for the tests of one module, which see what the others did to it."""
    with lent(request, ask_of(request)) as database:
        yield database


@pytest.fixture(scope="session")
def tdv_session_database(request: pytest.FixtureRequest) -> Iterator[Database]:
    """A fresh database for the whole session, or for one worker of it."""
    with lent(request, ask_of(request)) as database:
        yield database


@pytest.fixture
def tdv_databases(request: pytest.FixtureRequest) -> Iterator[DatabaseFactory]:
    """Makes further databases for one test."""
    with factory_of(request) as factory:
        yield factory


@pytest.fixture(scope="session")
def tdv_database_factory(request: pytest.FixtureRequest) -> Iterator[DatabaseFactory]:
    """Makes databases that live as long as the session, for fixtures of any scope."""
    with factory_of(request) as factory:
        yield factory
