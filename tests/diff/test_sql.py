import re
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from tdv.content.snapshot import Snapshot
from tdv.diff.sql import ScriptOptions, statements
from tdv.errors import DataError, IntegrityError
from tdv.model.schema import Reference, TableSchema
from tdv.targets.dialect import named_dialect
from tdv.targets.verification import target_digest
from tdv.testing import checkout, wanted
from tests.diff.engines import FIXTURES, Engine, client, engine_of, script, turn
from tests.diff.states import States, two_states
from tests.snapshots import column, snapshot
from tests.targets.servers import run_sql

Rows = Mapping[TableSchema, Mapping[str, Sequence[Any]]]


def made(name: str, columns: Mapping[str, str], key: tuple[str, ...] = ("id",), **more: Any) -> TableSchema:
    """A table from ``{"id": "int64", "age": "int16?"}``, where ``?`` means nullable."""
    described = [column(n, kind.removesuffix("?"), nullable=kind.endswith("?")) for n, kind in columns.items()]
    return TableSchema(name, tuple(described), key, **more)


def to(table: str, *columns: str, over: tuple[str, ...] = ("id",)) -> Reference:
    return Reference(columns, table, over)


CITIES = made("cities", {"code": "string", "size": "int32?"}, ("code",))
PEOPLE = made(
    "people",
    {"id": "int64", "name": "string?", "city": "string?"},
    references=(to("cities", "city", over=("code",)),),
)
WIDER = replace(PEOPLE, columns=(*PEOPLE.columns, column("paid", "decimal(9,2)")))
NOTES = made("notes", {"text": "string?"}, ())
OTHER = made('o"dd', {"i d": "int64", "a'b": "binary", "ok": "bool"}, ("i d",))
SHOP: Rows = {
    PEOPLE: {"id": [1, 2, 3], "name": ["it's", None, "c"], "city": ["w", None, "g"]},
    CITIES: {"code": ["g", "w"], "size": [1, None]},
    NOTES: {"text": ["a", "a", "a", "b", None, None]},
}
SHOP_LATER: Rows = {
    WIDER: {
        "id": [1, 3, 4],
        "name": [None, "c;--", "d"],
        "city": ["v", None, "v"],
        "paid": [Decimal("1.50"), Decimal("0.00"), Decimal("-2.25")],
    },
    CITIES: {"code": ["v", "w"], "size": [9, 5]},
    NOTES: {"text": ["a", "c", None]},
    OTHER: {"i d": [7], "a'b": [b"\x00\xff"], "ok": [True]},
}
REPOINTED: Rows = {
    PEOPLE: {"id": [1, 2, 3], "name": ["it's", None, "c"], "city": ["v", None, "v"]},
    CITIES: {"code": ["v"], "size": [1]},
    NOTES: {"text": []},
}

STAFF = made("staff", {"id": "int32", "boss": "int32?"}, references=(to("staff", "boss"),))
EGGS = made("eggs", {"id": "int32", "hen": "int32"}, references=(to("hens", "hen"),))
HENS = made("hens", {"id": "int32", "egg": "int32"}, references=(to("eggs", "egg"),))
CIRCLES: Rows = {
    STAFF: {"id": [1, 2, 3], "boss": [2, None, 1]},
    HENS: {"id": [1, 2], "egg": [2, 1]},
    EGGS: {"id": [1, 2], "hen": [1, 2]},
}
CIRCLES_LATER: Rows = {
    STAFF: {"id": [1, 4, 5], "boss": [5, 1, None]},
    HENS: {"id": [2, 3], "egg": [3, 3]},
    EGGS: {"id": [1, 3], "hen": [3, 2]},
}
STAFF_LATER = replace(STAFF, columns=tuple(column(c.name, "int64", nullable=c.nullable) for c in STAFF.columns))
CIRCLES_GONE: Rows = {STAFF_LATER: {"id": [1, 2, 3], "boss": [3, 3, None]}}

