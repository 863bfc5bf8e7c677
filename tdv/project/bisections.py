"""Wires a search through the versions of a dataset: each is restored into one target, then the command runs.

In: a `BisectWish`. Out: a `Bisection`. Always holds: the command runs in the caller's directory and is told
the target and the version by variables of its environment; its output goes to stderr, so that the answer stands alone.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tdv import bisect as verb
from tdv.errors import DataError, Excess, NotFound, UsageError
from tdv.model.ranges import Range
from tdv.model.version import parse_version
from tdv.project import restores, states

if TYPE_CHECKING:
    from tdv.project.ports import Ports


@dataclass(frozen=True, slots=True)
class BisectWish:
    """`reference` is a dataset, or a dataset with a range to search in, as in ``movies@>=1.0,<2``; `good` and `bad`
    narrow it: the search begins after the one and ends with the other. `variable` tells the command the URL."""

    reference: str | None
    command: tuple[str, ...]
    good: str | None = None
    bad: str | None = None
    target: str | None = None
    replace: bool = False
    variable: str = "DATABASE_URL"
    directory: Path = Path()


@dataclass(frozen=True, slots=True)
class _Attempt:
    """Restores a version and runs the command."""

    ports: Ports
    dataset: str
    versions: Sequence[str]
    wish: BisectWish
    moment: datetime
    execution_id: str

    def __call__(self, version: str) -> int:
        asked = restores.CheckoutWish(
            refs=(f"{self.dataset}@v{version}",),
            target=self.wish.target,
            replace=self.wish.replace,
            directory=self.wish.directory,
        )
        url = restores.target_of(self.ports, asked).url
        self._restore(asked, version)
        environ = {**self.ports.environ, self.wish.variable: url, "TDV_TARGET": url, "TDV_VERSION": version}
        try:
            done = subprocess.run(
                self.wish.command, cwd=self.wish.directory, env=environ, stdout=sys.stderr.fileno(), check=False
            )
        except OSError as exc:
            raise UsageError(
                f"{self.wish.command[0]} cannot be run: {exc.strerror}", hint="Name a program: tdv bisect -- pytest -x"
            ) from exc
        return done.returncode

    def _restore(self, asked: restores.CheckoutWish, version: str) -> None:
        try:
            restores.restore(self.ports, asked, self.moment, self.execution_id)
        except (DataError, Excess) as exc:
            kind = Excess if isinstance(exc, Excess) else DataError
            raise kind(
                f"{self.dataset}@v{version} cannot be restored: {exc.message}", hint=self._without(version)
            ) from exc

    def _without(self, version: str) -> str:
        """How to search the versions beside one that cannot be restored: those after it; where it is the newest,
        which is tried first, those before it."""
        oldest, newest = self.versions[0], self.versions[-1]
        if oldest == newest:
            return "Use another target."
        rest = f">={oldest},<{version}" if version == newest else f">{version},<={newest}"
        return f'Leave it out, as in tdv bisect "{self.dataset}@{rest}" -- COMMAND; or use another target.'


def bisect(ports: Ports, wish: BisectWish, moment: datetime, execution_id: str) -> verb.Bisection:
    """Searches the releases of one dataset; yanked ones and pre-releases are left out unless the range names them."""
    if not wish.command:
        raise UsageError("What should be run?", hint="tdv bisect -- pytest tests/test_orders.py")
    dataset, versions = _versions(ports, wish)
    return verb.bisect(dataset, versions, _Attempt(ports, dataset, versions, wish, moment, execution_id))


def _versions(ports: Ports, wish: BisectWish) -> tuple[str, Sequence[str]]:
    known = ports.book.datasets()
    if wish.reference is None or wish.reference in known:
        dataset, wanted = ports.dataset(wish.reference), "*"
    else:
        ref = states.parse(wish.reference)
        if ref.kind != "range":
            raise UsageError(
                f"{wish.reference!r} is no dataset and no range of versions", hint="Write movies, or movies@>=1.0,<2."
            )
        dataset, wanted = states.own(ports, ref), ref.value
    allowed = Range.parse(wanted)
    releases = [item for item in ports.book.releases(dataset) if allowed.allows(item.version) and not item.yanked]
    versions = [item.version for item in releases]
    after = _bound(ports, dataset, wish.good)
    until = _bound(ports, dataset, wish.bad)
    if after is not None and until is not None and parse_version(after) >= parse_version(until):
        raise UsageError(
            f"--good v{after} is not older than --bad v{until}",
            hint="The search is for the first bad version after a good one: name a good one that is older.",
        )
    found = [
        version
        for version in versions
        if (after is None or parse_version(version) > parse_version(after))
        and (until is None or parse_version(version) <= parse_version(until))
    ]
    if not found:
        raise NotFound(
            f"There is no release of {dataset} to try", hint=f"`tdv log {dataset}` shows the versions.", dataset=dataset
        )
    return dataset, found


def _bound(ports: Ports, dataset: str, text: str | None) -> str | None:
    if text is None:
        return None
    named = text if "@" in text else f"{dataset}@{text}"
    _, version = states.exact(ports, named)
    return ports.book.record(dataset, version).version
