"""A build gives the same rows whatever executes it, and puts hand-written rows among generated ones."""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

import pyarrow as pa
import pytest

from tdv.build import generate, sample
from tdv.content.order import in_order
from tdv.errors import DataError, NotFound, UsageError
from tdv.factories.variation import OTHER, Variation
from tests.factories.specs import built, inputs, read_spec

TABLES = """
users:
  rows: 1000
  key: [id]
  columns:
    id: {type: int64, generate: {sequence: {start: 1}}}
    email: {type: string, unique: true, generate: {template: "user{id}@example.test"}}
    name: {type: string, generate: {faker: name}}
    age: {type: int16, nullable: true, minimum: 0, maximum: 150, generate: {normal: {mean: 38, sd: 12}, "null": 0.05}}
    double: {type: int64, generate: {derive: id * 2}}
movies:
  rows: 3000
  key: [id]
  columns:
    id: {type: int64, generate: {sequence: {start: 1}}}
    user_id: {type: int64, references: users.id, generate: {pick: {skew: 1.1}}}
"""


@dataclass(frozen=True)
class Bundle:
    """A scenario, as far as a build looks at it."""

    rows: dict[str, pa.Table]
    standalone: bool = False
    file: str = "datasets/shop/scenarios/one.yaml"
    name: str = field(default="one")


def user(*ids: int, **more: list[object]) -> pa.Table:
    columns = {"email": [f"{number}@by.hand" for number in ids], "name": ["Hand"] * len(ids)} | more
    return pa.table({"id": pa.array(ids, pa.int64()), **columns})


def test_executor_and_block_size_change_nothing(tmp_path: Path) -> None:
    spec = read_spec(tmp_path, TABLES)
    expected = built(spec, inputs(tmp_path))
    context = get_context("spawn")
    with ThreadPoolExecutor(2) as threads, ProcessPoolExecutor(2, mp_context=context) as processes:
        for executor, variation in ((threads, Variation(block_rows=100)), (processes, OTHER), (None, OTHER)):
            found = generate(spec, inputs(tmp_path, variation=variation), executor)
            assert {schema.name: pa.concat_tables(blocks).combine_chunks() for schema, blocks in found} == expected


def test_tables_may_be_read_in_any_order(tmp_path: Path) -> None:
    spec = read_spec(tmp_path, TABLES)
    streams = list(generate(spec, inputs(tmp_path)))
    found = {schema.name: pa.concat_tables(blocks).combine_chunks() for schema, blocks in reversed(streams)}
    assert found == built(spec, inputs(tmp_path))


def test_another_column_changes_no_value(tmp_path: Path) -> None:
    before = built(read_spec(tmp_path, TABLES), inputs(tmp_path))
    more = TABLES.replace("    email:", "    city: {type: string, generate: {faker: city}}\n    email:")
    after = built(read_spec(tmp_path, more), inputs(tmp_path))
    assert after["users"].drop_columns("city") == before["users"]
    assert after["movies"] == before["movies"]


def test_handwritten_rows_stand_in_key_order(tmp_path: Path) -> None:
    spec = read_spec(tmp_path, TABLES.replace("{start: 1}}}\n    email", "{start: 10, step: 10}}}\n    email"))
    seeds = {"users": user(20_001, 5, 55)}
    scenarios = (Bundle({"users": user(7)}), Bundle({"users": user(8)}, standalone=True))
    given = inputs(tmp_path, seeds=seeds, scenarios=scenarios, variation=Variation(block_rows=64))
    found = built(spec, given)["users"]
    assert in_order(found, spec.table("users").schema)
    assert found["id"].to_pylist()[:8] == [5, 7, 10, 20, 30, 40, 50, 55]
    assert found["id"].to_pylist()[-1] == 20_001
    assert found.num_rows == 1004


def test_derived_columns_of_handwritten_rows_are_filled_in(tmp_path: Path) -> None:
    seeds = {"users": user(5000, 6000, double=[None, 1])}
    found = built(read_spec(tmp_path, TABLES), inputs(tmp_path, seeds=seeds))["users"]
    assert found["double"].to_pylist()[-2:] == [10_000, 1]
    assert found["age"].to_pylist()[-2:] == [None, None]


def test_key_that_is_generated_and_written_by_hand_is_refused(tmp_path: Path) -> None:
    spec = read_spec(tmp_path, TABLES)
    with pytest.raises(DataError, match=r"id=17.*seeds/users.*generated as row 16"):
        built(spec, inputs(tmp_path, seeds={"users": user(5000, 17)}))
    with pytest.raises(DataError, match=r"id=18.*scenarios/one\.yaml and generated as row 17"):
        built(spec, inputs(tmp_path, scenarios=(Bundle({"users": user(18)}),)))


def test_key_that_is_written_by_hand_twice_is_refused(tmp_path: Path) -> None:
    given = inputs(tmp_path, seeds={"users": user(5000)}, scenarios=(Bundle({"users": user(5000)}),))
    with pytest.raises(DataError, match=r"id=5000 is written by hand twice: .*one\.yaml and .*users"):
        built(read_spec(tmp_path, TABLES), given)


def test_composite_key_that_is_generated_and_written_by_hand_is_refused(tmp_path: Path) -> None:
    tables = """
    items:
      rows: 6
      key: [a, b]
      columns:
        a: {type: int32, generate: {uniform: {min: 1, max: 2}}}
        b: {type: int32, generate: {uniform: {min: 1, max: 3}}}
    """
    spec = read_spec(tmp_path, tables)
    free = {"items": pa.table({"a": pa.array([2], pa.int32()), "b": pa.array([4], pa.int32())})}
    assert built(spec, inputs(tmp_path, seeds=free))["items"].num_rows == 7
    taken = {"items": pa.table({"a": pa.array([2], pa.int32()), "b": pa.array([3], pa.int32())})}
    with pytest.raises(DataError, match="a=2, b=3"):
        built(spec, inputs(tmp_path, seeds=taken))


def test_tables_without_rows_are_empty(tmp_path: Path) -> None:
    found = built(read_spec(tmp_path, "items: {key: [id], columns: {id: {type: int64}}}"), inputs(tmp_path))
    assert found["items"].num_rows == 0
    assert found["items"].column_names == ["id"]


def test_sample_gives_the_rows_of_the_build(tmp_path: Path) -> None:
    spec = read_spec(tmp_path, TABLES)
    whole = built(spec, inputs(tmp_path))["movies"]
    assert sample(spec, inputs(tmp_path), "movies", range(4, 9)) == whole.slice(4, 5)
    assert sample(spec, inputs(tmp_path), "movies", range(2999, 5000)) == whole.slice(2999)


def test_sample_of_what_is_not_there_is_refused(tmp_path: Path) -> None:
    spec = read_spec(tmp_path, TABLES)
    with pytest.raises(NotFound, match="no table 'actors'"):
        sample(spec, inputs(tmp_path), "actors", range(1))
    with pytest.raises(UsageError, match="no row 3000"):
        sample(spec, inputs(tmp_path), "movies", range(3000, 3001))
