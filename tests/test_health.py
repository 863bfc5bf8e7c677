from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import duckdb
import pytest

from tdv import documents
from tests.migrated import migrated
from tests.repository import Repository
from tests.shop import released_shop
from tests.targets.servers import run_mysql, run_sql

URL = "sqlite:///app.db"
LIVE = "live: {url: 'sqlite:///live.db', protected: true}"


@pytest.fixture
def shop(tmp_path: Path) -> Repository:
    return released_shop(tmp_path / "shop")


def wrong(repository: Repository, *arguments: str) -> list[tuple[str, str]]:
    """The checks that failed, after the exit code was looked at and the answer against its schema."""
    outcome = repository.tdv("health", *(arguments or (URL,)), "--json")
    plain = outcome.json()
    documents.validate(documents.plain(plain, "health"), "health")
    found = [(check["check"], check["table"]) for check in plain["checks"] if not check["ok"]]
    assert outcome.exit_code == (1 if found else 0)
    assert plain["ok"] is not bool(found)
    return found


def change(repository: Repository, statement: str) -> None:
    with sqlite3.connect(repository.root / "app.db") as connection:
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize("url", [URL, "duckdb:///app.duckdb"])
def test_restored_target_is_healthy(shop: Repository, url: str) -> None:
    shop.tdv("checkout", "--target", url, expect=0)
    assert wrong(shop, url) == []
    assert "healthy" in shop.tdv("health", url, expect=0).stdout


@pytest.mark.parametrize("format_", ["csv", "jsonl", "parquet", "sql"])
def test_files_are_healthy_until_a_row_differs(shop: Repository, format_: str) -> None:
    shop.tdv("checkout", "--target", "out/", "--format", format_, expect=0)
    assert wrong(shop, "out/") == []
    shop.tdv("diff", "shop@v1.0.0", "out/", "--exit-code", expect=0)
    (shop.root / f"out/users.{format_}").unlink()
    assert wrong(shop, "out/") == [("rows", "users")]
    assert "users" in shop.tdv("diff", "shop@v1.0.0", "out/", "--exit-code", expect=1).stdout


@pytest.mark.parametrize("url", [URL, "duckdb:///app.duckdb", "out/"])
def test_target_that_is_not_there_is_said(shop: Repository, url: str) -> None:
    assert wrong(shop, url) == [("reachable", "")]
    assert "nothing is there" in shop.tdv("health", url, expect=1).stdout


def test_database_that_is_not_there_is_said(shop: Repository, absent_postgresql: str, absent_mysql: str) -> None:
    for url in (absent_postgresql, absent_mysql):
        assert wrong(shop, url) == [("reachable", "")]


def test_empty_and_unreadable_targets_are_answers(shop: Repository) -> None:
    change(shop, "CREATE TABLE mine (x)")
    assert wrong(shop) == [("version", "")]
    shop.write({"app.db": "no database"})
    assert wrong(shop) == [("reachable", "")]


def test_unreachable_server_of_an_application_with_migrations_is_an_answer(tmp_path: Path) -> None:
    project = migrated(tmp_path / "app")
    assert wrong(project, f"postgresql://ada@/app?host={tmp_path}") == [("reachable", "")]


def test_other_version_is_named(shop: Repository) -> None:
    shop.tdv("checkout", "shop@v1.1.0", "--target", URL, expect=0)
    assert wrong(shop) == [("version", "")]
    assert wrong(shop, URL, "shop@v1.1.0") == []
    outcome = shop.tdv("health", URL, expect=1)
    assert "v1.1.0" in outcome.stdout
    assert "expected v1.0.0" in outcome.stdout


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE orders SET total = total + 1 WHERE id = 1", [("rows", "orders")]),
        ("DELETE FROM orders WHERE id = 1", [("rows", "orders")]),
        ("DROP TABLE orders", [("rows", "orders")]),
        ("CREATE TABLE mine (x)", []),
    ],
)
def test_changed_rows_are_located(shop: Repository, statement: str, found: list[Any]) -> None:
    shop.tdv("checkout", "--target", URL, expect=0)
    change(shop, statement)
    assert wrong(shop) == found


