from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tdv.model.canonical import Recoder, dumps, parse

TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        # RFC 8785, appendix B
        ("0000000000000000", "0"),
        ("8000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("4340000000000000", "9007199254740992"),
        ("c340000000000000", "-9007199254740992"),
        ("4430000000000000", "295147905179352830000"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef4e", "999999999999999700000"),
        ("444b1ae4d6e2ef4f", "999999999999999900000"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_floats_are_written_as_rfc_8785_has_them(bits: str, text: str) -> None:
    (value,) = struct.unpack(">d", bytes.fromhex(bits))
    assert dumps(value).decode() == text


def test_example_of_rfc_8785() -> None:
    given_text = r"""{
      "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
      "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
      "literals": [null, true, false]
    }"""
    expected = (
        '{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],'
        '"string":"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    )
    assert dumps(parse(given_text)).decode() == expected
    assert Recoder()(given_text) == expected


def test_keys_are_sorted_by_utf_16() -> None:
    value = dict.fromkeys(["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\x80", "\xf6"])
    assert list(json.loads(dumps(value))) == ["\r", "1", "\x80", "\xf6", "\u20ac", "\U0001f600", "\ufb33"]


def test_integers_are_exact_at_any_size() -> None:
    for digits in ("9007199254740993", "-" + "9" * 40, "1" + "0" * 6000 + "1"):
        assert Recoder()(digits) == digits
        assert dumps(parse(digits)).decode() == digits


@pytest.mark.parametrize(
    "text",
    ['{"a":1,"a":2}', '{"a":{"b":1,"b":1}}', '"\\u0000"', '{"\\u0000":1}', '"\\ud800"', "NaN", "-Infinity", "1e999",
     "01", "{'a':1}", "[1,]", "", "1 2", '"\x01"', pytest.param("[" * 100_000, id="deep")],
)  # fmt: skip
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Recoder()(text)
    with pytest.raises(ValueError, match=r"."):
        dumps(parse(text))


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, {1: 2}, {"a": b"x"}, "\ud800", object(), pytest.param([10**20_000], id="long")]
)
def test_what_json_cannot_say_is_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        dumps(value)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_float_reads_back_as_itself(value: float) -> None:
    assert float(dumps(value)) == value


@example(9007199254740994.0, False, None)
@given(VALUES, st.booleans(), st.sampled_from([None, 1, "\t"]))
def test_every_spelling_has_one_canonical_text(value: object, ascii_only: bool, indent: int | str | None) -> None:
    if "\\u0000" in json.dumps(value):
        return
    spelled = json.dumps(value, ensure_ascii=ascii_only, indent=indent)
    text = Recoder()(spelled)
    assert text == dumps(parse(spelled)).decode() == Recoder()(text)
