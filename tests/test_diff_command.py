import contextlib
import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdv import documents
from tests.conftest import RepositoryBuilder
from tests.repository import Repository
from tests.shop import released_shop
from tests.targets.servers import run_mysql, run_sql

SPEC = """
dataset: shop
seed: 1
as_of: 2026-01-01T00:00:00Z
tables:
  users:
    key: [id]
    columns:
      id: {type: int64}
      email: {type: string, privacy: email}
      age: {type: int16, nullable: true}
  cities:
    key: [code]
    columns:
      code: {type: string}
"""
ZOO = """
dataset: zoo
seed: 1
as_of: 2026-01-01T00:00:00Z
tables:
  pens:
    key: [id]
    columns:
      id: {type: int64}
      size: {type: int64}
"""
USERS = "id,email,age\n1,ada@example.test,36\n2,bob@example.test,\n3,cy@example.test,5\n"
CHANGED = "id,email,age\n1,ada@example.test,37\n3,cyd@example.test,5\n4,dee@example.test,96\n"


def shop(repo: RepositoryBuilder, name: str = "repo") -> Repository:
    """A repository with the release 1.0.0 and, built and committed on top, other users."""
    made = repo(
        {
            "datasets/shop/dataset.yaml": SPEC,
            "datasets/shop/seeds/users.csv": USERS,
            "datasets/shop/seeds/cities.csv": "code\ng\nw\n",
        },
        name=name,
    ).prepared()
    made.tdv("build", expect=0)
    made.commit("Build")
    made.tdv("release", "shop", "1.0.0", expect=0)
    made.write({"datasets/shop/seeds/users.csv": CHANGED})
    made.tdv("build", expect=0)
    return made


def test_diff_of_the_work_tree_since_the_last_release(repo: RepositoryBuilder) -> None:
    text = shop(repo).tdv("diff", expect=0).stdout
    assert text == (
        "shop@v1.0.0 → shop@workspace\n"
        "\n"
        "users  1 added, 1 removed, 2 changed  3 → 3 rows\n"
        "     id  email              age\n"
        "  +   4  <private: email>    96\n"
        "  -   2  <private: email>  NULL\n"
        "  ~  id=1  age    36 → 37\n"
        "  ~  id=3  email  <private: email> (changed)\n"
        "needs major: row-removed (users: id=2)\n"
    )


def test_diff_as_json_is_described_by_its_schema(repo: RepositoryBuilder) -> None:
    plain = shop(repo).tdv("diff", "--json", expect=0).json()
    documents.validate(documents.plain(plain, "diff"), "diff")
    assert (plain["from"], plain["to"], plain["bump"]) == ("shop@v1.0.0", "shop@workspace", "major")
    users = plain["tables"]["users"]
    assert (users["added"], users["removed"], users["changed"]) == (1, 1, 2)
    assert users["cells"] == {"email": 1, "age": 1}
    assert plain["tables"]["cities"]["added"] == 0
    assert "example.test" not in json.dumps(plain)


