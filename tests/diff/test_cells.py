"""Values that differ read differently, in every face."""

import io
import json
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tdv import documents
from tdv.cli.differences import print_report
from tdv.content.arrow import arrow_type, canonical
from tdv.content.text import to_cells
from tdv.diff.cells import unequal
from tdv.diff.markdown import markdown
from tdv.diff.page import page
from tdv.diff.report import report
from tdv.faces.cells import cell_text, key_text, letters_text, line_text, sides
from tdv.faces.keys import rows_told_apart
from tdv.faces.text import cut, folded
from tdv.model.cell import Document, Mark, json_form
from tdv.model.diff import TableChange
from tdv.model.diff_report import DiffReport, ReportOptions, RowChange, TableReport
from tdv.model.schema import Column, TableSchema
from tdv.model.types import LogicalType
from tdv.show import show_table
from tdv.textconv import text_of
from tests.content.values import TYPES, values
from tests.diff.test_faces import Page, rendered
from tests.snapshots import column, snapshot

TEXTS = ["", " ", "  ", "a", "a ", " a", "a b", "a  b", "a   b", "NULL", "null", '"null"', '"', '""', "\\", "\\\\", "…"]
STRANGE = [
    *("\n", "\t", "⏎", "⇥", "\\n", "\x1b", "\\u001b", "\x7f", "\u00a0", "\u200b", "\\u200b", "\\\\u200b", "\u202e"),
    *("a\ufe0f", "a\u034f", "\u3164", "a\u2009b", "e\u0301", "é", "\U000e0041", "<i>NULL</i>", "*NULL*", "&nbsp;"),
    *("x" * 39 + "a", "x" * 39 + "b", "x" * 100 + "a", "x" * 100 + "b", "x" * 100, "a=1 b=2", "=", "<private: email>"),
]
DOCUMENTS = [
    "null",
    '"null"',
    '"NULL"',
    "1",
    '"1"',
    "true",
    "[true]",
    "[1]",
    "[null]",
    '[""]',
    '""',
    "{}",
    "[]",
    '{"a":null}',
]


@st.composite
def different(draw: st.DrawFn) -> tuple[LogicalType, list[Any]]:
    """A type and two of its values, or one and NULL, that are not equal."""
    kind = draw(TYPES)
    one, other = (draw(st.none() | found_of(kind)) for _ in range(2))
    schema = TableSchema("t", (Column("c", kind, nullable=True),))
    table = canonical(pa.table({"c": pa.array([one, other], arrow_type(kind))}), schema)
    column = table.column("c").combine_chunks()
    assume(unequal(column.slice(0, 1), column.slice(1, 1), kind).any())
    return kind, to_cells(column, kind)


def found_of(kind: LogicalType) -> st.SearchStrategy[Any]:
    if kind.name == "string":
        return st.sampled_from([*TEXTS, *STRANGE]) | values(kind)
    return st.sampled_from(DOCUMENTS) | values(kind) if kind.name == "json" else values(kind)


def told_apart(*shown: str) -> bool:
    return len(set(shown)) == len(shown)


def collapsed(text: str) -> str:
    """What a browser makes of blanks outside of preformatted text."""
    return " ".join(part for part in text.replace("\n", " ").split(" ") if part)


def of_rows(*rows: RowChange) -> DiffReport:
    kinds = [row.kind for row in rows]
    change = TableChange(kinds.count("added"), kinds.count("removed"), kinds.count("changed"), {})
    table = TableReport("t", change, 1, 1, (), ("c",), rows)
    return DiffReport("shop", "a", "b", (), (), (table,))


@given(different())
@example((LogicalType("json"), [None, Document("null")]))
@example((LogicalType("json"), [Document("null"), Document('"null"')]))
@example((LogicalType("string"), [None, "NULL"]))
def test_values_that_differ_are_spelled_in_different_ways(found: tuple[LogicalType, list[Any]]) -> None:
    one, other = found[1]
    assert told_apart(cell_text(one), cell_text(other))
    assert told_apart(letters_text(one), letters_text(other))
    assert told_apart(*(line_text([("c", value)]) for value in (one, other)))
    assert told_apart(*(json.dumps(json_form({"c": value})) for value in (one, other)))


