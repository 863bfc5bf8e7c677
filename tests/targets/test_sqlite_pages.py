from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.targets.sqlite.pages import Rows, TooLarge, write_table

INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
REAL = st.floats(allow_nan=False) | st.none()
ROWS = st.lists(st.tuples(INT64, INT64 | st.none(), TEXT | st.none(), st.binary(max_size=90) | st.none(), REAL))


def written(path: Path, rows: Sequence[tuple[Any, ...]], pieces: int = 1) -> list[tuple[Any, ...]]:
    """The rows as SQLite reads them after they were written as pages."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, i INT, s TEXT, b BLOB, r REAL)")
        connection.commit()
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master").fetchone()
    with open(path, "r+b") as file:
        step = max(1, -(-len(rows) // pieces))
        write_table(file, root, (encoded(rows[at : at + step]) for at in range(0, len(rows), step)))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        return connection.execute("SELECT id, i, s, b, r FROM t ORDER BY id").fetchall()


def encoded(rows: Sequence[tuple[Any, ...]]) -> Rows:
    kinds = (pa.int64(), pa.int64(), pa.string(), pa.binary(), pa.float64())
    ids, *columns = (pa.array(values, kind) for values, kind in zip(zip(*rows, strict=True), kinds, strict=True))
    return Rows(ids.to_numpy(), [None, *columns], [False] * 5)


@given(ROWS, st.integers(1, 4))
def test_sqlite_reads_the_rows_that_were_written(rows: list[tuple[Any, ...]], pieces: int) -> None:
    unique = sorted({row[0]: row for row in rows}.values())
    with tempfile.TemporaryDirectory() as directory:
        assert written(Path(directory) / "t.db", unique, pieces) == unique


@pytest.mark.parametrize("count", [1, 40, 41, 5_000, 120_000])
def test_trees_of_several_levels_are_whole(tmp_path: Path, count: int) -> None:
    rows = [(i * 7 - 1_000, i, "x" * (i % 90), b"", 0.5) for i in range(count)]
    assert written(tmp_path / "t.db", rows, pieces=3) == rows


def test_page_of_the_lock_byte_stays_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tdv.targets.sqlite.pages._LOCK_BYTE", 4096 * 5)
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, i INT, s TEXT, b BLOB, r REAL)")
        connection.commit()
    rows = [(i, i, "x" * 90, b"", 0.5) for i in range(1_000)]
    with open(path, "r+b") as file:
        write_table(file, 2, [encoded(rows)])
    assert path.read_bytes()[4096 * 5 : 4096 * 6] == bytes(4096)
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT count(*), max(id) FROM t").fetchone() == (1_000, 999)


def test_row_wider_than_a_page_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "t.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER PRIMARY KEY, i INT, s TEXT, b BLOB, r REAL)")
        connection.commit()
    before = path.read_bytes()
    rows = [(i, i, "x" * 90, b"", 0.5) for i in range(1_000)]
    wide = [(2_000, 1, "x" * 5_000, b"", 0.5)]
    with open(path, "r+b") as file, pytest.raises(TooLarge):
        write_table(file, 2, [encoded(rows), encoded(wide)])
    assert path.read_bytes() == before


def test_rowids_of_every_length(tmp_path: Path) -> None:
    ids = sorted({0, *(sign * (1 << bits) + step for bits in range(63) for sign in (-1, 1) for step in (-1, 0, 1))})
    rows = [(i, None, None, None, None) for i in ids if -(2**63) <= i < 2**63]
    assert np.all(np.diff([row[0] for row in rows]) > 0)
    assert written(tmp_path / "t.db", rows) == rows
