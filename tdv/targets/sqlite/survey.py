"""What is in a SQLite database, as far as a load must know.

In: an open connection. Out: a `Survey`. Always holds: only the standard library is used and no row is changed.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tdv.errors import Refused, TargetError
from tdv.targets.protocol import STATE_TABLE, Held, Load
from tdv.targets.sql import quote


@dataclass(frozen=True, slots=True)
class Survey:
    """`objects` maps "table users" to the statement that made it, without SQLite's own and tdv's state."""

    objects: Mapping[str, str]
    held: tuple[Held, ...]

    def has_table(self, name: str) -> bool:
        """True if there is such a table."""
        return f"table {name}" in self.objects

    @property
    def tables(self) -> list[str]:
        """All tables that are not tdv's state."""
        return [name.partition(" ")[2] for name in self.objects if name.startswith("table ")]


def survey(connection: sqlite3.Connection) -> Survey:
    """Looks at the catalogue and `_tdv_state`."""
    found = connection.execute("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    objects = {f"{kind} {name}": sql for kind, name, sql in found}
    has_state = objects.pop(f"table {STATE_TABLE}", None) is not None
    objects = {name: sql for name, sql in objects.items() if not name.startswith("table sqlite_")}
    return Survey(objects, held_in(connection) if has_state else ())


def held_in(connection: sqlite3.Connection) -> tuple[Held, ...]:
    """The rows of `_tdv_state`; raises `TargetError` when they are not tdv's."""
    try:
        rows = connection.execute(
            "SELECT dataset, version, digest, loaded_at, execution_id, tables, scenarios, objects, whole "
            f"FROM {STATE_TABLE} ORDER BY dataset"
        ).fetchall()
        return tuple(_held(row) for row in rows)
    except (sqlite3.OperationalError, ValueError, TypeError) as exc:
        raise TargetError(
            f"the table {STATE_TABLE} cannot be read: {exc}",
            hint=f"Drop {STATE_TABLE} and run the checkout with --replace.",
        ) from exc


def _held(row: Sequence[Any]) -> Held:
    return Held(
        dataset=row[0],
        version=row[1],
        digest=row[2],
        loaded_at=row[3],
        execution_id=row[4],
        tables=json.loads(row[5]),
        scenarios=tuple(json.loads(row[6])),
        objects=json.loads(row[7]),
        whole=bool(row[8]),
    )


def refuse_strangers(connection: sqlite3.Connection, found: Survey, load: Load, tables: Mapping[str, str]) -> None:
    """First touch: raises `Refused` for what the load would take from somebody else.

    `tables` maps each table to load to its dataset.
    """
    owners = {table: held.dataset for held in found.held for table in held.tables}
    for table, dataset in tables.items():
        owner = owners.get(table, dataset)
        if owner != dataset and owner not in load.datasets:
            raise Refused(
                f"table {table!r} of {dataset} belongs to {owner} in this target",
                hint=f"Use another target for {dataset}, or rename the table in one of the two.",
                table=table,
            )
    strange = [table for table in tables if table not in owners and _has_rows(connection, found, table)]
    if strange and not load.replace:
        raise Refused(
            f"rows that tdv did not load are in {', '.join(map(repr, sorted(strange)))}",
            hint="Add --replace to delete them, or name another --target.",
            tables=sorted(strange),
        )


def foreign_references(connection: sqlite3.Connection, found: Survey, tables: Iterable[str]) -> dict[str, str]:
    """Tables with rows that are not in `tables` and reference one that is: its name → the referenced table."""
    own = {table.lower(): table for table in tables}
    references = {}
    for table in found.tables:
        if table.lower() in own:
            continue
        for row in connection.execute(f"PRAGMA foreign_key_list({quote(table)})"):
            if str(row[2]).lower() in own and _has_rows(connection, found, table):
                references[table] = own[str(row[2]).lower()]
    return references


def refuse_references(references: Mapping[str, str], also_empty: Iterable[str]) -> None:
    """Raises `Refused` for referencing tables that the settings do not allow to empty."""
    allowed = set(also_empty)
    for table, referenced in sorted(references.items()):
        if table not in allowed:
            raise Refused(
                f"table {table!r}, which is not the dataset's, references {referenced!r}, whose rows would go",
                hint=f"Add {table} to `also_empty:` of the target in tdv.yaml to have it emptied.",
                table=table,
                references=referenced,
            )


def _has_rows(connection: sqlite3.Connection, found: Survey, table: str) -> bool:
    match = next((name for name in found.tables if name.lower() == table.lower()), None)
    if match is None:
        return False
    return connection.execute(f"SELECT 1 FROM {quote(match)} LIMIT 1").fetchone() is not None
