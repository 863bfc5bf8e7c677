"""Databases that tdv makes for a while, for one test or one command, and drops again.

In: a target whose server or directory they go to, and `Load`s. Out: fresh databases by clone of an image, and what
is left of earlier ones. Always holds: the name of a database says which run made it and when, and nothing whose name
tdv did not make is ever listed or dropped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, ClassVar, Final, Literal, Protocol

from tdv.config import TargetSettings
from tdv.errors import UsageError
from tdv.targets.protocol import Load, Target

_NAME: Final = re.compile(r"tdv_([0-9]{8}t[0-9]{6})_([0-9a-z]{1,16})_([0-9a-z]{1,20})")
_TIME: Final = "%Y%m%dt%H%M%S"

Kind = Literal["database", "image"]


@dataclass(frozen=True, slots=True)
class Name:
    """``tdv_20261121t110739_4f1c9a7e2b83d605_gw0x12``: fits every engine's limit of 63 bytes, in lower case.

    `part` tells the databases of one run apart; it holds digits and lower-case letters only.
    """

    made_at: datetime
    execution_id: str
    part: str

    def __str__(self) -> str:
        return f"tdv_{self.made_at.astimezone(UTC).strftime(_TIME)}_{self.execution_id}_{self.part}"

    @classmethod
    def parse(cls, text: str) -> Name | None:
        """The name that `text` is; None for a database that is not tdv's."""
        match = _NAME.fullmatch(text)
        if match is None:
            return None
        try:
            made_at = datetime.strptime(match[1], _TIME).replace(tzinfo=UTC)
        except ValueError:
            return None
        return cls(made_at, match[2], match[3])


@dataclass(frozen=True, slots=True)
class Throwaway:
    """A database that was just made; `settings` reach it as a target of its own. `url` may hold a password."""

    name: str
    settings: TargetSettings

    @property
    def url(self) -> str:
        """The URL to connect with."""
        return self.settings.url


@dataclass(frozen=True, slots=True)
class Leaving:
    """What tdv made and has not dropped: a throwaway database, or an image that they are cloned from.

    `used_at` is when a database was made and an image last cloned; `execution_id` is "" for an image. `size` is in
    bytes, None where the engine does not tell. `unfinished` is what a killed process left of an image that nobody is
    making any more.
    """

    kind: Kind
    name: str
    used_at: datetime
    execution_id: str = ""
    size: int | None = field(default=None, compare=False)
    unfinished: bool = False


class Throwaways(Protocol):
    """The throwaway databases beside one target: on the same server, or under the repository's ``.tdv``.

    `keeps_connection` says that `undone` leaves the connection open where it can, since opening one is expensive; else
    it closes it. `takes_long` says that making a database is worth a thread. Every method raises `TargetError` when the
    place cannot be reached or written.
    """

    keeps_connection: ClassVar[bool]
    takes_long: ClassVar[bool]

    def create(self, name: Name, load: Load) -> Throwaway:
        """A new database with exactly these rows, cloned from an image that the first call for `load.image_key` makes.

        Raises as `Target.load`. When it fails, nothing of that name is left.
        """

    def drop(self, leaving: str) -> None:
        """Removes the database or the image of that name, with the sessions that are open on it; one that is gone
        already is no error."""

    def found(self) -> tuple[Leaving, ...]:
        """All databases and images that tdv made beside this target, of whatever run."""

    def connect(self, throwaway: Throwaway) -> Any:
        """A connection of the engine's usual Python driver, as the driver opens it."""

    def begin(self, throwaway: Throwaway, connection: Callable[[], Any]) -> Any:
        """Notes how the database is, for `undone`; calls `connection` only where the engine needs it for that."""

    def undone(self, throwaway: Throwaway, connection: Any | None, begun: Any) -> bool:
        """Rolls back what is not committed on `connection`, if there is one, may undo what was committed, and says
        whether the database is now provably as it was at `begin`. A connection in which more was done than that is
        closed. Raises what the driver raises on a connection that is broken."""


def throwaways_of(target: Target) -> Throwaways:
    """The throwaway databases beside `target`; raises `UsageError` for a kind of target that has none."""
    if not target.capabilities.throwaway:
        raise UsageError(
            f"{target.shown} is a kind of target that has no throwaway databases",
            hint="Name a database instead, as in --tdv-target sqlite:///app.db or `default: {target: …}` in tdv.yaml.",
        )
    spawning: Any = target
    found: Throwaways = spawning.throwaways()
    return found