@given(different(), st.sampled_from([30, 40, 80, 2000]))
def test_both_sides_of_a_changed_cell_look_different_however_long_they_are(
    found: tuple[LogicalType, list[Any]], widest: int
) -> None:
    one, other = sides(*found[1], widest)
    assert folded(one) != folded(other)
    assert cut(one, widest) != cut(other, widest)


MARK = Mark("<private: email>")


@given(st.sampled_from([*TEXTS, *STRANGE]) | values(LogicalType("string")))
def test_no_text_reads_as_the_mark_of_a_private_value(text: str) -> None:
    assert told_apart(cell_text(MARK), cell_text(text))
    assert told_apart(letters_text(MARK), letters_text(text))
    assert told_apart(*(line_text([("c", value)]) for value in (MARK, text)))
    assert told_apart(*(key_text({"c": value}) for value in (MARK, text)))


def test_public_text_is_in_quotes_where_it_reads_as_a_private_value(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    columns = (column("id", "int64"), column("mail", "string", privacy="email"), column("note", "string"))
    schema = TableSchema("t", columns, key=("id",))
    old, new = (
        snapshot(tmp_path / str(number), {schema: {"id": ids, "mail": ["a"] * number, "note": [MARK] * number}})
        for number, ids in enumerate(([], [1]))
    )
    told = report(old, new, ("a", "b"), ReportOptions())
    print_report(told)
    for text in (capsys.readouterr().out, rendered(markdown([told])).text, Page(page([told])).text):
        assert text.count(MARK) == 2
        assert text.count(f'"{MARK}"') == 1
    (row,) = told.to_plain()["tables"]["t"]["rows"]
    assert row["after"] == {"id": 1, "mail": MARK, "note": MARK}


@given(different())
@example((LogicalType("string"), ["a b", "a  b"]))
@example((LogicalType("json"), [None, Document("null")]))
@example((LogicalType("list", element=LogicalType("json")), [[None], [Document("null")]]))
def test_no_face_shows_two_values_alike(found: tuple[LogicalType, list[Any]]) -> None:
    rows = [RowChange("added", {}, None, {"c": value}) for value in found[1]]
    lines = [line for line in markdown([of_rows(*rows)]).split("\n") if line.startswith("| <b>+</b>")]
    assert len(lines) == 2
    assert told_apart(*(collapsed(rendered(line).text) for line in lines))
    assert told_apart(*(Page(page([of_rows(row)])).text for row in rows))
    assert told_apart(*(json.dumps(row.to_plain()) for row in rows))


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [
        (None, Document("null"), "NULL → null"),
        (Document("null"), Document('"null"'), 'null → "null"'),
        (Document("1"), Document('"1"'), '1 → "1"'),
        (Document("[true]"), Document("[1]"), "[true] → [1]"),
        ([None], [Document("null")], "[NULL] → [null]"),
        ([True], [1], "[true] → [1]"),
        (None, "NULL", 'NULL → "NULL"'),
        (0.0, "0.0", '0.0 → "0.0"'),
        (" ", "", '" " → ""'),
    ],
)
def test_a_changed_cell_reads_the_same_in_each_face(
    before: Any, after: Any, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = of_rows(RowChange("changed", {}, {"c": before}, {"c": after}))
    print_report(found)
    assert shown in capsys.readouterr().out
    for text in (rendered(markdown([found])).text, Page(page([found])).text):
        assert all(side in text for side in shown.split(" → "))


def test_long_values_are_shown_from_where_they_differ(capsys: pytest.CaptureFixture[str]) -> None:
    found = of_rows(RowChange("changed", {}, {"c": "x" * 100 + "a"}, {"c": "x" * 100 + "b"}))
    print_report(found)
    for text in (capsys.readouterr().out, rendered(markdown([found])).text):
        assert f" …{'x' * 10}a" in text.replace("\n", " ")
        assert f" …{'x' * 10}b" in text.replace("\n", " ")


def test_the_json_form_names_the_nulls_of_json() -> None:
    before = {"a/b": None, "l": [None, Document("null")], "d": Document("1")}
    row = RowChange("changed", {"id": 1}, before, {"a/b": Document("null"), "l": [], "d": Document('{"x":null}')})
    assert row.to_plain() == {
        "key": {"id": 1},
        "kind": "changed",
        "before": {"a/b": None, "l": [None, None], "d": 1},
        "after": {"a/b": None, "l": [], "d": {"x": None}},
        "json_null": ["/before/l/1", "/after/a~1b"],
    }
    assert "json_null" not in RowChange("added", {}, None, {"c": None, "d": Document("[null]")}).to_plain()


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        (pa.array([1, 1_000_000_001], pa.timestamp("ns")), "00.000000001 01.000000001"),
        (pa.array([10**18, 10**18 + 1], pa.timestamp("us")), "1000000000000000000 1000000000000000001"),
        (pa.array([10**9], pa.date32()), "1000000000"),
        (pa.array([0], pa.timestamp("us", "Nowhere/At_all")), "1970-01-01T00:00:00Z"),
        (pa.array([1_500, 60_000, None], pa.timestamp("ms")), "T00:00:01.5 T00:01:00 NULL"),
        (pa.array([float("nan"), None, float("inf")]), '"NaN" NULL "Infinity"'),
        (pa.array([b"\xff\x00", b""]), '"ff00" ""'),
        (pa.array([[("k", None)], None], pa.map_(pa.string(), pa.int64())), '[{"key":"k","value":NULL}] NULL'),
        (pa.array(["x\u202e", "x\\u202e"]), '"x\\u202e" "x\\\\u202e"'),
        (pa.array([{"a": [1, None]}, None]), '{"a":[1,NULL]} NULL'),
        (pa.array(["x", None]).dictionary_encode(), '"x" NULL'),
    ],
)
def test_parquet_of_any_type_has_a_text(column: pa.Array, shown: str) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"c": column}), file)
    lines = text_of(file.getvalue(), None).splitlines()[1:]
    assert len(lines) == len(set(lines)) == len(column)
    assert all(part in line for part, line in zip(shown.split(" "), lines, strict=True))


