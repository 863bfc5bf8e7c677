"""One load into a MySQL database: new tables that take the place of the old ones, or new rows in tables that stay.

In: a connection, the load, what may be emptied. Out: the new state, or nothing changed. Always holds: only the
datasets' tables are touched, and those that `also_empty` names; tables that others made, altered or reference keep all
that they are but their rows, and rows are read back before anybody sees them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pymysql import err

from tdv.model.schema import Column
from tdv.targets.fitting import fits
from tdv.targets.losses import accepted
from tdv.targets.mysql import catalogue
from tdv.targets.mysql.building import Beside, build, large
from tdv.targets.mysql.catalogue import TABLE, Found, collation_of
from tdv.targets.mysql.ddl import Making, refuse_columns
from tdv.targets.mysql.inplace import Staying, replace_rows, unmarked
from tdv.targets.mysql.rows import takes_files
from tdv.targets.mysql.session import Given, execute, require_rights
from tdv.targets.mysql.swap import NEW, Swap, swap, sweep
from tdv.targets.mysql.tables import columns_to_fill
from tdv.targets.mysql.types import LOSSES
from tdv.targets.mysql.wire import Connection
from tdv.targets.protocol import STATE_TABLE, Content, Held, Item, Load
from tdv.targets.sql import quote
from tdv.targets.survey import (
    definition,
    foreign_references,
    is_whole,
    owners_of,
    referenced,
    refuse_foreign,
    refuse_missing,
    refuse_referenced,
    refuse_taken,
)

_ENGINE: Final = "MySQL"
_SAME_NAMES: Final = ("view", "sequence")


def contents_of(load: Load) -> list[tuple[Item, Content]]:
    """The rows to load; raises `DataError` for types and names that MySQL cannot hold."""
    contents = accepted(load, LOSSES, _ENGINE)
    refuse_columns(table.schema for _, content in contents for table in content.tables)
    return contents


def looked(connection: Connection, load: Load, also_empty: Iterable[str]) -> Found:
    """What is there; raises `Refused` for what the load must not touch."""
    found = catalogue.survey(connection, owners_of(load))
    refuse_foreign(found.survey, load, also_empty)
    return found


def counts(connection: Connection, found: Found, tables: Iterable[str] = ()) -> list[tuple[str, int]]:
    """The tables of the load that are there, or else those of tdv, each with its rows."""
    return [
        (name, execute(connection, f"SELECT COUNT(*) FROM {found.qualified(name)}")[0][0])
        for name in found.survey.here(tables)
    ]


@dataclass(frozen=True, slots=True)
class Steps:
    """What becomes of the tables that are `present`: new ones take their place, or they are `kept` and filled, in the
    `columns` of each."""

    found: Found
    present: Sequence[str]
    kept: bool
    columns: Mapping[str, tuple[Column, ...]]


def decided(connection: Connection, load: Load, also_empty: Iterable[str]) -> Steps:
    """What a load would do, which changes nothing; raises `Refused` as the load does, and the error of the server where
    the user may not do it."""
    tables = {table.name: table for item in load.items for table in item.content().tables}
    found = looked(connection, load, also_empty)
    survey = found.survey
    refuse_missing(survey, load, tables)
    refuse_taken(survey, map(found.name_of, tables), _SAME_NAMES)
    old = [table for held in survey.of_load(load) for table in held.tables]
    present = [name for name in dict.fromkeys((*tables, *old)) if survey.has_table(name)]
    steps = _steps(connection, found, load, present)
    require_rights(connection, _asked(steps, tables))
    return steps


def _steps(connection: Connection, found: Found, load: Load, present: Sequence[str]) -> Steps:
    survey, recorded = found.survey, found.survey.recorded(load)
    tables = {table.name: table for item in load.items for table in item.content().tables}
    there = [tables[name] for name in present if name in tables]
    others = referenced(survey, load, tables)
    if load.replace and not fits(lambda: columns_to_fill(connection, found, there)):
        refuse_referenced(others)
        return Steps(found, present, kept=False, columns={})
    kept = bool(others) or not all(survey.is_own(TABLE + name, recorded) for name in present)
    return Steps(found, present, kept, columns_to_fill(connection, found, there) if kept else {})


def _asked(steps: Steps, tables: Iterable[str]) -> Iterator[str]:
    """Statements that need the rights of the load."""
    made = [name for name in tables if name not in steps.columns]
    if made:
        yield f"CREATE TABLE {quote(NEW + '0')} (a INT)"
    yield f"CREATE OR REPLACE VIEW {quote(STATE_TABLE)} AS SELECT 1 AS a"
    for name in steps.present if steps.kept else ():
        place = steps.found.qualified(name)
        yield f"DELETE FROM {place}"
        yield f"INSERT INTO {place} SELECT * FROM {place}"


class Loading:
    """The load; `run` does it, under the lock of the target."""

    def __init__(
        self, connection: Connection, given: Given, load: Load, also_empty: Sequence[str], scratch: Path
    ) -> None:
        self._connection = connection
        self._given = given
        self._load = load
        self._also_empty = also_empty
        self._scratch = scratch
        self._contents = contents_of(load)
        self._tables = [table for _, content in self._contents for table in content.tables]
        self._as_file = takes_files(connection)
        self._collation = collation_of(connection)

    def run(self) -> tuple[Held, ...]:
        """Does all of it; after an error the database is as it was."""
        sweep(self._connection)
        steps = decided(self._connection, self._load, self._also_empty)
        self._found = steps.found
        marked = self._stayed(steps) if steps.kept else self._swapped(steps.present)
        return tuple(held for held in marked if held.dataset in self._load.datasets)

    def _swapped(self, present: Sequence[str]) -> Sequence[Held]:
        """Makes and fills all tables under other names, then gives them theirs."""
        names = {table.name: f"{NEW}{index}" for index, table in enumerate(self._tables)}
        making = Making(names, self._collation, large(self._tables))
        try:
            build(self._connection, self._given, Beside(self._tables, making, self._as_file, self._scratch))
            final = {quote(names[table.name]): self._found.name_of(table.name) for table in self._tables}
            made = {name: self._named(names, name) for name in names}
            held = self._marks(made)
            gone = [self._found.name_of(name) for name in present]
            swap(self._connection, Swap(final, gone, held, bool(self._found.survey.held)))
        except BaseException:
            with suppress(err.MySQLError):
                sweep(self._connection)
            raise
        return held

    def _stayed(self, steps: Steps) -> Sequence[Held]:
        """Replaces the rows of tables that stay, in one transaction."""
        survey, present = self._found.survey, steps.present
        emptied = [*foreign_references(survey, self._load, [table.name for table in self._tables]), *present]
        tables = {item.dataset: [table.name for table in content.tables] for item, content in self._contents}
        staying = Staying(
            tables=self._tables,
            columns=steps.columns,
            emptied=emptied,
            unmarked=unmarked(survey.held, self._load, tables),
            marks=lambda: self._marks(self._made(present)),
            collation=self._collation,
            as_file=self._as_file,
            scratch=self._scratch,
        )
        return replace_rows(self._connection, self._found, staying)

    def _made(self, present: Iterable[str]) -> dict[str, str]:
        """The digests of tables that tdv made, now or before, and that are still so."""
        now = catalogue.survey(self._connection, [table.name for table in self._tables]).survey
        recorded = self._found.survey.recorded(self._load)
        known = set(present)
        return {
            table.name: definition(now.objects.get(TABLE + table.name))
            for table in self._tables
            if table.name not in known or now.is_own(TABLE + table.name, recorded)
        }

    def _named(self, names: Mapping[str, str], table: str) -> str:
        """The digest of a table's definition as it will be when all have their own names."""
        text = catalogue.statement(self._connection, names[table])
        for name, beside in names.items():
            own = quote(self._found.name_of(name))
            text = text.replace(quote(beside), own).replace(f'"{beside}_ibfk_', f"{own[:-1]}_ibfk_")
        return definition(text)

    def _marks(self, made: Mapping[str, str]) -> list[Held]:
        """What the database holds from now on; what tdv made is recorded, tables that others made are not."""
        survey = self._found.survey
        whole = is_whole(survey, self._load) if survey.held else not survey.objects
        others = [held for held in survey.held if held.dataset not in self._load.datasets]
        return others + [
            replace(
                self._load.mark(item, content.tables),
                objects={TABLE + table.name: made[table.name] for table in content.tables if table.name in made},
                whole=whole,
            )
            for item, content in self._contents
        ]
