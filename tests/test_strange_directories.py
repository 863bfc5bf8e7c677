"""A repository in a directory whose name has characters that end the path of a URL, or that URLs encode."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.repository import Repository, run
from tests.shop import released_shop

NAMES = ["a b", "Überraschung 100%", "50%25 off", "what?mode=ro", "c# sharp", "'quoted' \"twice\" {x};y"]
QUERY = """
import os
from sqlalchemy import create_engine, text
with create_engine(os.environ["DATABASE_URL"]).connect() as connection:
    print(connection.execute(text("SELECT count(*) FROM users")).scalar())
"""
PARSED = """
import os
from urllib.parse import unquote, urlsplit
import duckdb
path = unquote(urlsplit(os.environ["DATABASE_URL"]).path)[1:]
print(duckdb.connect(path).execute("SELECT count(*) FROM users").fetchone()[0])
"""
HELD = "import subprocess, sys; sys.exit(subprocess.call([sys.executable, '-m', 'tdv', 'status']))"
TESTS = """
import pytest
from sqlalchemy import create_engine, text

@pytest.mark.parametrize("rollback", [True, False])
@pytest.mark.parametrize("number", range(2))
def test_sqlite(tdv_databases, rollback, number):
    database = tdv_databases(target="sqlite:///app.db")
    assert database.path.is_file()
    with create_engine(database.url).begin() as connection:
        assert connection.execute(text("DELETE FROM orders")).rowcount == 20
    assert database.connection.execute("SELECT count(*) FROM orders").fetchone() == (0,)

@pytest.mark.tdv(rollback=True)
def test_shared(tdv_database):
    assert tdv_database.connection.execute("DELETE FROM orders").rowcount == 20

def test_duckdb(tdv_databases):
    database = tdv_databases(target="duckdb:///app.duckdb")
    assert database.path.is_file()
    assert database.connection.execute("SELECT count(*) FROM users").fetchone() == (10,)
"""


@pytest.fixture(params=NAMES)
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Repository:
    return released_shop(tmp_path / request.param / "shop")


def refused_by_duckdb(shop: Repository) -> bool:
    """DuckDB itself looks for its log before the first question mark of a path."""
    return "?" in str(shop.root)


def left(shop: Repository) -> list[Path]:
    return [*(shop.root / ".tdv/throwaway").iterdir(), *(shop.root / ".tdv/runs").iterdir()]


def test_fixtures_give_urls_that_sqlalchemy_reads(shop: Repository) -> None:
    shop.write({"test_rows.py": TESTS})
    choice = "not duckdb" if refused_by_duckdb(shop) else "test"
    outcome = run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-k", choice, cwd=shop.root)
    assert f"{5 if refused_by_duckdb(shop) else 6} passed" in outcome.stdout, outcome
    assert left(shop) == []


def test_exec_gives_urls_that_programs_and_tdv_read(shop: Repository) -> None:
    assert shop.tdv_process("exec", "--", sys.executable, "-c", QUERY, expect=0).stdout == "10\n"
    outcome = shop.tdv_process("exec", "--target", "x.duckdb", "--fresh", "--", sys.executable, "-c", PARSED)
    if refused_by_duckdb(shop):
        assert "error: the library of duckdb cannot write to" in outcome.stderr
        assert not any((shop.root / ".tdv/images").glob("*.duckdb*"))
    else:
        assert outcome.stdout == "10\n"
    assert left(shop) == []
    assert shop.tdv_process("exec", "--target", "y.db", "--", sys.executable, "-c", QUERY, expect=0).stdout == "10\n"
    assert (shop.root / "y.db").is_file()
    assert "shop@v1.0.0" in shop.tdv_process("exec", "--", sys.executable, "-c", HELD, expect=0).stdout
