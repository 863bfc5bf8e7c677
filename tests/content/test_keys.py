from __future__ import annotations

import json
from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given

from tdv.content.arrow import canonical
from tdv.content.keys import boundary, keys_of, keys_table, matching
from tdv.errors import IntegrityError
from tdv.model.canonical import dumps
from tests.content.values import Sample, every_type, samples


@given(samples(keyed=True))
def test_keys_survive_json(sample: Sample) -> None:
    table = canonical(sample.table(), sample.schema)
    keys = [tuple(json.loads(dumps(list(key)))) for key in keys_of(table, sample.schema)]
    assert keys_table(keys, sample.schema).equals(table.select(sample.schema.key).combine_chunks())


def test_boundary_of_a_private_key_is_a_hash() -> None:
    sample = every_type()
    columns = (replace(sample.schema.columns[0], privacy="id"), *sample.schema.columns[1:])
    table = canonical(sample.table(), sample.schema)
    (found,) = boundary(table, replace(sample.schema, columns=columns), 0)
    assert found.startswith("sha256:")
    assert boundary(table, sample.schema, 0) == (1,)
    assert boundary(table.slice(0, 0), sample.schema, -1) == ()
    assert boundary(table, replace(sample.schema, key=()), 0) == ()


@pytest.mark.parametrize("keys", [[("x",)], [(1, 2)], [()]])
def test_what_is_no_key_is_refused(keys: list[tuple[object, ...]]) -> None:
    with pytest.raises(IntegrityError, match="does not fit the table 'every type'"):
        keys_table(keys, every_type().schema)


def test_matching_rows_are_found_by_one_or_more_columns() -> None:
    keys = pa.table({"a": [1, 2, 2, None], "b": ["x", "y", "z", "x"]})
    assert matching(keys.select(["a"]), pa.table({"a": [2, None, 9]})).to_pylist() == [1, 2]
    wanted = pa.table({"b": ["z", "x", "x"], "a": [2, None, 1]})
    assert matching(keys, wanted).to_pylist() == [0, 2]
