from __future__ import annotations

import tempfile
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given

from tdv.content import parquet
from tdv.content.arrow import arrow_schema, canonical
from tdv.errors import IntegrityError, StoreError
from tests.content.values import EXAMPLES, Sample, every_type, samples


@given(samples())
def test_file_gives_back_what_was_written(sample: Sample) -> None:
    table = canonical(sample.table(), sample.schema)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "part.parquet"
        parquet.write(table, path)
        assert parquet.read(path).cast(arrow_schema(sample.schema)).to_pydict().__repr__() == repr(table.to_pydict())
        for name in table.column_names:
            assert repr(parquet.read(path, [name]).to_pydict()) == repr(table.select([name]).to_pydict())


def test_bytes_do_not_depend_on_chunks_or_on_what_lies_under_nulls(tmp_path: Path) -> None:
    sample = every_type()
    table = canonical(sample.table(), sample.schema)
    chunked = pa.concat_tables([table.slice(0, 1), table.slice(1)])
    assert parquet.write(table, tmp_path / "a") == parquet.write(chunked, tmp_path / "b")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_file_holds_no_clock_and_no_arrow_schema(tmp_path: Path) -> None:
    parquet.write(every_type().table(), tmp_path / "a")
    assert pq.read_metadata(tmp_path / "a").metadata is None


def test_other_engines_read_the_file(tmp_path: Path) -> None:
    sample = every_type()
    parquet.write(canonical(sample.table(), sample.schema), tmp_path / "a.parquet")
    found = duckdb.sql(f"SELECT * FROM '{tmp_path}/a.parquet' ORDER BY id").to_arrow_table()
    assert canonical(found, sample.schema).to_pylist() == [{"id": 1, **EXAMPLES}, {"id": 2, **dict.fromkeys(EXAMPLES)}]


@pytest.mark.parametrize("damage", ["truncated", "flipped", "empty", "text"])
def test_damaged_file_is_an_integrity_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "part.parquet"
    parquet.write(pa.table({"c": [f"{number * 7919}" for number in range(5000)]}), path)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 0x01
    path.write_bytes({"truncated": data[:100], "flipped": data, "empty": b"", "text": b"PAR1 no PAR1"}[damage])
    with pytest.raises(IntegrityError, match=r"part\.parquet"):
        parquet.read(path)


def test_missing_file_is_an_integrity_error(tmp_path: Path) -> None:
    with pytest.raises(IntegrityError, match="is missing") as caught:
        parquet.read(tmp_path / "part.parquet")
    assert "tdv pull" in str(caught.value.hint)


def test_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="cannot write"):
        parquet.write(every_type().table(), tmp_path / "missing" / "part.parquet")