KINDS = made(
    "kinds",
    {
        "id": "int16",
        "number": "int16",
        "amount": "decimal(9,2)?",
        "long": "decimal(20,3)?",
        "day": "date?",
        "was": "string",
        "tags": "list<int32>?",
        "deep": "list<list<int32>>?",
        "fits": "int64",
        "empty": "int32",
    },
)
KINDS_LATER = made(
    "kinds",
    {
        "id": "int64",
        "number": "decimal(20,3)",
        "amount": "decimal(12,4)?",
        "long": "decimal(30,5)?",
        "day": "timestamp?",
        "was": "int32",
        "tags": "list<int64>?",
        "deep": "list<list<int64>>?",
        "fits": "int16",
        "empty": "int32?",
        "more": "uuid?",
        "must": "time",
    },
)
UUID = "123e4567-e89b-12d3-a456-426614174000"
KIND_ROWS: dict[str, Sequence[Any]] = {
    "id": [1, 2, 3],
    "number": [-5, 7, 8],
    "amount": [Decimal("1.25"), None, Decimal("9.99")],
    "long": [Decimal("12345678901234567.125"), None, Decimal("-0.500")],
    "day": [date(2026, 1, 31), None, date(1, 1, 1)],
    "was": ["x", "12", ""],
    "tags": [[1, None], None, []],
    "deep": [[[1], []], None, [None]],
    "fits": [2**40, 3, 4],
    "empty": [1, 2, 3],
}
KIND_ROWS_LATER: dict[str, Sequence[Any]] = {
    "id": [1, 2, 2**40],
    "number": [Decimal("-5.000"), Decimal("1.125"), Decimal("0.000")],
    "amount": [Decimal("1.2500"), None, Decimal("9.9999")],
    "long": [Decimal("12345678901234567.12500"), Decimal("1.00000"), None],
    "day": [datetime(2026, 1, 31), datetime(2026, 1, 1, 12, 30, 0, 5), None],
    "was": [1, 12, 3],
    "tags": [[1, None], [2**40], None],
    "deep": [[[1], []], [[2**40]], None],
    "fits": [1, 3, 4],
    "empty": [None, 2, None],
    "more": [UUID, None, UUID],
    "must": [time(1), time(2, 3, 4), time(23, 59, 59, 999999)],
}
SIMPLER = [name for name in KINDS.column_names if name in ("id", "number", "amount", "day", "fits", "empty")]


def narrowed(schema: TableSchema, rows: Mapping[str, Sequence[Any]], names: Sequence[str]) -> Rows:
    columns = tuple(c for c in schema.columns if c.name in names)
    return {replace(schema, columns=columns): {name: rows[name] for name in names}}


UNIQUE = made("spots", {"id": "int32", "place": "int32?", "x": "int16", "y": "int16"}, uniques=(("place",), ("x", "y")))
TAKEN: Rows = {UNIQUE: {"id": [1, 2, 3, 4], "place": [1, 2, 3, None], "x": [0, 0, 1, 1], "y": [0, 1, 0, 1]}}
SWAPPED: Rows = {UNIQUE: {"id": [1, 2, 4, 5], "place": [2, 1, None, 3], "x": [0, 0, 1, 1], "y": [1, 0, 1, 0]}}
FREED: Rows = {UNIQUE: {"id": [2, 4, 5], "place": [1, 2, 3], "x": [0, 1, 1], "y": [0, 1, 0]}}
LOOSER = replace(UNIQUE, uniques=(("x", "y"),), key=("id", "x"))
FREER: Rows = {LOOSER: {"id": [1, 1, 3], "place": [7, 7, 7], "x": [0, 1, 1], "y": [0, 1, 0]}}
KEYLESS: Rows = {replace(UNIQUE, key=()): {"id": [1, 1, 9], "place": [1, 2, 3], "x": [0, 0, 1], "y": [0, 1, 0]}}

HEAPS: Rows = {
    made("heap", {"a": "int32?", "b": "string?", "f": "float64?", "j": "json?", "l": "list<string>?"}, ()): {
        "a": [1, 1, None, 2],
        "b": ["x", "x", None, "\\'"],
        "f": [0.1, 0.1, None, 1e300],
        "j": ['{"a": [1, "\\\\"]}', '{"a": [1, "\\\\"]}', None, "3"],
        "l": [["p", None], ["p", None], None, []],
    },
    made("rows", {"rowid": "int32", "kept": "string"}, ()): {"rowid": [1, 1, 1], "kept": ["a", "a", "b"]},
}
HEAPS_LATER: Rows = {
    made("heap", {"a": "int32?", "b": "string?", "f": "float64?", "j": "json?", "l": "list<string>?"}, ()): {
        "a": [1, 5],
        "b": ["x", "y"],
        "f": [0.1, -2.5],
        "j": ['{"a": [1, "\\\\"]}', None],
        "l": [["p", None], ["q"]],
    },
    made("rows", {"rowid": "int32", "kept": "string"}, ()): {"rowid": [1], "kept": ["a"]},
}
HEAPS_WIDER: Rows = {
    made("heap", {"a": "int64?", "new": "string?"}, ()): {"a": [1, 1, 2**40], "new": ["n", None, "m"]},
    made("rows", {"rowid": "int32"}, ()): {"rowid": [1, 1]},
}

