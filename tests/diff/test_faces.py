import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from tdv import documents
from tdv.cli import layout
from tdv.cli.differences import print_report
from tdv.diff.markdown import LIMIT, markdown
from tdv.diff.page import page
from tdv.diff.report import report
from tdv.diff.sql import ScriptOptions, statements
from tdv.faces.text import cut, escaped_letters, spelled, visible
from tdv.model.diff import Finding, TableChange
from tdv.model.diff_report import (
    DiffReport,
    ReportOptions,
    RowChange,
    ScenarioChange,
    ScenarioRow,
    SchemaChange,
    TableReport,
)
from tdv.targets.dialect import named_dialect
from tests.diff.faces import HOSTILE, SECRET, hostile, states

ALLOWED = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "h3", "p", "span", "div", "table", "thead", "tbody",
    "tr", "th", "td", "a", "section", "header", "input", "label", "output", "dl", "dt", "dd", "i", "b", "small", "del",
    "ins", "script", "details", "summary", "code", "strong", "em", "ul", "li",
}  # fmt: skip


class Page(HTMLParser):
    """The elements of a page and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(text: str) -> Page:
    return Page(MarkdownIt("commonmark", {"html": True}).enable("table").render(text))


def test_page_shows_hostile_values_as_text(tmp_path: Path) -> None:
    found = Page(page([hostile(tmp_path)]))
    assert {tag for tag, _ in found.tags} <= ALLOWED
    assert sum(tag == "script" for tag, _ in found.tags) == 1
    assert not [name for _, attributes in found.tags for name in attributes if name.startswith("on") or name == "src"]
    assert "<script>alert(1)</script>" in found.text
    assert "\x1b" not in found.text
    assert "\u202e" not in found.text


def test_page_loads_nothing_and_runs_only_its_own_script(tmp_path: Path) -> None:
    text = page([hostile(tmp_path)])
    assert "default-src 'none'" in text
    assert not re.search(r"""(src|href)=['"](?!#)""", text)


def test_markdown_shows_hostile_values_as_text(tmp_path: Path) -> None:
    found = rendered(markdown([hostile(tmp_path)]))
    assert {tag for tag, _ in found.tags} <= ALLOWED - {"script", "a", "style"}
    assert "<script>alert(1)</script>" in found.text
    assert "www.evil.example https://evil.example" in found.text
    assert "\x1b" not in found.text
    assert "\u202e" not in found.text
    opened = sum(tag == "details" for tag, _ in found.tags)
    assert markdown([hostile(tmp_path / "again")]).count("</details>") == opened


def test_markdown_keeps_mentions_and_references_inside_code(tmp_path: Path) -> None:
    text = MarkdownIt("commonmark", {"html": True}).enable("table").render(markdown([hostile(tmp_path)]))
    outside = re.sub(r"<code>.*?</code>", "", text, flags=re.DOTALL)
    assert "@everyone" not in outside
    assert "evil" not in outside


def many(rows: int, columns: int, width: int = 10) -> DiffReport:
    cells = {f"column {number}": "é" * width for number in range(columns)}
    after = {name: value + "<" for name, value in cells.items()}
    changed = tuple(RowChange("changed", {"id": number}, cells, after) for number in range(rows))
    counts = TableChange(changed=rows, cells=dict.fromkeys(cells, rows))
    table = TableReport("wide", counts, rows, rows, ("id",), ("id", *cells), changed)
    return DiffReport("shop", "shop@v1.0.0", "shop@v1.0.1", (), (), (table, table))


@pytest.mark.parametrize(("rows", "columns"), [(10_000, 1), (500, 1_000), (100, 100)])
def test_markdown_stays_below_the_limit_and_says_what_is_missing(rows: int, columns: int) -> None:
    text = markdown([many(rows, columns)])
    assert len(text) <= len(text.encode()) <= LIMIT
    assert "rows shown" in text
    assert text.count("<details>") == text.count("</details>")


@pytest.mark.parametrize(
    ("limit", "said"),
    [(4_000, "part of 1 of 50 rows shown"), (LIMIT, r"\d+ of 50 rows shown, and part of the next")],
)
def test_markdown_says_of_a_row_that_is_cut_that_part_of_it_is_shown(limit: int, said: str) -> None:
    assert re.search(rf"^\*{said}\*$", markdown([many(50, 20, width=60)], limit), re.MULTILINE)


@pytest.mark.parametrize(("columns", "said"), [(20, None), (21, "1 more value"), (1_000, "980 more values")])
def test_rows_of_very_many_changed_cells_are_cut(
    columns: int, said: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    found = many(2, columns)
    print_report(found)
    for text in (capsys.readouterr().out, markdown([found])):
        assert text.count("column 19") == 4, "two rows of two tables"
        assert "column 20" not in text
        assert text.count(said or "more") == (4 if said else 0)


@pytest.mark.parametrize("limit", [2_500, 3_000, 5_000, 20_000])
def test_markdown_of_any_limit_is_whole(tmp_path: Path, limit: int) -> None:
    text = markdown([hostile(tmp_path), many(50, 50)], limit)
    assert len(text.encode()) <= limit
    assert text.count("<details>") == text.count("</details>")
    assert "Left out for length" in text or "rows shown" in text or limit == 20_000


def test_private_values_are_in_no_face(tmp_path: Path) -> None:
    found = hostile(tmp_path)
    old, new = states(tmp_path / "again")
    sql = "\n".join(statements(old, new, named_dialect("sqlite"), ScriptOptions(("a", "b"))))
    for face in (markdown([found]), page([found]), json.dumps(found.to_plain()), sql):
        assert "ecret" not in face
        assert "private" in face


def test_private_values_are_shown_when_asked_for(tmp_path: Path) -> None:
    found = hostile(tmp_path, reveal=True)
    old, new = states(tmp_path / "again")
    sql = "\n".join(statements(old, new, named_dialect("sqlite"), ScriptOptions(("a", "b"), reveal=True)))
    assert SECRET in Page(page([found])).text
    assert SECRET in rendered(markdown([found])).text
    for face in (json.dumps(found.to_plain()), sql):
        assert SECRET in face


def test_json_is_described_by_its_schema(tmp_path: Path) -> None:
    found = hostile(tmp_path)
    documents.validate(documents.plain(found.to_plain(), "diff"), "diff")
    documents.validate(documents.plain(found.head(3), "diff"), "diff")
    assert all("rows" not in table for table in found.head(3)["tables"].values())


def test_equal_states_say_so(tmp_path: Path) -> None:
    old, _ = states(tmp_path)
    found = report(old, old, ("a", "a"), ReportOptions())
    assert not found.differs
    assert "no difference" in markdown([found])
    assert "No difference" in page([found])


def test_markdown_of_several_datasets_names_each_table_with_its_own(tmp_path: Path) -> None:
    old, _ = states(tmp_path)
    equal = replace(report(old, old, ("zoo@a", "zoo@b"), ReportOptions()), dataset="zoo")
    changed = many(2, 1)
    text = markdown([changed, equal, replace(changed, dataset="other")])
    assert "No difference: <code>zoo</code>\n" in text
    assert "zoo&#64;a" not in text
    assert "<summary><code>shop</code>: <b><code>wide</code></b>: 2 changed</summary>" in text
    assert "<summary><code>other</code>: <b><code>wide</code></b>: 2 changed</summary>" in text
    assert "<summary><b><code>wide</code></b>" in markdown([changed, equal])


ALIKE = ("\u00e9", "e\u0301"), (["\u00e9"], ["e\u0301"]), ({"a": "\u00e9"}, {"a": "e\u0301"})


@pytest.mark.parametrize("values", ALIKE)
def test_texts_that_look_the_same_are_told_apart(
    values: tuple[object, object], capsys: pytest.CaptureFixture[str]
) -> None:
    row = RowChange("changed", {"id": 1}, {"name": values[0]}, {"name": values[1]})
    table = TableReport("users", TableChange(changed=1, cells={"name": 1}), 1, 1, ("id",), ("id", "name"), (row,))
    found = DiffReport("shop", "a", "b", (), (), (table,))
    print_report(found)
    for text in (capsys.readouterr().out, rendered(markdown([found])).text, Page(page([found])).text):
        assert "\\u00e9" in text
        assert "e\\u0301" in text


@pytest.mark.parametrize(
    ("before", "after", "said"), [(0, 1, "0 → 1 row"), (1, 1, "1 row"), (1, 1_000, "1 → 1,000 rows")]
)
def test_the_card_of_a_scenario_counts_rows(before: int, after: int, said: str) -> None:
    scenario = ScenarioChange("retry", "changed", "Retry", {"users": (before, after)})
    text = page([DiffReport("shop", "a", "b", (), (), (), (scenario,))])
    assert f"<dd>{said}\n" in text


def test_keys_that_look_the_same_are_told_apart(capsys: pytest.CaptureFixture[str]) -> None:
    one, two = "\u00e9", "e\u0301"
    rows = (
        RowChange("added", {"name": two}, None, {"name": two, "age": 5}),
        RowChange("changed", {"name": one}, {"age": 1}, {"age": 2}),
        RowChange("changed", {"name": "\u00fc"}, {"age": 3}, {"age": 4}),
    )
    table = TableReport("users", TableChange(1, 0, 2, {"age": 2}), 2, 3, ("name",), ("name", "age"), rows)
    found = DiffReport("shop", "a", "b", (), (), (table,))
    print_report(found)
    for text in (capsys.readouterr().out, rendered(markdown([found])).text, Page(page([found])).text):
        assert "e\\u0301" in text
        assert "\\u00e9" in text
        assert "\u00fc" in text
        assert one not in text


SHOWN = {
    "\x07\x9b\r": r"\u0007\u009b\u000d",
    "\u202ea\u2069\u200b": r"\u202ea\u2069\u200b",
    r"\u202e\U0001F600\x07": r"\\u202e\\U0001F600\x07",
    "\\\u202e": r"\\\u202e",
    "a\nb\tc": "a⏎b⇥c",
    "a⏎b⇥c": r"a\u23ceb\u21e5c",
    r"C:\new\users\ada": r"C:\new\users\ada",
}


@pytest.mark.parametrize("value", SHOWN)
def test_each_face_shows_special_characters_alike(value: str, capsys: pytest.CaptureFixture[str]) -> None:
    rows = (
        RowChange("added", {"id": 1}, None, {"id": 1, "name": value}),
        RowChange("changed", {"id": 2}, {"name": value}, {"name": "other"}),
    )
    table = TableReport("users", TableChange(1, 0, 1, {"name": 1}), 1, 2, ("id",), ("id", "name"), rows)
    found = DiffReport("shop", "a", "b", (), (), (table,))
    print_report(found)
    for text in (capsys.readouterr().out, rendered(markdown([found])).text, Page(page([found])).text):
        assert text.count(SHOWN[value]) == 2


@pytest.mark.parametrize("name", SHOWN)
def test_each_face_shows_special_characters_of_names_as_those_of_values(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (
        RowChange("added", {name: 1}, None, {name: 1, "age": 1}),
        RowChange("changed", {name: 2}, {"age": 1}, {"age": 2}),
    )
    table = TableReport(f"t{name}", TableChange(1, 0, 1, {"age": 1}), 1, 2, (name,), (name, "age"), rows)
    added = SchemaChange("column-added", f"t{name}", name, after="int64")
    found = DiffReport("shop", "a", "b", (Finding("row-added", "minor", f"t{name}", name, name),), (added,), (table,))
    print_report(found)
    texts = (capsys.readouterr().out, rendered(markdown([found])).text, Page(page([found])).text)
    assert [text.count(SHOWN[name]) for text in texts] == [8, 9, 8]


@pytest.mark.parametrize("width", range(1, 30))
def test_no_escape_is_cut_in_the_middle(width: int) -> None:
    for value in (*SHOWN, "a\u202e" * 5, "\\" * 20, "🜚\U0001f71a"):
        text = visible(spelled(value))
        for short in (cut(text, width), layout.cut(text, width), visible(spelled(value), width)):
            assert len(short) <= max(width, 1)
            assert short == text or (short.endswith("…") and text.startswith(short[:-1]))
            assert short[:-1] in pieces(text)


def pieces(text: str) -> list[str]:
    """The beginnings of a text that end inside of no escape."""
    found = re.findall(r"\\+(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|.)|.", text, re.DOTALL)
    return ["".join(found[:count]) for count in range(len(found) + 1)] + [text[:-1]]


def test_markdown_says_how_many_values_of_a_scenario_are_left_out() -> None:
    values = {f"column {number}": number for number in range(30)}
    row = ScenarioRow("users", "ada", RowChange("added", {"id": 1}, None, values))
    found = DiffReport("shop", "a", "b", (), (), (), (ScenarioChange("kept", "added", "", {"users": (0, 1)}, (row,)),))
    text = rendered(markdown([found])).text
    assert "column 19 19, … and 10 more values" in text


@given(*[st.text(st.sampled_from("\\\\\\uU0e⏎⇥\n\t\x07\u202e\u00e9\U0001f600"))] * 2)
def test_values_that_differ_are_never_written_alike(one: str, other: str) -> None:
    for spelling in (spelled, escaped_letters):
        assert (visible(spelling(one)) == visible(spelling(other))) is (one == other)


def test_every_hostile_value_is_told(tmp_path: Path) -> None:
    text = json.dumps(hostile(tmp_path).to_plain(), ensure_ascii=False)
    for value in HOSTILE:
        assert json.dumps(value, ensure_ascii=False) in text
