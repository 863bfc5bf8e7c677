"""Wires throwaway databases: what is to be in them, beside which target they go, and which run they belong to.

In: `DatabaseWish`es. Out: `Database`s. Always holds: what a wish means is resolved once per run and process; every
database of one run carries its execution id, and the run counts as alive until it is closed; what is neither dropped
nor kept goes then; what the application's schema does not take is found out once.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self
from urllib.parse import unquote

from tdv.errors import MigrationError, TdvError, Unfit, UsageError
from tdv.model.receipt import ReceiptRelease
from tdv.project import restores, states
from tdv.project.pointing import pointing
from tdv.project.pool import Pool
from tdv.project.ports import now
from tdv.targets import ledger, runs
from tdv.targets.owned import Owned
from tdv.targets.throwaway import Name, Throwaway

if TYPE_CHECKING:
    from tdv.config import TargetSettings
    from tdv.project.ports import Ports
    from tdv.project.states import State
    from tdv.targets.protocol import Load

_FILES: Final = ("sqlite", "duckdb")
LOCAL: Final = ("sqlite:///.tdv/local.db", "duckdb:///.tdv/local.duckdb")
"""Any target of each engine whose throwaway databases are under ``.tdv``."""


@dataclass(frozen=True, slots=True)
class DatabaseWish:
    """What a database is to hold: `refs` as for a checkout. It goes beside `target`, None for the default one;
    `directory` is what relative paths count from."""

    refs: tuple[str, ...] = ()
    target: str | None = None
    scenarios: tuple[str, ...] = ()
    allow_protected: bool = False
    directory: Path | None = None


@dataclass(frozen=True)
class Database:
    """A fresh database. `url` may hold a password, `shown` never does; `releases` is by dataset, the required ones
    first; `asked` are the datasets that were wished for. As a context manager it drops itself."""

    name: str
    url: str = field(repr=False)
    shown: str
    releases: Mapping[str, ReceiptRelease]
    asked: tuple[str, ...]
    execution_id: str
    _made: _Made = field(repr=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.drop()

    @property
    def path(self) -> Path | None:
        """The file, for an engine whose databases are files."""
        scheme, _, rest = self.url.partition(":///")
        return Path(unquote(rest)) if scheme in _FILES else None

    @property
    def version(self) -> str:
        """The version of the dataset that was asked for; raises `UsageError` where it was more than one."""
        return self._only.version

    @property
    def digest(self) -> str:
        """Its digest, ``tdv1:…``; raises `UsageError` as `version` does."""
        return self._only.digest

    def url_for(self, driver: str) -> str:
        """The URL with a driver of SQLAlchemy in it: ``aiosqlite`` gives ``sqlite+aiosqlite:////…``."""
        scheme, colon, rest = self.url.partition(":")
        return f"{scheme.partition('+')[0]}+{driver}{colon}{rest}"

    @cached_property
    def connection(self) -> Any:
        """A connection of the engine's usual Python driver, opened on first use and closed by `disconnect`."""
        return self._made.owned.throwaways.connect(self._made.throwaway)

    @property
    def is_connected(self) -> bool:
        """True once somebody asked for `connection`."""
        return "connection" in self.__dict__

    def disconnect(self) -> None:
        """Closes `connection`, undoing what was not committed; the next use opens another one."""
        connection = self.__dict__.pop("connection", None)
        if connection is not None:
            connection.close()

    def begin(self) -> Any:
        """Notes how the database is, for `undo`."""
        return self._made.owned.throwaways.begin(self._made.throwaway, lambda: self.connection)

    def undo(self, begun: Any) -> bool:
        """Rolls `connection` back, and says whether the database is provably as it was at `begin`."""
        connection = self.__dict__.get("connection")
        if not self._made.owned.throwaways.keeps_connection:
            self.__dict__.pop("connection", None)
        clean = self._made.owned.throwaways.undone(self._made.throwaway, connection, begun)
        if getattr(connection, "closed", False):
            self.__dict__.pop("connection", None)
        return clean

    def drop(self) -> None:
        """Removes the database."""
        self.disconnect()
        self._made.owned.drop(self.name)

    def keep(self) -> None:
        """Leaves the database when its run ends; `tdv cleanup` removes it."""
        self._made.owned.keep(self.name)

    @property
    def _only(self) -> ReceiptRelease:
        if len(self.asked) == 1:
            return self.releases[self.asked[0]]
        raise UsageError(
            f"the database holds {', '.join(self.asked)}", hint=f"Say which: releases[{self.asked[0]!r}].version."
        )