def test_changed_values_are_told_from_another_number_of_rows(shop: Repository) -> None:
    shop.tdv("checkout", "--target", URL, expect=0)
    change(shop, "UPDATE orders SET total = total + 1 WHERE id = 1")
    assert "other values than were loaded" in shop.tdv("health", URL, expect=1).stdout
    change(shop, "DELETE FROM orders WHERE id = 1")
    assert " rows, expected " in shop.tdv("health", URL, expect=1).stdout


def test_lost_uniqueness_is_found(shop: Repository) -> None:
    shop.tdv("checkout", "--target", URL, expect=0)
    for statement in (
        "CREATE TABLE new AS SELECT * FROM users",
        "DROP TABLE users",
        "CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT)",
        "INSERT INTO users SELECT * FROM new",
        "DROP TABLE new",
    ):
        change(shop, statement)
    assert wrong(shop) == [("keys", "users")]


@pytest.fixture(params=["sqlite", "duckdb", "postgresql", "mysql"])
def database(request: pytest.FixtureRequest, shop: Repository) -> tuple[str, Callable[..., Any]]:
    """The URL of an empty database of each engine that has SQL, and what runs statements in it."""
    if request.param in ("postgresql", "mysql"):
        run = run_sql if request.param == "postgresql" else run_mysql
        return request.getfixturevalue(f"empty_{request.param}"), run
    path = shop.root / "some.db"

    def run(url: str, *statements: str) -> None:
        connection = sqlite3.connect(path) if request.param == "sqlite" else duckdb.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()

    return f"{request.param}:///some.db", run


def test_lost_index_is_named(shop: Repository, database: tuple[str, Callable[..., Any]]) -> None:
    url, run = database
    shop.tdv("checkout", "--target", url, expect=0)
    checks = shop.tdv("health", url, "--json", expect=0).json()["checks"]
    indexed = [check["table"] for check in checks if check["check"] == "indexes"]
    if url.startswith("duckdb"):
        assert indexed == []  # tdv makes none there
        return
    assert indexed == ["orders"]
    if url.startswith("mysql"):
        run(url, "SET foreign_key_checks = 0", "ALTER TABLE orders DROP KEY user_id")
    else:
        run(url, "DROP INDEX ix_orders_user_id")
    assert wrong(shop, url) == [("indexes", "orders")]
    assert "no longer indexed: user_id" in shop.tdv("health", url, expect=1).stdout
    run(url, "CREATE INDEX mine ON orders (user_id, id)")
    assert wrong(shop, url) == []


def test_indexes_of_an_application_are_its_own_affair(shop: Repository) -> None:
    change(shop, "CREATE TABLE users (id INTEGER PRIMARY KEY NOT NULL, email TEXT NOT NULL UNIQUE)")
    change(shop, "CREATE TABLE orders (id INTEGER PRIMARY KEY NOT NULL, user_id BIGINT NOT NULL, total DECIMAL(8,2))")
    shop.tdv("checkout", "--target", URL, expect=0)
    checks = shop.tdv("health", URL, "--json", expect=0).json()["checks"]
    assert {check["check"] for check in checks} == {"reachable", "version", "rows", "keys"}


@pytest.mark.parametrize(
    ("engine", "own"),
    [("postgresql", "CREATE TABLE own (v tsvector, i inet)"), ("mysql", "CREATE TABLE own (v geometry, b bit(3))")],
)
def test_columns_of_others_may_have_any_type(
    shop: Repository, empty_postgresql: str, empty_mysql: str, engine: str, own: str
) -> None:
    url, run = (empty_postgresql, run_sql) if engine == "postgresql" else (empty_mysql, run_mysql)
    shop.tdv("checkout", "--target", url, expect=0)
    more = own.partition("(v ")[2].partition(",")[0]
    run(url, own, f"ALTER TABLE users ADD COLUMN more {more}")
    shop.tdv("health", url, expect=0)
    shop.tdv("diff", "shop@v1.0.0", url, "--exit-code", expect=0)
    run(url, "ALTER TABLE orders DROP COLUMN total", f"ALTER TABLE orders ADD COLUMN total {more}")
    assert "there is no type for orders.total" in shop.tdv("diff", "shop@v1.0.0", url).stderr


