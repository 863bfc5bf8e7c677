from __future__ import annotations

from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest

from tdv.content.digest import leaves
from tdv.content.hashing import key_hash
from tdv.content.parts import LONGEST, NORMAL, SHORTEST, SMALL, Cutter, cut
from tdv.content.tree import part_digest
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType

SCHEMA = TableSchema("t", (Column("k", LogicalType("int64")), Column("v", LogicalType("int64"))), key=("k",))


def table(keys: np.ndarray, values: np.ndarray | None = None) -> pa.Table:
    return pa.table({"k": keys, "v": keys * 3 if values is None else values})


def digests(whole: pa.Table) -> list[str]:
    return [part_digest(leaves(part, SCHEMA)) for part in cut([whole], SCHEMA)]


def sizes(whole: pa.Table) -> list[int]:
    return [part.num_rows for part in cut([whole], SCHEMA)]


@pytest.mark.parametrize("rows", [0, 1, SMALL - 1])
def test_small_table_is_one_part(rows: int) -> None:
    assert sizes(table(np.arange(rows))) == [rows]
    assert next(cut([], SCHEMA)).column_names == ["k", "v"]


def test_large_table_is_cut_where_the_format_page_says() -> None:
    whole = table(np.arange(SMALL * 4))
    hashes = key_hash(whole, SCHEMA).tolist()
    expected, length = [], 0
    for value in hashes:
        length += 1
        strict = SHORTEST <= length < NORMAL and value % (1 << 18) == 0
        loose = NORMAL <= length < LONGEST and value % (1 << 14) == 0
        if strict or loose or length == LONGEST:
            expected.append(length)
            length = 0
    assert sizes(whole) == [*expected, length] if length else expected
    assert max(expected) <= LONGEST
    assert len(expected) >= 8


def test_boundaries_have_known_answers() -> None:
    assert sizes(table(np.arange(SMALL))) == [110258, 90047, 61839]


@pytest.mark.parametrize("rows", [7_001, 65_536, 300_000])
def test_parts_do_not_depend_on_batches(rows: int) -> None:
    whole = table(np.arange(SMALL * 2 + 17))
    batches = (whole.slice(start, rows) for start in range(0, whole.num_rows, rows))
    found = list(cut(batches, SCHEMA))
    assert [part.num_rows for part in found] == sizes(whole)
    assert pa.concat_tables(found).equals(whole)


def test_edit_of_a_value_changes_its_part_only() -> None:
    keys = np.arange(SMALL * 2)
    values = keys.copy()
    before = digests(table(keys, values))
    values[200_000] += 1
    after = digests(table(keys, values))
    assert len(after) == len(before)
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_insertion_changes_the_parts_around_it_only() -> None:
    keys = np.arange(SMALL * 6) * 2
    before = digests(table(keys))
    after = digests(table(np.insert(keys, 500_000, keys[500_000] - 1)))
    assert len(set(after) - set(before)) <= 3


def test_table_without_a_key_is_cut_by_its_rows() -> None:
    schema = TableSchema("t", SCHEMA.columns)
    parts = list(cut([table(np.arange(SMALL))], schema))
    assert len(parts) > 1


def test_end_on_a_boundary_leaves_no_empty_part() -> None:
    cutter = Cutter(SCHEMA)
    whole = table(np.arange(SMALL * 2))
    first = sum(sizes(whole)[:-1])
    found = [*cutter.push(whole.slice(0, first)), *cutter.finish()]
    assert [part.num_rows for part in found] == sizes(whole)[:-1]
    assert all(one.column("k")[-1].as_py() < other.column("k")[0].as_py() for one, other in pairwise(found))
