"""What a MySQL database holds: its objects as text, who references whom, and tdv's state.

In: connections. Out: a `Found`. Always holds: the text of a table says all that is declared on it, triggers included,
and nothing that changes with its rows; names are as the load writes them where the server does not tell case apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tdv.targets.mysql.ddl import STATE_PREFIX
from tdv.targets.mysql.sequences import SEQUENCE
from tdv.targets.mysql.session import execute, is_mariadb
from tdv.targets.mysql.state import held_in
from tdv.targets.mysql.wire import Connection
from tdv.targets.sql import quote
from tdv.targets.survey import Survey

TABLE: Final = "table "
_TABLES: Final = (
    "SELECT TABLE_NAME, TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1"
)
_ROUTINES: Final = (
    "SELECT LOWER(ROUTINE_TYPE), ROUTINE_NAME, MD5(ROUTINE_DEFINITION) FROM information_schema.ROUTINES "
    "WHERE ROUTINE_SCHEMA = DATABASE()"
)
_TRIGGERS: Final = (
    "SELECT EVENT_OBJECT_TABLE, CONCAT_WS(' ', TRIGGER_NAME, ACTION_TIMING, EVENT_MANIPULATION, MD5(ACTION_STATEMENT)) "
    "FROM information_schema.TRIGGERS WHERE TRIGGER_SCHEMA = DATABASE() ORDER BY TRIGGER_NAME"
)
_REFERENCES: Final = (
    "SELECT DISTINCT IF(TABLE_SCHEMA = DATABASE(), TABLE_NAME, CONCAT(TABLE_SCHEMA, '.', TABLE_NAME)), "
    "REFERENCED_TABLE_NAME, TABLE_SCHEMA, TABLE_NAME "
    "FROM information_schema.KEY_COLUMN_USAGE WHERE REFERENCED_TABLE_SCHEMA = DATABASE()"
)
_COUNTER: Final = re.compile(r" AUTO_INCREMENT=\d+")
_NOPAD_MARIADB: Final = "utf8mb4_nopad_bin"
_NOPAD_MYSQL: Final = "utf8mb4_0900_bin"
_VIEW: Final = "VIEW"


@dataclass(frozen=True, slots=True)
class Found:
    """A survey of a database; `places` maps the tables of the survey to what they are called in SQL; `lower` says
    that the server keeps names in lower case."""

    survey: Survey
    places: Mapping[str, str]
    lower: bool = False

    def name_of(self, table: str) -> str:
        """What the server calls a table of the dataset."""
        return table.lower() if self.lower else table

    def qualified(self, table: str) -> str:
        """The identifier of a table of the survey, or of one that is to be made."""
        return self.places.get(table, quote(self.name_of(table)))


def survey(connection: Connection, tables: Iterable[str]) -> Found:
    """Looks at the catalogue, `_tdv_state`, and which of `tables`, and of those that reference them, have rows."""
    held = held_in(connection)
    names = {*tables, *(table for item in held for table in item.tables)}
    known = _spelling(connection, names)
    objects, places = {}, {}
    triggers = _triggers(connection)
    for name, kind in execute(connection, _TABLES):
        if name.startswith(STATE_PREFIX):
            continue
        label = known.get(name, name)
        if kind == _VIEW:
            objects[f"view {label}"] = ""
        elif kind == SEQUENCE:
            objects[f"sequence {label}"] = statement(connection, name)
        else:
            objects[TABLE + label] = statement(connection, name) + triggers.get(name, "")
            places[label] = quote(name)
    objects.update({f"{kind} {name}": digest or "" for kind, name, digest in execute(connection, _ROUTINES)})
    references = []
    for table, referenced, schema, name in execute(connection, _REFERENCES):
        if not name.startswith(STATE_PREFIX):
            references.append((known.get(table, table), known.get(referenced, referenced)))
            places.setdefault(references[-1][0], f"{quote(schema)}.{quote(name)}")
    looked = {*names, *(table for table, referenced in references if referenced in names)}
    filled = frozenset(name for name in looked if name in places and _has_rows(connection, places[name]))
    return Found(Survey(objects, held, filled, tuple(references)), places, bool(known))


def select(connection: Connection, table: str) -> list[dict[str, Any]] | None:
    """All rows of a table, which may be called ``database.table``; None where there is none."""
    database, _, name = table.rpartition(".")
    rows = execute(
        connection,
        "SELECT COLUMN_NAME FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = COALESCE(%s, DATABASE()) "
        "AND TABLE_NAME = %s ORDER BY ORDINAL_POSITION",
        database or None,
        name,
    )
    if not rows:
        return None
    place = f"{quote(database)}.{quote(name)}" if database else quote(name)
    names = [column.lower() for (column,) in rows]
    return [dict(zip(names, row, strict=True)) for row in execute(connection, f"SELECT * FROM {place}")]


def is_empty(connection: Connection) -> bool:
    """True for a database without any table but tdv's own."""
    return all(kind == _VIEW or name.startswith(STATE_PREFIX) for name, kind in execute(connection, _TABLES))


def leftovers(connection: Connection) -> list[tuple[str, str]]:
    """What killed loads left: pairs of a kind and a name."""
    found = execute(connection, _TABLES)
    return [
        ("VIEW" if kind == _VIEW else "TABLE", name)
        for name, kind in found
        if name.startswith((f"{STATE_PREFIX}new_", f"{STATE_PREFIX}old_"))
    ]


def collation_of(connection: Connection) -> str:
    """The collation that compares text by its bytes, trailing spaces included where the server can."""
    wanted = _NOPAD_MARIADB if is_mariadb(connection) else _NOPAD_MYSQL
    known = execute(connection, "SELECT 1 FROM information_schema.COLLATIONS WHERE COLLATION_NAME = %s", wanted)
    return wanted if known else "utf8mb4_bin"


def _spelling(connection: Connection, names: Iterable[str]) -> dict[str, str]:
    """The server's spelling of table names to the load's, where the server keeps them in lower case."""
    ((lower,),) = execute(connection, "SELECT @@lower_case_table_names")
    return {name.lower(): name for name in names} if int(lower) == 1 else {}


def _triggers(connection: Connection) -> dict[str, str]:
    found: dict[str, str] = {}
    for table, statement in execute(connection, _TRIGGERS):
        found[table] = f"{found.get(table, '')}\n{statement}"
    return found


def statement(connection: Connection, name: str) -> str:
    """What makes the table that the server calls `name`, without its counter."""
    ((_, statement, *_),) = execute(connection, f"SHOW CREATE TABLE {quote(name)}")
    return _COUNTER.sub("", statement)


def _has_rows(connection: Connection, place: str) -> bool:
    return bool(execute(connection, f"SELECT 1 FROM {place} LIMIT 1"))
