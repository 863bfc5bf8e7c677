"""Each generator makes what its words promise, and refuses what it cannot."""

from __future__ import annotations

import re
from collections import Counter
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.content.arrow import canonical
from tdv.errors import DocumentError
from tests.factories.specs import column, generator, one_column, read_spec

COLUMNS = {
    "sequence": "{type: int64, generate: {sequence: {start: 10, step: -3}}}",
    "constant": "{type: date, generate: {constant: as_of - 1d}}",
    "choice": "{type: bool, generate: {choice: {true: 1, false: 2}}}",
    "template": '{type: string, generate: {template: "{id:04}-{index}{{}}"}}',
    "faker": "{type: string, generate: {faker: address}}",
    "uniform": '{type: "decimal(6,2)", generate: {uniform: {min: -1.5, max: 1.5}}}',
    "normal": "{type: int16, minimum: 0, maximum: 60, generate: {normal: {mean: 38, sd: 30}}}",
    "lognormal": '{type: "decimal(9,2)", generate: {lognormal: {median: 50, sigma: 0.5}}}',
    "exponential": "{type: float64, generate: {exponential: {mean: 2}}}",
    "poisson": "{type: int32, generate: {poisson: {mean: 3}}}",
    "datetime": "{type: timestamptz, generate: {datetime: {from: as_of - 1h, to: as_of}}}",
    "uuid": "{type: uuid, generate: {uuid: {}}}",
    "pattern": '{type: string, generate: {pattern: "[A-C]{2}-\\\\d{1,2}(x|yy)?"}}',
    "pick": "{type: int64, references: items.id, generate: {pick: {skew: 1.1}}}",
    "derive": "{type: string, generate: {derive: \"'n' || id\"}}",
    "list": '{type: "list<int32>", generate: {list: {of: {poisson: {mean: 3}, "null": 0.2}, min: 1, max: 4}}}',
    "struct": '{type: "struct<a: int32, b: string>", generate: {struct: {a: {uniform: {min: 1, max: 6}}, b: uuid}}}',
    "null": '{type: string, nullable: true, generate: {faker: name, "null": 0.25}}',
}


@pytest.mark.parametrize("kind", COLUMNS)
def test_values_are_canonical_and_do_not_depend_on_blocks(tmp_path: Path, kind: str) -> None:
    made = generator(one_column(tmp_path, COLUMNS[kind], rows=150))
    schema = one_column(tmp_path, COLUMNS[kind]).table("items").schema
    whole = made.block(0, 150)
    pieces = pa.concat_tables([made.block(100, 150), made.block(0, 1), made.block(1, 100)])
    assert canonical(whole, schema).equals(whole)
    assert pieces.sort_by("id").equals(whole)
    scattered = np.array([149, 0, 77, 77])
    assert made.column("value", scattered).to_pylist() == whole["value"].take(pa.array(scattered)).to_pylist()


# A pick from the table itself has more parents where there are more rows: tests/factories/test_references.py.
@pytest.mark.parametrize("kind", [kind for kind in COLUMNS if kind != "pick"])
def test_more_rows_and_other_columns_change_no_value(tmp_path: Path, kind: str) -> None:
    few = column(one_column(tmp_path, COLUMNS[kind], rows=50))
    many = column(one_column(tmp_path, COLUMNS[kind], rows=5000))
    assert many.slice(0, 50).equals(few)


def test_sequence_counts(tmp_path: Path) -> None:
    assert column(one_column(tmp_path, COLUMNS["sequence"], rows=3)).to_pylist() == [10, 7, 4]
    assert column(one_column(tmp_path, "{type: int32, generate: {sequence: }}", rows=2)).to_pylist() == [1, 2]


def test_moments_lie_between_their_ends(tmp_path: Path) -> None:
    found = column(one_column(tmp_path, COLUMNS["datetime"], rows=3000)).to_pylist()
    assert min(found).isoformat() == "2025-12-31T23:00:00+00:00"[:19] + "+00:00"
    assert max(found).isoformat() == "2025-12-31T23:59:59+00:00"
    days = column(one_column(tmp_path, "{type: date, generate: {datetime: {from: 2024-02-28, to: 2024-03-02}}}"))
    assert set(days.to_pylist()) == {date(2024, 2, 28), date(2024, 2, 29), date(2024, 3, 1)}
    of_day = column(one_column(tmp_path, "{type: time, generate: {datetime: {from: 09:00:00, to: 09:00:02}}}"))
    assert set(of_day.to_pylist()) == {time(9), time(9, 0, 1)}
    text = "{type: timestamp, generate: {constant: as_of + 30s}}"
    assert column(one_column(tmp_path, text, rows=1)).to_pylist() == [datetime(2026, 1, 1, 0, 0, 30)]


