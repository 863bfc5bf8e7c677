"""Whether a database holds the rows of a load already, by reading them.

In: a connection, a load. Out: the answer. Always holds: it is yes only for tables as tdv or the migrations made them,
whose rows have the digest of the release and whose counters stand where the rows end; only few rows are read.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from tdv.errors import IntegrityError, TargetError
from tdv.model.schema import TableSchema
from tdv.targets.mysql.session import execute
from tdv.targets.mysql.state import held_in
from tdv.targets.mysql.wire import Connection
from tdv.targets.protocol import Held, Item, Load, TableContent
from tdv.targets.sql import quote
from tdv.targets.survey import APPLICATION, all_objects

_FEW: Final = 20_000
"""Rows that are read faster than they are written."""
_COUNTER: Final = (
    "SELECT AUTO_INCREMENT FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s"
)


def is_same(connection: Connection, load: Load, scratch: Path) -> bool:
    """True where nothing needs to be loaded."""
    held = {item.dataset: item for item in held_in(connection)}
    if not all(item.dataset in held and _is_marked(held[item.dataset], item) for item in load.items):
        return False
    if sum(sum(held[item.dataset].tables.values()) for item in load.items) > _FEW:
        return False
    # Only now anything of the release is opened.
    tables = [table for item in load.items for table in item.content().tables]
    return _are_ours(connection, load, tables) and _are_equal(connection, tables, scratch)


def _is_marked(held: Held, item: Item) -> bool:
    return (held.version, held.digest, held.scenarios) == (item.version, item.digest, item.scenarios)


def _are_ours(connection: Connection, load: Load, tables: list[TableContent]) -> bool:
    from tdv.targets.mysql.catalogue import TABLE, survey

    found = survey(connection, [table.name for table in tables])
    recorded = found.survey.recorded(load)
    in_application = recorded.get(APPLICATION) == all_objects(found.survey)
    return all(
        (in_application or found.survey.is_own(TABLE + table.name, recorded))
        and _counts_on_rightly(connection, found.name_of(table.name), table.schema)
        for table in tables
    )


def _counts_on_rightly(connection: Connection, name: str, table: TableSchema) -> bool:
    """The next key of an application is the same as after a load."""
    from tdv.targets.mysql.ddl import counts_on

    if not (table.key and counts_on(table, table.key[0])):
        return True
    ((counter,),) = execute(connection, _COUNTER, name)
    ((last,),) = execute(connection, f"SELECT MAX({quote(table.key[0])}) FROM {quote(name)}")
    return counter is None or int(counter) == max(0, int(last or 0)) + 1


def _are_equal(connection: Connection, tables: list[TableContent], scratch: Path) -> bool:
    from tdv.targets.mysql.checking import check_rows

    try:
        check_rows(connection, tables, quote, scratch)
    except (IntegrityError, TargetError):
        return False
    return True