def test_json_lines_are_described_by_their_schemas(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    head, *rows = (json.loads(line) for line in made.tdv("diff", "--jsonl", "--limit", "1").stdout.splitlines())
    documents.validate(documents.plain(head, "diff"), "diff")
    assert (head["bump"], head["tables"]["users"]["left_out"]) == ("major", 1)
    for row in rows:
        documents.validate(documents.plain(row, "diffrow"), "diffrow")
    assert [f"{row['table']} {row['kind']}" for row in rows] == ["users added", "users removed", "users changed"]
    assert made.tdv("diff", "--jsonl", "--exit-code").exit_code == 1
    assert len(made.tdv("diff", "v1.0.0", "v1.0.0", "--jsonl", "--exit-code", expect=0).stdout.splitlines()) == 1


def test_what_no_state_has_is_named_although_nothing_differs(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    for states in ((), ("v1.0.0", "v1.0.0")):
        assert "'users'" in made.tdv("diff", *states, "--table", "user", expect=10).stderr
        assert "'email'" in made.tdv("diff", *states, "--columns", "emial", expect=10).stderr
        assert "'email'" in made.tdv("diff", *states, "--where", "emial = ''", expect=10).stderr
        assert "syntax error" in made.tdv("diff", *states, "--where", "age >", expect=2).stderr
        assert "empty" in made.tdv("diff", *states, "--where", "", expect=2).stderr
    made.tdv("checkout", "shop@v1.0.0", "--target", "app.db", expect=0)
    assert made.tdv("diff", "shop@v1.0.0", "app.db", "--where", "ageing > 3").exit_code == 10
    assert made.tdv("diff", "shop@v1.0.0", "app.db", "--table", "user").exit_code == 10


def test_names_that_one_dataset_has_choose_that_dataset(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    made.write({"datasets/zoo/dataset.yaml": ZOO, "datasets/zoo/seeds/pens.csv": "id,size\n1,4\n"})
    made.tdv("build", expect=0)
    made.commit("Add the zoo")
    made.tdv("release", "zoo", "1.0.0", expect=0)
    assert made.tdv("diff", "--table", "pens", expect=0).stdout.startswith("zoo@v1.0.0")
    assert made.tdv("diff", "--where", "age > 36", "--table", "users", expect=0).stdout.count(" → ") == 3


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("v1.0.0", "shop@workspace"),
        ("shop", "workspace"),
        ("shop@v1.0.0", "workspace"),
        ("git:HEAD", "shop@workspace"),
        ("shop@git:HEAD", "workspace"),
        ("v1.0.0", None),
    ],
)
def test_states_are_named_in_many_ways(repo: RepositoryBuilder, old: str, new: str | None) -> None:
    words = ["diff", old, *([new] if new else []), "--json"]
    assert shop(repo).tdv(*words, expect=0).json()["bump"] == "major"


def test_exit_code_tells_whether_anything_shown_differs(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    made.tdv("diff", "v1.0.0", "v1.0.0", "--exit-code", expect=0)
    made.tdv("diff", "--exit-code", expect=1)
    made.tdv("diff", "--exit-code", "--table", "cities", expect=0)


def test_part_without_a_difference_is_told_as_such(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    lines = made.tdv("diff", "--table", "cities", expect=0).stdout.splitlines()
    assert lines[1] == "  no difference in the rows shown"
    assert lines[2].startswith("needs major: row-removed (users")
    assert "no difference" not in made.tdv("diff", "--table", "users", expect=0).stdout


def test_rows_of_which_none_is_shown_are_counted_without_more(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    assert "  … 4 rows" in made.tdv("diff", "--limit", "0", expect=0).stdout.splitlines()


def test_base_compares_with_where_the_branch_began(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    made.git("switch", "--quiet", "--create", "topic")
    made.commit("Other users")
    made.git("switch", "--quiet", "main")
    made.commit("Something else")
    made.git("switch", "--quiet", "topic")
    plain = made.tdv("diff", "--base", "main", "--json", expect=0).json()
    assert plain["tables"]["users"]["changed"] == 2
    assert made.tdv("diff", "--base", "nowhere").exit_code == 10
    assert made.tdv("diff", "shop", "--base", "main").exit_code == 2


def test_diff_against_a_live_target(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    url = f"sqlite:///{made.root}/app.db"
    made.tdv("checkout", "shop@v1.0.0", "--target", url, expect=0)
    assert "no difference" in made.tdv("diff", "shop@v1.0.0", url, expect=0).stdout
    with sqlite3.connect(made.root / "app.db") as connection:
        connection.execute("UPDATE users SET age = 99 WHERE id = 1")
        connection.execute("DELETE FROM users WHERE id = 2")
        connection.execute("ALTER TABLE users ADD COLUMN nick TEXT")
    connection.close()
    plain = made.tdv("diff", url, "--json", expect=0).json()
    assert (plain["from"], plain["tables"]["users"]["cells"]) == ("shop@v1.0.0", {"age": 1})
    assert [row["kind"] for row in plain["tables"]["users"]["rows"]] == ["removed", "changed"]
    assert [(change["kind"], change["column"]) for change in plain["schema"]] == [("column-added", "nick")]
    back = made.tdv("diff", url, "shop@v1.0.0", "--json", expect=0).json()
    assert [row["kind"] for row in back["tables"]["users"]["rows"]] == ["added", "changed"]


def test_live_target_is_compared_by_its_rows_not_by_scenarios(tmp_path: Path) -> None:
    made = released_shop(tmp_path)
    made.tdv("checkout", "shop@v1.1.0", "--target", "app.db", expect=0)
    for states in (("shop@v1.1.0", "app.db"), ("app.db", "shop@v1.1.0")):
        assert "no difference" in made.tdv("diff", *states, "--exit-code", expect=0).stdout


def test_target_with_values_of_another_type_is_told_as_such(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    url = f"sqlite:///{made.root}/app.db"
    made.tdv("checkout", "shop@v1.0.0", "--target", url, expect=0)
    with sqlite3.connect(made.root / "app.db") as connection:
        connection.execute("DROP TABLE users")
        connection.execute("CREATE TABLE users (id INTEGER PRIMARY KEY, email TEXT, age TEXT)")
        connection.execute("INSERT INTO users VALUES (1, 'ada@example.test', 'old')")
    connection.close()
    plain = made.tdv("diff", "shop@v1.0.0", url, "--json", expect=0).json()
    assert ("type-changed", "users", "age") in {(c["kind"], c["table"], c["column"]) for c in plain["schema"]}
    assert plain["tables"]["users"]["removed"] == 2


@pytest.mark.parametrize("key", ["nullif(id, 1)", "max(id, 2)"])
def test_target_whose_rows_have_no_key_of_their_own_is_compared_without_it(repo: RepositoryBuilder, key: str) -> None:
    made = shop(repo)
    url = f"sqlite:///{made.root}/app.db"
    made.tdv("checkout", "shop@v1.0.0", "--target", url, expect=0)
    with sqlite3.connect(made.root / "app.db") as connection:
        connection.execute("ALTER TABLE users RENAME TO was")
        connection.execute("CREATE TABLE users (id INTEGER, email TEXT, age INTEGER)")
        connection.execute(f"INSERT INTO users SELECT {key}, email, age FROM was")
        connection.execute("DROP TABLE was")
    connection.close()
    plain = made.tdv("diff", "shop@v1.0.0", url, "--json", expect=0).json()
    assert "key-changed" in {change["kind"] for change in plain["schema"]}
    assert (plain["tables"]["users"]["removed"], plain["tables"]["users"]["added"]) == (1, 1)
    assert made.tdv("diff", url, "shop@v1.0.0", expect=0).stdout


@pytest.mark.parametrize("row", [",ada@example.test,36", "2,ada@example.test,36"])
def test_files_without_a_key_of_their_own_are_compared_without_it(repo: RepositoryBuilder, row: str) -> None:
    made = shop(repo)
    made.tdv("checkout", "shop@v1.0.0", "--target", "file:///csvs?format=csv".replace("/csvs", f"{made.root}/csvs/"))
    users = made.root / "csvs/users.csv"
    users.write_text(users.read_text().replace("1,ada@example.test,36", row))
    plain = made.tdv("diff", "shop@v1.0.0", "csvs/", "--json", expect=0).json()
    assert "key-changed" in {change["kind"] for change in plain["schema"]}
    assert (plain["tables"]["users"]["removed"], plain["tables"]["users"]["added"]) == (1, 1)


def _csv(directory: Path, header: str, *rows: str) -> None:
    (directory / "users.csv").write_text("\n".join((header, *rows, "")))


def _jsonl(directory: Path, header: str, *rows: str) -> None:
    names = header.split(",")
    items = [dict(zip(names, row.split(","), strict=True)) for row in rows]
    for item in items:
        item["id"] = int(item["id"])  # type: ignore[assignment]
    (directory / "users.jsonl").write_text("".join(f"{json.dumps(item)}\n" for item in items))


def _parquet(directory: Path, header: str, *rows: str) -> None:
    columns = dict(zip(header.split(","), zip(*(row.split(",") for row in rows), strict=True), strict=True))
    arrays = {name: pa.array(map(int, texts) if name == "id" else texts) for name, texts in columns.items()}
    pq.write_table(pa.table(arrays), directory / "users.parquet")


@pytest.mark.parametrize("written", [_csv, _jsonl, _parquet])
def test_columns_of_files_are_those_that_are_there(
    repo: RepositoryBuilder, tmp_path: Path, written: Callable[..., None]
) -> None:
    made = shop(repo)
    written(tmp_path, "city,email,id,nick", "Paris,a@x.test,1,Ada", "Rome,b@x.test,2,Bob")
    plain = made.tdv("diff", "shop@v1.0.0", f"{tmp_path}/", "--table", "users", "--json", expect=0).json()
    changes = {(change["kind"], change["column"]) for change in plain["schema"] if change["table"] == "users"}
    assert changes >= {("column-removed", "age"), ("column-added", "nick"), ("column-added", "city")}
    kept = plain["tables"]["users"]["kept"]["rows"]
    assert [(row["after"]["nick"], row["after"]["city"]) for row in kept] == [("Ada", "Paris"), ("Bob", "Rome")]


@pytest.mark.parametrize("name", ["csvs", "Csv_files"])
def test_directory_without_a_slash_is_offered_with_one(repo: RepositoryBuilder, name: str) -> None:
    made = shop(repo)
    assert "write" not in made.tdv("diff", "v1.0.0", name).stderr
    (made.root / name).mkdir()
    assert f"For the directory of that name write {name}/ with a slash." in made.tdv("diff", "v1.0.0", name).stderr


def test_faces(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    assert made.tdv("diff", "--markdown", expect=0).stdout.startswith(
        "<!-- tdv diff -->\n### Test data: needs a **major**"
    )
    assert 'UPDATE "users" SET "age" = 37 WHERE "id" = 1;' in made.tdv("diff", "--sql", expect=0).stdout
    assert "distinct" in made.tdv("diff", "--stat", expect=0).stdout
    made.tdv("diff", "--html", str(made.root / "report.html"), expect=0)
    assert "<!doctype html>" in made.read("report.html")
    assert made.tdv("diff", "--json", "--sql").exit_code == 2
    assert made.tdv("diff", "--tolerance", "nan").exit_code == 2
    assert "ada@example.test" not in made.read("report.html")


def test_sql_is_for_the_engine_that_is_asked_for_or_of_the_target(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    assert "-- For SQLite" in made.tdv("diff", "--sql", expect=0).stdout
    assert "-- For PostgreSQL" in made.tdv("diff", "--sql", "--dialect", "postgres", expect=0).stdout
    url = f"duckdb:///{made.root}/app.duckdb"
    made.tdv("checkout", "shop@v1.0.0", "--target", url, expect=0)
    assert "-- For DuckDB" in made.tdv("diff", url, "shop", "--sql", expect=0).stdout
    assert "-- For MySQL" in made.tdv("diff", url, "shop", "--sql", "--dialect", "mariadb", expect=0).stdout
    assert "Use one of sqlite, duckdb" in made.tdv("diff", "--sql", "--dialect", "oracle", expect=2).stderr
    assert "Add --sql" in made.tdv("diff", "--dialect", "mysql", expect=2).stderr


@pytest.mark.parametrize("option", ["--where=id > 1", "--columns=age", "--ignore=age", "--tolerance=1", "--limit=1"])
def test_sql_says_what_does_not_apply_to_it(repo: RepositoryBuilder, option: str) -> None:
    answer = shop(repo).tdv("diff", "--sql", option, expect=2)
    assert f"{option.partition('=')[0]} does not apply" in answer.stderr
    assert not answer.stdout


def measured(repo: RepositoryBuilder, before: str, after: str) -> Repository:
    """A built dataset of one released state and another one."""
    columns = "id: {type: int64}, note: {type: string}, level: {type: float64}"
    seeds = "datasets/shop/seeds/levels.csv"
    made = repo(
        {
            "datasets/shop/dataset.yaml": f"dataset: shop\ntables: {{levels: {{key: [id], columns: {{{columns}}}}}}}\n",
            seeds: f"id,note,level\n{before}",
        }
    ).prepared()
    made.tdv("build", "shop", expect=0)
    made.commit("Build")
    made.tdv("release", "shop", "1.0.0", expect=0)
    made.write({seeds: f"id,note,level\n{after}"})
    made.tdv("build", "shop", expect=0)
    return made


def test_sql_prints_nothing_where_a_value_cannot_be_written(repo: RepositoryBuilder) -> None:
    made = measured(repo, "1,a,1.5\n2,b,2.5\n", "2,c,2.5\n3,d,NaN\n")
    answer = made.tdv("diff", "--sql", "--dialect", "sqlite")
    assert answer.exit_code != 0
    assert "NaN" in answer.stderr
    assert not answer.stdout


def test_sql_of_any_length_is_printed_whole(repo: RepositoryBuilder) -> None:
    note = "é" * 1_000_000
    made = measured(repo, "1,a,1.5\n", f'1,"{note}",1.5\n')
    lines = made.tdv("diff", "--sql", "--dialect", "sqlite", expect=0).stdout.split("\n")
    assert [note in line for line in lines].count(True) == 1
    assert lines[-2] == "COMMIT;"


NARROW = "CREATE TABLE users (id INTEGER PRIMARY KEY, name VARCHAR(10), price NUMERIC(5, 1) NOT NULL)"
SAID = "is declared to take less than shop@workspace: users.id is int32, not int64; "


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        ("sqlite", ""),
        ("duckdb", f"{SAID}users.price is decimal(5,1), not decimal(10,2)."),
        ("postgresql", f"{SAID}users.name takes 10 characters; users.price is decimal(5,1), not decimal(10,2)."),
    ],
)
def test_narrower_columns_of_a_target_are_told_and_are_no_difference(
    repo: RepositoryBuilder, request: pytest.FixtureRequest, engine: str, said: str
) -> None:
    columns = "id: {type: int64}, name: {type: string}, price: {type: 'decimal(10,2)'}"
    made = repo(
        {
            "datasets/shop/dataset.yaml": f"dataset: shop\ntables: {{users: {{key: [id], columns: {{{columns}}}}}}}\n",
            "datasets/shop/seeds/users.csv": "id,name,price\n1,ada,1.50\n",
        }
    ).prepared()
    made.tdv("build", "shop", expect=0)
    is_server = engine == "postgresql"
    url = request.getfixturevalue("empty_postgresql") if is_server else f"{engine}:///{made.root}/app.{engine}"
    statements = (NARROW, "INSERT INTO users VALUES (1, 'ada', 1.5)")
    if is_server:
        run_sql(url, *statements)
    else:
        connect = sqlite3.connect if engine == "sqlite" else duckdb.connect
        with contextlib.closing(connect(f"{made.root}/app.{engine}")) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
    for states in (("shop@workspace", url), (url, "shop@workspace")):
        plain = made.tdv("diff", *states, "--exit-code", "--json", expect=0).json()
        assert [note.partition(" ")[2] for note in plain["notes"]] == ([said] if said else [])
    assert said in made.tdv("diff", "shop@workspace", url, expect=0).stdout


def test_sql_widens_the_narrower_types_of_a_target_that_others_made(repo: RepositoryBuilder) -> None:
    columns = "id: {type: int64}, price: {type: 'decimal(12,3)'}, sold: {type: timestamp}"
    made = repo(
        {
            "datasets/shop/dataset.yaml": f"dataset: shop\ntables: {{prices: {{key: [id], columns: {{{columns}}}}}}}\n",
            "datasets/shop/seeds/prices.csv": "id,price,sold\n1,1.005,2026-01-01T10:00:00\n",
        }
    ).prepared()
    made.tdv("build", "shop", expect=0)
    path = made.root / "app.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE prices (id INTEGER PRIMARY KEY, price DECIMAL(10, 2) NOT NULL, sold DATE NOT NULL)"
        )
        connection.execute("INSERT INTO prices VALUES (1, 1.00, '2026-01-01')")
    script = made.tdv("diff", f"duckdb:///{path}", "shop@workspace", "--sql", expect=0).stdout
    with duckdb.connect(str(path)) as connection:
        connection.execute(script)
    made.tdv("diff", f"duckdb:///{path}", "shop@workspace", "--exit-code", expect=0)


def test_columns_of_a_target_that_round_times_are_widened(repo: RepositoryBuilder, empty_postgresql: str) -> None:
    columns = "id: {type: int64}, at: {type: timestamp}, seen: {type: timestamptz, nullable: true}, of: {type: time}"
    row = "2026-01-01T10:00:00.5,2026-01-01T10:00:00.123456Z,12:30:00.7"
    made = repo(
        {
            "datasets/shop/dataset.yaml": f"dataset: shop\ntables: {{visits: {{key: [id], columns: {{{columns}}}}}}}\n",
            "datasets/shop/seeds/visits.csv": f"id,at,seen,of\n1,{row}\n2,{row}\n",
        }
    ).prepared()
    made.tdv("build", "shop", expect=0)
    run_sql(
        empty_postgresql,
        "CREATE TABLE visits (id bigint PRIMARY KEY, at timestamp(0) NOT NULL, seen timestamptz(3), of time NOT NULL)",
        "INSERT INTO visits VALUES (1, '2026-01-01 10:00:00', NULL, '12:30:00.7')",
    )
    told = made.tdv("diff", empty_postgresql, "shop@workspace", expect=0).stdout
    assert "visits.at rounds fractions of a second; visits.seen rounds fractions of a second." in told
    script = made.tdv("diff", empty_postgresql, "shop@workspace", "--sql", expect=0).stdout
    run_sql(empty_postgresql, *(line for line in script.splitlines() if not line.startswith("--")))
    told = made.tdv("diff", empty_postgresql, "shop@workspace", "--exit-code", expect=0).stdout
    assert "rounds" not in told


VISITS = "id: {type: uuid}, at: {type: timestamptz}, opens: {type: time, nullable: true}"
SEEDS = "id,at,opens\n{a},2026-01-01T10:00:00Z,\n{b},2026-01-02T10:00:00.5Z,08:00:00\n"
OLD, NEW = (f"{letter * 8}-0000-4000-8000-000000000001" for letter in "ab")


def test_sql_writes_values_as_the_tables_of_an_application_hold_them(repo: RepositoryBuilder) -> None:
    made = repo(
        {
            "datasets/shop/dataset.yaml": f"dataset: shop\ntables: {{visits: {{key: [id], columns: {{{VISITS}}}}}}}\n",
            "datasets/shop/seeds/visits.csv": SEEDS.format(a=OLD, b=NEW),
        }
    ).prepared()
    made.tdv("build", "shop", expect=0)
    path = made.root / "app.db"
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(
            "CREATE TABLE visits (id CHAR(32) PRIMARY KEY NOT NULL, at DATETIME NOT NULL, opens TIME);"
            "CREATE TABLE alembic_version (version_num VARCHAR(32) PRIMARY KEY);"
            f"INSERT INTO visits VALUES ('{OLD.replace('-', '')}', '2025-12-31 23:00:00.000000', '09:00:00.000000'),"
            f"('{'c' * 32}', '2025-12-31 23:00:00.000000', NULL);"
        )
        script = made.tdv("diff", f"sqlite:///{path}", "shop@workspace", "--sql", expect=0).stdout
        connection.executescript(script)
        assert sorted(connection.execute("SELECT * FROM visits").fetchall()) == [
            (OLD.replace("-", ""), "2026-01-01 10:00:00.000000", None),
            (NEW.replace("-", ""), "2026-01-02 10:00:00.500000", "08:00:00.000000"),
        ]
    made.tdv("diff", f"sqlite:///{path}", "shop@workspace", "--exit-code", expect=0)
    made.tdv("checkout", "shop@workspace", "--target", "own.db", expect=0)
    with contextlib.closing(sqlite3.connect(made.root / "own.db")) as connection:
        connection.execute("DELETE FROM visits")
        connection.commit()
        script = made.tdv("diff", "sqlite:///own.db", "shop@workspace", "--sql", expect=0).stdout
        assert f"'{OLD}'" in script


@pytest.mark.parametrize(("kind", "quoted"), [("CHAR(32)", "'{}'"), ("BINARY(16)", "x'{}'")])
def test_sql_writes_uuids_as_the_tables_of_a_mysql_application_hold_them(
    repo: RepositoryBuilder, empty_mysql: str, kind: str, quoted: str
) -> None:
    made = repo(
        {
            "datasets/shop/dataset.yaml": "dataset: shop\ntables: {t: {key: [id], columns: {id: {type: uuid}}}}\n",
            "datasets/shop/seeds/t.csv": f"id\n{OLD}\n",
        }
    ).prepared()
    made.tdv("build", "shop", expect=0)
    theirs = quoted.format("c" * 32)
    run_mysql(empty_mysql, f"CREATE TABLE t (id {kind} PRIMARY KEY)", f"INSERT INTO t VALUES ({theirs})")
    script = made.tdv("diff", empty_mysql, "shop@workspace", "--sql", expect=0).stdout
    assert f"({quoted.format(OLD.replace('-', ''))})" in script
    assert f'"id" = {theirs}' in script
    lines = [line.rstrip(";") for line in script.splitlines() if line and not line.startswith("--")]
    run_mysql(empty_mysql, *lines)
    assert made.tdv("diff", empty_mysql, "shop@workspace", "--exit-code").exit_code == 0


def test_show_private_shows_values(repo: RepositoryBuilder) -> None:
    assert "cy@example.test → cyd@example.test" in shop(repo).tdv("diff", "--show-private", expect=0).stdout


def test_unknown_states_are_named(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    assert "v1.0.0" in made.tdv("diff", "v9.9.9", expect=10).stderr
    assert "shop" in made.tdv("diff", "shp@v1.0.0", expect=10).stderr
    made.tdv("diff", "shop@git:nowhere", expect=10)


def test_only_parts_that_differ_are_fetched(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    made.dvc("remote", "add", "--default", "store", str(made.root.parent / "store"))
    made.commit("Other users")
    made.tdv("push", expect=0)
    shutil.rmtree(made.root / ".dvc/cache")
    plain = made.tdv("diff", "shop@v1.0.0", "shop@git:HEAD", "--json", expect=0).json()
    assert plain["tables"]["users"]["changed"] == 2
    held = [path for path in (made.root / ".dvc/cache/files/md5").rglob("*") if path.is_file()]
    # Of each state the list of files, the manifest and the users; the cities are the same and stay where they are.
    assert len(held) == 6


def test_data_that_is_nowhere_names_its_state(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    shutil.rmtree(made.root / ".dvc/cache")
    outcome = made.tdv("diff", expect=14)
    assert "error: The data of shop@workspace is not in the cache; this repository has no DVC remote" in outcome.stderr
    assert "hint: `tdv build shop` makes" in outcome.stderr
    made.tdv("build", expect=0)
    made.tdv("diff", expect=0)


def test_stale_work_tree_is_told(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    assert made.tdv("diff", expect=0).stderr == ""
    made.write({"datasets/shop/seeds/users.csv": USERS})
    assert "`tdv build shop` first" in made.tdv("diff", expect=0).stdout


@pytest.mark.parametrize("spec", ["tables: [", None])
def test_spec_that_cannot_be_read_hides_no_rows(repo: RepositoryBuilder, spec: str | None) -> None:
    made = shop(repo)
    path = made.root / "datasets/shop/dataset.yaml"
    path.unlink() if spec is None else path.write_text(spec, encoding="utf-8")
    told = made.tdv("diff", "v1.0.0", "workspace", expect=0).stdout
    assert "What shop serves and requires cannot be told: " in told
    assert "1 added, 1 removed, 2 changed" in told


def test_sources_that_were_not_built_are_no_equality(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    made.write({"datasets/shop/seeds/users.csv": USERS})
    made.tdv("build", expect=0)
    assert made.tdv("diff", "--exit-code", expect=0).stdout.endswith("no difference\n")
    made.write({"datasets/shop/seeds/users.csv": CHANGED})
    told = made.tdv("diff", "--exit-code", expect=1)
    assert "no difference" not in told.stdout
    assert "`tdv build shop` first" in told.stdout
    assert made.tdv("diff", "--exit-code", "--json", expect=1).json()["stale"] is True
    assert json.loads(made.tdv("diff", "--exit-code", "--jsonl", expect=1).stdout)["stale"] is True
    assert "not built" in made.tdv("diff", "--markdown", expect=0).stdout
    made.tdv("diff", "--html", "page.html", expect=0)
    assert "No difference" not in made.read("page.html")
    assert made.tdv("diff", "v1.0.0", "v1.0.0", "--exit-code", "--json", expect=0).json()["stale"] is False


def test_a_page_is_written_only_where_there_is_a_directory(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    for command in ("diff", "matrix"):
        told = made.tdv(command, "--html", "reports/page.html", expect=10).stderr
        assert "There is no directory" in told
        assert f"`mkdir -p {made.root / 'reports'}`" in told
        assert not (made.root / "reports").exists()
        assert "is a directory" in made.tdv(command, "--html", "datasets", expect=2).stderr


def test_what_a_branch_changes_is_titled_by_the_commit_that_it_left(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    commit = made.git("rev-parse", "main").strip()[:10]
    made.git("checkout", "--quiet", "-b", "more")
    title = f"shop@git:{commit} (main, v1.0.0) → shop@workspace"
    assert made.tdv("diff", "--base", "main", expect=0).stdout.startswith(title)
    made.tdv("diff", "--base", "main", "--html", "page.html", expect=0)
    assert title in made.read("page.html")
    found = made.tdv("diff", "--base", "main", "--json", expect=0).json()
    assert found["tables"] == made.tdv("diff", found["from"], found["to"], "--json", expect=0).json()["tables"]
    made.commit("More")
    made.tdv("diff", "--base", "more", "--limit", "0", expect=0)


def test_compatibility_is_part_of_the_change(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    made.write({"datasets/shop/seeds/users.csv": USERS, "datasets/shop/dataset.yaml": SPEC + "compat: {app: '>=2'}\n"})
    made.tdv("build", expect=0)
    plain = made.tdv("diff", "--json", expect=0).json()
    assert ([rule["rule"] for rule in plain["rules"]], plain["bump"]) == (["compat-changed"], "patch")
    assert plain["tables"]["users"]["changed"] == 0


def test_datasets_that_a_branch_adds_or_takes_away_are_told(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    made.commit("Other users")
    made.git("checkout", "--quiet", "-b", "zoo")
    made.write({"datasets/zoo/dataset.yaml": ZOO, "datasets/zoo/seeds/pens.csv": "id,size\n1,4\n"})
    made.tdv("build", expect=0)
    made.commit("A zoo")
    told = made.tdv("diff", "--base", "main", "--exit-code", expect=1).stdout
    assert "zoo@workspace\n  dataset: dataset added: zoo\n  pens: table added: id, size\n" in told
    assert "pens  1 added\n     id  size\n  +   1     4\n" in told
    assert made.tdv("diff", "--base", "main", "--json", expect=0).json()["diffs"][1]["bump"] == "none"
    lines = made.tdv("diff", "--base", "main", "--jsonl", expect=0).stdout.splitlines()
    assert json.loads(lines[-1])["after"] == {"id": 1, "size": 4}
    made.git("checkout", "--quiet", "-b", "no-zoo")
    made.git("rm", "-r", "--quiet", "datasets/zoo")
    shutil.rmtree(made.root / "datasets/zoo")
    for left in ("dvc.lock as it was", "nothing"):
        told = made.tdv("diff", "--base", "zoo", "--exit-code", expect=1).stdout
        assert "  dataset: dataset removed: zoo\n" in told, left
        made.git("checkout", "--quiet", "main", "--", "dvc.lock", "dvc.yaml")
    assert len(made.tdv("diff", "--base", "zoo", "--jsonl", expect=0).stdout.splitlines()) == 2
    documents.validate(documents.plain(made.tdv("diff", "--base", "zoo", "--json").json()["diffs"][1], "diff"), "diff")
    made.tdv("diff", "--base", "main", "--exit-code", expect=0)


def test_dataset_that_a_branch_leaves_alone_needs_no_data(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    made.git("checkout", "--quiet", "--", ".")
    shutil.rmtree(made.root / ".dvc/cache")
    title = f"shop@git:{made.git('rev-parse', 'main').strip()[:10]} (main, v1.0.0) → shop@workspace"
    assert made.tdv("diff", "--base", "main", expect=0).stdout == f"{title}\n  no difference\n"


def test_datasets_that_a_branch_retires_are_said_to_be_gone_and_only_there(repo: RepositoryBuilder) -> None:
    made = shop(repo)
    made.commit("Other users")
    spec = made.root / "datasets/shop/dataset.yaml"
    made.git("checkout", "--quiet", "-b", "retired")
    spec.unlink()
    for left in ("to be committed", "committed"):
        told = made.tdv("diff", "--base", "main", expect=0).stdout
        assert "The releases of shop stay.\n  dataset: dataset removed: shop\n" in told, left
        assert "tdv build" not in told
        made.commit("No more users")
    made.git("checkout", "--quiet", "-b", "later")
    assert made.tdv("diff", "--base", "retired", expect=0).stdout == "", "what dvc.lock still says went before"


@pytest.mark.parametrize("key", ["levels", '"levels"', '"\\x6cevels"'])
def test_spec_sets_levels_however_it_is_written(repo: RepositoryBuilder, key: str) -> None:
    made = shop(repo)
    assert "needs major" in made.tdv("diff").stdout
    made.write({"datasets/shop/dataset.yaml": f"{SPEC}{key}: {{row-removed: patch}}\n"})
    assert "needs minor" in made.tdv("diff").stdout