def test_uniform_reaches_both_ends(tmp_path: Path) -> None:
    found = column(one_column(tmp_path, COLUMNS["uniform"], rows=20_000)).to_pylist()
    assert min(found) == Decimal("-1.50")
    assert max(found) == Decimal("1.50")
    dice = column(one_column(tmp_path, "{type: int16, minimum: 1, maximum: 6, generate: {uniform: {}}}"))
    assert set(dice.to_pylist()) == {1, 2, 3, 4, 5, 6}


def test_distributions_respect_bounds_and_round_to_the_type(tmp_path: Path) -> None:
    ages = column(one_column(tmp_path, COLUMNS["normal"], rows=5000)).to_pylist()
    assert min(ages) >= 0
    assert max(ages) <= 60
    counts = Counter(ages)
    assert counts[0] < 3 * counts[1] + 20
    prices = sorted(column(one_column(tmp_path, COLUMNS["lognormal"], rows=5001)).to_pylist())
    assert abs(prices[2500] - 50) < 2


def test_null_share_is_kept(tmp_path: Path) -> None:
    nulls = column(one_column(tmp_path, COLUMNS["null"], rows=10_000)).null_count
    assert abs(nulls - 2500) < 200


def test_choice_follows_weights(tmp_path: Path) -> None:
    found = Counter(column(one_column(tmp_path, COLUMNS["choice"], rows=9000)).to_pylist())
    assert abs(found[True] - 3000) < 200


def test_template_joins_columns(tmp_path: Path) -> None:
    assert column(one_column(tmp_path, COLUMNS["template"], rows=2)).to_pylist() == ["0001-0{}", "0002-1{}"]


@pytest.mark.parametrize("rows", [9, 10, 120])
def test_template_with_numbers_of_any_width(tmp_path: Path, rows: int) -> None:
    found = column(one_column(tmp_path, '{type: string, generate: {template: "ü{id}@x"}}', rows=rows)).to_pylist()
    assert found == [f"ü{number}@x" for number in range(1, rows + 1)]


def test_template_of_nullable_column_leaves_the_place_empty(tmp_path: Path) -> None:
    spec = read_spec(
        tmp_path,
        """
        items:
          rows: 100
          key: [id]
          columns:
            id: {type: int64, generate: sequence}
            note: {type: string, nullable: true, generate: {constant: hi, "null": 0.5}}
            value: {type: string, generate: {template: "<{note}>"}}
        """.replace("generate: sequence", "generate: {sequence: {}}"),
    )
    assert set(column(spec).to_pylist()) == {"<>", "<hi>"}


@pytest.mark.parametrize(
    "pattern", [r"[A-C]{2}-\d{1,2}(x|yy)?", "^a(b|cd){0,2}$", r"\(\w\)", "[a\\-z]", "x", r"[0-9a-f]{32}"]
)
def test_patterns_match(tmp_path: Path, pattern: str) -> None:
    quoted = "'" + pattern + "'"
    found = column(one_column(tmp_path, f"{{type: string, generate: {{pattern: {quoted}}}}}")).to_pylist()
    assert all(re.fullmatch(pattern, text) for text in found)


def test_unique_pattern_reaches_every_text_once(tmp_path: Path) -> None:
    text = '{type: string, unique: true, generate: {pattern: "[ab]{1,3}(x|)"}}'
    found = column(one_column(tmp_path, text, rows=28)).to_pylist()
    assert len(set(found)) == 28


UNIQUE = {
    "uuid": "{type: uuid, unique: true, generate: {uuid: {}}}",
    "uniform": "{type: int32, unique: true, generate: {uniform: {min: -100, max: 99}}}",
    "choice": f"{{type: int16, unique: true, generate: {{choice: {list(range(200))}}}}}",
    "datetime": "{type: date, unique: true, generate: {datetime: {from: as_of - 200d, to: as_of}}}",
    "pattern": "{type: string, unique: true, generate: {pattern: '[a-z]{2}'}}",
    "template": "{type: string, unique: true, generate: {template: 'a{id}'}}",
    "email": "{type: string, unique: true, generate: {faker: email}}",
    "user_name": "{type: string, unique: true, generate: {faker: user_name}}",
    "pick": "{type: int64, unique: true, references: items.id, generate: {pick: {}}}",
}


@pytest.mark.parametrize("kind", UNIQUE)
def test_unique_columns_are_unique_by_construction(tmp_path: Path, kind: str) -> None:
    assert pc.count_distinct(column(one_column(tmp_path, UNIQUE[kind], rows=200))).as_py() == 200


@pytest.mark.parametrize("kind", ["uniform", "choice", "datetime", "pick"])
def test_unique_column_with_too_few_values_is_refused(tmp_path: Path, kind: str) -> None:
    if kind == "pick":
        text = UNIQUE[kind].replace("items.id", "few.id")
        few = "few: {rows: 3, key: [id], columns: {id: {type: int64, generate: {sequence: {}}}}}"
    else:
        text, few = UNIQUE[kind], ""
    tables = f"""
        items:
          rows: 201
          key: [id]
          columns: {{id: {{type: int64, generate: {{sequence: {{}}}}}}, value: {text}}}
        {few}
        """
    with pytest.raises(DocumentError, match=r"201 (rows must all differ|different rows)"):
        generator(read_spec(tmp_path, tables))