STRANGE = made(
    "str\"an'ge; --",
    {"i\\d": "string", "text": "string?", "bytes": "binary?", "json": "json?", "when": "timestamptz?", "o'k": "bool?"},
    ("i\\d",),
)
STEERING = "\x1b[31mred\x1b[0m\r\n\t'--;\x07\x9b1m\u202eabc\u2069\\x41\\"
STRANGE_ROWS: Rows = {
    STRANGE: {
        "i\\d": [STEERING, "\\", "'", "é😀", "gone\n"],
        "text": ["", "\\n\\'", "x\n" * 300, None, "a"],
        "bytes": [b"", b"\x00\x1b'\\", None, bytes(range(256)), b"a"],
        "json": ['{"a":"\\u001b\\n\\"\\\\","b":[1.5,null,true]}', "null", '"\x9b"', None, "1"],
        "when": [datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC), None, datetime(1, 1, 1, tzinfo=UTC), None, None],
        "o'k": [True, False, None, True, False],
    }
}
STRANGE_LATER: Rows = {
    STRANGE: {
        "i\\d": [STEERING, "\\", "'", "é😀", "\x7f"],
        "text": [None, STEERING, "y\n", "\x1b", STEERING],
        "bytes": [b"x", None, b"\\", b"", b"'"],
        "json": ['"\u202e\\u0007"', '{"b":2}', None, "[]", '"\'"'],
        "when": [None, datetime(2026, 6, 7, tzinfo=UTC), None, datetime(9999, 12, 31, tzinfo=UTC), None],
        "o'k": [None, True, False, None, True],
    }
}
EMPTY: Rows = {}


def labels(code: int | None, text: int | None, rows: Mapping[str, Sequence[Any]]) -> Rows:
    """Texts of a greatest length, one of them a key."""
    columns = column("code", "string", max_length=code), column("text", "string", max_length=text)
    return {TableSchema("labels", columns, ("code",)): rows}


SHORT = labels(3, 5, {"code": ["abc", "de"], "text": ["12345", "12"]})
LONG = labels(9, 20, {"code": ["abc", "de-fgh"], "text": ["1" * 20, "12"]})
ENDLESS = labels(None, None, {"code": ["abc", "x" * 300], "text": ["1" * 300, ""]})

PAIRS: Mapping[str, tuple[Rows, Rows]] = {
    "shop": (SHOP, SHOP_LATER),
    "re-pointed": (SHOP, REPOINTED),
    "everything": (EMPTY, SHOP_LATER),
    "circles": (CIRCLES, CIRCLES_LATER),
    "circles come and go": (CIRCLES, CIRCLES_GONE),
    "types": ({KINDS: KIND_ROWS}, {KINDS_LATER: KIND_ROWS_LATER}),
    "types in place": (narrowed(KINDS, KIND_ROWS, SIMPLER), narrowed(KINDS_LATER, KIND_ROWS_LATER, SIMPLER)),
    "swapped": (TAKEN, SWAPPED),
    "freed": (TAKEN, FREED),
    "key": (TAKEN, FREER),
    "no key": (TAKEN, KEYLESS),
    "heaps": (HEAPS, HEAPS_LATER),
    "heaps of other columns": (HEAPS, HEAPS_WIDER),
    "strange": (STRANGE_ROWS, STRANGE_LATER),
    "lengths": (SHORT, LONG),
    "no lengths": (SHORT, ENDLESS),
}


