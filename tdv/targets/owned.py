"""Throwaway databases with an owner: this process as long as it lives, then whoever comes next.

In: the throwaways beside a target, and the ledger of this process. Out: the same, each written down before it is made
until it is dropped or kept. Always holds: a database that is neither is dropped at the end of its process, or by the
next one of this work tree that makes databases on the same server.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

from tdv.config import TargetSettings
from tdv.config.address import server
from tdv.errors import Refused, TdvError
from tdv.targets import runs
from tdv.targets.ledger import Ledger, abandoned, forget_ended
from tdv.targets.protocol import Load
from tdv.targets.registry import open_target
from tdv.targets.throwaway import Name, Throwaway, Throwaways, throwaways_of


class Owned:
    """The throwaways beside one target, as far as this process makes them."""

    def __init__(self, settings: TargetSettings, ledger: Ledger) -> None:
        self.place = server(settings.url)
        self.throwaways: Throwaways = throwaways_of(open_target(settings, ledger.work))
        self._ledger = ledger

    def create(self, name: Name, load: Load) -> Throwaway:
        """As `Throwaways.create`; raises `Refused` once the run has ended."""
        with self._ledger.making(str(name), self.place):
            try:
                made = self.throwaways.create(name, load)
            except Refused:
                # Nothing was made, and a database that has the name already is somebody else's.
                self._ledger.strike(str(name))
                raise
            if self._ledger.has_ended:
                # Nobody waits for it any more.
                self.drop(made.name)
            return made

    def drop(self, name: str) -> None:
        """Removes a database; one whose removal fails is tried again at the end, and by the next run."""
        self.throwaways.drop(name)
        self._ledger.strike(name)

    def keep(self, name: str) -> None:
        """Leaves a database to whoever was told of it, and to `tdv cleanup`."""
        self._ledger.strike(name)
        made = Name.parse(name)
        if made is not None:
            runs.keep(self._ledger.work, made.execution_id)

    def drop_the_rest(self) -> None:
        """Removes what was neither dropped nor kept, such as a database whose maker was interrupted."""
        _drop(self.throwaways, self._ledger.left(self.place), self._ledger.strike)

    def collect(self) -> None:
        """Removes what processes that are no more left here; what cannot be removed now stays written down."""
        collect(self._ledger.work, self.place, self.throwaways)


def collect(work: Path, place: str, throwaways: Throwaways, spared: Collection[str] = ()) -> None:
    """Removes what processes that are no more left at `place`, but for those that are `spared`, and the traces of their
    runs once nothing is left."""
    for book in abandoned(work):
        names = [name for name, where in book.names.items() if where == place and name not in spared]
        with suppress(TdvError):
            _drop(throwaways, names, book.strike)
    forget_ended(work)


def _drop(throwaways: Throwaways, names: Iterable[str], strike: Callable[[str], None]) -> None:
    """Removes each, and images that nobody is making any more, whatever the removal of another one raises; none where
    the server cannot be reached."""

    def drop(name: str) -> None:
        throwaways.drop(name)
        strike(name)

    with ExitStack() as stack:
        for count, name in enumerate(names):
            if not count:
                for leaving in throwaways.found():
                    if leaving.unfinished:
                        stack.callback(throwaways.drop, leaving.name)
            stack.callback(drop, name)
