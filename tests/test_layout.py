"""Tables and lines of the terminal fit its width, wide characters included."""

import contextlib
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from tdv.cli import terminal
from tdv.cli.layout import Sides, cut, fitted, wrapped

TEXTS = st.text(st.sampled_from("ab 千🎬é→"), max_size=30)


@given(st.lists(st.integers(0, 90), min_size=1, max_size=12), st.integers(10, 120))
def test_columns_fit_and_narrow_the_widest_first(widths: list[int], room: int) -> None:
    found = fitted(widths, room)
    assert sum(found) + 2 * (len(found) - 1) <= room
    narrowed = [width for width, natural in zip(found, widths, strict=False) if width < natural]
    assert not narrowed or max(found) - min(narrowed) == 0
    if sum(widths) + 2 * (len(widths) - 1) <= room:
        assert found == widths


@given(TEXTS, st.integers(1, 20))
def test_a_cut_cell_fits_and_says_so(text: str, width: int) -> None:
    found = cut(text, width)
    assert cell_len(found) <= width
    assert found == text or found.endswith("…")


@given(TEXTS, TEXTS, st.integers(8, 30))
def test_both_sides_of_a_cut_change_are_seen(before: str, after: str, width: int) -> None:
    found = cut(Sides(before, after), width)
    assert cell_len(found) <= width
    assert " → " in found


@given(st.lists(TEXTS, max_size=8), st.integers(12, 60))
def test_wrapped_lines_fit_and_keep_every_word(words: list[str], width: int) -> None:
    text = " ".join(words)
    lines = wrapped(text, width, "    ")
    assert all(cell_len(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(text.split())


@given(st.text("ab\\", max_size=30), st.text("ab\\", max_size=30), st.integers(20, 40))
def test_both_sides_of_a_change_are_cut_so_that_they_differ(before: str, after: str, width: int) -> None:
    start = "x" * 50
    text = cut(Sides(start + before, start + after), width)
    one, _, other = text.partition(" → ")
    assert (one == other) is (before == after)
    assert cell_len(text) <= width


def test_a_word_that_is_broken_keeps_its_escapes_whole() -> None:
    for width in range(14, 40):
        lines = wrapped("the name " + "\\u202e" * 30, width, "    ")
        assert all(line.removeprefix("the name").replace("\\u202e", "").strip() == "" for line in lines)
        assert "".join(lines).count("\\u202e") == 30


@pytest.mark.parametrize("widest", [20, 40, 60])
def test_a_table_says_which_columns_found_no_room(widest: int) -> None:
    with contextlib.redirect_stdout(io.StringIO()) as written:
        terminal.table([f"column {n}" for n in range(12)], [["千と千尋の神隠し"] * 12], widest=widest)
    lines = written.getvalue().splitlines()
    assert max(map(cell_len, lines)) <= widest
    assert "more columns" in lines[-1]
