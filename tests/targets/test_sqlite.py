from __future__ import annotations

import sqlite3
import uuid
from contextlib import closing
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
import sqlalchemy as sa

from tdv.content.arrow import arrow_schema
from tdv.errors import DataError, IntegrityError, Refused, TargetBusy, TargetError, UsageError
from tdv.model.schema import Column, Reference, Rules, TableSchema
from tdv.model.types import LogicalType
from tdv.targets.protocol import Queryable
from tdv.targets.verification import target_digest
from tdv.testing import USERS, checkout, foreseen, snapshot, table, users
from tests.targets.builders import target


def rows(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def change(path: Path, *statements: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()


THEIRS = "CREATE TABLE users (id INTEGER PRIMARY KEY AUTOINCREMENT, email TEXT, age INT, at TEXT, more TEXT)"


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tdv.targets.sqlite.target.BUSY_WAIT", 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "app.db"


def test_new_file_holds_exactly_the_rows(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    receipt = checkout(tmp_path, target(tmp_path, f"sqlite:///{path}"), found)
    assert receipt.action == "loaded"
    assert receipt.releases[0].tables == {"users": 5}
    assert rows(path, "SELECT id, email, age, at FROM users ORDER BY id")[:3] == [
        (1, "user1@example.test", 1, "2020-01-01 01:00:00.000001"),
        (2, "user2@example.test", 2, "2020-01-01 02:00:00"),
        (3, "user3@example.test", None, "2020-01-01 03:00:00.000001"),
    ]
    assert rows(path, "SELECT dataset, version, digest, execution_id FROM _tdv_state") == [
        ("shop", "1.0.0", found.manifest.digest, "execution-1")
    ]
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert target_digest(target(tmp_path, f"sqlite:///{path}"), found.manifest.schema) == found.manifest.content


def test_second_checkout_is_unchanged_and_opens_nothing(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    assert checkout(tmp_path, place, found).action == "unchanged"


def test_change_by_a_test_is_taken_back_from_the_image(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    change(path, "UPDATE users SET age = 99 WHERE id = 1")
    assert checkout(tmp_path, place, found).action == "cloned"
    assert rows(path, "SELECT age FROM users WHERE id = 1") == [(1,)]


def test_change_that_is_only_in_the_write_ahead_log_is_seen(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        checkout_before = path.stat()
        connection.execute("UPDATE users SET age = 99")
        connection.commit()
        assert path.stat().st_mtime_ns == checkout_before.st_mtime_ns
        with pytest.raises(TargetBusy):
            checkout(tmp_path, place, found)
        assert connection.execute("SELECT min(age) FROM users").fetchone() == (99,)
    assert checkout(tmp_path, place, found).action == "cloned"
    assert rows(path, "SELECT min(age) FROM users") == [(1,)]
    assert sorted(entry.name for entry in tmp_path.iterdir() if "app.db" in entry.name) == ["app.db"]


@pytest.mark.parametrize("engine", ["sqlite", "duckdb"])
def test_rights_on_a_file_stay(tmp_path: Path, engine: str) -> None:
    place = target(tmp_path, f"{engine}:///{tmp_path}/app")
    checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(5)}))
    (tmp_path / "app").chmod(0o664)
    assert checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(3)})).action == "loaded"
    assert (tmp_path / "app").stat().st_mode & 0o777 == 0o664


@pytest.mark.parametrize("url", ["sqlite:///{}/app", "duckdb:///{}/app", "file://{}/app?format=csv"])
def test_only_what_killed_runs_left_of_this_target_goes(tmp_path: Path, url: str) -> None:
    place, found = target(tmp_path, url.format(tmp_path)), snapshot(tmp_path, {USERS: users(5)})
    left, theirs = (tmp_path / name for name in (".app.0123456789ab.tmp", ".app.db.0123456789ab.tmp"))
    for path in (left, theirs):
        if url.startswith("file"):
            path.mkdir()
        else:
            path.touch()
    checkout(tmp_path, place, found)
    assert not left.exists()
    assert theirs.exists()


def test_foreign_rows_are_refused_and_kept(tmp_path: Path, path: Path) -> None:
    change(
        path,
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, age INT, at TEXT)",
        "INSERT INTO users(id) VALUES (7)",
    )
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{path}", owns="database")
    with pytest.raises(Refused, match="'users'"):
        checkout(tmp_path, place, found)
    assert rows(path, "SELECT id FROM users") == [(7,)]
    assert checkout(tmp_path, place, found, replace=True).action == "loaded"
    assert rows(path, "SELECT count(*) FROM users") == [(5,)]