def ask(repository: Repository, url: str, *queries: str) -> None:
    """Writes these queries into ``tdv.yaml``, as those of the target ``asked``."""
    target = json.dumps({"url": url, "health": queries})
    repository.write({"tdv.yaml": repository.read("tdv.yaml").replace("targets:\n", f"targets:\n  asked: {target}\n")})


def test_queries_have_to_be_true(shop: Repository, database: tuple[str, Callable[..., Any]]) -> None:
    url, _ = database
    ask(
        shop,
        url,
        "SELECT count(*) = 10 FROM users",
        "SELECT count(*) > 10\n FROM users",
        "SELECT id FROM users ORDER BY id",
        "SELECT id FROM users WHERE id < 0",
        "SELECT 1, 1",
        "SELECT NULL",
        "SELECT email FROM users WHERE id = 1",
        "SELECT gone FROM users",
    )
    shop.tdv("checkout", "--target", "asked", expect=0)
    assert wrong(shop, "asked") == [("query", "")] * 7
    checks = shop.tdv("health", "asked", "--json").json()["checks"]
    (right, *others, failed) = [check["message"] for check in checks if check["check"] == "query"]
    assert right == "SELECT count(*) = 10 FROM users"
    false = "0" if url.startswith(("sqlite", "mysql")) else "false"
    found = [false, "more than one row", "no row", "2 columns", "NULL", "a value of the type str"]
    assert [message.partition(": it gives ")[2] for message in others] == [f"{g}, not one true value" for g in found]
    assert others[0].startswith("SELECT count(*) > 10 FROM users: ")
    assert "gone" in failed.partition(": ")[2]


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM orders",
        "SELECT 1; DELETE FROM orders",
        "COMMIT; DELETE FROM orders",
        "DROP TABLE orders",
        "CREATE TABLE mine (x INTEGER)",
    ],
)
def test_query_cannot_write(shop: Repository, database: tuple[str, Callable[..., Any]], statement: str) -> None:
    url, _ = database
    ask(shop, url, statement)
    shop.tdv("checkout", "--target", "asked", expect=0)
    assert wrong(shop, "asked") == [("query", "")]
    assert shop.tdv("checkout", "--target", "asked", "--json", expect=0).json()["action"] == "unchanged"


@pytest.fixture
def out() -> Iterator[Path]:
    """A directory in which everybody may write, a server of another account, too."""
    with TemporaryDirectory(dir="/tmp") as directory:
        Path(directory).chmod(0o777)
        yield Path(directory)


@pytest.mark.parametrize(
    "statement",
    [
        "VACUUM INTO 'OUT'",
        "ATTACH 'OUT' AS other",
        "COPY users TO 'OUT'",
        "COPY users TO PROGRAM 'cat > OUT'",
        "WITH copied AS (COPY users TO 'OUT') SELECT 1",
        "EXPORT DATABASE 'OUT'",
        "DO $$ BEGIN EXECUTE 'COPY users TO ''OUT'''; END $$",
        "SELECT 1 INTO OUTFILE 'OUT'",
        "SELECT 1 INTO /*! DUMPFILE 'OUT' */",
        "(SELECT 1) UNION (SELECT 2) INTO OUTFILE 'OUT'",
    ],
)
def test_query_cannot_write_files(
    shop: Repository, database: tuple[str, Callable[..., Any]], statement: str, out: Path
) -> None:
    url, _ = database
    ask(shop, url, statement.replace("OUT", str(out / "made")))
    shop.tdv("checkout", "--target", "asked", expect=0)
    assert wrong(shop, "asked") == [("query", "")]
    assert list(out.iterdir()) == []


