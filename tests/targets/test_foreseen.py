"""What a checkout refuses before it writes, its dry run says in the same words, and it changes nothing."""

from __future__ import annotations

import hashlib
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pytest

from tdv.errors import DataError, Refused, TargetError, TdvError
from tdv.model.schema import TableSchema
from tdv.servers.server import Server
from tdv.targets.protocol import AppSchema
from tdv.testing import USERS, checkout, foreseen, snapshot, table, users, wanted
from tests.targets.builders import target
from tests.targets.places import MysqlPlace, Place, shop
from tests.targets.servers import name_of, run_mysql, run_sql


class FilePlace(Place):
    """A database that is a file, and SQL on it."""

    @property
    def path(self) -> Path:
        return Path(self.url.partition("://")[2].removeprefix("/"))

    def state(self) -> object:
        return {entry.name: hashlib.sha256(entry.read_bytes()).digest() for entry in self.path.parent.iterdir()}


class SqlitePlace(FilePlace):
    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            found = [connection.execute(statement) for statement in statements][-1].fetchall()
            connection.commit()
            return found


class DuckdbPlace(FilePlace):
    def sql(self, *statements: str) -> list[tuple[Any, ...]]:
        import duckdb

        with closing(duckdb.connect(self.path)) as connection:
            return [connection.execute(statement).fetchall() for statement in statements][-1]


class PostgresqlPlace(Place):
    def state(self) -> object:
        tables = self.sql("SELECT oid, relname, relfilenode, xmin::text, relnamespace FROM pg_class ORDER BY 1")
        databases = self.sql("SELECT oid, datname FROM pg_database ORDER BY 1")
        return tables, databases, self.sql("SELECT pg_current_xact_id_if_assigned(), count(*) FROM pg_namespace")


class MariadbPlace(MysqlPlace):
    def state(self) -> object:
        tables = [name for name, kind in self.sql("SHOW FULL TABLES") if kind == "BASE TABLE"]
        made = [self.sql(f"SHOW CREATE TABLE {name}", f"CHECKSUM TABLE {name}") for name in tables]
        return self.sql("SHOW DATABASES"), self.sql("SHOW FULL TABLES"), made