def test_foreign_table_that_references_is_refused_unless_it_may_be_emptied(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    checkout(tmp_path, target(tmp_path, f"sqlite:///{path}"), found)
    change(path, "CREATE TABLE notes (user INT REFERENCES users(id))", "INSERT INTO notes VALUES (1)")
    with pytest.raises(Refused, match=r"'notes'.*references 'users'"):
        checkout(tmp_path, target(tmp_path, f"sqlite:///{path}"), found)
    assert rows(path, "SELECT * FROM notes") == [(1,)]
    checkout(tmp_path, target(tmp_path, f"sqlite:///{path}", also_empty=("notes",)), found)
    assert rows(path, "SELECT count(*) FROM notes") == [(0,)]


def test_other_tables_stay_when_tdv_does_not_own_the_database(tmp_path: Path, path: Path) -> None:
    change(path, "CREATE TABLE notes (text TEXT)", "INSERT INTO notes VALUES ('mine')")
    place = target(tmp_path, f"sqlite:///{path}", owns="database")
    for count in (5, 3):
        checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(count)}))
        assert rows(path, "SELECT count(*) FROM users") == [(count,)]
        assert rows(path, "SELECT text FROM notes") == [("mine",)]


def test_tables_that_tests_made_go_with_the_file_that_tdv_owns(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{path}", owns="database")
    checkout(tmp_path, place, found)
    change(path, "CREATE TABLE scratch (x)", "INSERT INTO scratch VALUES (1)")
    checkout(tmp_path, place, found)
    assert rows(path, "SELECT name FROM sqlite_master WHERE name = 'scratch'") == []


def test_table_of_the_application_keeps_its_columns_and_its_sequence(tmp_path: Path, path: Path) -> None:
    change(path, THEIRS)
    checkout(tmp_path, target(tmp_path, f"sqlite:///{path}"), snapshot(tmp_path, {USERS: users(5)}))
    assert rows(path, "SELECT count(*), count(more) FROM users") == [(5, 0)]
    assert rows(path, "SELECT seq FROM sqlite_sequence") == [(5,)]
    assert rows(path, "SELECT sql FROM sqlite_master WHERE name = 'users'") == [(THEIRS,)]


def test_table_of_the_application_without_a_column_is_refused(tmp_path: Path, path: Path) -> None:
    change(path, "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, must TEXT NOT NULL)")
    with pytest.raises(Refused, match="lacks 'age', 'at'; it needs values for 'must'"):
        checkout(tmp_path, target(tmp_path, f"sqlite:///{path}"), snapshot(tmp_path, {USERS: users(5)}))


def test_trigger_that_changes_rows_is_reported_and_nothing_kept(tmp_path: Path, path: Path) -> None:
    change(path, THEIRS, "CREATE TRIGGER t AFTER INSERT ON users BEGIN UPDATE users SET age = 1; END")
    with pytest.raises(IntegrityError, match="'users'"):
        checkout(tmp_path, target(tmp_path, f"sqlite:///{path}"), snapshot(tmp_path, {USERS: users(5)}))
    assert rows(path, "SELECT count(*) FROM users") == [(0,)]


def test_idle_connection_sees_the_new_rows(tmp_path: Path, path: Path) -> None:
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(5)}))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (5,)
        checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(3)}))
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (3,)


@pytest.mark.parametrize("begin", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"])
def test_target_in_use_is_busy_and_stays(tmp_path: Path, path: Path, begin: str) -> None:
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(5)}))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(begin)
        with pytest.raises(TargetBusy):
            checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(3)}))
        connection.execute("ROLLBACK")
    assert rows(path, "SELECT count(*) FROM users") == [(5,)]


def test_open_reader_is_busy_and_the_target_stays(tmp_path: Path, path: Path) -> None:
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(5)}))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        cursor = connection.execute("SELECT id FROM users")
        assert cursor.fetchone() == (1,)
        with pytest.raises(TargetBusy):
            checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(3)}))
        assert len(cursor.fetchall()) == 4


def test_file_that_is_no_database_is_kept_unless_replaced(tmp_path: Path, path: Path) -> None:
    path.write_text("these are somebody's notes, not a database" * 100)
    place = target(tmp_path, f"sqlite:///{path}", owns="database")
    found = snapshot(tmp_path, {USERS: users(5)})
    assert "not a database" in foreseen(tmp_path, place, found).message
    assert checkout(tmp_path, place, found, replace=True, dry_run=True).action == "planned"
    assert path.read_text().startswith("these are")
    assert checkout(tmp_path, place, found, replace=True).action == "loaded"


