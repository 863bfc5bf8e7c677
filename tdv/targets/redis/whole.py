"""A database of Redis that tdv owns: it is emptied and filled with a copy of an image, by one script.

In: a load. Out: the database with all of it and nothing else; or None where its tables have to be filled instead.
Always holds: what others had in the database before tdv's first load there is never emptied away.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import Any, Literal, Self

import redis

from tdv.targets.protocol import Held, Load
from tdv.targets.redis.images import Guard, Images
from tdv.targets.redis.loading import Work, looked, tables_of
from tdv.targets.redis.session import DAMAGED, Session
from tdv.targets.survey import Survey, is_all_ours

Done = tuple[Literal["loaded", "cloned"], tuple[tuple[Held, ...], Any]]


@dataclass(frozen=True, slots=True)
class Whole:
    """One database of the server of `url`, which keeps images in its database number `shelf`."""

    url: str
    shelf: int

    @classmethod
    def of(cls, url: str, session: Session) -> Self | None:
        """None on a server that cannot copy, or where the database is the only one or that of the images."""
        shelf = session.databases - 1
        return cls(url, shelf) if session.copies and session.database < shelf else None

    def may_go(self, found: Survey, load: Load) -> bool:
        """True for a database that is empty, or was made by tdv as a whole for these datasets."""
        return is_all_ours(found, load, owned=True)

    def plan(self, load: Load, session: Session) -> bool:
        """Whether `replace` would put a copy in place of what `session` sees; raises what it refuses with."""
        with closing(Session(self.url, self.shelf)) as shelf:
            image = Images(shelf).find(load)
        return self.may_go(looked(session, load, image.tables() if image else tables_of(load)), load)

    def replace(self, load: Load, work: Work) -> Done | None:
        """Puts a copy in place; None where others have keys of their own there. Raises as `Target.load`."""
        with closing(Session(self.url, self.shelf)) as session:
            images = Images(session)
            image = images.find(load)
            # The rows need not be opened for a copy.
            found = looked(work.session, load, image.tables() if image else tables_of(load))
            if not self.may_go(found, load):
                return None
            guard = Guard(work.lock.name, work.lock.value, stays=False)
            if image is not None:
                try:
                    return "cloned", images.copy(image, load, work.session.database, guard)
                except redis.ResponseError as exc:
                    if DAMAGED not in str(exc):
                        raise
                    images.drop(image.name)
            made = images.make(load, work)
            return "loaded", images.copy(made, load, work.session.database, guard)
