from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tdv.errors import DataError, IntegrityError, Refused, TargetError, UsageError
from tdv.targets.protocol import Columned, Target
from tdv.targets.verification import target_digest
from tdv.testing import USERS, checkout, snapshot, table, users, wanted
from tests.targets.builders import target

NOTES = table("notes", {"id": "int64", "text": "string?", "more": "json?"})
ROWS = pa.table(
    {"id": [1, 2, 3, 4], "text": ["", None, 'say "a,b"\r\n', " x"], "more": ["[1]", None, '{"a":"b"}', "2"]}
)


def files(tmp_path: Path, suffix: str) -> Target:
    return target(tmp_path, f"file://{tmp_path}/out?format={suffix}")


def test_csv_tells_null_from_the_empty_text(tmp_path: Path) -> None:
    checkout(tmp_path, files(tmp_path, "csv"), snapshot(tmp_path, {NOTES: ROWS}))
    text = (tmp_path / "out" / "notes.csv").read_bytes().decode()
    assert text == 'id,text,more\n1,"",[1]\n2,,\n3,"say ""a,b""\r\n","{""a"":""b""}"\n4," x",2\n'


def test_json_lines_and_sql_are_plain(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {NOTES: ROWS})
    checkout(tmp_path, files(tmp_path, "jsonl"), found)
    lines = (tmp_path / "out" / "notes.jsonl").read_bytes().decode().split("\n")
    assert lines[:2] == ['{"id":1,"text":"","more":[1]}', '{"id":2,"text":null,"more":null}']
    checkout(tmp_path, files(tmp_path, "sql"), found)
    lines = (tmp_path / "out" / "notes.sql").read_bytes().decode().split("\n")
    assert lines[0] == 'CREATE TABLE "notes" ("id" INTEGER PRIMARY KEY NOT NULL, "text" TEXT, "more" JSON TEXT);'
    assert lines[2:4] == ["(1, '', '[1]'),", "(2, NULL, NULL),"]


def test_json_lines_without_a_line_have_the_columns_of_the_release(tmp_path: Path) -> None:
    place = files(tmp_path, "jsonl")
    checkout(tmp_path, place, snapshot(tmp_path, {NOTES: ROWS.slice(0, 0)}))
    assert isinstance(place, Columned)
    assert place.as_found(NOTES) == NOTES


@pytest.mark.parametrize(
    ("kind", "value", "what"),
    [
        ("float64", pa.scalar(float("nan")), "NaN: it would come back as NULL"),
        ("list<json>", pa.scalar(["null"]), "JSON's null in a list or struct"),
        ("string", pa.scalar("\0"), "NUL characters in text"),
    ],
)
def test_value_that_sql_cannot_hold_is_said_of_sql(tmp_path: Path, kind: str, value: pa.Scalar, what: str) -> None:
    odd = table("odd", {"id": "int64", "value": kind})
    rows = pa.table({"id": [1], "value": pa.repeat(value, 1)})
    with pytest.raises(DataError, match=f"^table 'odd', column 'value': SQL cannot hold {what}"):
        checkout(tmp_path, files(tmp_path, "sql"), snapshot(tmp_path, {odd: rows}))


def test_sql_has_the_digits_that_sqlite_needs(tmp_path: Path) -> None:
    numbers = [5.053217186727318e-203, -6.342586897782076e-177, 9.12142085493945e223, 0.1, -2.5e-10, 2.5]
    measures = table("measures", {"id": "int64", "value": "float64"})
    found = snapshot(tmp_path, {measures: pa.table({"id": list(range(len(numbers))), "value": numbers})})
    place = files(tmp_path, "sql")
    checkout(tmp_path, place, found)
    assert target_digest(place, found.manifest.schema) == found.manifest.content
    lines = (tmp_path / "out" / "measures.sql").read_text().splitlines()[2:]
    assert [float(line.strip("(),; ").split(", ")[1]) for line in lines] == numbers
    assert lines[3:] == ["(3, 0.1),", "(4, -2.5e-10),", "(5, 2.5);"]
    small = snapshot(tmp_path, {measures: pa.table({"id": [1], "value": [-6.477371051850982e-307]})})
    with pytest.raises(DataError, match="'value': SQL cannot hold a float so near to zero"):
        checkout(tmp_path, place, wanted(small, "2.0.0"))


def test_format_of_the_directory_changes_as_a_whole(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {NOTES: ROWS})
    for suffix in ("csv", "parquet", "csv"):
        assert checkout(tmp_path, files(tmp_path, suffix), found).action != "unchanged"
        names = sorted(path.name for path in (tmp_path / "out").iterdir())
        assert names == ["_tdv_state.json", f"notes.{suffix}"]