def test_parquet_with_two_columns_of_one_name_shows_both() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], ["a", "a"]), file)
    assert text_of(file.getvalue(), None) == 'a: int64\na: int64\n{"a": 1, "a": 2}\n'


SETTINGS = TableSchema("t", (column("id", "int64"), column("doc", "json", nullable=True)), key=("id",))


def test_json_null_null_and_its_text_differ_from_snapshot_to_face(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found: list[list[str | None]] = [[None, "null", '"null"'], ["null", '"null"', None]]
    old, new = (
        snapshot(tmp_path / str(number), {SETTINGS: {"id": [1, 2, 3], "doc": texts}})
        for number, texts in enumerate(found)
    )
    told = report(old, new, ("a", "b"), ReportOptions())
    print_report(told)
    text = capsys.readouterr().out
    assert [line.split("doc  ")[1] for line in text.splitlines() if "doc  " in line] == [
        "NULL → null",
        'null → "null"',
        '"null" → NULL',
    ]
    plain = told.to_plain()
    documents.validate(documents.plain(plain, "diff"), "diff")
    assert [row.get("json_null") for row in plain["tables"]["t"]["rows"]] == [["/after/doc"], ["/before/doc"], None]
    assert show_table(new, "t").to_plain()["json_null"] == ["/first/0/doc"]


def test_facts_that_one_state_lacks_read_otherwise_than_those_that_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    schema = TableSchema("t", (column("id", "int64"), column("size", "float64", nullable=True)), key=("id",))
    old, new = (
        snapshot(tmp_path / str(number), {schema: {"id": [1, 2], "size": sizes}})
        for number, sizes in enumerate(([None, None], [0.0, float("inf")]))
    )
    told = report(old, new, ("a", "b"), ReportOptions(statistics=True))
    print_report(told)
    for text in (capsys.readouterr().out, rendered(markdown([told])).text, Page(page([told])).text):
        assert "- → 0.0" in text
        assert "- → Infinity" in text
        assert "inf\n" not in text


@pytest.mark.parametrize("key", [(), ("name",)])
def test_rows_whose_keys_begin_alike_are_shown_from_where_they_differ(
    key: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    names = ["x" * 100 + end for end in ("a", "b", "ba")]
    rows = [RowChange("added", {"name": name} if key else {}, None, {"name": name, "age": 1}) for name in names]
    rows.append(RowChange("removed", {"name": "y"} if key else {}, {"name": "y", "age": 1}))
    table = TableReport("t", TableChange(3, 1, 0, {}), 1, 3, key, ("name", "age"), tuple(rows))
    told = DiffReport("shop", "a", "b", (), (), (table,))
    print_report(told)
    for text in (capsys.readouterr().out, rendered(markdown([told])).text):
        words = text.split()
        assert {f"…{'x' * 10}{end}" for end in ("a", "b", "ba")} <= set(words)
        assert "…y" not in text


BEGINNINGS = st.sampled_from(["", "x" * 50, "x" * 60, "x" * 90, "p1/" + "z" * 60, "p2/" + "z" * 60, "e\u0301" * 30])


@given(st.lists(st.builds(str.__add__, BEGINNINGS, st.text("abe\u0301\u00e9", max_size=3)), unique=True, max_size=6))
def test_keys_that_differ_look_different_however_long_they_are(keys: list[str]) -> None:
    for widest in (40, 80):
        rows = rows_told_apart([RowChange("added", {"k": key}, None, {"k": key}) for key in keys], widest)
        assert told_apart(*(folded(cut(cell_text(row.key["k"]), widest)) for row in rows))
        assert told_apart(*(folded(key_text(row.key, widest)) for row in rows))


def test_all_parts_of_a_key_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    keys = [{"order": "123e4567-e89b-12d3-a456-426614174000", "note": "x" * 90, "line": line} for line in (1, 2)]
    told = of_rows(*(RowChange("changed", key, {"c": 1}, {"c": 2}) for key in keys))
    print_report(told)
    for text in (capsys.readouterr().out, rendered(markdown([told])).text):
        assert "… line=1" in text
        assert "… line=2" in text


def test_parts_of_a_key_are_told_apart() -> None:
    assert told_apart(*(key_text(key) for key in ({"a": "1 b=2", "b": "3"}, {"a": "1", "b": "2 b=3"})))
    assert key_text({"a": "\u00e9=", "b": letters_text("\u00e9=")}) == 'a="\u00e9=" b=\\u00e9='


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("float64", [1_000_000.1, 1_000_000.5]),
        ("timestamp", [datetime(2026, 1, 1), datetime(2026, 1, 1, 0, 0, 1)]),
    ],
)
def test_classes_of_a_histogram_that_lie_close_have_labels_of_their_own(
    tmp_path: Path, kind: str, values: list[Any]
) -> None:
    schema = TableSchema("t", (column("id", "int64"), column("size", kind)), key=("id",))
    old, new = (
        snapshot(tmp_path / str(number), {schema: {"id": [1, 2], "size": sizes}})
        for number, sizes in enumerate((values, values[::-1]))
    )
    (table,) = report(old, new, ("a", "b"), ReportOptions(statistics=True)).tables
    assert told_apart(*(bar.label for bar in table.statistics[0].bars))