@pytest.mark.parametrize(
    "text",
    [
        "{type: int16, unique: true, generate: {normal: {mean: 1, sd: 2}}}",
        "{type: string, unique: true, generate: {faker: name}}",
        "{type: string, unique: true, generate: {constant: x}}",
        "{type: string, unique: true, generate: {template: 'x{id}{index}'}}",
        "{type: string, unique: true, generate: {template: 'constant'}}",
    ],
)
def test_generator_that_may_repeat_is_refused_for_a_unique_column(tmp_path: Path, text: str) -> None:
    with pytest.raises(DocumentError, match="may repeat"):
        generator(one_column(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{type: string, generate: {uniform: {min: 1, max: 2}}}", "but the column is string"),
        ("{type: int16, generate: {uniform: {min: 1, max: 99999}}}", "range of int16"),
        ("{type: int16, generate: {uniform: {min: 3, max: 2}}}", "3"),
        ("{type: int16, generate: {uniform: {min: 3}}}", "needs 'max'"),
        ("{type: int16, generate: {sequence: {start: 32700}}}", "beyond the range"),
        ("{type: int32, generate: {choice: [1, two]}}", "'two'"),
        ("{type: int32, generate: {choice: {1: 0, 2: 0}}}", "not all be 0"),
        ("{type: date, generate: {datetime: {from: as_of, to: as_of}}}", "must lie before"),
        ("{type: date, generate: {datetime: {from: 2020-13-01, to: as_of}}}", "cannot read the moment"),
        ("{type: string, generate: {pattern: 'a+'}}", "not supported"),
        ("{type: string, generate: {pattern: '[a'}}", "'[a'"),
        ("{type: string, generate: {template: '{nobody}'}}", "no column 'nobody'"),
        ("{type: string, generate: {template: '{id'}}", "'{id'"),
        ("{type: int64, generate: {derive: 'random() * 2'}}", "uses random"),
        ("{type: int64, generate: {derive: '(SELECT 1)'}}", "uses select"),
        ("{type: int32, generate: {poisson: {mean: 20000}}}", "use normal"),
    ],
)
def test_options_that_make_no_sense_are_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DocumentError, match=re.escape(message)) as caught:
        generator(one_column(tmp_path, text))
    assert "items" in str(caught.value.problems[0])
    assert caught.value.hint


def test_columns_made_from_each_other_are_refused(tmp_path: Path) -> None:
    tables = """
        items:
          rows: 2
          columns:
            a: {type: string, generate: {template: "{b}"}}
            b: {type: string, generate: {template: "{a}"}}
        """
    with pytest.raises(DocumentError, match=r"made from itself: [ab] → [ab] → [ab]"):
        generator(read_spec(tmp_path, tables))


def test_derive_that_fails_names_the_expression(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"columns\.value\.generate\.derive: .*nothing \+ 1"):
        column(one_column(tmp_path, "{type: int64, generate: {derive: nothing + 1}}"))


def test_derive_rounds_to_the_decimal_and_may_name_columns_like_functions(tmp_path: Path) -> None:
    tables = """
        items:
          rows: 3
          columns:
            first: {type: int64, generate: {sequence: {start: 1}}}
            value: {type: "decimal(6,2)", generate: {derive: first / 3}}
        """
    assert column(read_spec(tmp_path, tables)).to_pylist() == [Decimal("0.33"), Decimal("0.67"), Decimal("1.00")]


def test_lists_begin_alike_whatever_their_length(tmp_path: Path) -> None:
    text = '{type: "list<int32>", generate: {list: {of: {poisson: {mean: 9}}, min: LENGTH, max: LENGTH}}}'
    short, long = (column(one_column(tmp_path, text.replace("LENGTH", length))) for length in "24")
    assert [values[:2] for values in long.to_pylist()] == short.to_pylist()


@given(st.integers(0, 2**63 - 1), st.sampled_from(["name", "email", "address", "sentence"]))
def test_any_seed_gives_valid_blocks(tmp_path_factory: pytest.TempPathFactory, seed: int, provider: str) -> None:
    root = tmp_path_factory.mktemp("seed")
    head = f"dataset: shop\nseed: {seed}\nas_of: 2026-01-01T00:00:00Z\n"
    spec = read_spec(
        root, f"items: {{rows: 20, columns: {{value: {{type: string, generate: {{faker: {provider}}}}}}}}}", head=head
    )
    found = column(spec)
    found.validate(full=True)
    assert all(found.to_pylist())
