"""The project's own command on a database: what it is told, and what is said when it goes wrong."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tdv import migrations
from tdv.errors import ConfigError, MigrationError
from tdv.migrations.apply import Apply, Database, apply, fingerprint
from tdv.migrations.secrecy import without_secrets
from tests.migrated import MIGRATIONS, MIGRATOR
from tests.repository import Repository

TOOL = migrations.tool("golang-migrate")
SECRET = "postgresql://ada:p%40ss@host/db?sslpassword=hidden"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    Repository(tmp_path).write({**MIGRATIONS, "migrate.py": MIGRATOR})
    return tmp_path


def command(root: Path, *words: str, seconds: float = 60) -> Apply:
    return Apply(
        "golang-migrate",
        (sys.executable, *words) if words else (sys.executable, "migrate.py", "{revision}"),
        {"DATABASE_URL": "{url}"},
        root,
        {"LC_ALL": "C.UTF-8"},
        seconds,
    )


def rows(path: Path, table: str) -> Sequence[Mapping[str, Any]] | None:
    with closing(sqlite3.connect(path)) as connection:
        connection.row_factory = sqlite3.Row
        found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", [table]).fetchone()
        return [dict(row) for row in connection.execute(f"SELECT * FROM {table}")] if found else None


def database(root: Path) -> Database:
    path = root / "app.db"
    return Database(f"sqlite:///{path}", f"sqlite:///{path}", lambda table: rows(path, table))


def failed(root: Path, *words: str, revision: str = "0003", seconds: float = 60, url: str = "") -> MigrationError:
    history = TOOL.read(root / "migrations", "migrations")
    place = Database(url, "postgresql://host/db", None) if url else database(root)
    with pytest.raises(MigrationError) as raised:
        apply(command(root, *words, seconds=seconds), TOOL, history.at(revision), place)
    return raised.value


def test_database_stands_at_the_revision(root: Path) -> None:
    history = TOOL.read(root / "migrations", "migrations")
    for revision in ("0001", "0003"):
        apply(command(root), TOOL, history.at(revision), database(root))
        assert TOOL.place(history, database(root).rows or rows) == history.at(revision)  # type: ignore[arg-type]


def test_failure_names_the_statement_and_quotes_the_last_lines(root: Path) -> None:
    (root / "migrations/0002_notes.up.sql").write_text("ALTER TABLE nobody ADD COLUMN note TEXT")
    problem = failed(root)
    assert "failed with exit code 1 at 0003" in problem.message
    assert "no such table: nobody" in problem.message
    said = "no such table: x\n[SQL: ALTER TABLE x]\n[parameters: ('ada',)]\n(Background on this error at: …)\n"
    (root / "said.txt").write_text(said)
    problem = failed(root, "-c", "print(open('said.txt').read()); raise SystemExit(3)")
    assert (problem.statement, problem.reason) == ("ALTER TABLE x", "no such table: x")
    assert "ada" not in problem.message


def test_statement_of_many_lines_does_not_hide_what_is_wrong(root: Path) -> None:
    (root / "said.txt").write_text(
        "Traceback (most recent call last):\n"
        "sqlalchemy.exc.ProgrammingError: (psycopg.errors.InsufficientPrivilege) permission denied for schema public\n"
        "LINE 2: CREATE TABLE versions (\n                     ^\n"
        "DETAIL:  Key (name)=(ada) is there.\n"
        "[SQL: \nCREATE TABLE versions (\n\tnames VARCHAR(32)[]\n, \n\tid INTEGER NOT NULL\n)\n\n]\n"
        "(Background on this error at: https://sqlalche.me/e/21/f405)\n"
    )
    problem = failed(root, "-c", "print(open('said.txt').read()); raise SystemExit(1)")
    assert problem.reason.endswith("permission denied for schema public")
    assert problem.statement == "CREATE TABLE versions ( names VARCHAR(32)[] , id INTEGER NOT NULL )"
    assert f"{problem.reason} | [SQL: {problem.statement}]" in problem.message
    assert "ada" not in problem.message


def test_what_hangs_is_ended_with_all_that_it_started(root: Path) -> None:
    os.mkfifo(root / "alive")
    reader = os.open(root / "alive", os.O_RDONLY | os.O_NONBLOCK)
    sleep = "import time; print('waiting', flush=True); time.sleep(600)"
    start = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {sleep!r}], stdout=open('alive', 'w'))"
    (root / "hang.py").write_text(f"{start}\n{sleep}\n")
    assert "took more than 2 s at 0003: waiting" in failed(root, "hang.py", seconds=2).message
    os.set_blocking(reader, True)
    with open(reader, "rb") as alive:
        alive.read()  # ends when nobody has the other side open any more


def test_command_ends_with_a_tdv_that_is_killed(root: Path) -> None:
    os.mkfifo(root / "alive")
    sleep = "import os, time; os.write(1, b'waiting'); time.sleep(600)"
    start = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {sleep!r}], stdout=open('alive', 'w'))"
    (root / "hang.py").write_text(start)
    call = f"from tests.migrations.test_apply import Path, failed; failed(Path({str(root)!r}), 'hang.py')"
    begun = subprocess.Popen([sys.executable, "-c", call], cwd=Path(__file__).parents[2])
    with begun as tdv, open(root / "alive", "rb", buffering=0) as alive:
        assert alive.read(7) == b"waiting"
        tdv.kill()
        assert alive.read() == b""  # ends when nobody has the other side open any more


def test_command_that_does_nothing_or_something_else_is_noticed(root: Path) -> None:
    assert "stands nowhere: it has no table schema_migrations, not at 0003" in failed(root, "-c", "").message
    assert "stands at 0002, not at 0003" in failed(root, "migrate.py", "2").message
    (root / "migrations/0009_later.up.sql").write_text("SELECT 1")
    later = failed(root, "-c", "import runpy, sys; sys.argv[1:] = ['9']; runpy.run_path('migrate.py')")
    assert "stands at 0009, not at 0003" in later.message


def test_secrets_of_the_url_are_not_repeated(root: Path) -> None:
    script = "import os; print(os.environ['DATABASE_URL'], 'p@ss', 'p%40ss', 'hidden'); raise SystemExit(1)"
    (root / "say.py").write_text(script)
    message = failed(root, "say.py", url=SECRET).message
    assert "postgresql://host/db *** *** ***" in message
    assert not [word for word in ("p@ss", "p%40ss", "hidden", "ada") if word in message]


@pytest.mark.parametrize(
    ("secret", "said", "printed"),
    [
        ("a", "a table has a column a: db+x://ada:a@h/db", "a table has a column a: db+x://ada:***@h/db"),
        ("a", "password=a b=1 Password: 'a', {'pwd': 'a'}", "password=*** b=1 Password: '***', {'pwd': '***'}"),
        ("a", "-u ada -pa; IDENTIFIED BY 'a'; no \"a\"", "-u ada -p***; IDENTIFIED BY '***'; no \"***\""),
        ("a", "password authentication failed for ada", "password authentication failed for ada"),
        ("%40", "x://a:%40@h x://a:@@h password=@ at a@b.test", "x://a:***@h x://a:***@h password=*** at a@b.test"),
        ("app", "no app in my_app/apps, PWD=app", "no *** in my_app/apps, PWD=***"),
        ("p+s%2fw%C3%A9d", "p+s/wéd p%2Bs%2Fw%C3%A9d p+s%2fw%C3%A9d xp+s/wédx", "*** *** *** x***x"),
        ("", "ada has no password", "ada has no password"),
    ],
)
def test_short_passwords_leave_the_text_legible(secret: str, said: str, printed: str) -> None:
    assert without_secrets(said, f"mysql://ada:{secret}@host/app", "mysql://host/app") == printed


def test_short_secrets_among_the_options_are_not_repeated() -> None:
    url = "mysql://ada@host/app?ssl_key=k&x=1"
    assert without_secrets(f"{url} k at ssl_key=k", url, "mysql://host/app?…") == "mysql://host/app?… k at ssl_key=***"


def test_program_that_is_not_there_is_a_mistake_in_the_settings(root: Path) -> None:
    history = TOOL.read(root / "migrations", "migrations")
    wrong = Apply("golang-migrate", ("./no-such-program",), {}, root, {})
    with pytest.raises(ConfigError, match="no-such-program"):
        apply(wrong, TOOL, history.head, database(root))


def test_each_end_of_the_history_is_migrated_by_app_and_name(tmp_path: Path) -> None:
    for app in ("shop", "blog"):
        migration = (
            "from django.db import migrations\n\nclass Migration(migrations.Migration):\n    dependencies = []\n"
        )
        directory = f"{app}/migrations"
        Repository(tmp_path).write({f"{directory}/0001_initial.py": migration, f"{directory}/__init__.py": ""})
    history = migrations.read("django", tmp_path, ".")
    script = "import sys; print(*sys.argv[1:], file=open('noted.txt', 'a'))"
    words = (sys.executable, "-c", script, "{app}", "{name}")
    apply(Apply("django", words, {}, tmp_path, {}), migrations.tool("django"), history.head, Database("", "", None))
    assert sorted((tmp_path / "noted.txt").read_text().splitlines()) == ["blog 0001_initial", "shop 0001_initial"]


def test_fingerprint_is_of_the_migrations_and_the_command(root: Path) -> None:
    first = fingerprint(command(root), root / "migrations")
    (root / "migrations/__pycache__").mkdir()
    (root / "migrations/__pycache__/x.pyc").write_text("compiled")
    assert fingerprint(command(root), root / "migrations") == first
    assert fingerprint(command(root, "other.py"), root / "migrations") != first
    (root / "migrations/0001_users.up.sql").write_text("CREATE TABLE users (id TEXT)")
    assert fingerprint(command(root), root / "migrations") != first
