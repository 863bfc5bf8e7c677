from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from tdv.content.sandbox import Sandbox, quoted
from tdv.errors import DataError

TABLE = pa.table({"id": [1, 2], "email": ["ada@example.test", None]})


def test_query_sees_tables_by_any_name() -> None:
    name = 'a"b; DROP TABLE x --'
    with Sandbox() as sandbox:
        sandbox.add(name, TABLE)
        sandbox.add("list", [TABLE, TABLE])
        sandbox.add("parts", iter([TABLE, TABLE, TABLE]))
        found = [sandbox.query(f"SELECT count(*) AS n FROM {quoted(table)}") for table in (name, "list", "parts")]
    assert [count.to_pylist() for count in found] == [[{"n": 2}], [{"n": 4}], [{"n": 6}]]


def test_table_can_be_replaced() -> None:
    with Sandbox() as sandbox:
        sandbox.add("t", iter([TABLE]))
        sandbox.add("t", iter([TABLE, TABLE]))
        assert sandbox.query("SELECT count(*) AS n FROM t").to_pylist() == [{"n": 4}]


def test_empty_result_has_its_columns() -> None:
    with Sandbox() as sandbox:
        sandbox.add("t", TABLE)
        found = sandbox.query("FROM t WHERE id > 5")
    assert (found.num_rows, found.column_names) == (0, ["id", "email"])


def test_time_zone_is_utc() -> None:
    with Sandbox() as sandbox:
        found = sandbox.query("SELECT CAST(TIMESTAMPTZ '2026-01-01 00:00:00+00' AS VARCHAR) AS t")
    assert found.to_pylist() == [{"t": "2026-01-01 00:00:00+00"}]


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM glob('{file}')",
        "COPY (SELECT 1) TO '{file}'",
        "ATTACH '{file}' AS x",
        "EXPORT DATABASE '{file}'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "PRAGMA memory_limit = '9GB'",
        "CREATE TABLE x (a INTEGER)",
        "SELECT 1; SELECT 2",
        "",
        "SELECT getenv('HOME')",
        "SELECT * FROM TABLE_OF_PYTHON",
    ],
)
def test_statement_cannot_leave_the_sandbox(tmp_path: Path, sql: str) -> None:
    TABLE_OF_PYTHON = TABLE  # noqa: F841 - a replacement scan would find it
    file = tmp_path / "secret.csv"
    file.write_text("secret\n")
    with Sandbox() as sandbox, pytest.raises(DataError) as caught:
        sandbox.query(sql.format(file=file))
    assert file.read_text() == "secret\n"
    assert caught.value.hint


def test_failing_statement_is_shown() -> None:
    with Sandbox() as sandbox:
        sandbox.add("t", TABLE)
        with pytest.raises(DataError, match=r'"nothing" not found.*: SELECT nothing FROM t'):
            sandbox.query("SELECT nothing FROM t")


def test_values_are_not_shown() -> None:
    with Sandbox() as sandbox:
        sandbox.add("t", TABLE)
        with pytest.raises(DataError) as caught:
            sandbox.query("SELECT CAST(email AS INTEGER) FROM t")
    assert "ada" not in caught.value.message + str(caught.value.facts)
    assert "Conversion Error" in caught.value.message


def test_statement_ends_in_time() -> None:
    with Sandbox(seconds=0.1) as sandbox, pytest.raises(DataError, match=r"takes longer than 0\.1 s"):
        sandbox.query("SELECT count(*) FROM range(1000000000) a, range(1000000) b")


def test_larger_tables_than_the_memory_go_to_the_disk() -> None:
    parts = (pa.table({"a": np.arange(start, start + 500_000)}) for start in range(0, 5_000_000, 500_000))
    with Sandbox(memory="40MB") as sandbox:
        sandbox.add("t", parts)
        found = sandbox.query("SELECT count(*) AS n, min(a) AS low, max(a) AS high FROM t")
    assert found.to_pylist() == [{"n": 5_000_000, "low": 0, "high": 4_999_999}]
