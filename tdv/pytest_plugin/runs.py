"""One run of pytest: its repository, its databases, and what it says of them.

In: pytest's configuration. Out: `Run`. Always holds: the repository is opened when it is first asked for; what a run
shared is dropped at its end, and one that left nothing leaves no trace.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import pytest

from tdv.pytest_plugin.asks import Ask

if TYPE_CHECKING:
    from tdv.project import Project
    from tdv.project.databases import Database, Databases, DatabaseWish

    T = TypeVar("T")

EXECUTION: Final = "tdv_execution"
_DIGITS: Final = len("tdv1:") + 12


class Run:
    """One run of pytest in one process; a worker of xdist has the execution id of its controller."""

    def __init__(self, config: pytest.Config) -> None:
        import uuid

        self.config = config
        given: dict[str, Any] = getattr(config, "workerinput", {})
        self.is_worker = bool(given)
        self.worker: str = given.get("workerid", "main")
        self.execution_id: str = given.get(EXECUTION) or uuid.uuid4().hex[:16]
        self.kept = False
        self.not_dropped = ""
        self.has_workers = False
        self._moved: tuple[str, ...] = ()
        self._shared: dict[DatabaseWish, Database] = {}

    @property
    def keeps(self) -> bool:
        """Whether the databases of failed tests are kept."""
        return bool(self.config.getoption("--tdv-keep"))

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
            raise pytest.UsageError(sentence(exc)) from exc
        before = locked.before.versions
        moved = {name: version for name, version in locked.lock.versions.items() if before.get(name) != version}
        self._moved = tuple(f"tdv.lock: {name} is now v{version}" for name, version in moved.items())

    def header(self) -> list[str]:
        """What a database of this run holds by default, or why there is none."""
        from tdv.errors import TdvError
        from tdv.faces.passwords import without_passwords

        try:
            releases, notes = self.databases.describe(self.wish(self.default))
        except TdvError as exc:
            return [f"tdv: {without_passwords(exc.message)}"]
        held = ", ".join(f"{item.dataset} {item.version} ({item.digest[:_DIGITS]})" for item in releases)
        return [f"tdv: {held or 'no release'}", *self._moved, *(f"tdv: {note}" for note in notes)]

    @property
    def default(self) -> Ask:
        """What command line and ini file say."""
        config = self.config
        rollback = config.getoption("--tdv-rollback")
        return Ask(
            tuple(config.getini("tdv_datasets")),
            (),
            config.getoption("--tdv-target") or config.getini("tdv_target") or None,
            bool(config.getini("tdv_rollback") if rollback is None else rollback),
        )

    def wish(self, ask: Ask) -> DatabaseWish:
        """What is asked for in tdv's words; a target of the command line counts from where pytest was started."""
        from tdv.project.databases import DatabaseWish

        typed = ask.target is not None and ask.target == self.config.getoption("--tdv-target")
        directory = self.config.invocation_params.dir if typed else None
        return DatabaseWish(ask.references, ask.target, ask.scenarios, directory=directory)

    def create(self, ask: Ask) -> Database:
        """A fresh database."""
        return self.databases.create(self.wish(ask))

    def borrow(self, ask: Ask) -> Database:
        """A database that is as it was made, for one user at a time; `give_back` it."""
        shared = self._shared.pop(self.wish(ask), None)
        if shared is None:
            shared = self.create(ask)
            # What proves that nobody else was there begins before the first connection.
            shared.disconnect()
        return shared

    def begin(self, database: Database) -> Any:
        """Notes how a borrowed database is, for `give_back`; drops it where that fails."""
        try:
            return database.begin()
        except BaseException:
            self.databases.discard(database)
            raise

    def give_back(self, ask: Ask, database: Database, begun: Any) -> None:
        """Undoes what `connection` did not commit; drops a database that may have been written to all the same."""
        try:
            clean = database.undo(begun)
        except Exception:  # noqa: BLE001 - every driver has its own for a connection that the test closed or broke
            clean = False
        if clean:
            self._shared[self.wish(ask)] = database
        else:
            self.databases.discard(database)

    def finish(self) -> None:
        """As `close`; a server that is gone is told in the summary, which an error would take away."""
        from tdv.errors import TdvError

        try:
            self.close()
        except TdvError as exc:
            self.not_dropped = sentence(exc)

    @property
    def left(self) -> str:
        """Why there are databases that nobody dropped before the end of the run, "" where there are none."""
        asked = self.not_dropped or self.has_workers
        if not asked or "databases" not in self.__dict__ or not self.databases.has_left:
            return ""
        return self.not_dropped or "a worker was killed, and what it left cannot be dropped now"

    def close(self) -> None:
        """Drops what is shared, and what workers left that were killed; a run that left nothing leaves no trace."""
        if "databases" not in self.__dict__ and not (self.has_workers and self.root):
            return
        with ExitStack() as stack:  # each goes, whatever another one raises
            stack.callback(self.databases.close)
            if self.has_workers:
                stack.callback(self.databases.collect, self.wish(self.default))
            for database in self._shared.values():
                stack.callback(self.databases.discard, database)
        if not (self.is_worker or self.kept):
            self.databases.forget()


RUN: Final = pytest.StashKey[Run]()
"""Where a run is kept in the configuration of pytest."""


def told(call: Callable[[], T]) -> T:
    """What `call` gives; an error of tdv fails the test with its sentence and its hint, without a traceback."""
    from tdv.errors import TdvError

    try:
        return call()
    except TdvError as exc:
        problem = exc
    # Outside of the handler: pytest would print the error twice, as one that another one was handled in.
    pytest.fail(sentence(problem), pytrace=False)


def sentence(problem: Any) -> str:
    """An error of tdv as a test's report shows it: what is wrong, and what mends it, without a password."""
    from tdv.faces.passwords import without_passwords

    return without_passwords(f"{problem.message}\n{problem.hint}" if problem.hint else str(problem.message))
