"""The example applications and the page about databases in tests: their commands run as printed."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.repository import Outcome, run
from tests.targets.servers import run_sql

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/bookshop"
CINEMA = ROOT / "examples/cinema"
PAGE = ROOT / "docs/how-to/databases-in-tests.md"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def typed(page: Path, directory: Path) -> Outcome:
    """Writes the page's Python blocks to the files that they name, then runs its shell blocks as one script."""
    commands = ["set -euxo pipefail"]
    for language, text in FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            (directory / text.split("\n", 1)[0].removeprefix("# ")).write_text(text, encoding="utf-8")
        elif language == "sh":
            commands.append(text)
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return run("bash", "-c", "\n".join(commands), cwd=directory, env={"PATH": tools})


@pytest.mark.slow
def test_bookshop_and_its_page_run_in_parallel_as_printed(tmp_path: Path, empty_postgresql: str) -> None:
    shop = tmp_path / "bookshop"
    shutil.copytree(EXAMPLE, shop, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    outcome = typed(EXAMPLE / "README.md", shop)
    assert outcome.exit_code == 0, outcome
    assert "2 workers" in outcome.stdout
    assert " passed" in outcome.stdout
    assert "revenue: " in outcome.stdout
    assert list((shop / ".tdv/throwaway").iterdir()) == []
    pytest_ = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tdv-target", empty_postgresql]
    outcome = run(*pytest_, cwd=shop)
    assert outcome.exit_code == 0, outcome
    outcome = typed(PAGE, shop)
    assert outcome.exit_code == 0, outcome
    assert "  healthy" in outcome.stdout


@pytest.fixture(scope="module")
def cinema(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cinema inside a clone of this repository, whose movies it takes."""
    base = tmp_path_factory.mktemp("cinema")
    assert run("git", "clone", "--quiet", "--no-local", str(ROOT), "repo", cwd=base).exit_code == 0
    place = base / "repo/examples/cinema"
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(
        CINEMA, place, ignore=shutil.ignore_patterns("__pycache__", ".tdv", ".pytest_cache", "tdv.lock", "*.db")
    )
    return place


def in_cinema(cinema: Path, command: str, **environ: str) -> Outcome:
    tools = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return run("bash", "-euxo", "pipefail", "-c", command, cwd=cinema, env={"PATH": tools, **environ})


@pytest.mark.slow
def test_cinema_runs_as_printed_on_the_movies_that_fit_its_migrations(cinema: Path) -> None:
    outcome = typed(CINEMA / "README.md", cinema)
    assert outcome.exit_code == 0, outcome
    said = outcome.stdout
    assert said.startswith("catalog:movies@v2.0.0  * (tdv.yaml)  fits app >=2.0,<3, migrations 0003 on")
    assert "and 0004 is not before 0003" in said
    assert "2 passed" in said
    assert "loaded sqlite:///" in said
    assert "movies@v1.1.0  4,107 rows in 3 tables" in said
    assert all(f"catalog:movies@v{version}  ok" in said for version in ("1.0.0", "1.1.0", "2.0.0"))


@pytest.mark.slow
def test_cinema_on_postgresql_gets_the_movies_in_its_own_schema(cinema: Path, absent_postgresql: str) -> None:
    target = f'targets:\n  server: {{url: "{absent_postgresql}", owns: database}}\n'
    (cinema / "tdv.yaml").write_text((CINEMA / "tdv.yaml").read_text(encoding="utf-8") + target, encoding="utf-8")
    outcome = in_cinema(cinema, "tdv checkout --target server")
    assert outcome.exit_code == 0, outcome
    query = "SELECT count(*), count(poster) FROM movies WHERE released > '1900-01-01'"
    assert run_sql(absent_postgresql, query) == [(1004, 0)]
    assert run_sql(absent_postgresql, "SELECT version_num FROM alembic_version") == [("0004",)]


@pytest.mark.slow
def test_span_that_is_wrong_for_the_cinema_is_told_with_migration_and_statement(cinema: Path) -> None:
    amend = "cd ../..; tdv compat movies@v1.1.0 --until '' -m Wrong; git commit --quiet --all --message Wrong"
    assert in_cinema(cinema, amend).exit_code == 0
    outcome = in_cinema(cinema, "rm -f tdv.lock; tdv verify catalog:movies@v1.1.0 --compat")
    assert outcome.exit_code == 13, outcome
    assert "does not fit 0003 (0003_dates.py), nor 1 more: table 'users' of the target has another" in outcome.stdout
    assert """it lacks 'age' [users.drop_column("age")]""" in outcome.stdout
    assert "`tdv compat movies@v1.1.0 --until 0003 -m WHY`" in outcome.stdout
