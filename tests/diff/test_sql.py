import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from tdv.content.snapshot import Snapshot
from tdv.diff.sql import statements
from tdv.model.schema import Reference, TableSchema
from tests.snapshots import column, snapshot

CITIES = TableSchema("cities", (column("code", "string"), column("size", "int32", nullable=True)), key=("code",))
PEOPLE = TableSchema(
    "people",
    (column("id", "int64"), column("name", "string", nullable=True), column("city", "string", nullable=True)),
    key=("id",),
    references=(Reference(("city",), "cities", ("code",)),),
)
WIDER = replace(PEOPLE, columns=(*PEOPLE.columns[:2], PEOPLE.columns[2], column("paid", "decimal(9,2)")))
NOTES = TableSchema("notes", (column("text", "string"),))
OTHER = TableSchema('o"dd', (column("i d", "int64"), column("a'b", "binary"), column("ok", "bool")), key=("i d",))

OLD: Mapping[TableSchema, Mapping[str, Sequence[Any]]] = {
    PEOPLE: {"id": [1, 2, 3], "name": ["it's", None, "c"], "city": ["w", None, "g"]},
    CITIES: {"code": ["g", "w"], "size": [1, None]},
    NOTES: {"text": ["a", "a", "a", "b"]},
}
NEW: Mapping[TableSchema, Mapping[str, Sequence[Any]]] = {
    WIDER: {
        "id": [1, 3, 4],
        "name": [None, "c;--", "d"],
        "city": ["v", None, "v"],
        "paid": [Decimal("1.50"), Decimal("0.00"), Decimal("-2.25")],
    },
    CITIES: {"code": ["v", "w"], "size": [9, 5]},
    NOTES: {"text": ["a", "c"]},
    OTHER: {"i d": [7], "a'b": [b"\x00\xff"], "ok": [True]},
}


def script(old: Snapshot, new: Snapshot) -> str:
    return "\n".join(statements(old, new, ("a", "b"), reveal=True))


def rows(execute: Any, table: str, columns: Sequence[str]) -> list[tuple[Any, ...]]:
    names = ", ".join('"' + name.replace('"', '""') + '"' for name in columns)
    quoted = table.replace('"', '""')
    found = execute(f'SELECT {names} FROM "{quoted}"').fetchall()
    return sorted((tuple(row) for row in found), key=repr)


def test_statements_turn_one_duckdb_into_the_other(tmp_path: Path) -> None:
    old, new = snapshot(tmp_path / "old", OLD), snapshot(tmp_path / "new", NEW)
    empty = snapshot(tmp_path / "none", {})
    here, there = duckdb.connect(), duckdb.connect()
    here.execute(script(empty, old))
    here.execute(script(old, new))
    there.execute(script(empty, new))
    for schema in NEW:
        names = schema.column_names
        assert rows(here.execute, schema.name, names) == rows(there.execute, schema.name, names)
    assert len(rows(here.execute, "people", ["id"])) == 3


def test_statements_turn_one_sqlite_into_the_other(tmp_path: Path) -> None:
    old, new = snapshot(tmp_path / "old", OLD), snapshot(tmp_path / "new", NEW)
    empty = snapshot(tmp_path / "none", {})
    here, there = sqlite3.connect(":memory:"), sqlite3.connect(":memory:")
    here.executescript(script(empty, old))
    here.executescript(script(old, new))
    there.executescript(script(empty, new))
    for schema in NEW:
        names = schema.column_names
        assert rows(here.execute, schema.name, names) == rows(there.execute, schema.name, names)


def test_hidden_values_cannot_be_run_by_mistake(tmp_path: Path) -> None:
    private = replace(NOTES, columns=(column("text", "string", privacy="name"),))
    empty, full = snapshot(tmp_path / "none", {}), snapshot(tmp_path / "full", {private: {"text": ["Ada"]}})
    text = "\n".join(statements(empty, full, ("a", "b"), reveal=False))
    assert "Ada" not in text
    assert "--show-private" in text
    refused = False
    try:
        sqlite3.connect(":memory:").executescript(text)
    except sqlite3.OperationalError:
        refused = True
    assert refused