@pytest.fixture(params=FIXTURES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    yield from engine_of(request, request.param, tmp_path)


@pytest.mark.parametrize("pair", PAIRS)
def test_script_turns_one_state_into_the_other(engine: Engine, tmp_path: Path, pair: str) -> None:
    old, new = (snapshot(tmp_path / str(number), rows) for number, rows in enumerate(PAIRS[pair]))
    turn(engine, old, new)
    turn(engine, new, old)


def test_nothing_steers_a_terminal_and_each_statement_is_a_line(engine: Engine, tmp_path: Path) -> None:
    old, new = snapshot(tmp_path / "old", STRANGE_ROWS), snapshot(tmp_path / "new", STRANGE_LATER)
    names = ("evil\x1b[2J\nDROP TABLE x", "b")
    for line in statements(old, new, engine.dialect, ScriptOptions(names, reveal=True)):
        assert re.search(r"[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069]", line) is None
        assert line.startswith("--") or line.endswith(";")


def test_references_are_watched_where_the_order_allows_it(engine: Engine, tmp_path: Path) -> None:
    later = {**SHOP, PEOPLE: {"id": [1, 2, 4], "name": ["x", None, "d"], "city": ["w", None, "w"]}}
    later[CITIES] = {"code": ["w", "x"], "size": [5, 1]}
    text = turn(engine, snapshot(tmp_path / "old", SHOP), snapshot(tmp_path / "new", later))
    changes = [line for line in text.split("\n") if line.startswith(("DELETE", "UPDATE", "INSERT", "CREATE", "ALTER"))]
    assert [line.split('"')[:2] for line in changes] == [
        ["DELETE FROM ", "people"],
        ["DELETE FROM ", "cities"],
        ["UPDATE ", "cities"],
        ["INSERT INTO ", "cities"],
        ["UPDATE ", "people"],
        ["INSERT INTO ", "people"],
    ]
    assert "foreign_keys" not in text
    assert "foreign_key_checks = 0" not in text
    assert "_tdv_references" not in text


def test_hidden_values_cannot_be_run_by_mistake(engine: Engine, tmp_path: Path) -> None:
    private = replace(NOTES, columns=(column("text", "string", privacy="name"),))
    empty, full = snapshot(tmp_path / "none", {}), snapshot(tmp_path / "full", {private: {"text": ["Ada"]}})
    text = "\n".join(statements(empty, full, engine.dialect, ScriptOptions(("a", "b"))))
    assert "Ada" not in text
    assert "--show-private" in text
    url, _ = engine.holding(empty)
    refused = False
    try:
        engine.run(url, text)
    except Exception as exc:  # noqa: BLE001 - of any driver
        refused = "syntax" in str(exc).lower()
    assert refused


@pytest.mark.parametrize("pair", ["shop", "types", "strange"])
def test_checkout_marks_what_a_script_has_made(engine: Engine, tmp_path: Path, pair: str) -> None:
    old, new = (snapshot(tmp_path / str(number), rows) for number, rows in enumerate(PAIRS[pair]))
    url, place = engine.holding(old)
    engine.run(url, script(old, new, engine.dialect))
    checkout(tmp_path, place, wanted(new, "2.0.0"), replace=True)
    assert place.held()[0].version == "2.0.0"
    assert target_digest(place, new.manifest.schema) == new.manifest.content


def test_reference_of_another_table_that_would_dangle_stops_sqlite(tmp_path: Path) -> None:
    place = tmp_path / "app.db"
    old, new = snapshot(tmp_path / "old", SHOP), snapshot(tmp_path / "new", REPOINTED)
    with sqlite3.connect(place) as connection:
        connection.executescript(script(snapshot(tmp_path / "none", {}), old, named_dialect("sqlite")))
        connection.executescript("CREATE TABLE shops (city TEXT REFERENCES cities); INSERT INTO shops VALUES ('g')")
        with pytest.raises(sqlite3.IntegrityError, match="references_to_nothing"):
            connection.executescript(script(old, new, named_dialect("sqlite")))
        connection.rollback()
        assert connection.execute("SELECT count(*) FROM cities").fetchone() == (2,)
    connection.close()


def test_postgresql_keeps_what_others_declared(tmp_path: Path, empty_postgresql: str) -> None:
    run_sql(
        empty_postgresql,
        "CREATE TABLE cities (code text PRIMARY KEY, size integer)",
        "CREATE TABLE people (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name varchar(20), "
        "city text CONSTRAINT lives REFERENCES cities ON DELETE CASCADE)",
        "CREATE TABLE notes (text text)",
        "CREATE TABLE shops (city text CONSTRAINT sells REFERENCES cities ON DELETE SET NULL)",
        "CREATE VIEW named AS SELECT id, name FROM people",
        "INSERT INTO cities VALUES ('g', 1), ('w', NULL)",
        "INSERT INTO people OVERRIDING SYSTEM VALUE VALUES (1, 'it''s', 'w'), (2, NULL, NULL), (3, 'c', 'g')",
        "INSERT INTO notes VALUES ('a'), ('a'), ('a'), ('b'), (NULL), (NULL)",
        "INSERT INTO shops VALUES ('w')",
    )
    old, new = snapshot(tmp_path / "old", SHOP), snapshot(tmp_path / "new", SHOP_LATER)
    run_sql(empty_postgresql, script(old, new, named_dialect("postgresql")))
    rows = run_sql(empty_postgresql, "INSERT INTO people (name, paid) VALUES ('e', 1) RETURNING id")
    assert rows == [(5,)]
    assert run_sql(empty_postgresql, "SELECT id, name FROM named WHERE id < 5 ORDER BY 1") == [
        (1, None),
        (3, "c;--"),
        (4, "d"),
    ]
    found = run_sql(empty_postgresql, "SELECT conname::text, confdeltype::text FROM pg_constraint WHERE contype = 'f'")
    assert sorted(found) == [("lives", "c"), ("sells", "n")]


@pytest.mark.parametrize("pair", ["strange", "types", "circles"])
def test_clients_run_a_script_from_a_pipe(engine: Engine, tmp_path: Path, pair: str) -> None:
    old, new = (snapshot(tmp_path / str(number), rows) for number, rows in enumerate(PAIRS[pair]))
    url, place = engine.holding(old)
    text = script(old, new, engine.dialect)
    command = client(engine.name, url)
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no program {command[0]} on this machine")
    done = subprocess.run(command, input=text.encode(), capture_output=True, check=False, env={"LC_ALL": "C"})
    assert (done.returncode, done.stderr) == (0, b"")
    assert target_digest(place, new.manifest.schema) == new.manifest.content


def test_tables_as_wide_as_sqlite_takes_are_turned(tmp_path: Path) -> None:
    wide = made("wide", {f"c{number}": "int64" for number in range(2_000)}, ())
    old, new = (
        snapshot(tmp_path / str(first), {wide: {name: [first, 3] for name in wide.column_names}}) for first in (1, 2)
    )
    turn(Engine("sqlite", str(tmp_path), tmp_path), old, new)


def test_every_float_comes_to_sqlite_and_is_found_there(tmp_path: Path) -> None:
    measures = made("measures", {"value": "float64"}, ())
    numbers = [-6.477371051850982e-307, 5e-324, 5.053217186727318e-203, -6.342586897782076e-177, 9.12142085493945e223]
    old, new = (snapshot(tmp_path / name, {measures: {"value": rows}}) for name, rows in (("a", numbers), ("b", [0.1])))
    turn(Engine("sqlite", str(tmp_path / "there"), tmp_path), old, new)
    turn(Engine("sqlite", str(tmp_path / "back"), tmp_path), new, old)


def test_tables_that_are_too_wide_are_named(tmp_path: Path) -> None:
    few, many = (made("wide", {f"c{number}": "int64" for number in range(count)}, ("c0",)) for count in (1, 2_001))
    old, new = (
        snapshot(tmp_path / str(len(table.columns)), {table: {name: [] for name in table.column_names}})
        for table in (few, many)
    )
    with pytest.raises(DataError, match="'wide' has 2,001 columns, and SQLite takes 2,000") as caught:
        script(old, new, named_dialect("sqlite"))
    assert "--dialect" in str(caught.value.hint)
    with pytest.raises(DataError, match="'wide' has 2,001 columns, and PostgreSQL takes 1,600"):
        script(old, new, named_dialect("postgresql"))
    assert '"c2000"' in script(old, new, named_dialect("duckdb"))


@pytest.mark.slow
@settings(max_examples=30, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(pair=two_states())
def test_any_state_is_turned_into_any_other(tmp_path_factory: pytest.TempPathFactory, pair: tuple[States, ...]) -> None:
    directory = tmp_path_factory.mktemp("any")
    old, new = (snapshot(directory / str(number), rows_of(state)) for number, state in enumerate(pair))
    for name in ("sqlite", "duckdb"):
        engine = Engine(name, str(directory), directory)
        # Not every engine takes every name and value.
        if all(is_taken(engine, state) for state in (old, new)):
            turn(engine, old, new)


def rows_of(state: States) -> Rows:
    return {schema: {n: [row[n] for row in rows] for n in schema.column_names} for schema, rows in state.tables}


def is_taken(engine: Engine, state: Snapshot) -> bool:
    try:
        engine.holding(state)
    except (DataError, IntegrityError):
        return False
    return True
