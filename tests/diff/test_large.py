"""Tables of many real parts, where rows come and go at their boundaries."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from tdv.content.digest import leaves
from tdv.content.snapshot import Snapshot
from tdv.diff import COUNTS, compare, diff
from tdv.diff.algebra import apply, invert
from tdv.diff.pair import Pair
from tdv.diff.statistics import column_shifts
from tdv.model.diff import TableChange
from tdv.model.schema import TableSchema
from tdv.snapshot import SnapshotOptions, TableRows, write
from tests.diff.states import States, opened
from tests.snapshots import column

ROWS = 400_000
NUMBERED = TableSchema("rows", (column("id", "int64"), column("note", "string"), column("sum", "int64")), key=("id",))
NAMED = TableSchema(
    "rows",
    (column("id", "string", privacy="id"), column("part", "int32"), column("note", "string"), column("sum", "int64")),
    key=("id", "part"),
)


def table(schema: TableSchema) -> pa.Table:
    numbers = np.arange(ROWS)
    ids: Any = pa.array(numbers) if schema is NUMBERED else pa.array(np.char.mod("é%07d", numbers // 2))
    columns = {
        "id": ids,
        "part": pa.array((numbers % 2).astype(np.int32)),
        "note": pa.array(np.char.mod("n%d", numbers)),
    }
    columns["sum"] = pa.array(numbers * 7)
    return pa.table({name: columns[name] for name in schema.column_names})


def written(root: Path, schema: TableSchema, rows: pa.Table) -> Snapshot:
    write([TableRows(schema, [rows])], SnapshotOptions("shop", seed=1, as_of="2026-01-01T00:00:00Z"), root)
    return Snapshot.open(root)


@pytest.mark.parametrize("schema", [NUMBERED, NAMED], ids=["integer key", "private composite key"])
def test_rows_around_every_boundary(tmp_path: Path, schema: TableSchema) -> None:
    rows = table(schema)
    old = written(tmp_path / "old", schema, rows)
    ends = np.cumsum([part.rows for part in old.manifest.tables[0].parts])
    assert len(ends) > 3
    # The row that ends a part goes, the one after the next boundary changes, and a run in the middle goes too.
    gone = np.concatenate((ends[:2] - 1, np.arange(350_000, 350_500), [ROWS - 1]))
    changed = np.array([0, ends[0], ends[1] + 1, 390_000])
    sums = np.arange(ROWS) * 7
    sums[changed] = -1
    later = rows.set_column(rows.column_names.index("sum"), "sum", pa.array(sums))
    new = written(tmp_path / "new", schema, later.take(pa.array(np.setdiff1d(np.arange(ROWS), gone))))
    counts = TableChange(0, len(gone), len(changed), {"sum": len(changed)})
    assert compare(old, new).tables == {"rows": counts}
    found = diff(old, new)
    tables = {"rows": old.table("rows").combine_chunks()}
    assert leaves(apply(tables, found)["rows"], schema) == leaves(new.table("rows").combine_chunks(), schema)
    assert invert(found) == diff(new, old)


def test_unchanged_parts_and_columns_are_not_read(tmp_path: Path) -> None:
    rows = table(NUMBERED)
    old = written(tmp_path / "old", NUMBERED, rows)
    sums = np.arange(ROWS) * 7
    sums[5] = 0
    new = written(tmp_path / "new", NUMBERED, rows.set_column(2, "sum", pa.array(sums)))
    read: list[str] = []
    before, after = noting(old, read), noting(new, read)
    assert diff(before, after, COUNTS).tables["rows"].change == TableChange(changed=1, cells={"sum": 1})
    assert sorted(read) == sorted(s.manifest.tables[0].parts[0].file for s in (old, new))


def test_statistics_read_several_columns_of_a_wide_table_at_once(tmp_path: Path) -> None:
    names = [f"c{number}" for number in range(300)]
    schema = TableSchema("wide", (column("id", "int64"), *(column(name, "int64") for name in names)), key=("id",))
    numbers = np.arange(3_000)
    read: list[str] = []

    def state(name: str, more: int) -> Snapshot:
        columns = {name: pa.array(numbers + number + more) for number, name in enumerate(names)}
        return noting(written(tmp_path / name, schema, pa.table({"id": pa.array(numbers), **columns})), read)

    shifts = list(column_shifts(Pair.of(state("old", 0), state("new", 7), "wide"), reveal=False))
    assert [shift.column for shift in shifts] == names
    for number, shift in enumerate(shifts):
        assert (shift.before["min"], shift.after["max"]) == (number, 3_006 + number)
        assert [sum(bar.before for bar in shift.bars), sum(bar.after for bar in shift.bars)] == [3_000, 3_000]
    assert len(read) < 10


def test_statistics_count_the_rows_of_all_parts(tmp_path: Path) -> None:
    rows = table(NUMBERED)
    old = written(tmp_path / "old", NUMBERED, rows)
    new = written(tmp_path / "new", NUMBERED, rows.set_column(2, "sum", pa.array(np.arange(ROWS) * 7 + 1)))
    check_sums(old, new, ROWS)


def test_statistics_count_the_rows_of_all_parts_that_are_read_at_once() -> None:
    rows = [{"id": number, "note": "n", "sum": number * 7} for number in range(50)]
    later = [{**row, "sum": number * 7 + 1} for number, row in enumerate(rows)]
    with opened(States(((NUMBERED, rows),)), States(((NUMBERED, later),))) as (old, new):
        check_sums(old, new, 50)


def check_sums(old: Snapshot, new: Snapshot, rows: int) -> None:
    """The statistics of a column that grew by one in each row, in several parts."""
    assert len(new.manifest.tables[0].parts) > 1
    (shift,) = column_shifts(Pair.of(old, new, "rows"), reveal=False)
    assert (shift.before["max"], shift.after["max"]) == (7 * rows - 7, 7 * rows - 6)
    assert sum(bar.after for bar in shift.bars) == rows


def noting(snapshot: Snapshot, read: list[str]) -> Snapshot:
    """The same, which notes in `read` what files are opened."""

    def locate(file: str) -> Path:
        read.append(file)
        return snapshot.locate(file)

    return Snapshot(snapshot.manifest, locate)
