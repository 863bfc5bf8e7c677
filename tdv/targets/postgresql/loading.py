"""One load into a PostgreSQL database: one transaction, from the rows of snapshots.

In: a connection, the load, what may be emptied. Out: a committed transaction, or nothing changed. Always holds: only
the datasets' tables are touched, and those that `also_empty` names; tables that others made or altered keep all that
they are but their rows, and rows are read back before the commit.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from tdv.errors import Refused
from tdv.model.schema import Column
from tdv.targets.fitting import all_fitting, fits
from tdv.targets.losses import accepted
from tdv.targets.postgresql import catalogue
from tdv.targets.postgresql.catalogue import Found
from tdv.targets.postgresql.ddl import create_indexes, create_keys, create_references, create_table, refuse_names
from tdv.targets.postgresql.rights import Places, require_rights
from tdv.targets.postgresql.rows import fill, fill_new, verify
from tdv.targets.postgresql.session import Connection
from tdv.targets.postgresql.statements import execute
from tdv.targets.postgresql.tables import ForeignKey, depending, fitting, foreign_keys, set_sequences
from tdv.targets.postgresql.types import LOSSES
from tdv.targets.protocol import Content, Held, Item, Load, TableContent
from tdv.targets.survey import (
    definition,
    foreign_references,
    is_whole,
    owners_of,
    refuse_foreign,
    refuse_missing,
    refuse_taken,
    taken,
)

_TABLE: Final = "table "
_INDEXES: Final = (
    "SELECT relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE nspname = %s AND relkind IN ('i', 'I') AND relname = ANY(%s) ORDER BY 1"
)
_SAME_NAMES: Final = ("view", "foreign table", "sequence", "type")


def contents_of(load: Load) -> list[tuple[Item, Content]]:
    """The rows to load; raises `DataError` for types and names that PostgreSQL cannot hold."""
    contents = accepted(load, LOSSES, "PostgreSQL")
    refuse_names(table.schema for _, content in contents for table in content.tables)
    return contents


def looked(connection: Connection, load: Load, also_empty: Iterable[str]) -> Found:
    """What is there; raises `Refused` for what the load must not touch."""
    found = catalogue.survey(connection, owners_of(load))
    refuse_foreign(found.survey, load, also_empty)
    return found


def counts(connection: Connection, found: Found, tables: Iterable[str] = ()) -> list[tuple[str, int]]:
    """The tables of the load that are there, or else those of tdv, each with its rows."""
    query = "SELECT count(*) FROM {}"
    return [
        (name, execute(connection, query.format(found.qualified(name)))[0][0]) for name in found.survey.here(tables)
    ]


def columns_to_fill(
    connection: Connection, found: Found, tables: Iterable[TableContent]
) -> dict[str, tuple[Column, ...]]:
    """The columns to fill in tables that are there; raises `Refused` with the differences of all that do not fit."""
    return all_fitting(
        {table.name: partial(fitting, connection, found.qualified(table.name), table.schema) for table in tables}
    )


@dataclass(frozen=True, slots=True)
class Steps:
    """What becomes of each table: those that are `gone` are dropped, `fresh` ones are made, `kept` ones are filled as
    they are, in the `columns` of each, `obsolete` ones are left empty."""

    found: Found
    gone: Sequence[str]
    fresh: Sequence[TableContent]
    kept: Sequence[TableContent]
    obsolete: Sequence[str]
    columns: Mapping[str, tuple[Column, ...]]

    @property
    def emptied(self) -> list[str]:
        """The tables that stay and lose their rows."""
        return [*(table.name for table in self.kept), *self.obsolete]


def decided(connection: Connection, load: Load, also_empty: Iterable[str]) -> Steps:
    """What a load would do, which changes nothing; raises `Refused` and `TargetError` as the load does.

    Tables that tdv made and nobody altered go, unless others depend on them; so do, under ``--replace``, those that the
    rows do not fit into. All others are kept.
    """
    tables = {table.name: table for item in load.items for table in item.content().tables}
    found = looked(connection, load, also_empty)
    survey = found.survey
    refuse_missing(survey, load, tables)
    refuse_taken(survey, tables, _SAME_NAMES)
    for (name,) in execute(connection, _INDEXES, found.schema, list(tables)):
        raise taken(name, "index")
    recorded = survey.recorded(load)
    old = [table for held in survey.of_load(load) for table in held.tables]
    present = [name for name in dict.fromkeys((*tables, *old)) if survey.has_table(name)]
    there = [tables[name] for name in present if name in tables]
    unfit = [t.name for t in there if load.replace and not fits(partial(columns_to_fill, connection, found, [t]))]
    gone = [name for name in present if name in unfit or survey.is_own(_TABLE + name, recorded)]
    reason = depending(connection, [found.qualified(name) for name in gone])
    if reason and not set(gone).isdisjoint(unfit):
        raise Refused(
            f"the tables cannot be made anew: {reason}",
            hint="Migrate the target to the schema of this version, or drop what depends on them.",
        )
    gone = [] if reason else gone
    kept = [name for name in present if name not in gone]
    steps = Steps(
        found=found,
        gone=gone,
        fresh=[table for name, table in tables.items() if name not in kept],
        kept=[tables[name] for name in kept if name in tables],
        obsolete=[name for name in kept if name not in tables],
        columns=columns_to_fill(connection, found, (table for table in there if table.name in kept)),
    )
    require_rights(connection, _places(steps))
    return steps


def _places(steps: Steps) -> Places:
    found, emptied = steps.found, steps.emptied
    return Places(
        schema=found.schema if steps.fresh else "",
        dropped=tuple(map(found.qualified, steps.gone)),
        emptied=tuple(map(found.qualified, emptied)),
        filled=tuple(found.qualified(table.name) for table in steps.kept),
        truncates=not any(to in emptied and table not in emptied for table, to in found.survey.references),
    )


class Loading:
    """The transaction; `run` does it."""

    def __init__(self, connection: Connection, load: Load, also_empty: Sequence[str], scratch: Path) -> None:
        self._connection = connection
        self._load = load
        self._also_empty = also_empty
        self._scratch = scratch
        self._contents = contents_of(load)
        self._tables = [table for _, content in self._contents for table in content.tables]

    def run(self) -> tuple[Held, ...]:
        """Does the whole transaction; after an error the database is as it was."""
        with self._connection.transaction():
            steps = self._steps = decided(self._connection, self._load, self._also_empty)
            self._found = steps.found
            aside = self._put_aside(steps.emptied)
            if steps.gone:
                self._do(f"DROP TABLE {', '.join(map(self._place, steps.gone))}")
            self._empty()
            for table in steps.fresh:
                self._do(create_table(table.schema, self._found.schema))
            sent = {t.name: fill_new(self._connection, self._place(t.name), t) for t in steps.fresh}
            for table in steps.kept:
                self._fill_kept(table)
            self._finish(aside)
            for table in self._tables:
                verify(self._connection, self._place(table.name), table, sent.get(table.name), self._scratch)
            return self._mark()

    def _do(self, statement: str) -> None:
        execute(self._connection, statement)

    def _place(self, table: str) -> str:
        return self._found.qualified(table)

    def _put_aside(self, tables: Iterable[str]) -> list[ForeignKey]:
        """Drops the references that these tables declare, so that the order of tables is free."""
        found = foreign_keys(self._connection, [self._place(table) for table in tables])
        for key in found:
            self._do(f"ALTER TABLE {key.place} DROP CONSTRAINT {key.name}")
        return found

    def _empty(self) -> None:
        """Deletes the rows of what stays."""
        emptied = self._steps.emptied
        if not emptied:
            return
        places = [self._place(table) for table in emptied]
        self._do(f"LOCK TABLE {', '.join(places)} IN ACCESS EXCLUSIVE MODE")
        survey = self._found.survey
        ours = {table.name for table in self._tables} | set(emptied)
        referencing = sorted({t for t, to in survey.references if to in emptied and t not in ours})
        for table in referencing:
            self._do(f"LOCK TABLE {self._place(table)} IN SHARE ROW EXCLUSIVE MODE")
        for table in foreign_references(survey, self._load, ours):
            self._do(f"DELETE FROM {self._place(table)}")
        if referencing:
            # A referenced table cannot be truncated, even where nothing references it yet.
            for place in places:
                self._do(f"DELETE FROM {place}")
        else:
            self._do(f"TRUNCATE {', '.join(places)}")

    def _fill_kept(self, table: TableContent) -> None:
        columns = self._steps.columns[table.name]
        filled = replace(table, schema=replace(table.schema, columns=columns))
        fill(self._connection, self._place(table.name), filled)

    def _finish(self, aside: Iterable[ForeignKey]) -> None:
        """Keys, then references, then sequences; what stood aside comes back as it was."""
        steps = self._steps
        schema, known = self._found.schema, [table.name for table in self._tables]
        for table in steps.fresh:
            for statement in (*create_keys(table.schema, schema), *create_indexes(table.schema, schema, known)):
                self._do(statement)
        for table in steps.fresh:
            for statement in create_references(table.schema, schema, known):
                self._do(statement)
        for key in aside:
            self._do(f"ALTER TABLE {key.place} ADD CONSTRAINT {key.name} {key.definition}")
        for table in self._tables:
            set_sequences(self._connection, self._place(table.name))

    def _mark(self) -> tuple[Held, ...]:
        """Writes `_tdv_state`: what tdv made here is recorded, tables that others made are not."""
        survey = self._found.survey
        now = catalogue.survey(self._connection, ()).survey.objects
        recorded = survey.recorded(self._load)
        made = definitions(now, self._steps.fresh)
        kept = {name: digest for name, digest in recorded.items() if definition(now.get(name)) == digest}
        whole = is_whole(survey, self._load) if survey.held else not survey.objects
        held = marked(self._load, self._contents, {**kept, **made}, whole=whole)
        catalogue.write_state(self._connection, held)
        return held


def marked(
    load: Load, contents: Iterable[tuple[Item, Content]], objects: Mapping[str, str], *, whole: bool
) -> tuple[Held, ...]:
    """What a database says of a load; `objects` are the tables in it that tdv made."""
    held = []
    for item, content in contents:
        names = [_TABLE + table.name for table in content.tables]
        made = {name: objects[name] for name in names if name in objects}
        held.append(replace(load.mark(item, content.tables), objects=made, whole=whole))
    return tuple(held)


def definitions(objects: Mapping[str, str], tables: Iterable[TableContent]) -> dict[str, str]:
    """How these tables, which tdv made, are described in a survey's `objects`, as `_tdv_state` keeps it."""
    return {_TABLE + table.name: definition(objects[_TABLE + table.name]) for table in tables}