def test_query_cannot_set(shop: Repository, database: tuple[str, Callable[..., Any]]) -> None:
    url, run = database
    statements = ["PRAGMA user_version = 1", "PRAGMA temp_store = 2", "SET GLOBAL max_connect_errors = 77"]
    statements += ["CALL writes()"]
    if url.startswith("mysql"):
        body = "BEGIN SET SESSION TRANSACTION READ WRITE; DELETE FROM orders; END"
        run(url, f"CREATE PROCEDURE writes() {body}")
    ask(shop, url, *statements)
    shop.tdv("checkout", "--target", "asked", expect=0)
    assert wrong(shop, "asked") == [("query", "")] * len(statements)
    if url.startswith("mysql"):
        assert run(url, "SELECT @@global.max_connect_errors") != [(77,)]


def test_query_may_be_any_that_reads(shop: Repository, database: tuple[str, Callable[..., Any]]) -> None:
    url, _ = database
    queries = ["-- so many\nSELECT count(*) = 10 FROM users;", "WITH one AS (SELECT 1) SELECT * FROM one -- so few"]
    if url.startswith("sqlite"):
        queries += [
            "SELECT count(*) = 0 FROM pragma_foreign_key_check",
            "SELECT count(*) = 2 FROM pragma_table_info('users')",
            "SELECT user_version = 0 FROM pragma_user_version",
            "SELECT value FROM json_each('[1]')",
        ]
    else:
        queries += ["(SELECT true) UNION (SELECT true)"]
    ask(shop, url, *queries)
    shop.tdv("checkout", "--target", "asked", expect=0)
    assert wrong(shop, "asked") == []


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_query_cannot_count_a_sequence_on(shop: Repository, request: pytest.FixtureRequest, engine: str) -> None:
    url = request.getfixturevalue(f"empty_{engine}")
    run = run_sql if engine == "postgresql" else run_mysql
    run(url, "CREATE SEQUENCE counts")
    ask(shop, url, "SELECT nextval('counts') = 1" if engine == "postgresql" else "SELECT nextval(counts) = 1")
    shop.tdv("checkout", "--target", "asked", expect=0)
    assert wrong(shop, "asked") == [("query", "")]


def test_query_of_mysql_is_read_as_the_server_reads_it(shop: Repository, empty_mysql: str) -> None:
    ask(shop, empty_mysql, 'SELECT "it\\\'s" = "it\'s"')
    shop.tdv("checkout", "--target", "asked", expect=0)
    assert wrong(shop, "asked") == []


def test_query_that_fails_over_rows_shows_none_of_them(shop: Repository, empty_postgresql: str) -> None:
    ask(shop, empty_postgresql, "SELECT email::int = 1 FROM users")
    shop.tdv("checkout", "--target", "asked", expect=0)
    assert wrong(shop, "asked") == [("query", "")]
    said = shop.tdv("health", "asked", expect=1).stdout
    assert "it fails over the rows: InvalidTextRepresentation" in said
    assert "example.test" not in said


@pytest.mark.parametrize("url", ["out/", "redis://localhost/0", "mongodb://localhost/shop"])
def test_queries_for_a_target_without_sql_are_a_mistake(shop: Repository, url: str) -> None:
    ask(shop, url, "SELECT true")
    outcome = shop.tdv("health", "asked", expect=3)
    assert "targets.asked.health holds queries" in outcome.stderr
    assert "has no SQL" in outcome.stderr


def test_scenario_is_compared_with_its_own_rows(shop: Repository) -> None:
    shop.tdv("checkout", "shop@v1.1.0", "--scenario", "retry", "--target", URL, expect=0)
    assert wrong(shop, URL, "shop@v1.1.0") == []
    change(shop, "DELETE FROM orders")
    assert wrong(shop, URL, "shop@v1.1.0") == [("rows", "orders")]


def test_protected_target_may_be_looked_at(shop: Repository) -> None:
    shop.write({"tdv.yaml": shop.read("tdv.yaml").replace("targets:\n", f"targets:\n  {LIVE}\n")})
    assert wrong(shop, "live") == [("reachable", "")]
    assert not (shop.root / "live.db").exists()


def test_unknown_target_is_an_error(shop: Repository) -> None:
    assert shop.tdv("health", "nowhere").exit_code == 10
