"""One load into a database of MongoDB: collections are filled aside, read back, and renamed into place.

In: a session, a load, a way to fill a collection. Out: the collections of the datasets' tables replaced. Always holds:
options, validators and indexes that others made stay; each collection is the old one or the new one for every reader;
between the first and the last rename the state says that nothing is complete.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pymongo import ASCENDING, IndexModel
from pymongo.database import Database

from tdv.content.order import ordered_stream
from tdv.model.schema import TableSchema
from tdv.targets.losses import accepted
from tdv.targets.mongodb import catalogue
from tdv.targets.mongodb.catalogue import Found
from tdv.targets.mongodb.lock import Lock
from tdv.targets.mongodb.losses import LOSSES
from tdv.targets.mongodb.names import ID, STAGED, collection_of, refuse_names
from tdv.targets.mongodb.rows import fill, read
from tdv.targets.mongodb.session import Documents, tidy
from tdv.targets.protocol import Content, Held, Item, Load, TableContent
from tdv.targets.survey import Survey, definition, is_whole, refuse_strangers
from tdv.targets.verification import check

if TYPE_CHECKING:
    import pyarrow as pa

_TABLE: Final = "table "
_NO_INDEX: Final = frozenset({"json", "list", "struct"})
"""An index looks into arrays, and takes each of their elements for a value."""
Filler = Callable[[str, Documents], None]
"""Fills a collection with the rows of the table of that name."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a load needs besides its rows: a database, its lock, which is held, a directory for sorting."""

    database: Database[dict[str, Any]]
    lock: Lock
    scratch: Path


@dataclass(frozen=True, slots=True)
class Wanted:
    """One dataset to put in place: what to mark it with, and the schemas of its tables, also as one text."""

    held: Held
    schemas: Mapping[str, TableSchema]
    text: str


@dataclass(frozen=True, slots=True)
class There:
    """What is in a database before a load: its collections, and what they mean."""

    found: Mapping[str, Found]
    survey: Survey


def contents_of(load: Load) -> list[tuple[Item, Content]]:
    """The rows to load; raises `DataError` for types and names that MongoDB cannot hold."""
    contents = accepted(load, LOSSES, "MongoDB")
    refuse_names(table.schema for _, content in contents for table in content.tables)
    return contents


def wanted_of(load: Load) -> list[Wanted]:
    """The datasets of a load whose snapshots are opened."""
    return [
        Wanted(
            load.mark(item, content.tables),
            {table.name: table.schema for table in content.tables},
            catalogue.schemas_text(content),
        )
        for item, content in contents_of(load)
    ]


def looked(database: Database[dict[str, Any]], load: Load, wanted: Iterable[Wanted]) -> There:
    """What is there; raises `Refused` for what the load must not touch."""
    owners = {name: item.held.dataset for item in wanted for name in item.schemas}
    found = catalogue.collections_in(database)
    catalogue.refuse_views(found, map(collection_of, owners))
    survey = catalogue.survey(database, found, owners)
    refuse_strangers(survey, load, owners)
    return There(found, survey)


def from_rows(load: Load, lock: Lock) -> Filler:
    """Fills collections from the snapshots of a load."""
    tables = {table.name: table for _, content in contents_of(load) for table in content.tables}
    return lambda name, collection: fill(collection, lock, tables[name])


def verify(work: Work, tables: Iterable[TableContent], place: Callable[[str], str]) -> None:
    """Reads the collections back in which `place` says that the tables are; raises `IntegrityError`."""

    def back(table: TableSchema) -> Iterator[pa.Table]:
        for rows in read(work.database[place(table.name)], table):
            work.lock.renew()
            yield rows

    check(lambda table: ordered_stream(back(table), table, work.scratch), tables, "MongoDB")


def sweep(database: Database[dict[str, Any]], prefix: str) -> None:
    """Drops the collections that begin with `prefix`, such as those that a killed load left."""
    for name in database.list_collection_names():
        if name.startswith(prefix):
            database.drop_collection(name)


