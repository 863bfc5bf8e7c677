"""The table `_tdv_state` in a SQLite database.

In: connections, and what a database holds. Out: its rows. Always holds: it is written last, in the transaction or
the file that brings the rows; only the standard library is used.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from tdv.targets.protocol import STATE_TABLE, Held, Load

COLUMNS: Final = (
    "dataset", "version", "digest", "loaded_at", "execution_id", "tables", "scenarios", "objects", "whole",
)  # fmt: skip


def definition(sql: str | None) -> str:
    """The digest of the statement that made an object, to tell tdv's own from an altered one."""
    return hashlib.sha256((sql or "").encode("utf-8", "surrogatepass")).hexdigest()[:32]


def private(path: Path) -> sqlite3.Connection:
    """A connection to a file that is nobody else's: without journal, locks and flushes."""
    connection = sqlite3.connect(path, isolation_level=None)
    for pragma in ("journal_mode=OFF", "synchronous=OFF", "locking_mode=EXCLUSIVE", "cache_size=-131072"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def write(connection: sqlite3.Connection, held: Iterable[Held]) -> None:
    """Puts or replaces the rows of `held`."""
    marks = ", ".join("?" * len(COLUMNS))
    connection.executemany(
        f"INSERT OR REPLACE INTO {STATE_TABLE} ({', '.join(COLUMNS)}) VALUES ({marks})",
        [[_stored(item.to_plain()[name]) for name in COLUMNS] for item in held],
    )


def stamp(path: Path, held: Iterable[Held], load: Load) -> None:
    """Writes when and by whom a copy of an image was made, and that it is this load's versions."""
    with closing(private(path)) as connection:
        write(connection, stamped(held, load))


def stamped(held: Iterable[Held], load: Load) -> tuple[Held, ...]:
    """What an image holds, as this load brings it: another version may have had the same content."""
    versions = {item.dataset: item.version for item in load.items}
    return tuple(
        replace(item, version=versions[item.dataset], loaded_at=load.loaded_at, execution_id=load.execution_id)
        for item in held
    )


def _stored(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
