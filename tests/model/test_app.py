import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.model.app import parse_app
from tdv.model.ranges import Range
from tdv.model.version import Version, parse_version

CASES = [
    # text, ranges that hold it, ranges that do not
    ("2.3.1", "2.3.1 ^2 >=2.3.1,<3 ~2.3", "<2.3.1 ^1 >2.3.1"),
    ("v2.3.1", "2.3.1 ^2.3", "2.3.2"),
    ("2.3", "2.3.0 ^2", "2.3.1 <2.3"),
    ("2", "2.0.0 ^2", ">=2.1"),
    ("2026.01.15", ">=2026.1 2026.x ^2026.1.15", "<2026 2025.x"),
    ("20261115", ">=20261101", "<20261101"),
    ("2.0.0-dev", ">=2 ^2 2.0.0", "<2 ^1"),
    ("2.0.0-rc.1", ">=2.0.0-rc.1 ^2 >=2,<3", ">=2.0.0-rc.2 <2 >=2.0.0-rc.10"),
    ("2.0.0rc1", ">=2.0.0-rc.1 ^2", ">=2.0.0-rc.2"),
    ("2.0.0.dev4+gabc123", "^2 <2.0.0-alpha", "^1 >=2.0.0-alpha"),
    ("2.0rc2.dev3", ">2.0.0-rc.1 <2.0.0-rc.2", ">=2.0.0-rc.2"),
    ("2.3.1.post1", "^2.3 >2.3.1 >=2.3.1 <2.3.2", "2.3.1 <=2.3.1"),
    ("2.3.1.4", "~2.3.1 >2.3.1", "<=2.3.1"),
    ("2.3.1.0", "2.3.1", ">2.3.1"),
    ("v2.3.1-4-gabc1234", "^2.3 >2.3.1 <2.3.2", "2.3.1 <2.3.1"),
    ("v2.3.1-4-gabc1234-dirty", "^2.3 >2.3.1", "<2.3.1"),
    ("v2.3.1-dirty", "2.3.1", "<2.3.1"),
    ("2.3.1+build.7", "2.3.1", ">2.3.1"),
    ("2.3.1.Final", "2.3.1", "<2.3.1"),
    ("2.0.0-rc1", ">=2.0.0-rc1 ^2", ">=2.0.0-rc2"),
    ("v2.0.0-rc.1-4-gabc1234", ">2.0.0-rc.1 >=2.0.0-rc.1 <2.0.0-rc.2 ^2 2.0.0", ">=2.0.0-rc.2 <=2.0.0-rc.1 <2"),
    ("2.0rc1-4-gabc1234-dirty", ">2.0.0-rc.1 <2.0.0-rc.2 ^2", ">=2.0.0-rc.2 >=2.0.0-rc.10"),
    ("2.0.0-0-gabc1234", "2.0.0 ^2", "<2"),
    ("2.3.1.post1.dev2", ">2.3.1 <2.3.2", "2.3.1"),
    ("26.04", "26.4.0 >=25.10,<27", "<26.4"),
    ("V2.3", "2.3.0", "2.4"),
    ("2.3.1-SNAPSHOT", "2.3.1 >=2.3.1", "<2.3.1"),
]


@pytest.mark.parametrize(
    ("text", "allowed", "holds"),
    [(text, item, True) for text, inside, _ in CASES for item in inside.split()]
    + [(text, item, False) for text, _, outside in CASES for item in outside.split()],
)
def test_app_version_within_range(text: str, allowed: str, holds: bool) -> None:
    assert parse_app(text).within(Range.parse(allowed)) is holds


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("dev", "is no app version"),
        ("", "is no app version"),
        ("1!2.0", "is no app version"),
        ("abc1234", "is no app version"),
        ("1234567", "may be the hash of a commit"),
        ("movies@v1.1.0-3-gabc1234", "is the tag of a data release"),
        ("2.0rc1.post1", "a post-release of a pre-release"),
        ("2.0rc.dev1", "comes before the first rc"),
        ("2.3.1~beta", "is no app version"),
        ("release-2.3.1", "is no app version"),
        ("2.3.x", "is no app version"),
        ("2.3.1 LTS", "is no app version"),
    ],
)
def test_app_version_without_a_sure_order_is_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_app(text)


releases = st.builds(Version, *(st.integers(min_value=0, max_value=9) for _ in range(3)))


@given(releases, releases)
def test_order_of_semver_is_kept(one: Version, other: Version) -> None:
    assert parse_app(str(one)).version == one == parse_version(str(one))
    assert parse_app(str(one)).within(Range.parse(f"<={other}")) is (one <= other)
    assert parse_app(f"{one}.post1").within(Range.parse(f"<={other}")) is (one < other)
