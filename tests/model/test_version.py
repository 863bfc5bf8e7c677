import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from tdv.model.diff import Level
from tdv.model.version import Version, parse_version

number = st.integers(min_value=0, max_value=10**12)
word = st.from_regex(r"\A(?:0|[1-9][0-9]{0,5}|[0-9]{0,2}[A-Za-z-][0-9A-Za-z-]{0,4})\Z")
texts = st.builds(
    lambda core, pre: ".".join(map(str, core)) + ("-" + ".".join(pre) if pre else ""),
    st.tuples(number, number, number),
    st.lists(word, max_size=3),
)


@given(texts)
def test_version_survives_its_text(text: str) -> None:
    assert str(parse_version(text)) == text
    assert parse_version("v" + text) == parse_version(text)


@given(texts, texts)
def test_order_is_that_of_the_semver_package(one: str, other: str) -> None:
    ours = (parse_version(one) > parse_version(other)) - (parse_version(one) < parse_version(other))
    assert ours == semver.Version.parse(one).compare(other)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "v",
        "1",
        "1.2",
        "01.0.0",
        "1.0.0.0",
        "1.0.0-",
        "1.0.0-01",
        "1.0.0-a..b",
        "-1.0.0",
        "1.0.0 beta",
        "\u0661.0.0",
    ],
)
def test_refuses_what_is_no_version(text: str) -> None:
    with pytest.raises(ValueError, match="is no version"):
        parse_version(text)


def test_refuses_build_metadata_by_name() -> None:
    with pytest.raises(ValueError, match="build metadata"):
        parse_version("1.0.0+5")


@pytest.mark.parametrize(
    ("before", "level", "after"),
    [
        ("1.2.3", "major", "2.0.0"),
        ("1.2.3", "minor", "1.3.0"),
        ("1.2.3", "patch", "1.2.4"),
        ("1.2.3", "none", "1.2.3"),
        ("2.0.0-rc.1", "major", "2.0.0"),
        ("2.0.0-rc.1", "patch", "2.0.0"),
        ("2.0.1-rc.1", "minor", "2.1.0"),
        ("1.1.0-rc.1", "major", "2.0.0"),
    ],
)
def test_bumped(before: str, level: Level, after: str) -> None:
    assert parse_version(before).bumped(level) == parse_version(after)


def test_is_a_value() -> None:
    assert {Version(1, 0, 0), parse_version("1.0.0")} == {Version(1, 0, 0)}