def test_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {NOTES: ROWS, USERS: users(50)})
    for place in ("a", "b"):
        checkout(tmp_path, target(tmp_path, f"file://{tmp_path}/{place}?format=csv"), found)
    for name in ("notes.csv", "users.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_parquet_is_the_snapshots_own_files(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    assert checkout(tmp_path, files(tmp_path, "parquet"), found).action == "cloned"
    assert pq.read_table(tmp_path / "out" / "users.parquet").num_rows == 5
    part = found.locate(found.manifest.tables[0].parts[0].file)
    assert (tmp_path / "out" / "users.parquet").read_bytes() == part.read_bytes()
    assert (tmp_path / "out" / "users.parquet").stat().st_ino != part.stat().st_ino


def test_large_parquet_table_is_a_directory_of_parts(tmp_path: Path) -> None:
    long = table("long", {"id": "int64"})
    found = snapshot(tmp_path, {long: pa.table({"id": range(300_000)})})
    place = files(tmp_path, "parquet")
    checkout(tmp_path, place, found)
    assert pq.read_table(tmp_path / "out" / "long.parquet").num_rows == 300_000
    assert target_digest(place, found.manifest.schema) == found.manifest.content
    checkout(tmp_path, place, wanted(snapshot(tmp_path, {long: pa.table({"id": range(3)})}), "2.0.0"))
    assert pq.read_table(tmp_path / "out" / "long.parquet").num_rows == 3


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_files_of_others_stay(tmp_path: Path, suffix: str) -> None:
    mine = tmp_path / "out" / "deep" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    place = files(tmp_path, suffix)
    for count in (5, 3):
        found = snapshot(tmp_path, {USERS: users(count)})
        checkout(tmp_path, place, found)
        assert target_digest(place, found.manifest.schema) == found.manifest.content
    assert mine.read_text() == "mine"
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["_tdv_state.json", "deep", f"users.{suffix}"]


def test_file_in_the_way_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "users.csv").write_text("mine")
    found = snapshot(tmp_path, {USERS: users(5)})
    with pytest.raises(Refused, match=r"users\.csv"):
        checkout(tmp_path, files(tmp_path, "csv"), found)
    assert (tmp_path / "out" / "users.csv").read_text() == "mine"
    checkout(tmp_path, files(tmp_path, "csv"), found, replace=True)
    assert (tmp_path / "out" / "users.csv").read_text().startswith("id,email,age,at\n")


def test_edited_file_is_written_anew(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = files(tmp_path, "csv")
    checkout(tmp_path, place, found)
    path = tmp_path / "out" / "users.csv"
    before = path.read_bytes()
    path.write_bytes(before.replace(b"user2@", b"user9@"))
    assert target_digest(place, found.manifest.schema) != found.manifest.content
    assert checkout(tmp_path, place, found).action == "loaded"
    assert path.read_bytes() == before


def test_value_of_another_type_is_named(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = files(tmp_path, "csv")
    checkout(tmp_path, place, found)
    path = tmp_path / "out" / "users.csv"
    path.write_bytes(path.read_bytes().replace(b"test,2,", b"test,old,"))
    with pytest.raises(IntegrityError, match="'age', row 2: 'old' is no int16"):
        target_digest(place, found.manifest.schema)


def test_values_that_a_form_cannot_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="JSON Lines cannot hold the JSON value null"):
        checkout(
            tmp_path,
            files(tmp_path, "jsonl"),
            snapshot(tmp_path, {NOTES: pa.table({"id": [1], "text": ["a"], "more": ["null"]})}),
        )
    with pytest.raises(DataError, match="SQL cannot hold NUL"):
        checkout(
            tmp_path,
            files(tmp_path, "sql"),
            snapshot(tmp_path, {NOTES: pa.table({"id": [1], "text": ["a\0b"], "more": ["1"]})}),
        )
    assert not (tmp_path / "out").exists()


def test_mark_that_points_outside_deletes_nothing(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {USERS: users(5)})
    place = files(tmp_path, "csv")
    checkout(tmp_path, place, found)
    outside = tmp_path / "outside.txt"
    outside.write_text("mine")
    mark = tmp_path / "out" / "_tdv_state.json"
    mark.write_text(mark.read_text().replace('"users.csv"', '"users.csv", "../outside.txt"'))
    with pytest.raises(Refused):
        checkout(tmp_path, place, found)
    assert outside.read_text() == "mine"


def test_unknown_format_and_a_file_for_a_directory_are_errors(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no format 'xls'"):
        files(tmp_path, "xls")
    (tmp_path / "out").write_text("a file")
    with pytest.raises(TargetError):
        checkout(tmp_path, files(tmp_path, "csv"), snapshot(tmp_path, {USERS: users(5)}))
    assert (tmp_path / "out").read_text() == "a file"


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet"])
def test_format_of_files_that_others_made_is_told_by_their_names(tmp_path: Path, suffix: str) -> None:
    found = snapshot(tmp_path, {NOTES: ROWS, USERS: users(5)})
    checkout(tmp_path, files(tmp_path, suffix), found)
    (tmp_path / "out" / "_tdv_state.json").unlink()
    (tmp_path / "out" / "other.csv").write_text("a\n1\n")
    place = target(tmp_path, f"file://{tmp_path}/out")
    assert target_digest(place, found.manifest.schema) == found.manifest.content
    (tmp_path / "out" / "notes.sql").write_text("DROP TABLE notes;")
    assert target_digest(place, found.manifest.schema) == found.manifest.content, "SQL is read where it is asked for"


def test_of_files_in_two_formats_the_parquet_one_is_read_and_written(tmp_path: Path) -> None:
    found = snapshot(tmp_path, {NOTES: ROWS})
    checkout(tmp_path, files(tmp_path, "parquet"), found)
    (tmp_path / "out" / "_tdv_state.json").unlink()
    (tmp_path / "out" / "notes.csv").write_text("id,text,more\n")
    place = target(tmp_path, f"file://{tmp_path}/out")
    assert target_digest(place, found.manifest.schema) == found.manifest.content
    (tmp_path / "out" / "notes.parquet").unlink()
    checkout(tmp_path, place, found)
    assert (tmp_path / "out" / "notes.parquet").exists()
    assert (tmp_path / "out" / "notes.csv").read_text() == "id,text,more\n"