@pytest.mark.parametrize("encoding", ["UTF-16le", "UTF-16be"])
def test_database_in_another_encoding_is_told_and_stays(tmp_path: Path, path: Path, encoding: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(f"PRAGMA encoding = '{encoding}'")
        connection.execute("CREATE TABLE mine AS SELECT 'é€😀' AS x")
    place = target(tmp_path, f"sqlite:///{path}")
    problem = foreseen(tmp_path, place, snapshot(tmp_path, {USERS: users(3)}))
    assert isinstance(problem, TargetError)
    assert "keeps its text in UTF-16" in problem.message
    assert "sqlite3 old.db .dump" in str(problem.hint)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("mine",)]
        assert connection.execute("SELECT x FROM mine").fetchall() == [("é€😀",)]


def test_table_that_is_too_wide_is_foreseen(tmp_path: Path, path: Path) -> None:
    wide = table("wide", {"id": "int64"} | {f"c{number}": "int64" for number in range(2000)})
    found = snapshot(tmp_path, {wide: pa.table([[1]] * 2001, arrow_schema(wide))})
    problem = foreseen(tmp_path, target(tmp_path, f"sqlite:///{path}"), found)
    assert isinstance(problem, DataError)
    assert problem.message == "'wide' has 2,001 columns, and SQLite takes 2,000"


def test_directory_and_memory_are_no_databases(tmp_path: Path) -> None:
    with pytest.raises(TargetError):
        checkout(tmp_path, target(tmp_path, f"sqlite:///{tmp_path}"), snapshot(tmp_path, {USERS: users(5)}))
    with pytest.raises(UsageError):
        target(tmp_path, "sqlite:///:memory:")


def test_damaged_part_is_an_integrity_error_and_leaves_the_target(tmp_path: Path, path: Path) -> None:
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, snapshot(tmp_path, {USERS: users(5)}))
    found = snapshot(tmp_path, {USERS: users(3)})
    part = found.locate(found.manifest.tables[0].parts[0].file)
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    with pytest.raises(IntegrityError, match="damaged"):
        checkout(tmp_path, place, found)
    assert rows(path, "SELECT count(*) FROM users") == [(5,)]


def test_altered_image_is_made_anew(tmp_path: Path, path: Path) -> None:
    place = target(tmp_path, f"sqlite:///{path}")
    found = snapshot(tmp_path, {USERS: users(5)})
    checkout(tmp_path, place, found)
    (image,) = (tmp_path / ".tdv" / "images").glob("*.sqlite")
    image.chmod(0o644)
    change(image, "DELETE FROM users")
    path.unlink()
    assert checkout(tmp_path, place, found).action == "loaded"
    assert rows(path, "SELECT count(*) FROM users") == [(5,)]


def test_value_that_sqlite_loses_is_refused(tmp_path: Path, path: Path) -> None:
    reals = table("reals", {"id": "int64", "value": "float64?"})
    found = snapshot(tmp_path, {reals: pa.table({"id": [1, 2], "value": [1.0, float("nan")]})})
    with pytest.raises(DataError, match=r"'value'.*NaN"):
        checkout(tmp_path, target(tmp_path, f"sqlite:///{path}"), found)
    assert not path.exists()


def test_value_of_another_class_is_found_and_named(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    change(path, "UPDATE users SET age = 'old' WHERE id = 2")
    with pytest.raises(IntegrityError, match="'age', row 2: 'old' is no int16"):
        target_digest(place, found.manifest.schema)


def test_rows_wider_than_a_page_and_keys_of_all_kinds(tmp_path: Path, path: Path) -> None:
    wide = table("wide", {"a": "string", "b": "int32", "text": "string?"}, key=("a", "b"), uniques=(("text",),))
    loose = table("loose", {"x": "int64?"}, key=())
    child = table("child", {"id": "int64", "parent": "int64?"}, references=(Reference(("parent",), "child", ("id",)),))
    found = snapshot(
        tmp_path,
        {
            wide: pa.table({"a": ["é", "e", "e"], "b": [1, -1, 2], "text": ["x" * 100_000, None, ""]}),
            loose: pa.table({"x": [None, 2, 2, None, -(2**63)]}),
            child: pa.table({"id": [-5, 2**63 - 1, 300], "parent": [300, None, -5]}),
        },
    )
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    assert target_digest(place, found.manifest.schema) == found.manifest.content
    assert rows(path, "PRAGMA integrity_check") == [("ok",)]
    assert rows(path, "PRAGMA foreign_key_check") == []
    assert rows(path, "SELECT id FROM child WHERE parent = 300") == [(-5,)]


def test_greatest_length_and_references_are_kept_and_read_back(tmp_path: Path, path: Path) -> None:
    columns = (
        Column("id", LogicalType("int64")),
        Column("parent", LogicalType("int64"), nullable=True),
        Column("name", LogicalType("string"), rules=Rules(max_length=9)),
    )
    schema = TableSchema("names", columns, key=("id",), references=(Reference(("parent",), "names", ("id",)),))
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, snapshot(tmp_path, {schema: pa.table({"id": [1], "parent": [1], "name": ["é" * 9]})}))
    assert place.inspect().table("names") == schema


