import pytest
from hypothesis import given
from hypothesis import strategies as st

from tdv.model.diff import Level
from tdv.model.ranges import Range
from tdv.model.version import Version, parse_version

versions = st.builds(Version, *(st.integers(min_value=0, max_value=5) for _ in range(3)))

CASES = """
1.1.0           | 1.1.0                   | 1.1.1 1.0.9 1.1.0-rc.1
v1.1.0          | 1.1.0                   | 1.1.1
=1.1.0          | 1.1.0                   | 1.1.1
==1.1.0         | 1.1.0                   | 1.1.1
1               | 1.0.0 1.9.9             | 0.9.0 2.0.0
1.1             | 1.1.0 1.1.9             | 1.2.0 1.0.9
1.x             | 1.0.0 1.9.9             | 2.0.0
1.1.*           | 1.1.0 1.1.9             | 1.2.0
*               | 0.0.0 9.9.9             | 1.0.0-rc.1
latest          | 0.0.0 9.9.9             | 1.0.0-rc.1
^1.1            | 1.1.0 1.9.9             | 1.0.9 2.0.0 2.0.0-rc.1 1.2.0-rc.1
^1.2.3          | 1.2.3 1.9.0             | 1.2.2 2.0.0
^0.2.3          | 0.2.3 0.2.9             | 0.2.2 0.3.0
^0.0.3          | 0.0.3                   | 0.0.2 0.0.4
^0.0            | 0.0.0 0.0.9             | 0.1.0
^0              | 0.0.0 0.9.9             | 1.0.0
~1.1.2          | 1.1.2 1.1.9             | 1.1.1 1.2.0
~1.1            | 1.1.0 1.1.9             | 1.2.0
~1              | 1.0.0 1.9.9             | 2.0.0
>=1.2,<3        | 1.2.0 2.9.9             | 1.1.9 3.0.0 3.0.0-rc.1
>= 1.2 <3       | 1.2.0 2.9.9             | 1.1.9 3.0.0
>1.2            | 1.3.0                   | 1.2.9
>1.2.3          | 1.2.4                   | 1.2.3
<=1.2           | 1.2.9                   | 1.3.0
<=1.2.3         | 1.2.3                   | 1.2.4
<1.2            | 1.1.9                   | 1.2.0
<*              |                         | 0.0.0 1.0.0
>=*             | 0.0.0                   | 1.0.0-a
1.0.0 \\|\\| ^2 | 1.0.0 2.3.0             | 1.0.1 3.0.0
1.1.0-rc.1      | 1.1.0-rc.1              | 1.1.0-rc.2 1.1.0
>=1.1.0-rc.1    | 1.1.0-rc.2 1.1.0 1.2.0  | 1.2.0-rc.1
^1.1.0-rc.1     | 1.1.0-rc.1 1.9.0        | 1.2.0-rc.1 2.0.0
"""


def cases() -> list[tuple[str, str, bool]]:
    found = []
    for line in CASES.strip().splitlines():
        text, allowed, refused = (part.strip() for part in line.replace("\\|", "/").split("|"))
        text = text.replace("/", "|")
        found += [(text, version, True) for version in allowed.split()]
        found += [(text, version, False) for version in refused.split()]
    return found


@pytest.mark.parametrize(("text", "version", "allowed"), cases())
def test_range_allows(text: str, version: str, allowed: bool) -> None:
    assert Range.parse(text).allows(version) is allowed


@pytest.mark.parametrize(
    "text", ["", " ", "^", "a", "1.x.3", "1.2,", "||", "1 ||", "~latest", "01.2", ">=1 foo", "1.2.3.4"]
)
def test_refuses_what_is_no_range(text: str) -> None:
    with pytest.raises(ValueError, match="range"):
        Range.parse(text)


def test_exact_names_one_version() -> None:
    assert Range.parse("v1.1.0").exact == parse_version("1.1.0")
    assert Range.parse("=1.1.0-rc.1").exact == parse_version("1.1.0-rc.1")
    assert [Range.parse(text).exact for text in ("^1.1", "1.1", "*", "1.0.0 || 1.1.0", ">=1.0.0")] == [None] * 5


def test_prereleases_on_request_stay_below_an_excluded_end() -> None:
    app = Range.parse(">=1.2,<3")
    assert app.allows("2.0.0-dev.4", prereleases=True)
    assert not app.allows("3.0.0-dev.4", prereleases=True)
    assert not app.allows("1.2.0-dev.4", prereleases=True)


@given(versions, versions)
def test_caret_and_tilde_are_the_ranges_that_they_stand_for(low: Version, candidate: Version) -> None:
    caret, tilde = Range.parse(f"^{low}"), Range.parse(f"~{low}")
    step: Level = "major" if low.major else "minor" if low.minor else "patch"
    assert caret.allows(candidate) == (low <= candidate < low.bumped(step))
    assert tilde.allows(candidate) == (low <= candidate < low.bumped("minor"))


@given(versions, versions, versions)
def test_comma_means_both_and_bars_mean_either(one: Version, other: Version, candidate: Version) -> None:
    both = Range.parse(f">={one}, <{other}").allows(candidate)
    either = Range.parse(f">={one} || <{other}").allows(candidate)
    assert both == (one <= candidate < other)
    assert either == (candidate >= one or candidate < other)