class Replacing:
    """Puts datasets into a database: `stage` first, then `publish`."""

    def __init__(self, work: Work, load: Load, wanted: Iterable[Wanted], there: There) -> None:
        self._work = work
        self._database = work.database
        self._load = load
        self._wanted = list(wanted)
        self._there = there
        self._recorded = there.survey.recorded(load)

    def stage(self, filler: Filler, rules: Mapping[str, Found]) -> None:
        """Fills collections that nobody looks at; `rules` are the options and indexes that collections have."""
        sweep(self._database, STAGED)
        names = [name for item in self._wanted for name in item.schemas]
        for item in self._wanted:
            for name, schema in item.schemas.items():
                there = rules.get(collection_of(name), Found())
                aside = self._database.create_collection(staged(name), **there.options)
                filler(name, aside)
                indexes = [*map(_again, there.indexes), *_indexes(schema, there.indexes, names)]
                if indexes:
                    aside.create_indexes(indexes)

    def publish(self) -> None:
        """Renames what was staged into place, and marks it complete, last."""
        self._work.lock.confirm()
        for item in self._wanted:
            catalogue.write_state(self._database, self._begun(item), item.text, complete=False)
        for name in (name for item in self._wanted for name in item.schemas):
            self._database[staged(name)].rename(collection_of(name), dropTarget=True)
        for name in self._before() - {name for item in self._wanted for name in item.schemas}:
            self._remove(name)
        for item, mark in zip(self._wanted, self._marks(), strict=True):
            catalogue.write_state(self._database, mark, item.text, complete=True)

    def give_up(self) -> None:
        """Removes what was staged, as far as the server can still be reached."""
        tidy(self._database, lambda: sweep(self._database, STAGED))

    @property
    def _whole(self) -> bool:
        survey = self._there.survey
        return is_whole(survey, self._load) if survey.held else not survey.objects

    def _before(self) -> set[str]:
        """The tables that the datasets had."""
        return {table for held in self._there.survey.of_load(self._load) for table in held.tables}

    def _made(self, item: Wanted) -> list[str]:
        """The tables whose collections are tdv's own."""
        found = self._there.found
        return [name for name in item.schemas if collection_of(name) not in found or _TABLE + name in self._recorded]

    def _begun(self, item: Wanted) -> Held:
        """What a load that is killed here leaves: it owns all tables, old and new."""
        old = [held for held in self._there.survey.held if held.dataset == item.held.dataset]
        tables = {**{table: 0 for held in old for table in held.tables}, **item.held.tables}
        objects = {**dict.fromkeys((_TABLE + name for name in self._made(item)), ""), **self._recorded}
        return replace(item.held, tables=tables, objects=objects, whole=self._whole)

    def _marks(self) -> list[Held]:
        """What is held now, with the collections that tdv made, as they are."""
        now = catalogue.collections_in(self._database)
        objects = [
            {_TABLE + name: definition(now[collection_of(name)].definition) for name in self._made(item)}
            for item in self._wanted
        ]
        return [
            replace(item.held, objects=made, whole=self._whole)
            for item, made in zip(self._wanted, objects, strict=True)
        ]

    def _remove(self, name: str) -> None:
        """A table that no longer is: tdv's own collection goes, that of others only loses its rows."""
        if self._there.survey.is_own(_TABLE + name, self._recorded):
            self._database.drop_collection(collection_of(name))
        else:
            self._database[collection_of(name)].delete_many({})


def replace_rows(work: Work, load: Load) -> tuple[Held, ...]:
    """Loads from the snapshots; gives what is held then."""
    wanted = wanted_of(load)
    there = looked(work.database, load, wanted)
    replacing = Replacing(work, load, wanted, there)
    try:
        replacing.stage(from_rows(load, work.lock), there.found)
        verify(work, (table for _, content in contents_of(load) for table in content.tables), staged)
    except BaseException:
        replacing.give_up()
        raise
    replacing.publish()
    return catalogue.held_in(work.database)


def staged(name: str) -> str:
    """The collection in which the rows of a table are while nobody should see them."""
    return STAGED + collection_of(name)


def _again(index: Mapping[str, Any]) -> IndexModel:
    """An index that is there, to be made once more."""
    options = {name: value for name, value in index.items() if name != "key"}
    return IndexModel(list(index["key"].items()), **options)


def _indexes(table: TableSchema, there: Iterable[Mapping[str, Any]], tables: Iterable[str]) -> list[IndexModel]:
    """Unique columns, and one index for each reference; not those that are there."""
    known = {(ID,), *(tuple(index["key"]) for index in there)}
    kinds = {column.name: column.type.name for column in table.columns}
    wanted = {columns: True for columns in table.uniques}
    for reference in table.references:
        if reference.table in set(tables):
            wanted.setdefault(reference.columns, False)
    return [
        _index(columns, unique=unique)
        for columns, unique in wanted.items()
        if columns not in known and not any(kinds[name] in _NO_INDEX for name in columns)
    ]


def _index(columns: tuple[str, ...], *, unique: bool) -> IndexModel:
    keys = [(name, ASCENDING) for name in columns]
    if not unique:
        return IndexModel(keys)
    # Rows with NULL are not compared, as in SQL.
    present = {name: {"$exists": True} for name in columns}
    return IndexModel(keys, unique=True, partialFilterExpression=present)
