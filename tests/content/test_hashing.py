from __future__ import annotations

import random

import pyarrow as pa
import pytest
from hypothesis import given

from tdv.content.arrow import canonical
from tdv.content.hashing import FIRST, SECOND, column_hash, key_hash, row_hash
from tdv.model.types import LogicalType
from tests.content import reference
from tests.content.values import Sample, samples


@given(samples())
def test_row_hash_is_what_the_format_page_says(sample: Sample) -> None:
    table = canonical(sample.table(), sample.schema)
    for seed in (FIRST, SECOND):
        expected = [reference.row_hash(row, sample.schema, seed) for row in table.to_pylist()]
        assert row_hash(table, sample.schema, seed).tolist() == expected


@given(samples(keyed=True))
def test_key_hash_covers_the_key_in_declared_order(sample: Sample) -> None:
    table = canonical(sample.table(), sample.schema)
    kinds = [sample.schema.column(name).type for name in sample.schema.key]
    expected = [
        reference.folded(zip((row[name] for name in sample.schema.key), kinds, strict=True), FIRST)
        for row in table.to_pylist()
    ]
    assert key_hash(table, sample.schema).tolist() == expected


@pytest.mark.parametrize("longest", [7, 9, 127, 129, 400, 5000])
def test_strings_of_any_length_hash_alike_however_many_stand_together(longest: int) -> None:
    chance = random.Random(longest)
    texts = [chance.choice([None, b"", chance.randbytes(chance.randint(0, longest))]) for _ in range(1000)]
    kind = LogicalType("binary")
    expected = [reference.cell_hash(value, kind, FIRST) for value in texts]
    array = pa.array(texts, pa.binary())
    assert column_hash(array, kind).tolist() == expected
    assert column_hash(array.slice(3, 400), kind).tolist() == expected[3:403]


def test_integers_of_all_widths_hash_alike() -> None:
    found = {
        tuple(column_hash(pa.array([-5, 7], kind), LogicalType(str(kind))).tolist())
        for kind in (pa.int16(), pa.int32(), pa.int64())
    }
    assert len(found) == 1
