"""Finished contents on the server, to be copied by it: one for each digest, in the database ``tdv_images``.

In: a load. Out: an `Image`. Always holds: an image is complete and verified, since its label is written last; one whose
collections lack documents is made anew.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tdv.errors import TargetBusy
from tdv.model.schema import TableSchema
from tdv.targets.mongodb.loading import Filler, Wanted, Work, contents_of, from_rows, sweep, verify, wanted_of
from tdv.targets.mongodb.lock import locked
from tdv.targets.mongodb.names import collection_of
from tdv.targets.mongodb.session import Documents, Session
from tdv.targets.protocol import Held, Load

DATABASE: Final = "tdv_images"
FORMAT: Final = "tdv.mongodb-image/v1"
LAYOUT: Final = 1
"""Another number makes all images anew: change it with anything that changes what a load leaves."""
KEEP: Final = 20
_LABELS: Final = "labels"
_PREFIX: Final = "image_"
_DIGITS: Final = 20


@dataclass(frozen=True, slots=True)
class Image:
    """The collections ``<name>.<table>``; `schemas` are texts by dataset, `used_at` is in seconds since 1970."""

    name: str
    held: tuple[Held, ...]
    schemas: Mapping[str, str]
    used_at: int

    def collection(self, table: str) -> str:
        """Where the rows of a table are."""
        return f"{self.name}.{collection_of(table)}"

    def wanted(self, load: Load) -> list[Wanted]:
        """The datasets as `load` brings them."""
        return [
            Wanted(held, _schemas(self.schemas[held.dataset]), self.schemas[held.dataset])
            for held in load.stamped(self.held)
        ]


class Images:
    """The images of the server of `session`."""

    def __init__(self, session: Session) -> None:
        self._database = session.of(DATABASE)

    def find(self, load: Load) -> Image | None:
        """The image of a load, if it is there with all its documents."""
        image = _parsed(self._database[_LABELS].find_one({"_id": _name(load)}))
        if image is None or not all(
            self._database[image.collection(table)].estimated_document_count() == rows
            for held in image.held
            for table, rows in held.tables.items()
        ):
            return None
        return image

    def use(self, image: Image) -> None:
        """Notes that an image is in use."""
        self._database[_LABELS].update_one({"_id": image.name}, {"$set": {"used_at": int(time.time())}})

    def make(self, load: Load, work: Work) -> Image:
        """The image of a load; `work` is that of the target. Raises what `Target.load` raises for its rows."""
        name = _name(load)
        with locked(self._database, name, f"the image {name}", work.lock) as lock:
            found = self.find(load)
            if found is not None:
                return found
            self.drop(name)
            image = self._made(Work(self._database, lock, work.scratch), load, name)
        for old in self.found()[KEEP:]:
            if old.name != name:
                self.drop(old.name)
        return image

    def filler(self, image: Image, database: str) -> Filler:
        """Fills the collections of a database, which are there, with copies, which the server makes by itself."""
        rows = {table: count for held in image.held for table, count in held.tables.items()}

        def copied(table: str, collection: Documents) -> None:
            if not rows[table]:
                return  # Not every server keeps a collection to which `$out` writes nothing.
            place = {"db": database, "coll": collection.name}
            self._database[image.collection(table)].aggregate([{"$match": {}}, {"$out": place}])
            if collection.estimated_document_count() != rows[table]:
                # Of a collection that is no longer there, the server makes an empty copy.
                raise TargetBusy(
                    f"the image {image.name} was removed while it was copied", hint="Run the command again."
                )

        return copied

    def found(self) -> list[Image]:
        """All images, the one that was used last first."""
        images = [_parsed(label) for label in self._database[_LABELS].find({})]
        return sorted((image for image in images if image), key=lambda image: image.used_at, reverse=True)

    def drop(self, name: str) -> None:
        """Removes an image, or what is left of one; any other name is left alone."""
        if name.startswith(_PREFIX):
            self._database[_LABELS].delete_one({"_id": name})
            sweep(self._database, f"{name}.")

    def _made(self, work: Work, load: Load, name: str) -> Image:
        wanted = wanted_of(load)
        image = Image(
            name,
            tuple(item.held for item in wanted),
            {item.held.dataset: item.text for item in wanted},
            int(time.time()),
        )
        filler = from_rows(load, work.lock)
        for table in (table for item in wanted for table in item.schemas):
            filler(table, self._database.create_collection(image.collection(table)))
        verify(work, (table for _, content in contents_of(load) for table in content.tables), image.collection)
        label = {"_id": name, "format": FORMAT, "schemas": json.dumps(image.schemas), "used_at": image.used_at}
        held = json.dumps([item.to_plain() for item in image.held], ensure_ascii=False)
        self._database[_LABELS].replace_one({"_id": name}, {**label, "held": held}, upsert=True)
        return image


def _name(load: Load) -> str:
    return _PREFIX + hashlib.sha256(json.dumps([LAYOUT, load.key]).encode()).hexdigest()[:_DIGITS]


def _schemas(text: str) -> dict[str, TableSchema]:
    return {name: TableSchema.from_plain(name, plain) for name, plain in json.loads(text).items()}


def _parsed(label: Mapping[str, Any] | None) -> Image | None:
    try:
        if label is None or label["format"] != FORMAT:
            return None
        held = tuple(Held.from_plain(item) for item in json.loads(label["held"]))
        return Image(label["_id"], held, json.loads(label["schemas"]), int(label["used_at"]))
    except (ValueError, KeyError, TypeError):
        return None
