"""What a database of MongoDB holds: collections with their options and indexes, and tdv's state.

In: databases. Out: a `Survey`, `Held`, schemas. Always holds: ``_tdv_state`` has one document per dataset; while a load
puts collections in place, ``complete`` is false in those of its datasets: they own their tables and hold nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from pymongo.database import Database

from tdv.errors import TargetError, UsageError
from tdv.model.schema import DatasetSchema, TableSchema
from tdv.targets.mongodb.names import STATE, collection_of, is_own
from tdv.targets.protocol import Content, Held
from tdv.targets.survey import Survey, taken

_AS_TEXT: Final = ("tables", "objects")
"""Their keys are names of tables, which fields cannot always have."""
_PRIMARY: Final = "_id_"


@dataclass(frozen=True, slots=True)
class Found:
    """One collection: what it was made with, and its indexes but that of ``_id``."""

    options: Mapping[str, Any] = field(default_factory=dict)
    indexes: tuple[Mapping[str, Any], ...] = ()

    @property
    def definition(self) -> str:
        """All of it as one text."""
        return json.dumps([self.options, list(self.indexes)], sort_keys=True, default=str)


def collections_in(database: Database[dict[str, Any]]) -> dict[str, Found]:
    """The collections that are not tdv's or the server's; raises `Refused` where a view or the like is among them."""
    found = {}
    for item in database.list_collections():
        name = str(item["name"])
        if is_own(name):
            continue
        plain = item.get("type", "collection") == "collection"
        indexes = [dict(index) for index in database[name].list_indexes()] if plain else []
        found[name] = Found(
            {**item.get("options", {}), **({} if plain else {"type": item["type"]})},
            tuple({k: v for k, v in index.items() if k not in ("v", "ns")} for index in indexes if not _primary(index)),
        )
    return found


def refuse_views(found: Mapping[str, Found], collections: Iterable[str]) -> None:
    """Raises `Refused` for a view or a time series that has the name of a table's collection."""
    for name in collections:
        kind = found[name].options.get("type") if name in found else None
        if kind is not None:
            raise taken(name, kind)


def held_in(database: Database[dict[str, Any]], *, complete: bool = True) -> tuple[Held, ...]:
    """What ``_tdv_state`` says, with `complete` only of what is; raises `TargetError` for one that is damaged."""
    try:
        items = [item for item in database[STATE].find({}) if item["complete"] or not complete]
        return tuple(sorted((_held(item) for item in items), key=lambda held: held.dataset))
    except (ValueError, KeyError, TypeError) as exc:
        raise _damaged() from exc


def schemas_in(database: Database[dict[str, Any]]) -> dict[str, TableSchema]:
    """The schemas of the tables that tdv loaded; raises `TargetError` for one that is damaged."""
    try:
        texts = [json.loads(item["schemas"]) for item in database[STATE].find({})]
        return {name: TableSchema.from_plain(name, plain) for found in texts for name, plain in found.items()}
    except (ValueError, KeyError, TypeError) as exc:
        raise _damaged() from exc


def write_state(database: Database[dict[str, Any]], held: Held, schemas: str, *, complete: bool) -> None:
    """Replaces the state of one dataset; `schemas` are those of its tables as one text."""
    plain = held.to_plain()
    words = {name: json.dumps(plain[name], ensure_ascii=False) if name in _AS_TEXT else plain[name] for name in plain}
    document = {"_id": held.dataset, **words, "schemas": schemas, "complete": complete}
    database[STATE].replace_one({"_id": held.dataset}, document, upsert=True)


def schemas_text(content: Content) -> str:
    """The schemas of a dataset's tables as one text."""
    return json.dumps({table.name: table.schema.to_plain() for table in content.tables}, ensure_ascii=False)


def survey(database: Database[dict[str, Any]], found: Mapping[str, Found], tables: Iterable[str]) -> Survey:
    """The state, every collection with its definition, and which of `tables` have documents."""
    held = held_in(database, complete=False)
    owned = {name.lower() for item in held for name in item.tables}
    names = {collection_of(name): name for name in (*tables, *(n for item in held for n in item.tables))}
    filled = {
        names[name]
        for name in found
        if name in names and names[name].lower() not in owned and database[name].find_one({}, {"_id": 1}) is not None
    }
    objects = {f"table {names.get(name, name)}": item.definition for name, item in found.items()}
    return Survey(objects=objects, held=held, filled=frozenset(filled))


def inspect(database: Database[dict[str, Any]], shown: str) -> DatasetSchema:
    """The tables that tdv loaded and that are there; raises `UsageError` where it loaded none."""
    held = held_in(database)
    if not held:
        raise UsageError(
            f"{shown} holds nothing of tdv's, and MongoDB does not tell columns, types and keys",
            hint="Write the spec by hand: tdv new NAME.",
        )
    known, there = schemas_in(database), set(database.list_collection_names())
    names = [name for item in held for name in item.tables if name in known and collection_of(name) in there]
    return DatasetSchema(tuple(known[name] for name in names))


def _held(item: Mapping[str, Any]) -> Held:
    words = {name: item[name] for name in item if name not in ("_id", "schemas", "complete")}
    return Held.from_plain({**words, **{name: json.loads(words[name]) for name in _AS_TEXT}})


def _primary(index: Mapping[str, Any]) -> bool:
    return bool(index.get("name") == _PRIMARY)


def _damaged() -> TargetError:
    return TargetError(f"the collection {STATE} cannot be read", hint="Drop it and run the checkout with --replace.")