def test_long_decimals_are_keys_though_they_sort_as_text(tmp_path: Path, path: Path) -> None:
    schema = table("prices", {"id": "decimal(20,2)"})
    values = [Decimal(number) for number in ("-10.50", "-9.00", "9.00", "10.00")]
    found = snapshot(tmp_path, {schema: pa.table({"id": pa.array(values, pa.decimal128(20, 2))})})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    assert target_digest(place, found.manifest.schema) == found.manifest.content


def test_key_that_stands_twice_is_a_data_error(tmp_path: Path, path: Path) -> None:
    twice = table("twice", {"id": "int64", "name": "string"}, uniques=(("name",),))
    found = snapshot(tmp_path, {twice: pa.table({"id": [1, 2], "name": ["a", "a"]})})
    with pytest.raises(DataError, match=r"twice\.name"):
        checkout(tmp_path, target(tmp_path, f"sqlite:///{path}"), found)


def test_look_up_takes_names_in_any_case_and_finds_nothing_in_a_file_that_is_no_database(
    tmp_path: Path, path: Path
) -> None:
    change(path, "CREATE TABLE CHANGES (ID text, AUTHOR text)", "INSERT INTO CHANGES VALUES ('1', 'a')")
    place = target(tmp_path, f"sqlite:///{path}")
    assert isinstance(place, Queryable)
    assert place.look_up("changes") == [{"id": "1", "author": "a"}]
    path.write_text("no database, but long enough to be looked at" * 30)
    assert place.look_up("changes") is None


MOMENTS = table(
    "moments", {"id": "uuid", "at": "timestamptz?", "seen": "timestamp", "opens": "time?"}, uniques=(("seen",),)
)
NUMBERS = [uuid.UUID(int=number, version=4) for number in (1, 0xFF << 120)]
SEEN = datetime(2026, 1, 31, 12, 30)
OF_DJANGO = "CREATE TABLE moments (id char(32) NOT NULL PRIMARY KEY, at datetime, seen datetime NOT NULL, opens time)"


def moments() -> pa.Table:
    at, opens = [SEEN.replace(tzinfo=UTC), None], [time(8), time(8, 0, 0, 7)]
    columns = [[str(number) for number in NUMBERS], at, [SEEN, SEEN.replace(microsecond=7)], opens]
    return pa.Table.from_arrays([pa.array(column) for column in columns], names=MOMENTS.column_names).cast(
        arrow_schema(MOMENTS)
    )


def test_tables_of_sqlalchemy_hold_what_it_looks_for(tmp_path: Path, path: Path) -> None:
    metadata = sa.MetaData()
    columns = [
        sa.Column("id", sa.Uuid, primary_key=True),
        sa.Column("at", sa.DateTime),
        sa.Column("seen", sa.DateTime, nullable=False),
    ]
    theirs = sa.Table("moments", metadata, *columns, sa.Column("opens", sa.Time))
    sa.Table("alembic_version", metadata, sa.Column("version_num", sa.String(32), primary_key=True))
    engine = sa.create_engine(f"sqlite:///{path}")
    metadata.create_all(engine)
    found = snapshot(tmp_path, {MOMENTS: moments()})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    with engine.connect() as connection:
        for wanted in (
            theirs.c.id == NUMBERS[0],
            theirs.c.at == SEEN,
            theirs.c.seen == SEEN,
            theirs.c.opens == time(8),
        ):
            assert connection.execute(sa.select(theirs.c.id).where(wanted)).fetchall() == [(NUMBERS[0],)]
    engine.dispose()
    assert target_digest(place, found.manifest.schema) == found.manifest.content


def test_tables_of_django_hold_what_it_looks_for(tmp_path: Path, path: Path) -> None:
    change(path, OF_DJANGO)
    found = snapshot(tmp_path, {MOMENTS: moments()})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    assert rows(path, "SELECT * FROM moments ORDER BY id") == [
        (NUMBERS[0].hex, "2026-01-31 12:30:00", "2026-01-31 12:30:00", "08:00:00"),
        (NUMBERS[1].hex, None, "2026-01-31 12:30:00.000007", "08:00:00.000007"),
    ]
    assert target_digest(place, found.manifest.schema) == found.manifest.content


def test_moment_without_a_zone_is_in_utc(tmp_path: Path, path: Path) -> None:
    found = snapshot(tmp_path, {MOMENTS: moments()})
    place = target(tmp_path, f"sqlite:///{path}")
    checkout(tmp_path, place, found)
    change(path, "UPDATE moments SET at = '2026-01-31 12:30:00.000000' WHERE at IS NOT NULL")
    assert target_digest(place, found.manifest.schema) == found.manifest.content
