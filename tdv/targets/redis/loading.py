"""One load into a database of Redis that others use too: rows are staged, read back, and put in place by one script.

In: a session, a load. Out: all rows of the datasets' tables replaced, or nothing changed. Always holds: only keys that
are rows of these tables, and tdv's own, are touched; what a killed load staged goes with the next one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from tdv.model.schema import TableSchema
from tdv.targets.losses import accepted
from tdv.targets.protocol import Content, Held, Item, Load, TableContent
from tdv.targets.redis import scripts
from tdv.targets.redis.catalogue import Marks, held_in, schemas_in, schemas_of, survey
from tdv.targets.redis.lock import Lock
from tdv.targets.redis.losses import LOSSES
from tdv.targets.redis.names import STAGED, literally, refuse_names, rows_of
from tdv.targets.redis.rows import counts, fill
from tdv.targets.redis.session import Session
from tdv.targets.survey import Survey, refuse_strangers


@dataclass(frozen=True, slots=True)
class Work:
    """What a load needs besides its rows: a session, and a lock that is held."""

    session: Session
    lock: Lock


def contents_of(load: Load) -> list[tuple[Item, Content]]:
    """The rows to load; raises `DataError` for types and names that Redis cannot hold."""
    contents = accepted(load, LOSSES, "Redis")
    refuse_names(table.schema for _, content in contents for table in content.tables)
    return contents


def tables_of(load: Load) -> list[tuple[TableSchema, str]]:
    """The tables to load, each with its dataset."""
    return [(table.schema, item.dataset) for item, content in contents_of(load) for table in content.tables]


def looked(session: Session, load: Load, tables: Iterable[tuple[TableSchema, str]]) -> Survey:
    """What is there; raises `Refused` for what a load of these tables must not touch."""
    owners = list(tables)
    found = survey(session, [table for table, _ in owners])
    refuse_strangers(found, load, {table.name: dataset for table, dataset in owners})
    return found


def present(session: Session, load: Load) -> list[tuple[str, int]]:
    """The tables that the datasets of the load have there, with the numbers of their rows; of those that tdv did not
    load, the tables of the load."""
    known = schemas_in(session)
    names = [name for held in held_in(session) if held.dataset in load.datasets for name in held.tables]
    tables = [known[name] for name in names if name in known] or [table for table, _ in tables_of(load)]
    found = zip(tables, counts(session, [rows_of(table) for table in tables]), strict=True)
    return [(table.name, count) for table, count in found if count]


def replace_rows(work: Work, load: Load) -> tuple[tuple[Held, ...], Any]:
    """Replaces the rows of the datasets' tables; gives what is held then, and how the server was in that moment."""
    looked(work.session, load, tables_of(load))
    contents = contents_of(load)
    work.session.sweep(literally(STAGED) + "*")
    before = f"{STAGED}{os.urandom(6).hex()}:"
    tables = [table for _, content in contents for table in content.tables]
    try:
        for table in tables:
            fill(work.session, work.lock, table, before)
        held = tuple(load.mark(item, content.tables) for item, content in contents)
        marks = Marks.of(held, schemas_of(content for _, content in contents))
        plan = {**_plan(work.session, load, tables), **marks.to_plain()}
        seen = work.session.run(scripts.PUBLISH, work.lock.name, work.lock.value, before, json.dumps(plan))
    except Exception:
        _swept(work.session, before)
        raise
    others = (replace(item, whole=False) for item in held_in(work.session) if item.dataset not in load.datasets)
    return tuple(sorted((*held, *others), key=lambda item: item.dataset)), seen


def _swept(session: Session, before: str) -> None:
    """Removes what was staged, as far as the server can still be reached."""
    import redis

    try:
        session.sweep(literally(before) + "*")
    except redis.RedisError:
        return


def _plan(session: Session, load: Load, tables: Iterable[TableContent]) -> dict[str, Any]:
    """How many rows come, and which keys go: the rows of these tables, and of those that these datasets had."""
    known = schemas_in(session)
    old = {name for held in held_in(session) if held.dataset in load.datasets for name in held.tables}
    new = {table.name: table for table in tables}
    gone = [known[name] for name in old if name in known]
    rows = {rows_of(table) for table in (*(table.schema for table in new.values()), *gone)}
    return {
        "places": sorted((item.prefix, item.parts) for item in rows),
        "count": sum(table.rows for table in new.values()),
        "gone": sorted(old - set(new)),
    }
