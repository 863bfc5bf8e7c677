"""Scripts that bring databases of which others made or changed the tables to a release: they run and leave no
difference, or are refused before a line is printed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import RepositoryBuilder
from tests.diff.engines import FIXTURES, Engine, engine_of
from tests.repository import Repository
from tests.targets.servers import run_mysql, run_sql

HEAD = "dataset: shop\nseed: 1\nas_of: 2026-01-01T00:00:00Z\ntables:\n"
PEOPLE = """
  people:
    key: [id]
    columns:
      id: {type: int64}
      level: {type: int16, nullable: true}
"""
ORDERS = """
  orders:
    key: [id]
    columns:
      id: {type: int32}
      person: {type: int64, references: people.id}
"""
ROWS = {"people": "id,level\n1,1\n2,\n4,9\n", "orders": "id,person\n1,1\n2,4\n"}


@pytest.fixture(params=FIXTURES)
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    yield from engine_of(request, request.param, tmp_path)


def shop(repo: RepositoryBuilder, tables: str = PEOPLE + ORDERS, **seeds: str) -> Repository:
    """A built dataset with these tables."""
    files = {f"datasets/shop/seeds/{name}.csv": text for name, text in (seeds or ROWS).items()}
    made = repo({"datasets/shop/dataset.yaml": HEAD + tables, **files}).prepared()
    made.tdv("build", expect=0)
    return made


def brought(made: Repository, engine: Engine, url: str, state: str = "shop@workspace") -> str:
    """Runs the script, asserts that nothing is left to do, and returns it."""
    script = made.tdv("diff", url, state, "--sql", "--show-private", expect=0).stdout
    engine.run(url, script)
    assert "no difference" in made.tdv("diff", url, state, "--exit-code", expect=0).stdout
    again = made.tdv("diff", url, state, "--sql", "--show-private", expect=0).stdout
    assert not [line for line in again.splitlines() if line.startswith(("UPDATE", "DELETE", "ALTER"))], again
    return script


@pytest.fixture
def postgresql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    yield from engine_of(request, "postgresql", tmp_path)


@pytest.fixture
def mysql(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    yield from engine_of(request, "mysql", tmp_path)


def test_text_in_the_place_of_other_types_is_compared_as_what_it_stands_for(
    repo: RepositoryBuilder, postgresql: Engine
) -> None:
    columns = (
        "code: {type: int16}, ok: {type: bool, nullable: true}, at: {type: timestamp}, token: {type: uuid},"
        " name: {type: string}, price: {type: 'decimal(6,2)'}"
    )
    token = "123e4567-e89b-12d3-a456-42661417400"
    made = shop(
        repo,
        f"  things: {{key: [code], columns: {{{columns}}}}}\n  heap: {{columns: {{{columns}}}}}\n",
        things=f"code,ok,at,token,name,price\n1,true,2026-01-01T10:00:00,{token}1,A,1.50\n",
        heap=f"code,ok,at,token,name,price\n1,false,2026-01-01T10:00:00.25,{token}2,a,1.50\n",
    )
    url = postgresql.place()
    texts = "(code text {key}, ok text, at text, token char(36), name varchar(20), price text)"
    rows = (
        f"('01', 'f', '2026-01-01 10:00:00', '{token}1', 'x', '2.50'),"
        f"('7', NULL, '2026-01-01T10:00:00', '{token}3', 'y', '2.5')"
    )
    statements = [
        statement
        for table, key in (("things", "PRIMARY KEY"), ("heap", ""))
        for statement in (f"CREATE TABLE {table} {texts.format(key=key)}", f"INSERT INTO {table} VALUES {rows}")
    ]
    run_sql(url, *statements)
    script = brought(made, postgresql, url)
    assert "\"code\"::smallint = '1'" in script
    assert run_sql(url, "SELECT code, ok FROM things") == [("01", "t")]


def test_texts_that_ignore_case_or_spaces_are_told_apart(repo: RepositoryBuilder, postgresql: Engine) -> None:
    columns = "name: {type: string}, place: {type: string, maxLength: 9}"
    made = shop(repo, f"  heap: {{columns: {{{columns}}}}}\n", heap="name,place\na,x\nb,y\n")
    url = postgresql.place()
    run_sql(url, "CREATE TABLE heap (name varchar, place char(9))", "INSERT INTO heap VALUES ('a', 'x'), ('c', 'z')")
    assert "adds spaces at the end" in made.tdv("diff", url, "shop@workspace", expect=0).stdout
    brought(made, postgresql, url)


def test_new_tables_refer_to_keys_of_others_as_these_declare_them(repo: RepositoryBuilder, mysql: Engine) -> None:
    made = shop(repo)
    url = mysql.place()
    run_mysql(
        url,
        "CREATE TABLE people (id BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT, level SMALLINT)",
        "INSERT INTO people VALUES (1, 2), (7, 7)",
    )
    brought(made, mysql, url)
    ((kind,),) = run_mysql(url, "SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE COLUMN_NAME = 'person'")
    assert "unsigned" in str(kind)


@pytest.mark.parametrize("kind", ["varchar(40) CHARACTER SET latin1", "char(36)"])
def test_new_tables_refer_to_texts_of_others_in_their_characters(
    repo: RepositoryBuilder, mysql: Engine, kind: str
) -> None:
    token = "123e4567-e89b-12d3-a456-426614174001"
    made = shop(
        repo,
        "  things: {key: [id], columns: {id: {type: uuid}}}\n"
        "  parts: {key: [id], columns: {id: {type: int32}, thing: {type: uuid, references: things.id}}}\n",
        things=f"id\n{token}\n",
        parts=f"id,thing\n1,{token}\n",
    )
    url = mysql.place()
    run_mysql(url, f"CREATE TABLE things (id {kind} PRIMARY KEY)", f"INSERT INTO things VALUES ('{token}')")
    brought(made, mysql, url)


def test_columns_of_mariadb_that_round_are_widened_and_keep_their_defaults(
    repo: RepositoryBuilder, mysql: Engine
) -> None:
    columns = "id: {type: int64}, at: {type: timestamp}, seen: {type: timestamptz}, of: {type: time}"
    made = shop(
        repo,
        f"  visits: {{key: [id], columns: {{{columns}, size: {{type: float64}}}}}}\n",
        visits="id,at,seen,of,size\n1,2026-01-01T10:00:00.5,2026-01-01T10:00:00.123456Z,12:30:00.7,0.123456789\n",
    )
    url = mysql.place()
    run_mysql(
        url,
        "CREATE TABLE visits (id bigint PRIMARY KEY, at datetime(3) NOT NULL, seen timestamp NOT NULL DEFAULT "
        "current_timestamp ON UPDATE current_timestamp COMMENT 'it''s', of time, size float NOT NULL DEFAULT 1.5)",
        "INSERT INTO visits VALUES (1, '2026-01-01 10:00:00', '2026-01-01 10:00:00', NULL, 0.5)",
    )
    told = made.tdv("diff", url, "shop@workspace", expect=0).stdout
    assert "visits.seen rounds fractions of a second; visits.of rounds fractions of a second" in told
    assert "visits.size rounds numbers" in told
    brought(made, mysql, url)
    ((_, text),) = run_mysql(url, "SHOW CREATE TABLE visits")
    assert "DEFAULT current_timestamp(6) ON UPDATE current_timestamp(6) COMMENT 'it''s'" in str(text)
    assert "NOT NULL DEFAULT 1.5" in str(text)


def test_numbers_that_a_column_of_others_does_not_take_are_refused(repo: RepositoryBuilder, mysql: Engine) -> None:
    made = shop(repo, PEOPLE, people="id,level\n1,-3\n")
    url = mysql.place()
    run_mysql(url, "CREATE TABLE people (id BIGINT PRIMARY KEY, level TINYINT UNSIGNED)")
    answer = made.tdv("diff", url, "shop@workspace", "--sql", expect=11)
    assert "people.level is tinyint(3) unsigned and takes whole numbers from 0 to 255 only" in answer.stderr
    assert not answer.stdout


def people_without_key(engine: Engine, *rows: str) -> str:
    url = engine.place()
    engine.run(url, "CREATE TABLE people (id BIGINT, level SMALLINT);")
    for row in rows:
        engine.run(url, f"INSERT INTO people VALUES ({row});")
    return url


@pytest.mark.parametrize("row", ["1, 5", "NULL, 5", "1, 1"])
def test_table_without_the_key_is_compared_and_brought_row_by_row(
    repo: RepositoryBuilder, engine: Engine, row: str
) -> None:
    made = shop(repo, PEOPLE, people=ROWS["people"])
    url = people_without_key(engine, "1, 1", "2, NULL", row)
    made.tdv("diff", "shop@workspace", url, expect=0)
    brought(made, engine, url)


def test_key_that_a_new_reference_needs_is_made(repo: RepositoryBuilder, engine: Engine) -> None:
    made = shop(repo)
    brought(made, engine, people_without_key(engine, "1, 1", "5, NULL"))


def test_column_of_a_unique_that_others_dropped_comes_back(repo: RepositoryBuilder, engine: Engine) -> None:
    made = shop(
        repo,
        "  people: {key: [id], columns: {id: {type: int64}, name: {type: string, maxLength: 9, unique: true}}}\n",
        people="id,name\n1,a\n2,b\n",
    )
    url = engine.place()
    engine.run(url, "CREATE TABLE people (id BIGINT PRIMARY KEY);")
    engine.run(url, "INSERT INTO people VALUES (1);")
    brought(made, engine, url)


def test_reference_to_a_column_that_others_renamed_leads_to_the_one_of_the_release(
    repo: RepositoryBuilder, postgresql: Engine
) -> None:
    made = shop(repo)
    url = postgresql.place()
    run_sql(
        url,
        "CREATE TABLE people (code bigint PRIMARY KEY, level smallint)",
        "CREATE TABLE orders (id integer PRIMARY KEY, person bigint NOT NULL REFERENCES people (code))",
        "CREATE INDEX ix_orders_person ON orders (person)",
        "INSERT INTO people VALUES (1, 1)",
        "INSERT INTO orders VALUES (1, 1)",
    )
    brought(made, postgresql, url)


def test_reference_that_others_made_of_text_gets_one_type_at_both_ends(
    repo: RepositoryBuilder, postgresql: Engine
) -> None:
    made = shop(repo)
    url = postgresql.place()
    run_sql(
        url,
        "CREATE TABLE people (id text PRIMARY KEY, level smallint)",
        "INSERT INTO people VALUES ('1', 1), ('8', NULL)",
    )
    brought(made, postgresql, url)


def test_index_that_was_left_by_a_renamed_table_stops_nothing(repo: RepositoryBuilder, engine: Engine) -> None:
    made = shop(repo)
    url = engine.place()
    made.tdv("checkout", "shop@workspace", "--target", url, expect=0)
    engine.run(url, "ALTER TABLE orders RENAME TO orders_before;")
    brought(made, engine, url)


def test_table_that_tdv_made_for_another_version_goes(repo: RepositoryBuilder, engine: Engine) -> None:
    made = shop(repo)
    made.commit("Two tables")
    made.tdv("release", "shop", "1.0.0", expect=0)
    made.write({"datasets/shop/dataset.yaml": HEAD + PEOPLE, "datasets/shop/seeds/people.csv": "id,level\n1,1\n"})
    (made.root / "datasets/shop/seeds/orders.csv").unlink()
    made.tdv("build", expect=0)
    url = engine.place()
    made.tdv("checkout", "shop@v1.0.0", "--target", url, expect=0)
    script = brought(made, engine, url)
    assert 'DROP TABLE "orders";' in script


@pytest.mark.parametrize("name", ["sqlite", "postgresql", "mysql"])
def test_rows_of_others_that_would_refer_to_nothing_are_named(
    repo: RepositoryBuilder, request: pytest.FixtureRequest, tmp_path: Path, name: str
) -> None:
    made = shop(repo, PEOPLE, people=ROWS["people"])
    for engine in engine_of(request, name, tmp_path):
        url = engine.place()
        engine.run(url, "CREATE TABLE people (id BIGINT PRIMARY KEY, level SMALLINT);")
        engine.run(url, "CREATE TABLE visits (person BIGINT, FOREIGN KEY (person) REFERENCES people (id));")
        engine.run(url, "INSERT INTO people VALUES (1, 1), (3, 1);")
        engine.run(url, "INSERT INTO visits VALUES (1), (3), (NULL);")
        answer = made.tdv("diff", url, "shop@workspace", "--sql", expect=11)
        said = "table 'visits', which is not the dataset's, refers in 1 row to rows of 'people' that are not to stay"
        assert said in answer.stderr
        assert not answer.stdout
        engine.run(url, "DELETE FROM visits WHERE person = 3;")
        brought(made, engine, url)


@pytest.mark.parametrize(
    ("made_of", "said"),
    [
        ("CREATE VIEW grown AS SELECT id FROM people WHERE level > 3", "the view grown reads people.level"),
        (
            "ALTER TABLE people ADD COLUMN twice integer GENERATED ALWAYS AS (level * 2) STORED",
            "the generated column people.twice reads people.level",
        ),
    ],
)
def test_what_reads_a_column_that_changes_its_type_is_named(
    repo: RepositoryBuilder, postgresql: Engine, made_of: str, said: str
) -> None:
    made = shop(repo, PEOPLE.replace("int16", "int32"), people=ROWS["people"])
    url = postgresql.place()
    run_sql(url, "CREATE TABLE people (id bigint PRIMARY KEY, level smallint)", made_of)
    answer = made.tdv("diff", url, "shop@workspace", "--sql", expect=11)
    assert said in answer.stderr
    assert not answer.stdout


@pytest.fixture
def duck(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    yield from engine_of(request, "duckdb", tmp_path)


def test_columns_of_duckdb_that_round_or_hold_moments_as_text(repo: RepositoryBuilder, duck: Engine) -> None:
    columns = "a: {type: timestamp}, b: {type: float64}, c: {type: timestamp}"
    made = shop(
        repo,
        f"  heap: {{columns: {{{columns}}}}}\n",
        heap="a,b,c\n2026-01-01T10:00:00.25,0.1,2026-01-01T10:00:00\n",
    )
    url = duck.place()
    duck.run(url, "CREATE TABLE heap (a TIMESTAMP_S, b FLOAT, c VARCHAR);")
    duck.run(url, "INSERT INTO heap VALUES ('2026-01-01 10:00:00', 0.1, '2026-01-01 11:00:00');")
    told = made.tdv("diff", url, "shop@workspace", expect=0).stdout
    assert "heap.a rounds fractions of a second; heap.b rounds numbers" in told
    brought(made, duck, url)


def test_digits_that_sqlite_holds_as_text_are_no_number(
    repo: RepositoryBuilder, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    made = shop(repo, "  heap: {columns: {a: {type: 'decimal(6,2)'}}}\n", heap="a\n1.50\n")
    for engine in engine_of(request, "sqlite", tmp_path):
        url = engine.place()
        engine.run(url, "CREATE TABLE heap (a TEXT); INSERT INTO heap VALUES ('2.50');")
        brought(made, engine, url)


def test_script_to_a_live_target_takes_all_that_its_tables_do(repo: RepositoryBuilder, engine: Engine) -> None:
    made = shop(
        repo,
        "  people:\n    key: [id]\n    columns:\n      id: {type: int64}\n      level: {type: int16}\n"
        "      name: {type: string, maxLength: 3}\n      code: {type: string, maxLength: 9, unique: true}\n"
        "  cities: {key: [id], columns: {id: {type: int64}}}\n",
        people="id,level,name,code\n1,1,abc,a\n2,2,b,b\n",
        cities="id\n1\n2\n",
    )
    live, other = engine.place(), engine.place()
    engine.run(live, "CREATE TABLE people (id BIGINT PRIMARY KEY, level INTEGER, name VARCHAR(20));")
    engine.run(live, "INSERT INTO people VALUES (1, NULL, 'longer than three'), (3, 3, 'c');")
    engine.run(live, "CREATE TABLE cities (id BIGINT);")
    engine.run(live, "INSERT INTO cities VALUES (1), (1), (NULL);")
    made.tdv("checkout", "shop@workspace", "--target", other, expect=0)
    engine.run(other, made.tdv("diff", "shop@workspace", live, "--sql", "--show-private", expect=0).stdout)
    told = [made.tdv("diff", "shop@workspace", url, "--json", expect=0).json() for url in (live, other)]
    assert told[0]["tables"] == told[1]["tables"]
    assert told[0]["tables"]["cities"]["added"] == 2


def test_tables_of_others_may_have_types_that_no_release_has(repo: RepositoryBuilder, postgresql: Engine) -> None:
    made = shop(repo, PEOPLE, people=ROWS["people"])
    url = postgresql.place()
    run_sql(
        url,
        "CREATE TABLE people (id bigint PRIMARY KEY, level smallint)",
        "CREATE TABLE visits (place point, person bigint REFERENCES people (id))",
        "INSERT INTO people VALUES (3, 1)",
        "INSERT INTO visits VALUES (NULL, 3)",
    )
    assert "'visits', which is not" in made.tdv("diff", url, "shop@workspace", "--sql", expect=11).stderr
    run_sql(url, "DELETE FROM visits")
    brought(made, postgresql, url)


@pytest.mark.parametrize(("name", "kind"), [("postgresql", "real"), ("mysql", "float")])
def test_numbers_of_few_digits_stay_what_they_are_read_as(
    repo: RepositoryBuilder, request: pytest.FixtureRequest, tmp_path: Path, name: str, kind: str
) -> None:
    made = shop(
        repo,
        "  sizes: {key: [id], columns: {id: {type: int64}, size: {type: float64}}}\n",
        sizes="id,size\n1,0.1\n2,0.123456789\n",
    )
    for engine in engine_of(request, name, tmp_path):
        url = engine.place()
        engine.run(url, f"CREATE TABLE sizes (id bigint PRIMARY KEY, size {kind} NOT NULL);")
        engine.run(url, "INSERT INTO sizes VALUES (1, 0.1);")
        brought(made, engine, url)


def test_uuids_in_bytes_stay_so_in_a_table_that_is_made_anew(repo: RepositoryBuilder, mysql: Engine) -> None:
    token = "123e4567-e89b-12d3-a456-42661417400"
    made = shop(
        repo,
        "  things: {key: [id], columns: {id: {type: int64}, token: {type: uuid}, note: {type: string}}}\n",
        things=f"id,token,note\n1,{token}1,a\n2,{token}2,b\n",
    )
    url = mysql.place()
    run_mysql(
        url,
        "CREATE TABLE things (id bigint PRIMARY KEY, token binary(16))",
        f"INSERT INTO things VALUES (1, x'{token.replace('-', '')}1')",
    )
    brought(made, mysql, url)
    ((kind,),) = run_mysql(url, "SELECT COLUMN_TYPE FROM information_schema.COLUMNS WHERE COLUMN_NAME = 'token'")
    assert kind == "binary(16)"
