"""What becomes of each table of a SQLite database that holds other things too, looked at before anything is written.

In: a connection, the load. Out: the columns to fill of each table that stays, or one error that says why the rows
cannot come. Always holds: nothing is changed here, so that a plan and a load refuse alike.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

from tdv.errors import TargetError
from tdv.model.schema import TableSchema
from tdv.targets.fitting import all_fitting, differences, other_schema
from tdv.targets.losses import refuse_types
from tdv.targets.protocol import Load
from tdv.targets.sql import quote
from tdv.targets.sqlite import ddl, state
from tdv.targets.sqlite.theirs import OF_SQLALCHEMY, value
from tdv.targets.survey import Survey, refuse_missing, refuse_taken

GENERATED: Final = (2, 3)
_HIDDEN: Final = 1
_TABLE: Final = "table "
_SAME_NAMES: Final = ("view", "index")
Values = Mapping[str, str]
"""The columns of a table to fill, and the value of each in SQL."""


@dataclass(frozen=True, slots=True)
class Steps:
    """`statements` make the tables of the load. Those of `same` are made so already; those of `values` are somebody
    else's and stay; all others are made."""

    found: Survey
    statements: Mapping[str, str]
    same: frozenset[str]
    values: Mapping[str, Values]


def refuse_tables(tables: Sequence[TableSchema]) -> None:
    """Raises `DataError` for tables that SQLite cannot hold: for their types, names or number of columns."""
    refuse_types(tables, ddl.LOSSES, "SQLite")
    ddl.refuse_names(tables)
    ddl.refuse_columns(tables)


def refuse_encoding(connection: sqlite3.Connection) -> None:
    """Raises `TargetError` for a database to which no image can be attached."""
    ((encoding,),) = connection.execute("PRAGMA main.encoding")
    if encoding != "UTF-8":
        path = next(row[2] for row in connection.execute("PRAGMA database_list") if row[1] == "main")
        raise TargetError(
            f"{path} keeps its text in UTF-16, and only a database in UTF-8 can be filled",
            hint="Make it anew in UTF-8: sqlite3 old.db .dump | sqlite3 new.db",
        )


def decided(connection: sqlite3.Connection, load: Load) -> Steps:
    """What the load would do; raises `Refused` as it does."""
    schemas = [table.schema for item in load.items for table in item.content().tables]
    found = state.survey(connection)
    names = {schema.name for schema in schemas}
    refuse_missing(found, load, [schema.name for schema in schemas])
    refuse_taken(found, names, _SAME_NAMES, folded=True)
    statements = {schema.name: ddl.create_table(schema, names) for schema in schemas}
    same = frozenset(name for name in names if found.objects.get(_TABLE + name) == statements[name])
    own = {name for name in names if found.is_own(_TABLE + name, found.recorded(load))}
    stay = [schema for schema in schemas if found.has_table(schema.name) and schema.name not in same | own]
    values = all_fitting({schema.name: partial(_values, connection, schema, found, load) for schema in stay})
    return Steps(found, statements, same, {name: fitting for name, fitting in values.items() if fitting is not None})


def _values(connection: sqlite3.Connection, table: TableSchema, found: Survey, load: Load) -> Values | None:
    """The columns to fill of somebody else's table, which keeps all that it has besides, and the value of each.

    Where these rows do not fit into it: None to make it anew under ``--replace``, else raises `Refused`.
    """
    theirs = connection.execute(f"PRAGMA main.table_xinfo({quote(table.name)})").fetchall()
    ours = ddl.declarations(table)
    known = {row[1].lower(): row for row in theirs}
    missing = [name for name in ours if name.lower() not in known]
    lowered = {name.lower() for name in ours}
    needed = [row[1] for row in theirs if row[1].lower() not in lowered and _needs_value(row)]
    if (missing or needed) and load.replace:
        return None
    if missing or needed:
        raise other_schema(table.name, differences(missing, needed), [*missing, *needed])
    by_sqlalchemy = OF_SQLALCHEMY in found.objects
    return {
        name: value(quote(name), declared, known[name.lower()][2], by_sqlalchemy=by_sqlalchemy)
        for name, declared in ours.items()
        if known[name.lower()][6] not in GENERATED
    }


def _needs_value(row: Sequence[object]) -> bool:
    """A row of ``table_xinfo`` whose column must be given a value."""
    _, _, _, not_null, default, key, hidden = row
    return bool(not_null) and default is None and hidden not in (*GENERATED, _HIDDEN) and not key
