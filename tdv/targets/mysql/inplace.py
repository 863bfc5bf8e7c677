"""The rows of tables that stay are replaced in one transaction.

In: a connection, contents, what is there. Out: a committed transaction, or nothing changed, but that tables of an
engine without transactions are empty. Always holds: since a view cannot be written in a transaction, the state says
before it that the datasets are of no version, and what they are only after it; a run that is killed in between leaves
the old rows or the new ones, which the next one replaces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from pymysql import err

from tdv.model.schema import Column
from tdv.targets.mysql import sequences
from tdv.targets.mysql.catalogue import Found
from tdv.targets.mysql.checking import check_rows
from tdv.targets.mysql.ddl import Making, counts_on, create_table
from tdv.targets.mysql.rows import fill
from tdv.targets.mysql.session import execute
from tdv.targets.mysql.state import write_state
from tdv.targets.mysql.swap import drop
from tdv.targets.mysql.tables import as_held, needs_numbers, refuse_dangling, types_of_parents
from tdv.targets.mysql.wire import Connection
from tdv.targets.protocol import Held, Load, TableContent
from tdv.targets.sql import quote

_COUNTS: Final = (
    "SELECT 1 FROM information_schema.TABLES "
    "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND AUTO_INCREMENT IS NOT NULL"
)
_WITHOUT_TRANSACTIONS: Final = (
    "SELECT t.TABLE_NAME FROM information_schema.TABLES t JOIN information_schema.ENGINES e ON e.ENGINE = t.ENGINE "
    "WHERE t.TABLE_SCHEMA = DATABASE() AND e.TRANSACTIONS <> 'YES'"
)
"""MyISAM and Aria, among others."""


@dataclass(frozen=True, slots=True)
class Staying:
    """`tables` are to be filled, those that are there in the `columns` of each, the others are made; `emptied` lose
    their rows. `unmarked` is what the state says meanwhile, `marks` makes what it says at last; `as_file` and `scratch`
    are for the rows."""

    tables: Sequence[TableContent]
    columns: Mapping[str, tuple[Column, ...]]
    emptied: Sequence[str]
    unmarked: Sequence[Held]
    marks: Callable[[], Sequence[Held]]
    collation: str
    as_file: bool
    scratch: Path


def unmarked(held: Iterable[Held], load: Load, tables: dict[str, list[str]]) -> list[Held]:
    """What the state says while rows are replaced: which tables are tdv's, and no version of the load's datasets."""
    old = {item.dataset: item for item in held}
    for dataset, names in tables.items():
        known = old.get(dataset) or Held(dataset, "", "", load.loaded_at, load.execution_id, {})
        old[dataset] = replace(known, version="", digest="", tables={**dict.fromkeys(names, 0), **known.tables})
    return list(old.values())


@dataclass(frozen=True, slots=True)
class _Undoing:
    """What an error takes back besides the transaction: tables that were `made`, and all rows of those to be `cleared`;
    `marks` is what the state says then."""

    made: Sequence[str]
    cleared: Sequence[str]
    marks: Sequence[Held]


def replace_rows(connection: Connection, found: Found, staying: Staying) -> Sequence[Held]:
    """Does all of it and returns what was marked; after an error the database is as it was, without the rows of tables
    whose engine has no transactions."""
    names = {table.name: found.name_of(table.name) for table in staying.tables}
    columns = staying.columns
    missing = [table for table in staying.tables if table.name not in columns]
    cleared = _without_transactions(connection, found, staying.emptied)
    marks = staying.unmarked if cleared and found.survey.held else found.survey.held
    with _undone_on_error(connection, _Undoing([names[table.name] for table in missing], cleared, marks)):
        types = types_of_parents(connection, names, [table.schema for table in missing])
        making = Making(names, staying.collation, types=types)
        for table in missing:
            execute(connection, create_table(table.schema, making))
        write_state(connection, staying.unmarked)
        execute(connection, "START TRANSACTION")
        for name in staying.emptied:
            execute(connection, f"DELETE FROM {found.qualified(name)}")
        for table in staying.tables:
            schema = replace(table.schema, columns=columns.get(table.name, table.schema.columns))
            content = as_held(connection, names[table.name], replace(table, schema=schema))
            as_file = staying.as_file and not needs_numbers(connection, names[table.name])
            fill(connection, quote(names[table.name]), content, as_file=as_file)
        refuse_dangling(connection, [names[name] for name in columns])
        check_rows(connection, staying.tables, lambda name: quote(names[name]), staying.scratch)
        execute(connection, "COMMIT")
    for table in staying.tables:
        if any(counts_on(table.schema, name) for name in table.schema.key):
            _count_on(connection, names[table.name])
    sequences.go_on(connection, names.values())
    marked = staying.marks()
    write_state(connection, marked)
    return marked


def _count_on(connection: Connection, name: str) -> None:
    """Lets the table's counter, if it has one, go on after its greatest value.

    Not everybody may, and whoever reads the table in a transaction is not waited for: it only ever is too high.
    """
    if not execute(connection, _COUNTS, name):
        return
    ((patience,),) = execute(connection, "SELECT @@lock_wait_timeout")
    execute(connection, "SET lock_wait_timeout = 1")
    with suppress(err.OperationalError):
        execute(connection, f"ALTER TABLE {quote(name)} AUTO_INCREMENT = 1")
    execute(connection, f"SET lock_wait_timeout = {int(patience)}")


def _without_transactions(connection: Connection, found: Found, tables: Iterable[str]) -> list[str]:
    """Those of these tables whose rows no rollback brings back, as they are called in SQL."""
    places = {found.qualified(table) for table in tables}
    return sorted(places.intersection(quote(name) for (name,) in execute(connection, _WITHOUT_TRANSACTIONS)))


@contextmanager
def _undone_on_error(connection: Connection, undoing: _Undoing) -> Iterator[None]:
    try:
        yield
    except BaseException:
        # Where the server has gone, the state goes on to say that there is no version.
        with suppress(err.MySQLError):
            execute(connection, "ROLLBACK")
            for place in undoing.cleared:
                execute(connection, f"DELETE FROM {place}")
            drop(connection, [("TABLE", name) for name in undoing.made])
            write_state(connection, undoing.marks)
        raise
