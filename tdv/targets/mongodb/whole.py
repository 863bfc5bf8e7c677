"""A database of MongoDB that tdv owns: its collections are copies that the server makes of an image.

In: a load. Out: the database with all of it and nothing else; or None where tables have to be filled instead. Always
holds: what others had in the database before tdv's first load there is never dropped.
"""

from __future__ import annotations

from typing import Any, Literal

from pymongo import errors
from pymongo.database import Database

from tdv.targets.mongodb import catalogue
from tdv.targets.mongodb.images import Images
from tdv.targets.mongodb.loading import Replacing, Wanted, Work, looked, wanted_of
from tdv.targets.mongodb.names import collection_of
from tdv.targets.mongodb.session import UNAUTHORIZED, Session
from tdv.targets.protocol import Held, Load
from tdv.targets.survey import Survey, is_all_ours

Done = tuple[Literal["loaded", "cloned"], tuple[Held, ...]]


def may_go(found: Survey, load: Load) -> bool:
    """True for a database that is empty, or was made by tdv as a whole for these datasets."""
    return is_all_ours(found, load, owned=True)


def ready(session: Session, load: Load) -> list[Wanted] | None:
    """The datasets of the load as an image on the server has them; None where there is none, or none may be read."""
    try:
        image = Images(session).find(load)
    except errors.OperationFailure as exc:
        if exc.code != UNAUTHORIZED:
            raise
        return None
    return image.wanted(load) if image is not None else None


def replace_whole(session: Session, load: Load, work: Work) -> Done | None:
    """Puts copies in place; None where others have collections of their own, or the user may not keep images."""
    images = Images(session)
    try:
        image = images.find(load)
        action: Literal["loaded", "cloned"] = "cloned" if image else "loaded"
        there = looked(work.database, load, image.wanted(load) if image else wanted_of(load))
        if not may_go(there.survey, load):
            return None
        image = image or images.make(load, work)
        images.use(image)
    except errors.OperationFailure as exc:
        if exc.code != UNAUTHORIZED:
            raise
        return None
    replacing = Replacing(work, load, image.wanted(load), there)
    try:
        # Options and indexes that tests made go with everything else.
        replacing.stage(images.filler(image, work.database.name), {})
    except BaseException:
        replacing.give_up()
        raise
    replacing.publish()
    _drop_others(work.database, {collection_of(name) for item in image.held for name in item.tables})
    return action, catalogue.held_in(work.database)


def _drop_others(database: Database[dict[str, Any]], kept: set[str]) -> None:
    """What tests made goes."""
    for name in catalogue.collections_in(database):
        if name not in kept:
            database.drop_collection(name)