@dataclass(frozen=True, slots=True)
class _Made:
    """How to reach a database again."""

    throwaway: Throwaway
    owned: Owned


@dataclass(frozen=True, slots=True)
class _Recipe:
    """A wish, resolved: what each of its databases holds, and where they are made; equal `key`s make equal ones."""

    load: Load
    key: tuple[object, ...]
    owned: Owned
    releases: tuple[ReceiptRelease, ...]
    asked: tuple[str, ...]
    notes: tuple[str, ...]


class Databases:
    """The databases of one run; `worker` tells its processes apart. Close it to end the run of this process.

    `ahead` databases of a kind that takes long to make are made before they are asked for, and connected to once others
    of the kind were.
    """

    def __init__(self, ports: Ports, execution_id: str, worker: str = "main", ahead: int = 0) -> None:
        self.execution_id = execution_id
        self._ports = ports
        self._worker = worker
        self._numbers = itertools.count(1)
        self._recipe = cache(self._resolved)
        self._ahead = ahead
        self._pools: dict[DatabaseWish, Pool[Database]] = {}
        self._of: dict[str, DatabaseWish] = {}
        self._connected: set[DatabaseWish] = set()
        self._failed: dict[tuple[object, ...], MigrationError | Unfit] = {}
        self._ledger = ledger.Ledger(ports.state, execution_id)
        self._owned: dict[str, Owned] = {}
        self._used: set[str] = set()
        self._stack = ExitStack()
        self._stack.enter_context(runs.at_work(ports.state, execution_id))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Ends the run of this process: drops what was neither dropped nor kept, and what killed processes left beside
        the same targets.

        Each step is done, whatever another one raises; what cannot be dropped now is left to the next run.
        """
        with self._stack as stack:
            for owned in self._owned.values():
                stack.callback(owned.collect)
            stack.callback(self._ledger.close)
            for owned in self._owned.values():
                stack.callback(owned.drop_the_rest)
            stack.callback(self._ledger.end)
            for pool in self._pools.values():
                stack.callback(pool.close)

    def discard(self, database: Database) -> None:
        """Drops a database that `create` gave; where databases are made ahead, they are dropped behind, too."""
        wish = self._of.pop(database.name, None)
        if wish is None:
            database.drop()
            return
        if database.is_connected:
            self._connected.add(wish)
        database.disconnect()
        self._pools[wish].remove(database)

    def collect(self, wish: DatabaseWish) -> None:
        """Drops what killed processes of this run left under ``.tdv``, and beside the target of a wish and those of
        tdv.yaml."""
        places = ledger.places(self._ports.state, self.execution_id)
        settings = self._ports.settings
        for target in (wish.target, None, *settings.targets, *LOCAL) if places else ():
            # One whose variable is not set was not used.
            with suppress(TdvError):
                owned = self._beside(settings.target(target, wish.directory))
                if owned.place in places:
                    owned.collect()

    @property
    def has_left(self) -> bool:
        """Whether processes of this run left databases that nobody dropped."""
        return bool(ledger.places(self._ports.state, self.execution_id))

    def forget(self) -> None:
        """Removes the trace of a closed run that left no database."""
        if not self.has_left:
            runs.forget(self._ports.state, self.execution_id)

    def describe(self, wish: DatabaseWish) -> tuple[tuple[ReceiptRelease, ...], tuple[str, ...]]:
        """What a database of this wish holds, and what the user should know; raises what resolving raises."""
        recipe = self._recipe(wish)
        return recipe.releases, recipe.notes

    def create(self, wish: DatabaseWish) -> Database:
        """A fresh database; raises what a checkout raises."""
        recipe = self._recipe(wish)
        if recipe.owned.place not in self._used:
            self._used.add(recipe.owned.place)
            recipe.owned.collect()
        if not (self._ahead and recipe.owned.throwaways.takes_long):
            return self._make(recipe)
        if wish not in self._pools:
            self._pools[wish] = Pool(lambda: self._made_ahead(wish, recipe), Database.drop, self._ahead)
        database = self._pools[wish].take()
        self._of[database.name] = wish
        return database

    def _made_ahead(self, wish: DatabaseWish, recipe: _Recipe) -> Database:
        """A database, with the connection that those before it were asked for."""
        database = self._make(recipe)
        if wish in self._connected:
            # Whoever asks for it later is told why there is none, by tdv or by the driver.
            with suppress(Exception):
                _ = database.connection
        return database

    def _make(self, recipe: _Recipe) -> Database:
        name = Name(now(), self.execution_id, f"{self._worker}x{next(self._numbers)}")
        throwaway = self._throwaway(name, recipe)
        return Database(
            name=throwaway.name,
            url=throwaway.url,
            shown=throwaway.settings.shown,
            releases={release.dataset: release for release in recipe.releases},
            asked=recipe.asked,
            execution_id=self.execution_id,
            _made=_Made(throwaway, recipe.owned),
        )

    def _throwaway(self, name: Name, recipe: _Recipe) -> Throwaway:
        """A new database. A schema that cannot be made, or does not take the rows, would be made anew each time to fail
        in the same way: the first failure stands for all of the run."""
        failed = self._failed.get(recipe.key)
        if failed is not None:
            raise failed.with_traceback(None)
        try:
            with pointing(self._ports, recipe.load.datasets):
                return recipe.owned.create(name, recipe.load)
        except (MigrationError, Unfit) as problem:
            self._failed[recipe.key] = problem
            raise

    def _beside(self, place: TargetSettings) -> Owned:
        """The throwaways beside a target."""
        if place.url not in self._owned:
            self._owned[place.url] = Owned(place, self._ledger)
        return self._owned[place.url]

    def _asked(self, wish: DatabaseWish, chosen: restores.Chosen) -> tuple[str, ...]:
        """The datasets that are meant; those that they require came along."""
        if wish.refs:
            return tuple(states.named(self._ports, states.parse(ref)).rpartition(":")[2] for ref in wish.refs)
        required = {name for state in chosen.states if state.record is not None for name in state.record.requires}
        names = tuple(state.dataset for state in chosen.states)
        return tuple(name for name in names if name not in required) or names

    def _resolved(self, wish: DatabaseWish) -> _Recipe:
        from tdv.checkout import CheckoutOptions, load_of

        chosen = restores.choose(
            self._ports,
            restores.CheckoutWish(
                refs=wish.refs,
                target=wish.target,
                scenarios=wish.scenarios,
                allow_protected=wish.allow_protected,
                directory=wish.directory,
            ),
        )
        owned = self._beside(chosen.place)
        options = CheckoutOptions(
            self._ports.state, now(), self.execution_id, scenarios=wish.scenarios, schema=chosen.schema
        )
        load = load_of(chosen.wanted, options)
        versions = [(item.dataset, item.version) for item in load.items]
        return _Recipe(
            load,
            (chosen.place.url, load.image_key, *versions),
            owned,
            tuple(_release(item, wish) for item in chosen.states),
            self._asked(wish, chosen),
            chosen.notes,
        )


def _release(state: State, wish: DatabaseWish) -> ReceiptRelease:
    """A state with the rows of its tables, as far as they are known without opening it."""
    return ReceiptRelease(state.dataset, state.version, state.digest, {} if wish.scenarios else state.tables)