@pytest.fixture(params=["sqlite", "duckdb", "postgresql", "mariadb"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    directory = tmp_path / "place"
    directory.mkdir()
    if request.param == "sqlite":
        return SqlitePlace(tmp_path, f"sqlite:///{directory}/app.db")
    if request.param == "duckdb":
        return DuckdbPlace(tmp_path, f"duckdb:///{directory}/app.duckdb")
    if request.param == "postgresql":
        return PostgresqlPlace(tmp_path, request.getfixturevalue("empty_postgresql"))
    return MariadbPlace(tmp_path, request.getfixturevalue("empty_mysql"))


def refused(place: Any, tables: dict[TableSchema, pa.Table] | None = None, **options: Any) -> TdvError:
    """The error of a checkout of version 2.0.0, which its dry run foresees without changing anything."""
    found = wanted(snapshot(place.directory, tables or {USERS: users(3)}), "2.0.0")
    before = place.state()
    with pytest.raises(TdvError):
        checkout(place.directory, place.target, found, dry_run=True, **options)
    assert place.state() == before
    return foreseen(place.directory, place.target, found, **options)


OTHER = {table("users", {"id": "int64", "nick": "string"}): pa.table({"id": [1], "nick": ["a"]})}
NARROW = "CREATE TABLE users (id bigint PRIMARY KEY)"
NOTES = "CREATE TABLE notes (u bigint, FOREIGN KEY (u) REFERENCES users (id))"
VIEW = "CREATE VIEW seen AS SELECT id FROM users"


def test_other_schema_is_foreseen(place: Any) -> None:
    place.sql(NARROW)
    problem = refused(place)
    assert isinstance(problem, Refused)
    assert "table 'users' of the target has another schema: it lacks 'email'" in problem.message
    assert place.checkout(replace=True, dry_run=True).action == "planned"
    assert place.sql("SELECT count(*) FROM users") == [(0,)]


def test_differences_of_all_tables_are_foreseen_at_once(place: Any) -> None:
    place.sql(NARROW, "CREATE TABLE orders (id bigint PRIMARY KEY)")
    problem = refused(place, shop())
    assert "table 'users' of the target has another schema: it lacks 'email'" in problem.message
    assert "table 'orders' of the target has another schema: it lacks 'user_id'" in problem.message
    assert ("orders", "parent") in problem.facts["misfits"]  # type: ignore[operator]


def test_column_that_needs_values_is_foreseen(place: Any) -> None:
    place.checkout()
    place.sql("CREATE TABLE mine (id int)")
    place.sql("DROP TABLE users", "CREATE TABLE users (id bigint PRIMARY KEY, nick text, more int NOT NULL)")
    assert "it needs values for" in refused(place, OTHER).message


def test_table_that_is_altered_is_foreseen(place: Any) -> None:
    place.checkout()
    place.sql("ALTER TABLE users DROP COLUMN age")
    assert "has another schema: it lacks" in refused(place).message


def test_table_that_the_schema_of_the_application_lacks_is_foreseen(place: Any) -> None:
    place.sql("CREATE TABLE mine (id int)")
    schema = AppSchema("key", "0001", lambda _: pytest.fail("nothing is migrated"))
    assert "the schema of the target has no table 'users'" in refused(place, schema=schema).message
    place.sql(NARROW)
    assert "has another schema" in refused(place, schema=schema).message


@pytest.mark.parametrize("place", ["duckdb", "postgresql", "mariadb"], indirect=True)
def test_table_that_is_referenced_and_has_to_be_made_anew_is_foreseen(place: Any) -> None:
    place.sql(NARROW, NOTES)
    assert "has another schema" in refused(place).message
    problem = refused(place, replace=True)
    assert "cannot be made anew" in problem.message
    assert "notes" in problem.message
    place.sql("DROP TABLE notes")
    place.checkout(replace=True)
    place.sql(NOTES)
    assert "has another schema" in refused(place, OTHER).message
    assert "cannot be made anew" in refused(place, OTHER, replace=True).message
    place.checkout(3, "2.0.0")
    assert place.ids() == [1, 2, 3]


def test_table_that_is_gone_from_the_release_and_referenced_is_emptied(place: Any) -> None:
    place.checkout_tables(shop())
    place.sql("CREATE TABLE notes (u bigint, FOREIGN KEY (u) REFERENCES orders (id))")
    assert place.checkout(dry_run=True).action == "planned"
    place.checkout()
    assert place.sql("SELECT count(*) FROM orders") == [(0,)]


def test_rows_of_others_and_what_references_them_are_foreseen(place: Any) -> None:
    place.sql(NARROW, "INSERT INTO users VALUES (9)")
    assert "rows that tdv did not load" in refused(place).message
    place.sql(NOTES, "INSERT INTO notes VALUES (9)")
    assert "'notes', which is not the dataset's, references 'users'" in refused(place, replace=True).message
    assert place.ids() == [9]


def test_name_of_something_else_is_foreseen(place: Any) -> None:
    place.sql("CREATE TABLE mine (id int)", "CREATE VIEW users AS SELECT id FROM mine")
    for replace in (False, True):
        problem = refused(place, replace=replace)
        assert isinstance(problem, Refused)
        assert problem.message == "'users' of the target is a view, which cannot hold the rows of a table"


@pytest.mark.parametrize("place", ["sqlite", "postgresql"], indirect=True)
def test_name_of_an_index_is_foreseen(place: Any) -> None:
    place.sql("CREATE TABLE mine (id int)", "CREATE INDEX users ON mine (id)")
    assert "'users' of the target is an index" in refused(place).message


@pytest.mark.parametrize("make", ['CREATE TABLE "USERS" (id int)', "CREATE VIEW USERS AS SELECT id FROM mine"])
@pytest.mark.parametrize("place", ["sqlite", "duckdb"], indirect=True)
def test_name_in_another_case_is_foreseen(place: Any, make: str) -> None:
    place.sql("CREATE TABLE mine (id int)", make)
    assert re.search("is called 'USERS' in the target|is a view", refused(place).message)


@pytest.mark.parametrize("full", [False, True])
def test_table_that_the_engine_cannot_hold_is_foreseen(place: Any, full: bool) -> None:
    if full:
        place.sql("CREATE TABLE mine (id int)")
    wide = table("wide", {f"c{number}": "int16" for number in range(2100)}, key=())
    rows = pa.table({name: pa.array([1], pa.int16()) for name in wide.column_names})
    alike = table("alike", {"id": "int64", "a": "string", "A": "string"})
    for tables in ({wide: rows}, {alike: pa.table({"id": [1], "a": ["x"], "A": ["y"]})}):
        try:
            place.checkout_tables(tables, dry_run=True)
        except DataError:
            refused(place, tables)
        else:
            place.checkout_tables(tables)


@pytest.mark.parametrize("place", ["sqlite", "duckdb", "mariadb"], indirect=True)
def test_database_that_is_replaced_whole_needs_no_leave_of_what_goes(place: Any) -> None:
    place.owned().checkout()
    place.sql(NOTES, "INSERT INTO notes VALUES (1)")
    before = place.state()
    assert re.search("whole file|by copies", place.checkout(3, "2.0.0", dry_run=True).plan[0])
    assert place.state() == before
    place.checkout(3, "2.0.0")
    assert place.ids() == [1, 2, 3]


@pytest.mark.parametrize("place", ["sqlite"], indirect=True)
@pytest.mark.parametrize("is_open", [False, True])
def test_files_of_a_log_are_left_as_they_are(place: Any, is_open: bool) -> None:
    place.checkout()
    with closing(sqlite3.connect(place.path)) as connection:
        connection.executescript("PRAGMA journal_mode = WAL; CREATE TABLE mine (x); INSERT INTO mine VALUES (1);")
        if not is_open:
            connection.close()
        before = place.state()
        assert len(before) == (3 if is_open else 1)
        assert place.checkout(3, "2.0.0", dry_run=True).action == "planned"
        after = place.state()
        assert {name: after[name] for name in after if not name.endswith("-shm")} == {
            name: before[name] for name in before if not name.endswith("-shm")
        }
        assert after.keys() == before.keys()


@pytest.mark.parametrize("place", ["mariadb"], indirect=True)
def test_rows_that_are_there_need_no_leave_of_what_references_them(place: Any) -> None:
    place.checkout()
    place.sql(NOTES, "INSERT INTO notes VALUES (1)")
    assert place.checkout(dry_run=True).plan[0].startswith("leave all as it is")
    assert place.checkout().action == "unchanged"


@pytest.mark.parametrize("url", ["sqlite:///{}/app.db", "duckdb:///{}/app.duckdb", "file://{}/out?format=csv"])
def test_place_that_cannot_be_made_is_foreseen(tmp_path: Path, url: str) -> None:
    (tmp_path / "file").write_text("mine")
    place = target(tmp_path, url.format(tmp_path / "file"))
    problem = foreseen(tmp_path, place, snapshot(tmp_path, {USERS: users(3)}))
    assert isinstance(problem, TargetError)
    assert problem.message == f"cannot write {tmp_path / 'file'}: Not a directory"


def test_lock_that_cannot_be_written_is_foreseen(tmp_path: Path) -> None:
    (tmp_path / ".tdv").write_text("mine")
    problem = foreseen(
        tmp_path, target(tmp_path, f"sqlite:///{tmp_path}/app.db"), snapshot(tmp_path, {USERS: users(3)})
    )
    assert problem.message == f"cannot write {tmp_path / '.tdv'}: Not a directory"
    assert ".tdv in the repository" in str(problem.hint)


@pytest.mark.parametrize("name", ["users.csv/theirs", "users.csv"])
def test_file_of_others_where_that_of_a_table_belongs_is_foreseen(tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    (out / name).parent.mkdir(parents=True)
    (out / name).write_text("mine")
    (out / "more").write_text("mine")
    place, found = target(tmp_path, f"file://{out}?format=csv"), snapshot(tmp_path, {USERS: users(3)})
    problem = foreseen(tmp_path, place, found)
    assert problem.message == "files that tdv did not write are in the way: users.csv"
    if name == "users.csv":
        assert checkout(tmp_path, place, found, replace=True, dry_run=True).action == "planned"
    else:
        problem = foreseen(tmp_path, place, found, replace=True)
        assert problem.message == "files that tdv did not write are where users.csv belongs: users.csv/theirs"
    assert (out / name).read_text() == "mine"
    assert sorted(entry.name for entry in out.iterdir()) == ["more", "users.csv"]


# Users that may not do all.

ROLE = "tdv_foreseen"
USERS_OF_APPLICATION = (
    "CREATE TABLE users (id bigint PRIMARY KEY, email varchar(99) NOT NULL, age smallint, at timestamp(6) NOT NULL)"
)


@pytest.fixture
def reader(empty_postgresql: str, postgresql_server: Server) -> Iterator[str]:
    """The URL of a database for a user that may do nothing in it."""
    run_sql(postgresql_server.url, f"CREATE ROLE {ROLE} LOGIN")
    yield f"{empty_postgresql}&user={ROLE}"
    run_sql(empty_postgresql, f"DROP OWNED BY {ROLE}")
    run_sql(postgresql_server.url, f"DROP ROLE {ROLE}")


@pytest.mark.parametrize("owns", ["tables", "database"])
def test_rights_that_a_user_of_postgresql_lacks_are_foreseen(
    tmp_path: Path, empty_postgresql: str, reader: str, owns: str
) -> None:
    place, found = target(tmp_path, reader, owns=owns), snapshot(tmp_path, {USERS: users(3)})
    assert foreseen(tmp_path, place, found).message.endswith("to make tables in the schema public")
    grants = (
        (f"GRANT CREATE ON SCHEMA public TO {ROLE}", "for database: its schema _tdv"),
        (f"{USERS_OF_APPLICATION}; GRANT SELECT ON users TO {ROLE}", 'to TRUNCATE rows of "public"."users"'),
        (f"GRANT TRUNCATE ON users TO {ROLE}", 'to INSERT rows of "public"."users"'),
        (f"GRANT INSERT ON users TO {ROLE}", "for database: its schema _tdv"),
    )
    for grant, lack in grants:
        run_sql(empty_postgresql, grant)
        problem = foreseen(tmp_path, place, found)
        assert isinstance(problem, TargetError)
        assert problem.message.startswith("permission denied ")
        assert lack in problem.message
    run_sql(empty_postgresql, f"CREATE SCHEMA _tdv AUTHORIZATION {ROLE}")
    assert checkout(tmp_path, place, found, dry_run=True).plan[0].startswith("replace the rows")
    checkout(tmp_path, place, found)


def test_session_of_postgresql_that_only_reads_is_foreseen(tmp_path: Path, empty_postgresql: str) -> None:
    run_sql(empty_postgresql, f'ALTER DATABASE "{name_of(empty_postgresql)}" SET default_transaction_read_only = on')
    problem = foreseen(tmp_path, target(tmp_path, empty_postgresql), snapshot(tmp_path, {USERS: users(3)}))
    assert "read-only transaction" in problem.message


def test_database_that_a_user_of_postgresql_may_not_make_is_foreseen(
    tmp_path: Path, reader: str, absent_postgresql: str
) -> None:
    run_sql(reader.replace(f"&user={ROLE}", "").replace(name_of(reader), "postgres"), "SELECT 1")
    absent = reader.replace(name_of(reader), f"{name_of(reader)}_absent")
    problem = foreseen(tmp_path, target(tmp_path, absent, owns="database"), snapshot(tmp_path, {USERS: users(3)}))
    assert problem.message == f"permission denied to create the database {name_of(absent)}"


@pytest.mark.parametrize("owns", ["tables", "database"])
@pytest.mark.parametrize(
    ("made", "rights"),
    [
        ("", ("SELECT", "CREATE", "CREATE VIEW", "DROP", "ALTER, INSERT")),
        (USERS_OF_APPLICATION.replace("timestamp", "datetime"), ("SELECT", "CREATE VIEW", "DROP", "DELETE", "INSERT")),
    ],
    ids=["empty", "migrated"],
)
def test_rights_that_a_user_of_mariadb_lacks_are_foreseen(
    tmp_path: Path, empty_mysql: str, owns: str, made: str, rights: tuple[str, ...]
) -> None:
    user = f"foreseen_{secrets.token_hex(4)}"
    place = target(tmp_path, urlsplit(empty_mysql)._replace(netloc=f"{user}:x@localhost").geturl(), owns=owns)
    found = snapshot(tmp_path, {USERS: users(3)})
    run_mysql(empty_mysql, f"CREATE USER {user}@localhost IDENTIFIED BY 'x'", made or "SELECT 1")
    try:
        for index, right in enumerate(rights):
            run_mysql(empty_mysql, f"GRANT {right} ON `{name_of(empty_mysql)}`.* TO {user}@localhost")
            lack = rights[min(index + 1, len(rights) - 1)]
            if right != lack and "," not in lack:
                problem = foreseen(tmp_path, place, found)
                assert isinstance(problem, TargetError)
                assert f"{lack} command denied to user" in problem.message
        assert checkout(tmp_path, place, found, dry_run=True).plan[0].startswith("replace the rows")
        checkout(tmp_path, place, found)
    finally:
        run_mysql(empty_mysql, f"DROP USER {user}@localhost")


@pytest.mark.parametrize("owns", ["tables", "database"])
def test_rights_that_a_user_of_redis_lacks_are_foreseen(tmp_path: Path, empty_redis: str, owns: str) -> None:
    from redis import Redis

    with Redis.from_url(empty_redis) as client:
        client.execute_command("ACL", "SETUSER", "reader", "on", ">x", "~*", "&*", "+@all", "-@write")
        try:
            before = client.info("persistence")["rdb_changes_since_last_save"]
            url = re.sub("//[^/]*@|//", "//reader:x@", empty_redis, count=1)
            problem = foreseen(tmp_path, target(tmp_path, url, owns=owns), snapshot(tmp_path, {USERS: users(3)}))
            assert "the user may not do this" in problem.message
            assert checkout(
                tmp_path, target(tmp_path, empty_redis, owns=owns), snapshot(tmp_path, {USERS: users(3)}), dry_run=True
            ).plan
            assert client.info("persistence")["rdb_changes_since_last_save"] == before
            assert client.keys("*") == []
        finally:
            client.execute_command("ACL", "DELUSER", "reader")
